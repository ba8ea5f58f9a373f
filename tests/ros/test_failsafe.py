"""Every fault of docs/safety.md on a real graph: the time to the brake, that it holds, and that driving resumes.

Planner and command watchdog are processes of their own, as in the launch file; vehicle and camera are in this one.
Run with -s to see the measured times.
"""

import signal
import time
from dataclasses import dataclass

import faulty_bundle
import graph
import pytest
from failsafe_rig import PERIOD_S, START_S, WATCHDOG, Rig, is_brake, start_planner, start_watchdog, until_watching
from faulty_bundle import make_faulty_bundle
from lifecycle_msgs.msg import Transition
from timing import limit_s
from tiny_bundle import damage
from wm_msgs.msg import PlannerStatus

LIMIT_S = limit_s(0.3)  # from the moment a fault can be seen to the brake
HOLD_S = 0.4  # how long a fault lasts after the brake: the brake has to last as well
INACTIVE, DEGRADED = PlannerStatus.MODE_INACTIVE, PlannerStatus.MODE_DEGRADED


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_faulty_bundle(tmp_path_factory.mktemp("failsafe") / "bundle")


@pytest.fixture(scope="module")
def domain():
    return graph.fresh_domain_id()


@pytest.fixture(scope="module")
def rig(domain):
    with graph.rclpy_context(domain) as context:
        rig = Rig(context)
        yield rig
        rig.close()


@pytest.fixture(scope="module")
def watchdog(domain):
    with start_watchdog(domain) as process:
        yield process
        assert "Traceback" not in process.output()


@pytest.fixture(scope="module")
def planner(domain, rig, bundle, watchdog):
    """A planner that has driven; every test leaves it driving."""
    with start_planner(domain, bundle, "recovery_frames:=5") as process:
        rig.until_driving(count=20)  # so that the images' rate is known to be right
        until_watching(rig, watchdog)
        yield process
        assert process.process.poll() is None, process.output()
        assert "Traceback" not in process.output()


def report(name: str, brake_s: float, said_s: float, resumed_s: float) -> None:
    print(
        f"\n{name}: brake after {1e3 * brake_s:.0f} ms, mode and reason after {1e3 * said_s:.0f} ms, "
        f"driving {1e3 * resumed_s:.0f} ms after the cause was gone"
    )


def resume(rig) -> float:
    """The cause is gone; returns the seconds until the planner drives."""
    good_s = rig.change()
    rig.until_driving(count=1)
    return time.monotonic() - good_s


@dataclass(frozen=True)
class Fault:
    """``changes`` to a good world, and the ``reason`` given.

    ``images`` of it are answered without a brake at most, the first ``unseen`` of them because nothing is to be seen.
    """

    name: str
    changes: dict
    reason: str
    images: int = 0
    unseen: int = 0


FAULTS = [
    Fault("camera stops", {"images": False}, "no image for"),
    Fault("camera freezes, same stamp", {"stamps_advance": False}, "did not advance"),
    # The second picture is the first that can be seen to be a repetition, the third repetition brakes.
    Fault("camera freezes, new stamps", {"changing": False}, "repeats the same picture", images=3, unseen=1),
    Fault("another image size", {"width": 128}, "128x96 images, expected 96x96"),
    Fault("another encoding", {"encoding": "32FC1"}, "encoding is '32FC1'"),
    # A period is judged by four gaps.
    Fault("another image rate", {"stamp_step": 2}, "images come every 0.160 s", images=3),
    Fault("NaN from the model", {"red": faulty_bundle.NAN}, "is not finite"),
    # Two periods are tolerated without one.
    Fault("vehicle_status missing", {"statuses": False}, "no vehicle_status", images=2),
    # Degraded at the second image, which has its own test; the brake two images later.
    Fault("surprise", {"red": faulty_bundle.SURPRISING}, "the model does not know what it sees", images=3),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_brakes_while_the_fault_lasts_and_drives_when_it_is_over(rig, planner, fault):
    fault_s = rig.change(**fault.changes)
    brake_s, said_s = rig.brake_after(fault_s, fault.reason)
    assert (fault.images - fault.unseen) * PERIOD_S < 0.3  # on any machine: which image must be in time
    assert brake_s - fault.images * PERIOD_S < LIMIT_S
    if rig.world.images:
        assert rig.images_answered_before_brake() <= fault.images
    braked_s = time.monotonic()
    rig.run_for(HOLD_S)
    assert rig.moved_since(braked_s) == []
    report(fault.name, brake_s, said_s, resume(rig))


def test_surprise_degrades_before_it_brakes(rig, planner):
    fault_s = rig.change(red=faulty_bundle.SURPRISING)
    rig.until(lambda: rig.statuses[-1][1].mode == DEGRADED, 5.0)
    seen_s = rig.statuses[-1][0]
    degraded = rig.statuses[-1][1]
    assert "the bundle's limit is 1000000.0" in degraded.reason and degraded.surprise > degraded.surprise_threshold
    assert seen_s - fault_s - PERIOD_S < LIMIT_S  # the second image is the first that says so
    resume(rig)


@pytest.mark.parametrize("ticks, reason", [(-500, "jumped back by"), (500, "jumped forward by")])
def test_a_clock_that_jumps_brakes_once_and_a_new_belief_begins(rig, planner, ticks, reason):
    if ticks < 0:
        rig.tick += 10_000
        rig.until_driving()
    fault_s = rig.change()
    rig.tick += ticks
    brake_s, said_s = rig.brake_after(fault_s, reason)
    assert brake_s < LIMIT_S
    report(f"clock {reason} {abs(ticks) * PERIOD_S:.0f} s", brake_s, said_s, resume(rig))


def test_plans_that_keep_missing_the_deadline_brake(rig, planner):
    """Five plans in a row: what can be seen is the fifth."""
    fault_s = rig.change(red=faulty_bundle.SLOW)
    brake_s, said_s = rig.brake_after(fault_s, "came after the deadline")
    said_at_s = fault_s + said_s
    plans = [
        message
        for arrival_s, message in rig.statuses
        if fault_s < arrival_s < said_at_s and message.bundle_id != WATCHDOG and message.deadline_missed
    ]
    assert len(plans) <= 5
    braked_s = time.monotonic()
    rig.run_for(HOLD_S)
    assert rig.moved_since(braked_s) == []
    report("deadline missed repeatedly", brake_s, said_s, resume(rig))


def test_a_model_file_that_changes_on_disk_brakes_until_it_is_back(rig, planner, bundle):
    fault_s = time.monotonic()
    damage(bundle, "imagine.onnx")
    brake_s, said_s = rig.brake_after(fault_s, "imagine.onnx was changed")
    assert brake_s < LIMIT_S
    braked_s = time.monotonic()
    rig.run_for(HOLD_S)
    assert rig.moved_since(braked_s) == []
    damage(bundle, "imagine.onnx")  # flips the same byte back
    report("model file changed", brake_s, said_s, resume(rig))


def test_a_status_publisher_that_does_not_match_is_reported_and_brakes(rig, planner):
    fault_s = time.monotonic()
    rig.status_of_best_effort(True)
    brake_s, said_s = rig.brake_after(fault_s, "no vehicle_status")
    assert brake_s - 2 * PERIOD_S < LIMIT_S  # two periods are tolerated without one
    rig.until(lambda: "incompatible quality of service: ERROR: Best effort publisher" in planner.output(), 5.0)
    rig.status_of_best_effort(False)
    report("QoS mismatch of vehicle_status", brake_s, said_s, resume(rig))


def test_inference_that_hangs_is_braked_from_outside(rig, planner, watchdog):
    fault_s = rig.change(red=faulty_bundle.HANGING)
    brake_s, said_s = rig.brake_after(fault_s, "no command for")
    assert brake_s < LIMIT_S
    braked_s = time.monotonic()
    rig.change()
    rig.until(lambda: "too late to act on it" in rig.statuses[-1][1].reason, START_S)
    assert rig.moved_since(braked_s) == []  # what came out of it in the end was not carried out
    report("inference hangs", brake_s, said_s, resume(rig))


def test_a_stopped_planner_is_braked_from_outside(rig, planner, watchdog):
    fault_s = time.monotonic()
    planner.process.send_signal(signal.SIGSTOP)
    try:
        brake_s, said_s = rig.brake_after(fault_s, "no command for")
        assert brake_s < LIMIT_S
        braked_s = time.monotonic()
        rig.run_for(HOLD_S)
        assert rig.moved_since(braked_s) == []
    finally:
        planner.process.send_signal(signal.SIGCONT)
    report("planner stopped (SIGSTOP)", brake_s, said_s, resume(rig))


def test_deactivation_brakes_and_activation_drives_again(rig, planner, watchdog):
    fault_s = time.monotonic()
    assert rig.call_change_state(Transition.TRANSITION_DEACTIVATE)
    brake_s, said_s = rig.brake_after(fault_s, "deactivated", INACTIVE)
    assert brake_s < LIMIT_S
    assert_the_watchdog_is_quiet(rig)
    assert "no receipt" not in planner.output()  # who listens has it before the answer to the transition
    good_s = time.monotonic()
    assert rig.call_change_state(Transition.TRANSITION_ACTIVATE)
    rig.until_driving()
    report("deactivate", brake_s, said_s, time.monotonic() - good_s)


def assert_the_watchdog_is_quiet(rig) -> None:
    """A planner that braked and left is no fault."""
    count = len(rig.statuses)
    rig.run_for(0.5)
    assert [message.reason for _, message in rig.statuses[count:] if message.bundle_id == WATCHDOG] == []
    assert is_brake(rig.commands[-1][1])
