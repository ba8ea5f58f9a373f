"""The planner node on a real graph: planner, camera and this observer are separate processes."""

import math
import signal
import sys
import time
from pathlib import Path

import graph
import pytest
import rclpy
from carla_msgs.msg import CarlaEgoVehicleControl
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from faulty_bundle import make_unsound_bundle
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParameters, SetParametersAtomically
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from timing import limit_s
from tiny_bundle import damage, make_tiny_bundle
from wm_msgs.msg import ImaginedRollouts, PlannerStatus, StepResult

CAMERA = Path(__file__).with_name("camera_process.py")
PERIOD_S = 0.08
START_S = 40.0  # for a process to come up on a busy machine
# 0.3 s of the parameter, 0.05 s between two looks of the watchdog, and the way
BRAKE_WITHIN_S = limit_s(0.3 + 0.05 + 0.05)


class Observer:
    """Records commands and planner statuses as (arrival, message)."""

    def __init__(self, context):
        self.node = rclpy.create_node("observer", context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.commands, self.statuses, self.rollouts, self.diagnostics = [], [], [], []
        self.clients = {}
        self.node.create_subscription(
            CarlaEgoVehicleControl,
            "/carla/ego_vehicle/vehicle_control_cmd",
            lambda message: self.commands.append((time.monotonic(), message)),
            QoSProfile(depth=100),
        )
        self.node.create_subscription(
            PlannerStatus,
            "/carla/ego_vehicle/planner/status",
            lambda message: self.statuses.append((time.monotonic(), message)),
            QoSProfile(depth=100),
        )

    def until(self, holds, timeout_s: float = 20.0) -> None:
        deadline_s = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < deadline_s, f"not within {timeout_s} s; answered {self.answered()}"
            self.executor.spin_once(timeout_sec=0.05)

    def exit_code(self, process: graph.GraphProcess) -> int:
        """Wait for the end of a process, and for what it sent last."""
        self.until(lambda: process.process.poll() is not None, START_S)
        self.spin_for(0.3)
        return process.process.returncode

    def until_known(self) -> None:
        """Wait until an active planner's brakes arrive: discovery takes its time, and what is sent before is lost."""
        self.until(lambda: self.commands and self.statuses, START_S)

    def spin_for(self, seconds: float) -> None:
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self.executor.spin_once(timeout_sec=0.02)

    def watch_imagination(self):
        return self.node.create_subscription(
            ImaginedRollouts, "/carla/ego_vehicle/planner/imagined", self.rollouts.append, QoSProfile(depth=2)
        )

    def watch_diagnostics(self):
        return self.node.create_subscription(
            DiagnosticArray, "/diagnostics", self.diagnostics.append, QoSProfile(depth=10)
        )

    def change_state(self, transition: int) -> bool:
        request = ChangeState.Request()
        request.transition.id = transition
        return self.call(ChangeState, "/wm_planner/change_state", request).success

    def set_parameter(self, name: str, value) -> str:
        """Returns why it was refused, nothing if it was not."""
        request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
        result = self.call(SetParameters, "/wm_planner/set_parameters", request).results[0]
        return "" if result.successful else result.reason

    def call(self, kind, service: str, request):
        if service not in self.clients:
            self.clients[service] = self.node.create_client(kind, service)
        client = self.clients[service]
        assert client.wait_for_service(START_S)
        future = client.call_async(request)
        self.executor.spin_until_future_complete(future, timeout_sec=START_S)
        assert future.done(), f"no answer from {service}"
        return future.result()

    def answered(self) -> list[int]:
        """Numbers of the ticks whose stamps commands carry, in order of arrival."""
        return [round(stamp_s(message) / PERIOD_S) for _, message in self.commands if stamp_s(message) > 0.0]


def stamp_s(message) -> float:
    return message.header.stamp.sec + message.header.stamp.nanosec * 1e-9


def is_brake(message) -> bool:
    return message.throttle == 0.0 and message.brake == 1.0


@pytest.fixture
def domain() -> int:
    """One for each test: a killed process leaves traces in its domain that slow the next one's discovery."""
    return graph.fresh_domain_id()


@pytest.fixture
def observer(domain):
    with graph.rclpy_context(domain) as context:
        observer = Observer(context)
        yield observer
        observer.executor.shutdown()
        observer.node.destroy_node()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("ros_planner") / "bundle")


def planner(domain: int, bundle: Path, *parameters: str):
    words = [word for parameter in (f"bundle:={bundle}", "candidates:=16", *parameters) for word in ("-p", parameter)]
    return graph.start("wm_planner", "planner", "--ros-args", *words, domain_id=domain)


def camera(domain: int, *options: str):
    return graph.GraphProcess([sys.executable, str(CAMERA), *options], domain_id=domain)


def test_one_command_per_image_brakes_without_and_goes_through_its_states_twice(domain, observer, bundle):
    with planner(domain, bundle, "deadline_ms:=5000.0") as node:
        for first in (1, 1001):  # the second round's stamps are another episode
            observer.commands.clear()
            observer.statuses.clear()
            assert observer.change_state(Transition.TRANSITION_CONFIGURE)
            assert observer.change_state(Transition.TRANSITION_ACTIVATE)
            observer.until_known()
            with camera(domain, "--ticks", "25", "--first", str(first)) as images:
                observer.until(lambda images=images: "done" in images.output(), START_S)
                ended_s = float(images.output().split()[-1])
                # The camera process is still there: only the images have stopped.
                observer.until(
                    lambda ended_s=ended_s: any(
                        arrival_s > ended_s + 0.2 and stamp_s(message) == 0.0 and is_brake(message)
                        for arrival_s, message in observer.commands
                    )
                )
            assert observer.answered() == list(range(first, first + 25))
            brake_s = next(
                arrival_s
                for arrival_s, message in observer.commands
                if stamp_s(message) == 0.0 and arrival_s > ended_s + 0.2
            )
            assert brake_s - ended_s < BRAKE_WITHIN_S
            check_statuses(observer)
            assert observer.change_state(Transition.TRANSITION_DEACTIVATE)
            observer.until(lambda: observer.statuses[-1][1].mode == PlannerStatus.MODE_INACTIVE)
            assert is_brake(observer.commands[-1][1])
            assert observer.change_state(Transition.TRANSITION_CLEANUP)
            count = len(observer.commands)
            observer.spin_for(0.5)
            assert len(observer.commands) == count  # silent when not active
        assert node.stop() == 0
        assert "Traceback" not in node.output()


def check_statuses(observer) -> None:
    """One for each command, with the same stamp, and what was imagined for those that drove."""

    def of_commands() -> list:
        """Without those that only tell that it is ready."""
        return [entry for entry in observer.statuses if not entry[1].reason.startswith("ready, and waits")]

    observer.until(lambda: len(of_commands()) >= len(observer.commands))
    commands, statuses = observer.commands, of_commands()
    for (_, command), (_, status) in zip(commands, statuses, strict=False):
        assert stamp_s(command) == stamp_s(status)
        assert status.bundle_id == "tiny-test"
    driving = [status for _, status in statuses if status.mode == PlannerStatus.MODE_DRIVING]
    assert len(driving) >= 24  # the very first image may come before its status is known to exist
    assert all(status.candidates == 16 and status.horizon == 5 and status.reason == "" for status in driving)
    assert all(status.best_return >= status.mean_return for status in driving if status.iterations)
    braking = [status for _, status in statuses if stamp_s(status) == 0.0]
    assert all(status.mode == PlannerStatus.MODE_BRAKING and "no image" in status.reason for status in braking)


def test_sigterm_while_driving_leaves_a_brake_as_the_last_command(domain, observer, bundle):
    with planner(domain, bundle, "autostart:=true") as node:
        observer.until_known()
        with camera(domain, "--ticks", "1000"):
            observer.until(lambda: len(observer.answered()) > 10, START_S)
            node.process.send_signal(signal.SIGTERM)
            sent_s = time.monotonic()
            assert observer.exit_code(node) == 0
        arrival_s, last = observer.commands[-1]
        assert is_brake(last) and stamp_s(last) == 0.0
        assert arrival_s - sent_s < limit_s(0.3)
        assert observer.statuses[-1][1].mode == PlannerStatus.MODE_INACTIVE
        assert "Traceback" not in node.output()


def simulator(domain):
    return graph.start("wm_sim", "bridge", "--ros-args", "-p", "wait_for_driver:=40.0", domain_id=domain)


def test_brakes_when_the_simulator_is_killed_and_drives_on_when_it_is_back(domain, observer, bundle):
    with planner(domain, bundle, "autostart:=true") as node:
        observer.until_known()
        with simulator(domain) as world:
            observer.until(lambda: len(observer.answered()) > 10, START_S)
            killed_s = time.monotonic()
            world.kill()
        observer.until(lambda: stamp_s(observer.commands[-1][1]) == 0.0, 5.0)
        arrival_s, last = observer.commands[-1]
        assert is_brake(last)
        assert arrival_s - killed_s < BRAKE_WITHIN_S
        observer.until(lambda: "no image for" in observer.statuses[-1][1].reason, 5.0)
        observer.statuses.clear()
        with simulator(domain):  # its clock begins anew
            driving = PlannerStatus.MODE_DRIVING
            observer.until(lambda: sum(m.mode == driving for _, m in observer.statuses) >= 10, START_S)
        assert "jumped back" in node.output()


def test_the_simulator_goes_on_without_a_killed_planner_and_says_that_no_command_came(domain, observer, bundle):
    results = []
    observer.node.create_subscription(StepResult, "/carla/ego_vehicle/step_result", results.append, 10)
    with planner(domain, bundle, "autostart:=true") as node:
        observer.until_known()
        with simulator(domain):
            observer.until(lambda: sum(m.command_latency_ms < 80.0 for m in results) >= 10, START_S)
            node.kill()
            results.clear()
            observer.until(lambda: len(results) >= 15)
            assert all(math.isnan(m.command_latency_ms) for m in results[5:])
            gaps_s = [stamp_s(after) - stamp_s(before) for before, after in zip(results, results[1:], strict=False)]
            assert gaps_s == pytest.approx([PERIOD_S] * len(gaps_s))


def test_imagination_is_published_only_to_those_who_listen(domain, observer, bundle):
    with planner(domain, bundle, "autostart:=true", "imagined_rate_hz:=100.0"):
        observer.until_known()
        observer.watch_imagination()
        with camera(domain, "--ticks", "1000"):
            observer.until(lambda: len(observer.rollouts) >= 3, START_S)
    message = observer.rollouts[-1]
    assert (message.candidates, message.horizon) == (16, 5) and message.period_s == pytest.approx(0.08)
    assert len(message.actions) == 16 * 5 * 3 and len(message.returns) == 16
    assert message.returns[message.best] == max(message.returns)
    assert (message.future.height, message.future.width, message.future.encoding) == (64, 5 * 64, "rgb8")
    assert len(message.future.data) == 64 * 5 * 64 * 3
    assert stamp_s(message) in [stamp_s(command) for _, command in observer.commands]


def test_objectives_change_in_the_middle_of_a_drive(domain, observer, tmp_path):
    bundle = make_tiny_bundle(tmp_path / "bundle", imagines_vector=True)

    def set_at_once(**values) -> str:
        changes = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        request = SetParametersAtomically.Request(parameters=changes)
        result = observer.call(SetParametersAtomically, "/wm_planner/set_parameters_atomically", request).result
        return "" if result.successful else result.reason

    def told() -> str | None:
        lines = [line for line in observer.diagnostics[-1].status if line.name == "wm_planner: objectives"]
        return lines[0].message if lines else None

    def drives_on() -> None:
        count = len(observer.answered())
        observer.until(lambda: len(observer.answered()) > count + 3)
        assert observer.statuses[-1][1].mode == PlannerStatus.MODE_DRIVING

    observer.watch_diagnostics()
    with planner(domain, bundle, "autostart:=true", "deadline_ms:=5000.0"), camera(domain, "--ticks", "1000"):
        observer.until(lambda: len(observer.answered()) > 3, START_S)
        observer.until(lambda: observer.diagnostics)
        assert told() is None
        assert "set it first, or both at once" in observer.set_parameter("target_speed_cost", 1.0)
        assert "does not imagine route_offset, which this cost needs" in set_at_once(target_speed=5.0, route_cost=1.0)
        drives_on()
        assert set_at_once(target_speed=5.0, target_speed_cost=1.0) == ""
        drives_on()
        observer.until(lambda: told() == "target_speed_cost 1.0, target_speed 5.0")
        assert observer.set_parameter("target_speed", 2.0) == ""
        assert observer.set_parameter("jerk_cost", 0.5) == ""
        drives_on()
        observer.until(lambda: told() == "jerk_cost 0.5, jerk_limit 5.0; target_speed_cost 1.0, target_speed 2.0")
        assert set_at_once(target_speed_cost=0.0, jerk_cost=0.0) == ""
        observer.until(lambda: told() is None)
        drives_on()


@pytest.mark.parametrize(
    "options, message",
    [
        (["--width", "128"], "128x96 images, expected 96x96"),
        (["--encoding", "32FC1"], "encoding is '32FC1'"),
        (["--period", "0.1"], "images come every 0.100 s"),
    ],
)
def test_images_that_do_not_fit_the_bundle_end_the_node_with_a_brake(domain, observer, bundle, options, message):
    with planner(domain, bundle, "autostart:=true") as node:
        observer.until_known()
        with camera(domain, "--ticks", "1000", *options):
            assert node.wait(START_S) == 2
        assert message in node.output()
        assert "Traceback" not in node.output()
        observer.spin_for(0.3)
        assert is_brake(observer.commands[-1][1])
        stamped = [command for _, command in observer.commands if stamp_s(command) > 0.0]
        assert is_brake(stamped[-1])


def test_brakes_and_says_so_when_the_status_is_missing(domain, observer, bundle):
    with planner(domain, bundle, "autostart:=true"):
        observer.until_known()
        with camera(domain, "--ticks", "12", "--speed", "none"):
            observer.until(lambda: len(observer.answered()) == 12, START_S)
        observer.until(lambda: len(observer.statuses) >= len(observer.commands))
        assert all(is_brake(command) for _, command in observer.commands)
        reasons = {status.reason for _, status in observer.statuses if stamp_s(status) > 0.0}
        assert reasons and all("no vehicle_status" in reason for reason in reasons)


def test_a_bad_bundle_fails_to_configure_with_the_reason_in_the_diagnostics_and_can_be_corrected(
    domain, observer, bundle, tmp_path
):
    told = []
    observer.node.create_subscription(
        DiagnosticArray, "/diagnostics", lambda message: told.extend(message.status), QoSProfile(depth=10)
    )
    with planner(domain, bundle.parent / "none") as node:
        assert not observer.change_state(Transition.TRANSITION_CONFIGURE)
        node.wait_for_output("no bundle at", 5.0)
        observer.until(lambda: told)
        assert told[0].level == DiagnosticStatus.ERROR and "not configured: no bundle at" in told[0].message
        told.clear()
        assert observer.set_parameter("bundle", str(make_unsound_bundle(tmp_path))) == ""
        assert not observer.change_state(Transition.TRANSITION_CONFIGURE)
        observer.until(lambda: told)
        assert "the bundle's self-check fails: " in told[0].message
        assert "no_such_solver" in observer.set_parameter("solver", "no_such_solver")
        assert observer.set_parameter("bundle", str(bundle)) == ""
        assert observer.change_state(Transition.TRANSITION_CONFIGURE)
        assert "unconfigured" in observer.set_parameter("bundle", "")  # too late now
        assert observer.change_state(Transition.TRANSITION_INACTIVE_SHUTDOWN)
        assert node.wait(10.0) == 0


@pytest.mark.parametrize(
    "parameters, message",
    [
        (["bundle:=/does/not/exist"], "no bundle at /does/not/exist"),
        (["bundel:=x"], "unknown parameter bundel"),
        (["solver:=magic"], "expected one of shooting, cem, mppi, actor, policy, found 'magic'"),
        (["role_name:=two words"], "role_name"),
    ],
)
def test_refuses_to_start_with_one_message(domain, bundle, parameters, message):
    with planner(domain, bundle, "autostart:=true", *parameters) as node:
        assert node.wait(START_S) == 2
        lines = [line for line in node.output().splitlines() if "[INFO]" not in line]
        assert len(lines) == 1 and message in lines[0], node.output()


def test_refuses_a_damaged_bundle(domain, tmp_path):
    folder = make_tiny_bundle(tmp_path / "bundle")
    damage(folder, "imagine.onnx")
    with planner(domain, folder, "autostart:=true") as node:
        assert node.wait(START_S) == 2
        assert "imagine.onnx is damaged" in node.output() and "Traceback" not in node.output()


def test_refuses_unknown_words_on_the_command_line(domain):
    with graph.start("wm_planner", "planner", "--fast", domain_id=domain) as node:
        assert node.wait(START_S) == 2
        assert node.output().startswith("planner: unknown argument --fast") and node.output().count("\n") == 1
