"""The planner ends, in every way, and the simulator does: on a real graph, with the time to the brake.

Run with -s to see the measured times.
"""

import signal
import time

import graph
import pytest
from builtin_interfaces.msg import Time
from carla_msgs.msg import CarlaEgoVehicleControl
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from failsafe_rig import START_S, WATCHDOG, Rig, is_brake, start_planner, start_watchdog, until_watching
from fake_clock import FakeClock
from rclpy.qos import QoSProfile
from std_msgs.msg import Header
from timing import limit_s
from tiny_bundle import make_tiny_bundle
from wm_msgs.msg import PlannerStatus, StepResult
from wm_planner.command_watchdog.node import CommandWatchdogNode
from wm_planner.command_watchdog.watchdog import CommandWatchdog

LIMIT_S = limit_s(0.3)  # from the moment a fault can be seen to the brake
INACTIVE, BRAKING = PlannerStatus.MODE_INACTIVE, PlannerStatus.MODE_BRAKING


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_tiny_bundle(tmp_path_factory.mktemp("failsafe_endings") / "bundle")


@pytest.fixture(scope="module")
def domain():
    return graph.fresh_domain_id()


@pytest.fixture(scope="module")
def rig(domain):
    with graph.rclpy_context(domain) as context:
        rig = Rig(context)
        yield rig
        rig.close()


@pytest.fixture
def watchdog(domain):
    """One for each test: what an earlier planner made it say must not be taken for the next one's."""
    with start_watchdog(domain) as process:
        yield process
        assert "Traceback" not in process.output()


def of_watchdog(rig, since: int) -> list[tuple[int, str]]:
    return [(message.mode, message.reason) for _, message in rig.statuses[since:] if message.bundle_id == WATCHDOG]


def brakes_since(rig, since_s: float) -> list:
    return [message for arrival_s, message in rig.commands if arrival_s > since_s and is_brake(message)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_a_planner_that_is_asked_to_end_brakes_and_the_watchdog_stays_quiet(rig, domain, bundle, watchdog, number):
    with start_planner(domain, bundle) as planner:
        rig.until_driving()
        until_watching(rig, watchdog)
        count, fault_s = len(rig.statuses), time.monotonic()
        planner.process.send_signal(number)
        brake_s, said_s = rig.brake_after(fault_s, "shut down", INACTIVE)
        assert brake_s < LIMIT_S
        rig.until(lambda: planner.process.poll() is not None, START_S)
        assert planner.process.returncode == 0
        rig.run_for(0.5)
        assert is_brake(rig.commands[-1][1]) and of_watchdog(rig, count) == []
        print(f"\n{number.name}: brake after {1e3 * brake_s:.0f} ms, mode and reason after {1e3 * said_s:.0f} ms")


def test_a_killed_planner_is_braked_by_the_watchdog_until_another_one_drives(rig, domain, bundle, watchdog):
    diagnostics = []
    subscription = rig.node.create_subscription(
        DiagnosticArray, "/diagnostics", lambda message: diagnostics.extend(message.status), QoSProfile(depth=100)
    )
    with start_planner(domain, bundle) as planner:
        rig.until_driving()
        until_watching(rig, watchdog)
        fault_s = time.monotonic()
        planner.kill()
        brake_s, said_s = rig.brake_after(fault_s, "no command for")
        assert brake_s < LIMIT_S
        braked_s = time.monotonic()
        rig.until(lambda: len(brakes_since(rig, braked_s)) >= 2, START_S)
        assert len(brakes_since(rig, braked_s)) <= 2 + (time.monotonic() - braked_s) / 0.5  # one every 0.5 s
        assert rig.moved_since(braked_s) == []
        levels = {status.level for status in diagnostics if status.name == "wm_command_watchdog: commands"}
        assert DiagnosticStatus.ERROR in levels
    count = len(rig.statuses)
    with start_planner(domain, bundle):
        rig.until_driving()
        until_watching(rig, watchdog)
        rig.until(
            lambda: any(
                mode == INACTIVE and reason.startswith("no longer braking: ")
                for mode, reason in of_watchdog(rig, count)
            ),
            5.0,
        )
        print(
            f"\nSIGKILL: brake after {1e3 * brake_s:.0f} ms, mode and reason after {1e3 * said_s:.0f} ms, "
            f"driving with the next planner"
        )
    rig.node.destroy_subscription(subscription)


def test_a_rest_that_becomes_a_fault_is_never_told_as_the_end_of_the_brake(domain, monkeypatch):
    """The planner was killed at an episode's end, and the simulator begins the next one."""
    told, clock = [], FakeClock()
    with graph.default_context(domain, []):
        node = CommandWatchdogNode()
        monkeypatch.setattr(node, "_publish_status", lambda mode, _: told.append((mode, node._watchdog.state.name)))
        node._watchdog = CommandWatchdog(0.2, clock)
        node._on_command(CarlaEgoVehicleControl(throttle=0.5, header=Header(stamp=Time(sec=9))))
        node._on_step_result(StepResult(terminated=True, header=Header(stamp=Time(sec=10))))
        for second in (10, 11):
            clock.advance(1.0)
            node._look()
            node._on_step_result(StepResult(header=Header(stamp=Time(sec=second, nanosec=1))))
        clock.advance(1.0)
        node._look()
        assert told == [(BRAKING, "resting"), (BRAKING, "braking"), (BRAKING, "braking")]
        node._on_command(CarlaEgoVehicleControl(throttle=0.5, header=Header(stamp=Time(sec=12))))
        assert told[-1] == (INACTIVE, "watching")
        node.destroy_node()
