"""Planner and command watchdog in lock-step with a bridge that counts commands as CARLA's does, and its mishaps."""

import signal

import graph
import pytest
from failsafe_rig import START_S, start_planner, start_watchdog
from tiny_bundle import make_tiny_bundle
from waiting_bridge import WaitingBridge
from wm_bundle import lock_step


def words(parameters: dict) -> list[str]:
    return [f"{name}:={str(value).lower()}" for name, value in parameters.items()]


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    """A bridge, and a planner that drives in phase from its first command on."""
    domain = graph.fresh_domain_id()
    bundle = make_tiny_bundle(tmp_path_factory.mktemp("phase") / "bundle")
    planning = lock_step.planner_parameters(lock_step.BRIDGE_WAIT_S)
    with graph.rclpy_context(domain) as context, start_watchdog(domain, *words(lock_step.watchdog_parameters(0.08))):
        bridge = WaitingBridge(context)
        bridge.start()
        with start_planner(domain, bundle, *words(planning)) as planner:
            bridge.until(lambda: any(bridge.came.values()), START_S)
            begun = bridge.tick
            bridge.go_on(20)
            assert bridge.in_phase(18), bridge.told(begun - 5)
            bridge.until(bridge.hears_watchdog)
            bridge.go_on(20)
            yield bridge, planner
            assert planner.process.poll() is None and "Traceback" not in planner.output()
        bridge.close()


@pytest.fixture(autouse=True)
def in_phase_at_the_end(drive):
    bridge, _ = drive
    yield
    bridge.go_on(20)
    bridge.until(bridge.in_phase)  # a busy machine may make another answer late meanwhile


def test_a_command_too_many_is_noticed_told_and_mended(drive):
    bridge, planner = drive
    for _ in range(10):  # one that comes together with an answer makes no difference
        if "out of phase" not in planner.output():
            bridge.send_extra()
        bridge.go_on(10)
    bridge.until(lambda: "in phase again" in planner.output())


def test_in_a_stall_nothing_is_sent(drive):
    bridge, planner = drive
    since, bridge.stall_s = bridge.tick, 2.0
    bridge.until(lambda: bridge.tick > since + 30)
    assert all(len(bridge.came[tick]) == 1 for tick in range(since, since + 30)), bridge.told(since)


def test_a_planner_that_stands_is_braked_for_in_simulated_time(drive):
    bridge, planner = drive
    since = bridge.tick
    planner.process.send_signal(signal.SIGSTOP)
    bridge.until(lambda: bridge.watchdogs_brakes(since))
    (braked,) = bridge.watchdogs_brakes(since)
    assert braked <= since + 6, "after 0.28 s of simulated time, 4 ticks"
    planner.process.send_signal(signal.SIGCONT)


def test_pictures_that_never_come_are_braked_for_and_told(drive):
    bridge, planner = drive
    since, bridge.pictures = bridge.tick, False
    bridge.until(lambda: bridge.watchdogs_brakes(since))
    bridge.until(lambda: bridge.planner_said("no image for"))
    bridge.pictures = True
