"""What acts on a vehicle that takes other messages than pedals, and how its pilot knows."""

import pytest
from builtin_interfaces.msg import Time
from fake_pilot import PERIOD_NS, drive, frame, make_pilot
from wm_planner.pilot.continuity import Sample
from wm_planner.pilot.modes import Mode

ACKERMANN = {"command_output": "ackermann", "max_speed": 5.0}


def silent_tick(pilot, clock, tick: int, speed: float):
    """A tick of a vehicle that tells its speed and not what acted."""
    clock.advance(0.08)
    pilot.take("speed", Sample(tick * PERIOD_NS, speed))
    return pilot.decide(frame(clock, tick))


def test_without_a_status_the_command_as_sent_is_what_acted(engine, clock, manifest):
    pilot = make_pilot(engine, clock, manifest, **ACKERMANN)
    sent = silent_tick(pilot, clock, 1, 1.0).command
    assert silent_tick(pilot, clock, 2, 1.0).mode is Mode.DRIVING
    assert engine.observed[1].previous_action == pytest.approx(sent)


def test_a_command_has_no_throttle_beyond_the_largest_speed_and_the_model_is_told_so(engine, clock, manifest):
    pilot = make_pilot(engine, clock, manifest, **ACKERMANN)
    decision = silent_tick(pilot, clock, 1, 5.0)
    unlimited = decision.plan.action
    # At the largest speed: at most what holds it, 0.15 + 4e-4 * 25 m/s^2 out of 4.
    assert decision.command[1] == pytest.approx(min(unlimited[1], 0.16 / 4.0), abs=1e-5)
    assert decision.command[0] == unlimited[0]
    silent_tick(pilot, clock, 2, 5.0)
    assert engine.observed[1].previous_action == pytest.approx(decision.command)
    message = pilot.writer(decision.command, Time(), pilot.speed_at(PERIOD_NS))
    assert message.speed <= 5.0


def test_the_status_still_tells_what_acted_where_there_is_one(engine, clock, manifest):
    pilot = make_pilot(engine, clock, manifest, **ACKERMANN)
    drive(pilot, clock, 1)
    drive(pilot, clock, 2, command=(0.5, 0.25, 0.0))
    assert engine.observed[1].previous_action == pytest.approx([0.5, 0.25, 0.0])
    assert pilot.speed_at(2 * PERIOD_NS) == 5.0 and pilot.speed_at(30 * PERIOD_NS) is None
