"""The modes on their own: surprise and lateness over several images."""

import pytest
from wm_msgs.msg import PlannerStatus
from wm_planner.pilot.modes import LatenessMonitor, Mode, SurpriseMonitor

HIGH, LOW, CALM = 11.0, 4.1, 3.9  # nats; the threshold is 10, calm is below 4
LETTERS = {Mode.DRIVING: "-", Mode.DEGRADED: "d", Mode.BRAKING: "B"}


def modes(monitor, values) -> str:
    """A letter for the mode after each value; every mode but DRIVING has a reason."""
    letters = ""
    for value in values:
        monitor.take(value)
        judgement = monitor.judgement
        assert bool(judgement.reason) == (judgement.mode is not Mode.DRIVING)
        letters += LETTERS[judgement.mode]
    return letters


@pytest.fixture
def surprise() -> SurpriseMonitor:
    return SurpriseMonitor(10.0, surprise_frames=2, degraded_frames=3, recovery_frames=4, calm_share=0.4)


def test_the_numbers_are_those_of_the_message():
    assert {mode.name: mode.value for mode in Mode} == {
        name.removeprefix("MODE_"): getattr(PlannerStatus, name)
        for name in dir(PlannerStatus)
        if name.startswith("MODE_")
    }


def test_surprise_degrades_then_brakes(surprise):
    assert modes(surprise, [HIGH] * 6) == "-dddBB"  # 2 images, then 3 more
    assert "11.0 nats" in surprise.judgement.reason and "10.0" in surprise.judgement.reason


def test_a_single_surprise_changes_nothing(surprise):
    assert modes(surprise, [HIGH, LOW, HIGH, LOW, HIGH, LOW]) == "------"


def test_an_expected_image_between_surprising_ones_does_not_hide_them(surprise):
    images = [HIGH, HIGH, LOW, HIGH, HIGH, LOW, HIGH, HIGH, HIGH]
    assert modes(surprise, images) == "-dddddddB"  # 1 2 1 2 3 2 3 4 5


def test_degraded_ends_when_as_many_images_were_expected(surprise):
    assert modes(surprise, [HIGH, HIGH, HIGH, LOW, LOW, LOW]) == "-dddd-"  # 1 2 3 2 1 0


def test_a_brake_ends_only_after_calm_images_in_a_row(surprise):
    modes(surprise, [HIGH] * 5)
    assert modes(surprise, [LOW] * 20) == "B" * 20  # not surprising, but not calm either
    assert modes(surprise, [CALM, CALM, CALM, LOW, CALM, CALM, CALM, CALM]) == "BBBBBBB-"
    assert modes(surprise, [HIGH, HIGH]) == "-d"  # and everything counts from zero again


def test_late_plans_brake_and_as_many_in_time_end_it():
    lateness = LatenessMonitor(deadline_frames=3, recovery_frames=2)
    late, in_time = True, False
    assert modes(lateness, [late, late, in_time, late, late, late]) == "-----B"
    assert "3 plans in a row" in lateness.judgement.reason
    assert modes(lateness, [in_time, late, in_time, in_time]) == "BBB-"
    assert modes(lateness, [late, late, late]) == "--B"


def test_lateness_can_be_left_out():
    assert modes(LatenessMonitor(deadline_frames=0, recovery_frames=2), [True] * 100) == "-" * 100
