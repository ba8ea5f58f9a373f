"""The collector on a real graph, against the built-in simulator as a separate process."""

import signal
import time

import graph
import numpy as np
import pytest
import rclpy
from bridge_table import STEPS_NS
from carla_msgs.msg import CarlaStatus
from rclpy.executors import SingleThreadedExecutor
from wm_data.episodes import read_episode


def simulator(domain_id, waits=True):
    wait = f"synchronous_mode_wait_for_vehicle_control_command:={str(waits).lower()}"
    flags = ["-p", "real_time_factor:=0.0", "-p", wait, "-p", f"wait_for_driver:={30.0 if waits else 0.0}"]
    return graph.start("wm_sim", "bridge", "--ros-args", *flags, domain_id=domain_id)


HIDDEN = [
    word
    for topic in ("step_result", "expert_control")
    for word in ("-r", f"/carla/ego_vehicle/{topic}:=/hidden/{topic}")
]


def collect(domain_id, *arguments):
    return graph.start("wm_training", "collect", *map(str, arguments), domain_id=domain_id)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Three episodes: two of the noisy autopilot, then one random one added by a second call."""
    folder, domain_id = tmp_path_factory.mktemp("episodes"), graph.fresh_domain_id()
    with simulator(domain_id):
        for count, driver in [(2, "noisy-autopilot"), (3, "random")]:
            flags = [
                "--episodes",
                count,
                "--episode-length",
                40,
                "--output-dir",
                folder,
                "--driver",
                driver,
                "--seed",
                30,
                "--noise-every",
                0.5,
            ]
            with collect(domain_id, *flags) as process:
                assert process.wait(90) == 0, process.output()
    return [read_episode(folder / f"episode_{i:06d}.npz") for i in range(3)]


def test_episodes_have_rows_of_one_rate_without_gaps(recorded):
    for i, episode in enumerate(recorded):
        assert len(episode) == 40 and episode.observations.shape == (40, 3, 64, 64)
        assert set(np.diff(episode.stamps_ns)) == STEPS_NS
        assert episode.meta["rate_hz"] == 12.5 and episode.meta["seed"] == 30 + i
        assert episode.dones.tolist() == [False] * 39 + [True] and not episode.terminals.any()


def test_what_was_commanded_is_what_was_applied_and_bursts_differ_from_the_label(recorded):
    noisy = recorded[0]
    disturbed = np.abs(noisy.actions - noisy.expert_actions).max(1) > 1e-4
    assert 0.1 < disturbed.mean() < 0.9
    # Between bursts the action of row t is the expert's wish at row t, not at a neighbouring row.
    quiet = ~disturbed
    assert quiet.sum() > 5 and np.ptp(noisy.expert_actions[quiet, 0]) > 0
    assert np.isfinite(recorded[2].expert_actions).all()


def test_rewards_and_speeds_are_the_simulators(recorded):
    for episode in recorded:
        # Every row costs 0.1 a physics frame, four a row; tiles bring more.
        assert episode.rewards.min() >= -0.4 - 1e-5
        assert (episode.vector >= 0).all()
    assert recorded[0].rewards.sum() > 10 and recorded[0].vector.max() > 5


def test_a_folder_that_is_complete_is_left_alone_without_a_simulator(tmp_path):
    (tmp_path / "episode_000000.npz").write_bytes(b"here already")
    with collect(graph.fresh_domain_id(), "--episodes", 1, "--output-dir", tmp_path) as process:
        assert process.wait(30) == 0
        assert "nothing to record: " in process.output() and "(episodes:=2) records 1 more" in process.output()
    assert (tmp_path / "episode_000000.npz").read_bytes() == b"here already"


def test_without_a_simulator_it_says_what_it_waited_for(tmp_path):
    with collect(graph.fresh_domain_id(), "--timeout", 1, "--output-dir", tmp_path / "e") as process:
        assert process.wait(40) == 1
        assert "/carla/ego_vehicle/rgb_front/image" in process.output()
        assert "Traceback" not in process.output()


def test_an_output_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("precious")
    with collect(graph.fresh_domain_id(), "--output-dir", tmp_path / "file") as process:
        assert process.wait(30) == 1
        assert "is a file" in process.output() and "Traceback" not in process.output()


def test_ctrl_c_keeps_whole_episodes_and_the_killed_simulator_is_noticed(tmp_path):
    domain_id = graph.fresh_domain_id()
    with simulator(domain_id) as world:
        arguments = ["--episodes", 1000, "--episode-length", 30, "--output-dir", tmp_path, "--timeout", 3]
        with collect(domain_id, *arguments) as process:
            process.wait_for_output("episode 2/", 60)
            process.process.send_signal(signal.SIGINT)
            assert process.wait(15) == 130
            assert "Traceback" not in process.output()
        files = sorted(tmp_path.iterdir())
        assert len(files) >= 2 and all(len(read_episode(file)) == 30 for file in files)
        with collect(domain_id, *arguments) as process:
            process.wait_for_output("episode", 60)
            world.kill()
            assert process.wait(30) == 1
            assert "waited 3 s" in process.output() and "Traceback" not in process.output()


def test_without_rewards_and_expert_commands_it_records_as_from_carla(tmp_path):
    """As CARLA's bridge: nobody sends StepResult or expert_control, the autopilot is switched on by topic, and no tick
    waits for a command."""
    domain_id = graph.fresh_domain_id()
    flags = [
        "--episodes",
        1,
        "--episode-length",
        150,
        "--output-dir",
        tmp_path,
        "--driver",
        "noisy-autopilot",
        "--noise-every",
        1.0,
        "--seed",
        3,
        "--ros-args",
        *HIDDEN,
    ]
    with simulator(domain_id, waits=False), collect(domain_id, *flags) as process:
        assert process.wait(100) == 0, process.output()
    episode = read_episode(tmp_path / "episode_000000.npz")
    assert episode.meta["reward"] == "driving-1"
    # The reward of a row by its definition, from what the next row says about it; rows that leave the road cost more.
    speed = np.append(episode.vector[:, 0], np.nan).astype(np.float64)
    jerk = np.abs(np.diff(speed, n=2)) * 12.5**2
    expected = np.clip((speed[1:-1] + speed[:-2]) / 16.0, 0.0, 1.0)
    expected[1:] -= 0.1 * np.minimum(jerk[:-1] / 10.0, 1.0)
    clean = np.abs(episode.rewards[:-1] - expected) < 1e-4
    assert clean.mean() > 0.7
    labelled = np.isfinite(episode.expert_actions).all(1)
    assert 0.2 < labelled.mean() < 0.95
    # A label is what the autopilot did, and it drove: the car is under way.
    np.testing.assert_array_equal(episode.expert_actions[labelled], episode.actions[labelled])
    assert episode.vector[:, 0].max() > 20


def test_a_simulator_that_waits_for_commands_is_refused_for_an_autopilot_that_sends_none(tmp_path):
    domain_id = graph.fresh_domain_id()
    flags = ["--output-dir", tmp_path, "--ros-args", *HIDDEN]
    with simulator(domain_id), collect(domain_id, *flags) as process:
        assert process.wait(60) == 1
        assert "synchronous_mode_wait_for_vehicle_control_command:=False" in process.output()


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_simulator_that_ticks_row_by_row_runs_on_when_the_recorder_is_stopped(tmp_path, number, code):
    domain_id = graph.fresh_domain_id()
    flags = ["--episodes", 1000, "--episode-length", 30, "--output-dir", tmp_path, "--ros-args", *HIDDEN]
    with simulator(domain_id, waits=False), graph.rclpy_context(domain_id) as context:
        with collect(domain_id, *flags) as process:
            process.wait_for_output("episode 2/", 60)
            process.process.send_signal(number)
            assert process.wait(15) == code, process.output()
        node = rclpy.create_node("witness", context=context)
        heard = []
        node.create_subscription(CarlaStatus, "/carla/status", heard.append, 10)
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(node)
        deadline = time.monotonic() + 10.0
        while len(heard) < 5 and time.monotonic() < deadline:
            executor.spin_once(timeout_sec=0.1)
        executor.shutdown()
        node.destroy_node()
    assert len(heard) >= 5 and all(status.synchronous_mode_running for status in heard)
    assert all(len(read_episode(file)) == 30 for file in tmp_path.iterdir())


def test_a_simulator_that_keeps_its_own_time_is_recorded_as_it_comes(tmp_path):
    domain_id = graph.fresh_domain_id()
    flags = ["--episodes", 1, "--episode-length", 40, "--output-dir", tmp_path, "--ros-args", *HIDDEN]
    world = ["-p", "synchronous_mode:=false", "-p", "real_time_factor:=2.0", "-p", "wait_for_driver:=0.0"]
    with (
        graph.start("wm_sim", "bridge", "--ros-args", *world, domain_id=domain_id),
        collect(domain_id, *flags) as process,
    ):
        assert process.wait(90) == 0, process.output()
        assert "Traceback" not in process.output()
    episode = read_episode(tmp_path / "episode_000000.npz")
    assert episode.meta["rate_hz"] == pytest.approx(12.5, rel=0.02)
    assert 10 <= len(episode) <= 40 and np.diff(episode.stamps_ns).max() < 1.5 * 80_000_000


def test_a_world_s_route_is_recorded_as_the_planner_would_see_it(tmp_path):
    domain_id = graph.fresh_domain_id()
    with simulator(domain_id):
        flags = ["--episodes", 2, "--episode-length", 40, "--output-dir", tmp_path, "--route", "recorded", "--seed", 50]
        with collect(domain_id, *flags) as process:
            assert process.wait(90) == 0, process.output()
    for index in range(2):
        episode = read_episode(tmp_path / f"episode_{index:06d}.npz")
        numbers = {
            entry["name"]: column for entry, column in zip(episode.meta["vector"], episode.vector.T, strict=True)
        }
        assert np.isfinite(episode.vector).all() and episode.meta["route"]["source"] == "recorded"
        # Each episode begins at the first point of its own track's line, and the expert stays on the road beside it.
        assert abs(numbers["route_offset"][0]) < 0.5 and abs(numbers["route_heading"][0]) < 0.2
        assert np.abs(numbers["route_offset"]).max() < 7.0
        np.testing.assert_allclose(np.hypot(numbers["route_5m_x"][0], numbers["route_5m_y"][0]), 5.0, atol=0.5)
