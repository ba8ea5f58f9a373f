"""Deadlines do not drift and do not pile up."""

import pytest
from wm_sim.pacing import Pacer


class Clock:
    now = 50.0

    def __call__(self):
        return self.now


def test_deadlines_are_absolute():
    clock = Clock()
    pacer = Pacer(0.08, clock)
    deadlines = []
    for late in (0.0, 0.03, 0.01):  # work and wake-up errors within a period
        deadlines.append(pacer.next_deadline())
        clock.now = deadlines[-1] + late
    # 50.0 + 0.08 * (1, 2, 3): the errors have not moved them
    assert deadlines == pytest.approx([50.08, 50.16, 50.24])
    assert pacer.late == 0


def test_more_than_a_period_late_begins_anew_and_is_counted():
    clock = Clock()
    pacer = Pacer(0.08, clock)
    pacer.next_deadline()  # 50.08
    clock.now = 50.50
    assert pacer.next_deadline() == 50.50  # 50.16 was 0.34 s ago: go on at once, without a burst
    assert pacer.next_deadline() == pytest.approx(50.58)
    assert pacer.late == 1


def test_as_fast_as_possible_never_waits_and_is_never_late():
    clock = Clock()
    pacer = Pacer(0.0, clock)
    for _ in range(3):
        clock.now += 1.0
        assert pacer.next_deadline() <= clock.now
    assert pacer.late == 0


def test_a_pause_is_not_lateness():
    clock = Clock()
    pacer = Pacer(0.08, clock)
    pacer.next_deadline()
    clock.now += 60.0
    pacer.restart()
    assert pacer.next_deadline() == pytest.approx(clock.now + 0.08)
    assert pacer.late == 0
