"""The pilot compares the yaw rate with the steering that acted."""

import dataclasses

import pytest
from fake_pilot import PERIOD_NS, frame, make_pilot
from town_drive import town
from wm_bundle import VectorSpec
from wm_bundle.turn_check import Turn
from wm_planner.config import PlannerConfig
from wm_planner.errors import ConfigError
from wm_planner.pilot.continuity import Sample


@pytest.fixture
def turning(engine, clock, manifest):
    vector = (VectorSpec("speed", "m/s", 0.0, 1.0), VectorSpec("yaw_rate", "rad/s", 0.0, 1.0))
    return make_pilot(engine, clock, dataclasses.replace(manifest, vector=vector))


def drive(pilot, clock, samples, applied: bool = True):
    for tick, (steer, speed, yaw_rate) in enumerate(samples, 1):
        clock.advance(0.08)
        pilot.take("speed", Sample(tick * PERIOD_NS, speed, (steer, 0.5, 0.0) if applied else None))
        pilot.take("yaw_rate", Sample(tick * PERIOD_NS, yaw_rate))
        yield pilot.decide(frame(clock, tick))


@pytest.mark.parametrize(("factor", "fault"), [(1.0, None), (-1.0, Turn.AGAINST)])
def test_a_wrong_sign_is_found_while_driving_and_the_drive_goes_on(turning, clock, factor, fault):
    samples = [(steer, speed, factor * yaw_rate) for steer, speed, yaw_rate in town(13)]
    decisions = list(drive(turning, clock, samples))
    assert turning.turns.fault is fault
    assert decisions[-1].plan is not None


def test_without_a_report_of_what_acted_the_last_command_counts(turning, clock, monkeypatch):
    steers = []
    monkeypatch.setattr(turning.turns, "add", lambda stamp_ns, steer, speed, yaw_rate: steers.append(steer))
    decisions = list(drive(turning, clock, [(0.9, 5.0, 0.1)] * 10, applied=False))
    assert steers[1:] == [pytest.approx(decision.command[0]) for decision in decisions[:-1]]


def test_a_bundle_without_a_yaw_rate_has_nothing_to_compare(pilot):
    assert pilot.turns is None


def test_a_factor_of_zero_is_refused():
    with pytest.raises(ConfigError, match="yaw_rate_factor"):
        PlannerConfig(bundle="x", yaw_rate_factor=0.0).check()
