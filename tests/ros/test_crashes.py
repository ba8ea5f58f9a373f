"""A fault in the code of planner or command watchdog: the vehicle is braked first, and the log has the traceback."""

import time

import graph
import pytest
import rclpy
from carla_msgs.msg import CarlaEgoVehicleControl
from failsafe_rig import is_brake
from rclpy.executors import SingleThreadedExecutor
from tiny_bundle import make_tiny_bundle
from wm_planner.command_watchdog import node as command_watchdog_node
from wm_planner.command_watchdog.node import CommandWatchdogNode
from wm_planner.node import planner_node
from wm_planner.node.planner_node import PlannerNode
from wm_tools.live_view import node as view_node

TOPIC = "/carla/ego_vehicle/vehicle_control_cmd"


class Vehicle:
    """Hears commands in another participant, and sends them as a planner does."""

    def __init__(self, context):
        self.node = rclpy.create_node("vehicle", context=context)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self.node)
        self.heard: list[CarlaEgoVehicleControl] = []
        self.node.create_subscription(CarlaEgoVehicleControl, TOPIC, self.heard.append, 100)
        self._planner = self.node.create_publisher(CarlaEgoVehicleControl, TOPIC, 10)

    def drive(self) -> None:
        self._planner.publish(CarlaEgoVehicleControl(throttle=0.5))

    def brakes_of(self, frame: str) -> int:
        """How many brakes of that sender have come."""
        idle_s = time.monotonic() + 0.1
        while time.monotonic() < idle_s:
            self._executor.spin_once(timeout_sec=0.01)
        return sum(is_brake(message) and message.header.frame_id == frame for message in self.heard)


class Until:
    """In the place of the list of signals: as if one came when ``holds``; fails after a while."""

    def __init__(self, holds):
        self._holds, self._deadline_s = holds, time.monotonic() + 20.0

    def __bool__(self) -> bool:
        assert time.monotonic() < self._deadline_s
        return self._holds()


@pytest.fixture
def domain():
    return graph.fresh_domain_id()


@pytest.fixture
def vehicle(domain):
    with graph.rclpy_context(domain) as context:
        vehicle = Vehicle(context)
        yield vehicle
        vehicle.node.destroy_node()


def raiser(*_):
    raise ZeroDivisionError("made by the test")


def guard(domain, stop) -> int:
    with graph.default_context(domain, []):
        return command_watchdog_node.guard(CommandWatchdogNode(), stop)


@pytest.mark.parametrize("callback", ["_on_command", "_look"])
def test_a_watchdog_whose_callback_always_fails_brakes_until_it_ends_with_a_traceback(
    domain, vehicle, monkeypatch, capfd, callback
):
    driven_s, known = [0.0], []

    def serve() -> bool:
        """Until the vehicle has heard a brake a command comes now and then; from then on often."""
        if time.monotonic() - driven_s[0] > (0.02 if known else 0.5):
            vehicle.drive()
            driven_s[0] = time.monotonic()
        if not known and vehicle.brakes_of("wm_command_watchdog"):
            known.append(len(vehicle.heard))
        return False

    def fail_when_known(self, *arguments):
        if known:
            raiser()
        original(self, *arguments)

    original = getattr(CommandWatchdogNode, callback)
    monkeypatch.setattr(CommandWatchdogNode, callback, fail_when_known)
    assert guard(domain, Until(serve)) == command_watchdog_node.EXIT_FAILED
    before = sum(is_brake(message) for message in vehicle.heard[: known[0]])
    assert vehicle.brakes_of("wm_command_watchdog") >= before + 2
    told = capfd.readouterr().err
    assert "ZeroDivisionError: made by the test" in told and "Traceback" in told


def test_a_watchdog_that_failed_once_brakes_and_goes_on_guarding(domain, vehicle, monkeypatch, capfd):
    failed = []

    def fail_once(self, *_):
        if not failed:
            failed.append(True)
            raiser()

    monkeypatch.setattr(CommandWatchdogNode, "_publish_diagnostics", fail_once)
    # The first brake is for the failure, the second is repeated after a while: it still looks after the vehicle.
    assert guard(domain, Until(lambda: vehicle.brakes_of("wm_command_watchdog") >= 2)) == 0
    assert failed and "internal error" in capfd.readouterr().err


def test_the_brake_at_the_end_leaves_although_its_status_cannot(domain, vehicle, monkeypatch):
    with graph.default_context(domain, []):
        node = CommandWatchdogNode()
        while not node.count_subscribers(TOPIC) > 1 or not vehicle.node.count_publishers(TOPIC) > 1:
            vehicle.brakes_of("")
        node._watchdog.command(0.5, 0.0)
        monkeypatch.setattr(CommandWatchdogNode, "_publish_status", raiser)
        with pytest.raises(ZeroDivisionError):
            node.brake_at_end()
        assert vehicle.brakes_of("wm_command_watchdog") == 1


def test_a_planner_that_crashes_brakes_and_leaves_its_traceback(domain, vehicle, monkeypatch, capfd, tmp_path):
    bundle = make_tiny_bundle(tmp_path / "bundle")
    crashes = []

    def crash_when_heard(self):
        if vehicle.node.count_publishers(TOPIC) > 1 and self.count_subscribers(TOPIC) > 0 and vehicle.brakes_of(""):
            crashes.append(vehicle.brakes_of(""))
            raiser()
        original(self)

    original = PlannerNode._on_watchdog
    monkeypatch.setattr(PlannerNode, "_on_watchdog", crash_when_heard)
    words = ["-p", f"bundle:={bundle}", "-p", "autostart:=true", "-p", "candidates:=16"]
    with graph.domain_variables(domain):
        code = planner_node.main(["planner", "--ros-args", *words])
    told = capfd.readouterr().err
    assert code == planner_node.EXIT_CRASHED and vehicle.brakes_of("") > crashes[0]
    assert "Traceback" in told and "ZeroDivisionError: made by the test" in told and "raiser" in told


def test_a_live_view_that_crashes_leaves_its_traceback(domain, monkeypatch):
    def crash(*_):
        raise ValueError("made by the test")  # as a refused parameter is one

    monkeypatch.setattr(view_node, "_run", crash)
    monkeypatch.setattr(view_node.os, "nice", lambda _: None)  # it would be the tests' process
    with graph.domain_variables(domain), pytest.raises(ValueError, match="made by the test"):
        view_node.main(["live_view", "--ros-args", "-p", "port:=0"])


def test_an_exception_in_a_transition_leaves_its_traceback(domain, monkeypatch, capfd, tmp_path):
    monkeypatch.setattr(planner_node, "build", raiser)
    with graph.default_context(domain, ["planner", "--ros-args", "-p", "autostart:=true"]):
        node = PlannerNode()
        assert node.trigger_configure() != planner_node.TransitionCallbackReturn.SUCCESS
        node.destroy_node()
    told = capfd.readouterr().err
    assert "on_configure failed" in told and "ZeroDivisionError: made by the test" in told
