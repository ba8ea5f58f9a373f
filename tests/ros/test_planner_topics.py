"""The planner's many inputs and outputs on a real graph: cameras, speeds, parameters, diagnostics, imagination."""

from pathlib import Path

import graph
import pytest
from carla_msgs.msg import CarlaControl, CarlaEgoVehicleControl
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from failsafe_rig import SETTLE_S
from lifecycle_msgs.msg import Transition
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from test_planner import START_S, Observer, camera, is_brake, planner, simulator, stamp_s
from tiny_bundle import make_tiny_bundle
from visualization_msgs.msg import MarkerArray
from wm_bundle import VectorSpec
from wm_msgs.msg import PlannerStatus

PLANNER = "/carla/ego_vehicle/planner/"
TASKS = {f"wm_planner: {task}" for task in ("camera", "deadline", "surprise", "engine", "mode", "topics")}


@pytest.fixture
def domain() -> int:
    return graph.fresh_domain_id()


@pytest.fixture
def observer(domain):
    with graph.rclpy_context(domain) as context:
        observer = Observer(context)
        observer.diagnostics = []
        observer.node.create_subscription(
            DiagnosticArray,
            "/diagnostics",
            lambda message: observer.diagnostics.append({status.name: status for status in message.status}),
            QoSProfile(depth=10),
        )
        yield observer
        observer.executor.shutdown()
        observer.node.destroy_node()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("topics") / "bundle")


@pytest.fixture(scope="module")
def bundle_of_two(tmp_path_factory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("topics") / "two", cameras=("rgb_front", "rgb_left"))


def listen(observer, kind, topic: str) -> list:
    messages = []
    observer.node.create_subscription(kind, topic, messages.append, QoSProfile(depth=5))
    return messages


def statuses(observer, mode: int, count: int = 10) -> list:
    """Wait until the last ``count`` answers to images had this mode, and return those."""

    def latest():
        return [message for _, message in observer.statuses if stamp_s(message) > 0.0][-count:]

    observer.until(lambda: len(latest()) == count and all(message.mode == mode for message in latest()), START_S)
    return latest()


def level(observer, task: str) -> bytes | None:
    return observer.diagnostics[-1][f"wm_planner: {task}"].level if observer.diagnostics else None


def test_diagnostics_parameters_imagination_and_rivals_while_driving(domain, observer, bundle):
    with planner(domain, bundle, "autostart:=true", "imagined_rate_hz:=20.0", "deadline_ms:=1000.0") as node:
        observer.until_known()
        with camera(domain, "--ticks", "100000"):
            statuses(observer, PlannerStatus.MODE_DRIVING)
            check_diagnostics(observer)
            check_parameters(observer)
            check_imagination(observer)
            check_rival(observer, node)


def check_diagnostics(observer) -> None:
    observer.diagnostics.clear()
    tasks = ("camera", "deadline", "surprise", "engine", "mode", "topics")
    observer.until(lambda: all(level(observer, task) == DiagnosticStatus.OK for task in tasks))
    last = observer.diagnostics[-1]
    assert set(last) == TASKS and all(status.hardware_id == "tiny-test" for status in last.values())
    values = {value.key: value.value for value in last["wm_planner: camera"].values}
    assert float(values["rgb_front rate [Hz]"]) > 1.0 and float(values["rgb_front age [s]"]) < 1.0


def check_parameters(observer) -> None:
    """What is dynamic acts from the next image on; anything else, and what does not go together, is refused."""
    assert observer.set_parameter("candidates", 24) == ""
    observer.until(lambda: observer.statuses[-1][1].candidates == 24)
    assert "read-only while the node is configured: bundle" in observer.set_parameter("bundle", "/elsewhere")
    assert "candidates out of range" in observer.set_parameter("candidates", 3)
    assert observer.set_parameter("elites", 20) == "" and observer.set_parameter("solver", "cem") == ""
    assert "elites: expected at most candidates (16), found 20" in observer.set_parameter("candidates", 16)
    observer.statuses.clear()
    assert all(status.candidates == 24 for status in statuses(observer, PlannerStatus.MODE_DRIVING, 3))


def check_imagination(observer) -> None:
    futures = listen(observer, Image, PLANNER + "future")
    markers = listen(observer, MarkerArray, PLANNER + "candidates")
    observer.until(lambda: futures and markers, START_S)
    assert (futures[-1].height, futures[-1].width, futures[-1].encoding) == (64, 5 * 64, "rgb8")
    assert [marker.ns for marker in markers[-1].markers] == ["candidates", "best"]
    assert markers[-1].markers[0].header.frame_id == "base_link" and len(markers[-1].markers[1].points) == 6


def check_rival(observer, node) -> None:
    rival = observer.node.create_publisher(CarlaEgoVehicleControl, "/carla/ego_vehicle/vehicle_control_cmd", 10)
    observer.until(lambda: level(observer, "topics") == DiagnosticStatus.ERROR)
    assert "/observer publishes commands too" in observer.diagnostics[-1]["wm_planner: topics"].message
    assert "/observer publishes commands too" in node.output()
    observer.node.destroy_publisher(rival)
    observer.until(lambda: level(observer, "topics") == DiagnosticStatus.OK)
    node.wait_for_output("no longer: ", 5.0)


def test_two_cameras_drive_and_one_that_falls_out_is_masked(domain, observer, bundle_of_two):
    with planner(domain, bundle_of_two, "autostart:=true", "deadline_ms:=1000.0") as node:
        observer.until_known()
        cameras = ("--cameras", "rgb_front", "rgb_left", "--without", "rgb_left", "25")
        with camera(domain, "--ticks", "60", *cameras) as images:
            statuses(observer, PlannerStatus.MODE_DRIVING, 8)
            statuses(observer, PlannerStatus.MODE_DEGRADED, 8)  # without the left one
            observer.until(lambda: "done" in images.output(), START_S)
            observer.until(lambda: observer.diagnostics[-1]["wm_planner: camera"].message.startswith("rgb_left"))
            observer.until(lambda: len(observer.answered()) >= 60)
            assert observer.answered() == list(range(1, 61)) and "extra" not in images.output()
        assert "Traceback" not in node.output()


def test_drives_with_compressed_images_and_any_source_of_the_speed(domain, observer, bundle):
    with planner(domain, bundle, "autostart:=true", "image_transport:=compressed", "deadline_ms:=1000.0") as node:
        observer.until_known()
        for first, source in ((1, "odometry"), (1001, "speedometer")):
            with camera(domain, "--ticks", "20", "--compressed", "--speed", source, "--first", str(first)) as images:
                observer.until(lambda images=images: "done" in images.output(), START_S)
            statuses(observer, PlannerStatus.MODE_DRIVING, 10)
            assert f"the speed comes from the {source}" in node.output()
        assert "jumped" in node.output()  # the second camera's clock


def test_a_bundle_with_a_yaw_rate_takes_it_from_odometry_and_brakes_without_it(domain, observer, tmp_path):
    bundle = make_tiny_bundle(tmp_path / "turning", vector=(VectorSpec("yaw_rate", "rad/s", 0.0, 1.0),))
    with planner(domain, bundle, "autostart:=true", "deadline_ms:=1000.0"):
        observer.until_known()
        for first, source, mode in (
            (1, "speedometer", PlannerStatus.MODE_BRAKING),
            (1001, "odometry", PlannerStatus.MODE_DRIVING),
        ):
            with camera(domain, "--ticks", "20", "--speed", source, "--first", str(first)) as images:
                observer.until(lambda images=images: "done" in images.output(), START_S)
            found = statuses(observer, mode, 10)
            assert mode == PlannerStatus.MODE_DRIVING or "no yaw rate" in found[-1].reason


def test_says_why_nothing_arrives_from_a_publisher_that_does_not_fit(domain, observer, bundle):
    with planner(domain, bundle, "autostart:=true") as node:
        observer.until_known()
        with camera(domain, "--ticks", "100000", "--best-effort-status"):
            observer.until(lambda: level(observer, "topics") == DiagnosticStatus.ERROR, START_S)
            message = observer.diagnostics[-1]["wm_planner: topics"].message
            assert "vehicle_status: nothing arrives from /camera_process" in message and "eliab" in message
            assert "nothing arrives from /camera_process" in node.output()
            assert "no vehicle_status" in statuses(observer, PlannerStatus.MODE_BRAKING)[-1].reason


def test_a_paused_simulator_is_braked_for_and_driven_on_without_a_new_node(domain, observer, bundle):
    pause = observer.node.create_publisher(CarlaControl, "/carla/control", 10)
    with planner(domain, bundle, "autostart:=true", "deadline_ms:=1000.0") as node:
        observer.until_known()
        with simulator(domain):
            statuses(observer, PlannerStatus.MODE_DRIVING)
            observer.until(lambda: pause.get_subscription_count() > 0)
            observer.spin_for(SETTLE_S)
            pause.publish(CarlaControl(command=CarlaControl.PAUSE))
            observer.until(lambda: stamp_s(observer.commands[-1][1]) == 0.0)
            assert is_brake(observer.commands[-1][1])
            observer.spin_for(1.0)
            count = len(observer.answered())
            pause.publish(CarlaControl(command=CarlaControl.PLAY))
            observer.until(lambda: len(observer.answered()) > count + 10)
            statuses(observer, PlannerStatus.MODE_DRIVING, 5)
            assert node.process.poll() is None


def test_twenty_life_cycles_leave_neither_threads_nor_memory_behind(domain, observer, bundle):
    with planner(domain, bundle) as node:
        sizes = []
        for _ in range(40):
            for transition in (
                Transition.TRANSITION_CONFIGURE,
                Transition.TRANSITION_ACTIVATE,
                Transition.TRANSITION_DEACTIVATE,
                Transition.TRANSITION_CLEANUP,
            ):
                assert observer.change_state(transition)
            sizes.append(threads_and_memory(node))
        threads, memory = zip(*sizes[19:], strict=True)  # the allocator's pools fill in the first ones
        print(f"threads {threads[0]} to {threads[-1]}, memory [MB]", *(f"{size:.1f}" for size in memory))
        assert len(set(threads)) == 1
        # Beside other work the allocator's pools grow by up to 4 MB; a session kept each time would be 20.
        assert memory[-1] - memory[0] < 8.0
        assert "Traceback" not in node.output()


def threads_and_memory(node) -> tuple[int, float]:
    """Number of threads, and resident memory [MB], of the process."""
    lines = Path(f"/proc/{node.process.pid}/status").read_text().splitlines()
    values = dict(line.split(":", 1) for line in lines)
    return int(values["Threads"]), int(values["VmRSS"].split()[0]) / 1024.0
