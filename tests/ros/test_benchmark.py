"""The benchmark for real: simulator, planner, relay and recorder as processes over DDS, short episodes, tiny model."""

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import graph
import pytest
import rclpy
from carla_msgs.msg import CarlaEgoVehicleControl, CarlaEgoVehicleStatus, CarlaLaneInvasionEvent
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from test_drive import processes_of
from tiny_bundle import make_tiny_bundle
from wm_bundle.times import ns_of
from wm_planner.node.messages import time_message
from wm_tools.benchmark.recorder_node import EventRecorderNode
from wm_tools.drive.records import EpisodeCollector

STEPS = 20
PERIOD_NS = 80_000_000
ROOT = "/carla/ego_vehicle"
DEEP = QoSProfile(depth=100)
WIDE = ("trust=100", "steer_std=0.5", "longitudinal_std=0.5")  # the tiny model's actor hardly moves
MEASURED_IN_WALL_TIME = ("wall_s", "latency_ms", "deadline_misses")
OF_STATUSES = ("braking_share", "degraded_share", "braking_reasons")  # the first ones may come before they are heard
LEFT_OUT = (*MEASURED_IN_WALL_TIME, *OF_STATUSES)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("benchmark") / "bundle")


def start(bundle: Path, output: Path, *arguments: str, domain_id: int | None = None) -> graph.GraphProcess:
    words = ("--bundle", str(bundle), "--output", str(output), "--modes", "lock-step", "--set", *WIDE, *arguments)
    words = words if "--workers" in words else (*words, "--workers", "1")
    return graph.start("wm_planner", "benchmark", *words, domain_id=domain_id or graph.fresh_domain_id())


def finish(bundle: Path, output: Path, *arguments: str, **options) -> str:
    """Run a benchmark to its end and return what it said."""
    with start(bundle, output, *arguments, **options) as benchmark:
        assert benchmark.wait(240.0) == 0, benchmark.output()
        return benchmark.output()


def episodes(output: Path) -> list[dict]:
    """The lines of episodes.jsonl after the first."""
    return [json.loads(line) for line in (output / "episodes.jsonl").read_text().splitlines()[1:]]


def driven(output: Path) -> dict[tuple, dict]:
    """All that does not depend on the machine's speed, by trial."""
    if any(episode["slow_steps"] for episode in episodes(output)):
        pytest.skip("this machine stood still for a second, so the simulator went on without a command")
    return {
        tuple(episode["trial"]): {name: value for name, value in episode.items() if name not in LEFT_OUT}
        for episode in episodes(output)
    }


def wait_for(condition, benchmark: graph.GraphProcess, timeout_s: float = 60.0):
    """What ``condition`` returns once it is true."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert benchmark.process.poll() is None, benchmark.output()
        assert time.monotonic() < deadline, benchmark.output()
        time.sleep(0.02)
    return found


def planner_of(output: Path) -> int | None:
    """Process id of the planner once it drives."""
    logs = list(output.glob("logs/*/*-planner.log"))
    if not any("driving" in log.read_text() for log in logs if log.exists()):
        return None
    return next(
        (pid for pid in processes_of(output) if b"-planner.yaml" in Path(f"/proc/{pid}/cmdline").read_bytes()), None
    )


@pytest.fixture(scope="module")
def uninterrupted(bundle, tmp_path_factory) -> Path:
    """Two controllers over two tracks, and one of them again through the relay, delayed by less than half a tick."""
    output = tmp_path_factory.mktemp("uninterrupted")
    said = finish(
        bundle,
        output,
        "--controllers",
        "planner,random",
        "--seeds",
        "3000:3001",
        "--max-steps",
        str(STEPS),
        "--sweep",
        "camera_latency=1",
    )
    assert "6 of 6 episodes, 0 failed" in said and "report.html" in said
    return output


def test_controllers_drive_the_same_tracks_and_are_compared(uninterrupted):
    summary = json.loads((uninterrupted / "benchmark.json").read_text())
    assert [(group["controller"], group["episodes"], group["failed"]) for group in summary["groups"]] == [
        ("planner", 2, 0),
        ("random", 2, 0),
    ]
    (pair,) = summary["comparisons"]
    planner, other = (group["figures"]["score"]["mean"] for group in summary["groups"])
    assert pair["n"] == 2 and pair["mean"] == pytest.approx(planner - other)
    for episode in episodes(uninterrupted):
        assert (episode["steps"], episode["map"], episode["ended"]) == (STEPS, "CarRacing-v3", "stopped")
        assert episode["time_s"] == pytest.approx(STEPS * 0.08)
        # CarRacing takes 0.1 points from every one of the frames, four in a step; the rest are 1000 for all tiles.
        assert episode["progress"] == pytest.approx((episode["score"] + 0.4 * STEPS) / 1000.0, abs=1e-5)
        assert 1.0 < episode["distance_m"] < STEPS * 0.08 * episode["max_speed_mps"]
    assert summary["groups"][0]["latency_ms"]["p50"] > 0.0 and summary["groups"][1]["latency_ms"] is None
    assert "chart" in (uninterrupted / "report.html").read_text()
    assert list((uninterrupted / "logs").iterdir()) == [] and processes_of(uninterrupted) == []


def test_a_relay_that_delays_by_less_than_half_a_tick_changes_nothing_in_lock_step(uninterrupted):
    found = driven(uninterrupted)
    for seed in (3000, 3001):
        plain = found["planner", "lock-step", "", seed]
        relayed = found["planner", "lock-step", "camera_latency=1", seed]
        different = {name for name in plain if plain[name] != relayed[name]}
        assert different == {"trial", "disturbance"}


def test_a_benchmark_that_was_stopped_and_killed_gives_the_same_episodes(bundle, tmp_path, uninterrupted):
    words = ("--controllers", "planner,random", "--seeds", "3000", "--max-steps", str(STEPS))
    with start(bundle, tmp_path, *words) as benchmark:
        wait_for(lambda: planner_of(tmp_path), benchmark)
        assert benchmark.stop(timeout_s=30.0) == 128 + signal.SIGINT
        assert "with --resume to continue" in benchmark.output() and "Traceback" not in benchmark.output()
    assert episodes(tmp_path) == [] and processes_of(tmp_path) == []
    with start(bundle, tmp_path, *words, "--resume") as benchmark:
        wait_for(lambda: len(episodes(tmp_path)) == 1 and processes_of(tmp_path), benchmark)
        os.kill(benchmark.process.pid, signal.SIGKILL)
        benchmark.wait(10.0)
    said = finish(bundle, tmp_path, *words, "--resume")
    assert "1 of 2 episodes already driven" in said
    expected = driven(uninterrupted)
    assert driven(tmp_path) == {key: expected[key] for key in expected if key[2:] == ("", 3000)}
    with start(bundle, tmp_path, *words[:-1], "30", "--resume") as benchmark:
        assert benchmark.wait(60.0) == 3
        assert f"max_steps was {STEPS} and is now 30" in benchmark.output()


def test_a_planner_that_dies_is_a_failure_with_what_it_drove_and_the_rest_is_driven(bundle, tmp_path):
    words = (
        "--controllers",
        "planner,random",
        "--seeds",
        "3000",
        "--max-steps",
        "150",
        "--threshold",
        "planner.lock_step.failed<1",
    )
    with start(bundle, tmp_path, *words) as benchmark:
        os.kill(wait_for(lambda: planner_of(tmp_path), benchmark), signal.SIGKILL)
        assert benchmark.wait(120.0) == 1  # the threshold fails
        said = benchmark.output()
    first, second = episodes(tmp_path)
    assert first["ended"] == "failed" and "the planner ended unexpectedly (killed by SIGKILL)" in first["failure"]
    assert 0 <= first["steps"] < 150 and second["steps"] == 150 and second["failure"] is None
    assert "2 of 2 episodes, 1 failed" in said and "FAILS: planner.lock_step.failed<1 (found 1)" in said
    summary = json.loads((tmp_path / "benchmark.json").read_text())
    assert summary["groups"][0]["failed"] == 1 and summary["thresholds"][0]["holds"] is False
    assert [folder.name for folder in (tmp_path / "logs").iterdir()] == ["planner-lock-step-3000"]
    assert processes_of(tmp_path) == []


def test_an_external_simulator_with_a_reset_service_drives_the_tracks_it_is_told(bundle, tmp_path):
    domain_id = graph.fresh_domain_id()
    with graph.start(
        "wm_sim",
        "bridge",
        "--ros-args",
        "-p",
        "synchronous_mode_wait_for_vehicle_control_command:=true",
        "-p",
        "real_time_factor:=0.0",
        "-p",
        "seed:=7",
        "-p",
        "wait_for_driver:=60.0",
        domain_id=domain_id,
    ):
        said = finish(
            bundle,
            tmp_path,
            "--simulator",
            "external",
            "--controllers",
            "random,planner",
            "--seeds",
            "3000",
            "--max-steps",
            str(STEPS),
            domain_id=domain_id,
        )
        with start(
            bundle, tmp_path / "none", "--simulator", "external", "--role-name", "nobody", domain_id=domain_id
        ) as benchmark:
            assert benchmark.wait(60.0) == 3
            assert "no simulator in ROS domain" in benchmark.output()
    assert "2 of 2 episodes, 0 failed" in said
    for episode in episodes(tmp_path):
        assert (episode["mode"], episode["seed"], episode["steps"]) == ("as-found", 3000, STEPS)
    assert json.loads((tmp_path / "benchmark.json").read_text())["comparisons"][0]["n"] == 1


@pytest.mark.parametrize("waits", [True, False])
def test_a_simulator_is_asked_whether_its_ticks_wait_for_commands(waits):
    domain_id = graph.fresh_domain_id()
    words = ["-p", f"synchronous_mode_wait_for_vehicle_control_command:={str(waits).lower()}"]
    with (
        graph.start("wm_sim", "bridge", "--ros-args", *words, domain_id=domain_id),
        graph.rclpy_context(domain_id) as context,
    ):
        node = EventRecorderNode(context, "ego_vehicle", "rgb_front", EpisodeCollector(0.08, None))
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(node)
        deadline = time.monotonic() + 60.0
        while (answer := node.waits()) is None:
            assert time.monotonic() < deadline
            executor.spin_once(timeout_sec=0.1)
        assert answer is waits
        executor.shutdown()
        node.destroy_node()


class BareSimulator:
    """Speaks the topics that CARLA's bridge does and no more: no step results, no odometry, no reset."""

    def __init__(self, context):
        self.node = rclpy.create_node("bare", context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        publish = self.node.create_publisher
        self.status = publish(CarlaEgoVehicleStatus, f"{ROOT}/vehicle_status", DEEP)
        self.invasion = publish(CarlaLaneInvasionEvent, f"{ROOT}/lane_invasion", DEEP)
        self.image = publish(Image, f"{ROOT}/rgb_front/image", DEEP)
        self.commands = []
        listen = self.node.create_subscription
        listen(CarlaEgoVehicleControl, f"{ROOT}/vehicle_control_cmd", self.commands.append, DEEP)
        self.ticks = 0

    def tick(self) -> None:
        """One period at 10 m/s; in every fifth a marking is crossed."""
        self.ticks += 1
        stamp = time_message(self.ticks * PERIOD_NS)
        status, invasion, image = CarlaEgoVehicleStatus(velocity=10.0), CarlaLaneInvasionEvent(), picture(stamp)
        status.header.stamp = invasion.header.stamp = stamp
        self.status.publish(status)
        if self.ticks % 5 == 0:
            self.invasion.publish(invasion)
        self.image.publish(image)
        self.executor.spin_once(timeout_sec=0.01)


def picture(stamp) -> Image:
    image = Image(height=96, width=96, encoding="bgra8", step=4 * 96, data=bytes(4 * 96 * 96))
    image.header.stamp = stamp
    return image


def test_a_simulator_without_step_results_gives_what_its_topics_tell(bundle, tmp_path):
    domain_id = graph.fresh_domain_id()
    words = ("--simulator", "external", "--controllers", "random", "--seeds", "1:2")
    with graph.rclpy_context(domain_id) as context:
        simulator = BareSimulator(context)
        for extra, code in (((), 3), (("--max-steps", "10"), 0)):
            with start(bundle, tmp_path, *words, *extra, domain_id=domain_id) as benchmark:
                deadline = time.monotonic() + 60.0
                while benchmark.process.poll() is None:
                    assert time.monotonic() < deadline, benchmark.output()
                    simulator.tick()
                    time.sleep(0.02)
                assert benchmark.process.returncode == code, benchmark.output()
                said = benchmark.output()
            if code:
                assert "sends no step results to end an episode: set --max-steps" in said
                shutil.rmtree(tmp_path)
        simulator.executor.shutdown()
    assert "not compared by track" in said and "there is no score" in said
    for episode in episodes(tmp_path):
        assert episode["score"] is None and episode["seed"] is None and episode["failure"] is None
        assert episode["steps"] == 10 and episode["time_s"] == pytest.approx(0.8)
        assert episode["mean_speed_mps"] == pytest.approx(10.0)
        assert episode["distance_m"] == pytest.approx(9 * 0.8)  # between the first and the last of ten statuses
        assert episode["lane_invasions_per_min"] == pytest.approx(2 / 0.8 * 60.0)
    assert simulator.commands


def test_the_relay_delays_frames_by_ticks_which_the_stamps_of_the_commands_show(tmp_path):
    domain_id = graph.fresh_domain_id()
    settings = {
        "simulator_images": [f"{ROOT}/rgb_front/image"],
        "planner_images": [f"{ROOT}/disturbed/image"],
        "simulator_control": f"{ROOT}/vehicle_control_cmd",
        "planner_control": f"{ROOT}/disturbed/control",
        "disturbance": "camera_latency",
        "size": 160.0,
        "period_s": 0.08,
        "lock_step": True,
        "seed": 0,
    }
    file = tmp_path / "relay.yaml"
    file.write_text(json.dumps({"/**": {"ros__parameters": settings}}))
    command = [sys.executable, "-m", "wm_tools.benchmark.disturber_node", "--ros-args", "--params-file", str(file)]
    with graph.rclpy_context(domain_id) as context, graph.GraphProcess(command, domain_id=domain_id) as relay:
        simulator = BareSimulator(context)
        control = simulator.node.create_publisher(CarlaEgoVehicleControl, f"{ROOT}/disturbed/control", DEEP)
        simulator.node.create_subscription(
            Image,
            f"{ROOT}/disturbed/image",
            lambda image: control.publish(CarlaEgoVehicleControl(header=image.header, throttle=0.5)),
            DEEP,
        )
        deadline = time.monotonic() + 30.0
        control_topic = settings["simulator_control"]
        while not (simulator.image.get_subscription_count() and simulator.node.count_publishers(control_topic)):
            assert time.monotonic() < deadline and relay.process.poll() is None, relay.output()
            simulator.executor.spin_once(timeout_sec=0.05)
        time.sleep(0.5)  # from one side's discovery to the other's
        for tick in range(1, 11):
            simulator.tick()
            while len(simulator.commands) < tick:
                assert time.monotonic() < deadline, f"no command in tick {tick}; {relay.output()}"
                simulator.executor.spin_once(timeout_sec=0.05)
        assert len(simulator.commands) == 10
        # 160 ms are two ticks: nothing is known in the first two, then the answer to the picture of two ticks ago.
        stamps = [ns_of(command.header.stamp) // PERIOD_NS for command in simulator.commands]
        assert stamps == [0, 0, 1, 2, 3, 4, 5, 6, 7, 8]
        assert [command.brake for command in simulator.commands[:3]] == [1.0, 1.0, 0.0]
        simulator.executor.shutdown()
        assert relay.stop() == 0
