"""The planner's own drives, recorded through collect.launch.py: simulator, planner and recorder as processes."""

import shutil
import time

import graph
import numpy as np
import pytest
import rclpy
from bridge_table import STEPS_NS
from carla_msgs.msg import CarlaEgoVehicleControl, CarlaEgoVehicleStatus
from rclpy.executors import SingleThreadedExecutor
from tiny_bundle import make_tiny_bundle
from wm_bundle import from_command, to_command
from wm_data.episodes import read_episode
from wm_training.collecting.drivers import BurstNoise

ROWS = 30
SEED = 10_070
PARAMETERS = "steer_std=0.3 trust=3 candidates=16"
COLUMNS = ("observations", "actions", "expert_actions", "rewards", "dones", "terminals", "vector")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


def launch(domain_id, *arguments: str) -> graph.GraphProcess:
    command = [shutil.which("ros2"), "launch", "wm_planner", "collect.launch.py", "driver:=noisy-planner", *arguments]
    return graph.GraphProcess(command, domain_id=domain_id)


def record(folder, bundle, episodes, seed, domain_id=None, meanwhile=lambda process: None, simulator="embedded"):
    arguments = [
        f"simulator:={simulator}",
        f"bundle:={bundle}",
        f"output_dir:={folder}",
        f"episodes:={episodes}",
        f"episode_length:={ROWS}",
        f"seed:={seed}",
        "noise_every:=0.5",
        f"planner_parameters:={PARAMETERS}",
    ]
    with launch(domain_id or graph.fresh_domain_id(), *arguments) as process:
        meanwhile(process)
        assert process.wait(100) == 0, process.output()
    return [read_episode(folder / f"episode_{i:06d}.npz") for i in range(episodes)]


class Witness:
    """Notes what was said on the topics, by stamp [ns]: who commanded what, and what the simulator applied."""

    def __init__(self, context):
        self.node = rclpy.create_node("witness", context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.planner, self.expert, self.applied = {}, {}, {}
        base = "/carla/ego_vehicle"
        self._note(CarlaEgoVehicleControl, f"{base}/planner/control", self.planner, lambda message: message)
        self._note(CarlaEgoVehicleControl, f"{base}/expert_control", self.expert, lambda message: message)
        self._note(CarlaEgoVehicleStatus, f"{base}/vehicle_status", self.applied, lambda message: message.control)

    def _note(self, kind, topic, notes, control):
        def note(message):
            stamp, said = message.header.stamp, control(message)
            notes[stamp.sec * 10**9 + stamp.nanosec] = np.array([said.steer, said.throttle, said.brake], np.float32)

        self.node.create_subscription(kind, topic, note, 100)

    def listen_until(self, condition):
        """Listen until ``condition()``, 100 s at most."""
        deadline = time.monotonic() + 100.0
        while not condition() and time.monotonic() < deadline:
            self.executor.spin_once(timeout_sec=0.1)

    def watch(self, process):
        """Listen until the process has ended."""
        self.listen_until(lambda: process.process.poll() is not None)


@pytest.fixture(scope="module")
def witnessed(bundle, tmp_path_factory):
    """Two episodes and what a third party heard meanwhile. The simulator is there first, for the witness to find."""
    domain_id = graph.fresh_domain_id()
    flags = ["-p", "real_time_factor:=0.0", "-p", "synchronous_mode_wait_for_vehicle_control_command:=true"]
    with (
        graph.rclpy_context(domain_id) as context,
        graph.start("wm_sim", "bridge", "--ros-args", *flags, domain_id=domain_id),
    ):
        witness = Witness(context)
        witness.listen_until(lambda: witness.expert and witness.applied)
        folder = tmp_path_factory.mktemp("episodes")
        episodes = record(folder, bundle, 2, SEED, domain_id, witness.watch, simulator="none")
        witness.executor.shutdown()
        witness.node.destroy_node()
    return episodes, witness


def test_actions_are_what_the_simulator_applied_and_labels_what_its_expert_said(witnessed):
    episodes, witness = witnessed
    for episode in episodes:
        assert len(episode) == ROWS
        assert set(np.diff(episode.stamps_ns)) == STEPS_NS
        # Row t acts from its stamp to the next one, and the status of the next one tells what acted.
        stamps = sorted(witness.applied)
        applied = [witness.applied[stamps[stamps.index(stamp) + 1]] for stamp in episode.stamps_ns]
        np.testing.assert_array_equal(episode.actions, applied)
        np.testing.assert_array_equal(episode.expert_actions, [witness.expert[stamp] for stamp in episode.stamps_ns])


def test_the_car_gets_the_planners_command_of_the_same_stamp_and_the_push_of_the_moment(witnessed):
    episodes, witness = witnessed
    rows = [0, 0]  # undisturbed, pushed
    for index, episode in enumerate(episodes):
        noise = BurstNoise(0.08, 0.5, 0.4)
        noise.begin(SEED + index)
        for stamp, action in zip(episode.stamps_ns, episode.actions, strict=True):
            push = noise.next()
            planned = witness.planner.get(stamp)
            if planned is None:  # the witness had not found the planner yet
                continue
            expected = planned if push is None else to_command(from_command(planned) + push)
            np.testing.assert_array_equal(action, expected)
            rows[push is not None] += 1
    assert min(rows) > 3 and sum(rows) >= ROWS


def test_an_episode_tells_who_drove_it_and_how(witnessed):
    for index, episode in enumerate(witnessed[0]):
        meta = episode.meta
        assert meta["driver"] == "noisy-planner" and meta["seed"] == SEED + index
        assert meta["noise"] == {"every_s": 0.5, "strength": 0.4}
        assert meta["planner"]["bundle"] == "tiny-test"
        parameters = meta["planner"]["parameters"]
        assert (parameters["steer_std"], parameters["trust"], parameters["candidates"]) == (0.3, 3.0, 16)
        assert parameters["solver"] == "mppi"


def test_the_same_seed_gives_the_same_episode_whatever_was_driven_before(witnessed, bundle, tmp_path):
    second = witnessed[0][1]
    (alone,) = record(tmp_path, bundle, 1, SEED + 1)
    for column in COLUMNS:
        np.testing.assert_array_equal(getattr(alone, column), getattr(second, column), err_msg=column)
    assert alone.meta == second.meta


def test_without_a_bundle_nothing_is_recorded_and_the_planner_says_why(tmp_path):
    with launch(graph.fresh_domain_id(), f"bundle:={tmp_path / 'none'}", f"output_dir:={tmp_path / 'e'}") as process:
        assert process.wait(60) not in (0, None)
        output = process.output()
    assert f"no bundle at {tmp_path / 'none'}" in output and "process started" not in output
    assert "Traceback" not in output and not list(tmp_path.glob("e/*"))


def test_without_a_planner_the_recorder_says_what_it_waited_for(tmp_path):
    domain_id = graph.fresh_domain_id()
    flags = ["-p", "real_time_factor:=0.0", "-p", "synchronous_mode_wait_for_vehicle_control_command:=true"]
    arguments = ["--driver", "planner", "--start-timeout", "3", "--output-dir", str(tmp_path)]
    with (
        graph.start("wm_sim", "bridge", "--ros-args", *flags, domain_id=domain_id),
        graph.start("wm_training", "collect", *arguments, domain_id=domain_id) as process,
    ):
        assert process.wait(60) == 1
        output = process.output()
    assert "waited 3 s for the planner to answer an image" in output
    assert "control_topic:=/carla/ego_vehicle/planner/control" in output
    assert "Traceback" not in output
