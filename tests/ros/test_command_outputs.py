"""Commands as other vehicles' messages, on a real graph: each is sent, and braked with, by planner and watchdog.

Run with -s to see the measured times.
"""

import signal
import time

import graph
import pytest
from builtin_interfaces.msg import Time
from failsafe_rig import START_S, WATCHDOG, Rig, is_brake, start_planner, start_watchdog, until_watching
from fake_clock import FakeClock
from geometry_msgs.msg import Twist
from std_msgs.msg import Header
from timing import limit_s
from tiny_bundle import make_tiny_bundle
from wm_bundle.vehicle_commands.messages import OUTPUTS
from wm_msgs.msg import PlannerStatus, StepResult
from wm_planner.command_watchdog.node import CommandWatchdogNode
from wm_planner.command_watchdog.watchdog import CommandWatchdog

LIMIT_S = limit_s(0.3)  # from the moment a fault can be seen to the brake
VEHICLE = ("max_speed:=7.0", "wheelbase:=0.33", "max_steering_angle:=0.36")
INACTIVE = PlannerStatus.MODE_INACTIVE
SENT = [name for name in OUTPUTS if name not in ("carla", "autoware")]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_tiny_bundle(tmp_path_factory.mktemp("command_outputs") / "bundle")


@pytest.fixture(scope="module")
def domain():
    return graph.fresh_domain_id()


def braked_since(rig, since_s: float) -> list:
    return [message for arrival_s, message in rig.commands if arrival_s > since_s and is_brake(message)]


@pytest.mark.parametrize("output", SENT)
def test_each_message_has_the_planner_s_brake_and_the_watchdog_s(output, domain, bundle):
    given = (f"command_output:={output}", *VEHICLE)
    with graph.rclpy_context(domain) as context, start_watchdog(domain, *given) as watchdog:
        rig = Rig(context, output)
        with start_planner(domain, bundle, *given) as planner:
            rig.until_driving()
            until_watching(rig, watchdog)
            asked = [OUTPUTS[output].read(message) for _, message in rig.commands if not is_brake(message)]
            # The vehicle drives 5 m/s: within a second no message asks for more than 4 m/s more, or the largest speed.
            assert asked and all(0.0 <= motion.speed_mps <= 7.0 for motion in asked)
            fault_s = rig.change(images=False)
            silent_s, _ = rig.brake_after(fault_s, "no image for")
            rig.change()
            rig.until_driving()
            killed_s = time.monotonic()
            planner.kill()
            killed, _ = rig.brake_after(killed_s, "no command for")
            braked_s = time.monotonic()
            rig.until(lambda: len(braked_since(rig, braked_s)) >= 3, START_S)  # every 0.5 s: it knows its own brakes
            assert rig.moved_since(braked_s) == []
        count = len(rig.statuses)
        with start_planner(domain, bundle, *given) as planner:
            rig.until_driving()
            rig.until(lambda: "no longer braking" in str(of_watchdog(rig, count)), START_S)
            rig.run_for(0.5)
            count, ended_s = len(rig.statuses), time.monotonic()
            planner.process.send_signal(signal.SIGTERM)
            ended, _ = rig.brake_after(ended_s, "shut down", INACTIVE)
            rig.run_for(0.6)
            assert is_brake(rig.commands[-1][1]) and of_watchdog(rig, count) == []  # it saw the planner's brake
        rig.close()
    assert max(killed, ended) < LIMIT_S and silent_s < LIMIT_S + 0.08
    print(f"\n{output}: no images {1e3 * silent_s:.0f} ms, SIGKILL {1e3 * killed:.0f} ms, SIGTERM {1e3 * ended:.0f} ms")


def of_watchdog(rig, since: int) -> list[tuple[int, str]]:
    return [(message.mode, message.reason) for _, message in rig.statuses[since:] if message.bundle_id == WATCHDOG]


@pytest.mark.parametrize("executable", ["planner", "command_watchdog"])
@pytest.mark.parametrize(
    "given, message",
    [
        (("command_output:=twist", "max_speed:=1.0"), "parameter wheelbase: expected the distance"),
        (("command_output:=ackermann",), "parameter max_speed: expected the vehicle's largest speed"),
        (("command_output:=autoware", "max_speed:=9.0"), "no such message installed: install the package autoware_c"),
    ],
)
def test_what_is_missing_is_one_line_before_anything_starts(executable, given, message, domain):
    words = [word for parameter in given for word in ("-p", parameter)]
    with graph.start("wm_planner", executable, "--ros-args", *words, domain_id=domain) as process:
        assert process.wait(START_S) == 2
        lines = process.output().splitlines()
    assert len(lines) == 1 and message in lines[0]


def test_an_episode_s_end_explains_silence_though_a_twist_has_no_stamp(domain):
    """The planner's status tells which image its last command answered."""
    clock = FakeClock()
    arguments = ["--ros-args", "-p", "command_output:=twist", "-p", "max_speed:=2.0", "-p", "wheelbase:=0.3"]
    with graph.default_context(domain, arguments):
        node = CommandWatchdogNode()
        node._watchdog = CommandWatchdog(0.2, clock)
        drives = Twist()
        drives.linear.x = 1.0
        node._on_command(drives)
        node._on_status(PlannerStatus(header=Header(stamp=Time(sec=9, nanosec=500_000_000))))
        node._on_step_result(StepResult(terminated=True, header=Header(stamp=Time(sec=10))))
        clock.advance(1.0)
        node._look()
        assert node._watchdog.state.name == "resting"
        node._on_command(Twist())  # its own brake comes back
        assert node._watchdog.state.name == "resting"
        node._on_command(Twist())  # the planner's
        assert node._watchdog.state.reason == "the last command is a full brake"
        node.destroy_node()
