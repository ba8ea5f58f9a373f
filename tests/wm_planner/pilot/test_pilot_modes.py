"""How surprise and lateness change what the pilot decides."""

from fake_pilot import CAUTIOUS_THROTTLE, PERIOD_NS, assert_brakes, drive, make_pilot
from wm_planner.pilot.modes import Mode


def test_surprise_degrades_brakes_and_lets_drive_again(pilot, clock, engine):
    """2 surprising images degrade, 2 more brake, 10 calm ones in a row end it; the limit is 1 nat, calm below 0.4."""
    drive(pilot, clock, 1)
    engine.surprise = 1.1
    decisions = [drive(pilot, clock, tick) for tick in range(2, 8)]
    assert [decision.mode for decision in decisions] == [
        Mode.DRIVING,
        Mode.DEGRADED,
        Mode.DEGRADED,
        Mode.BRAKING,
        Mode.BRAKING,
        Mode.BRAKING,
    ]
    assert decisions[0].command[1] > CAUTIOUS_THROTTLE
    assert all(decision.command[1] <= CAUTIOUS_THROTTLE + 1e-6 for decision in decisions[1:3])
    assert "surprise was 1.1 nats, the bundle's limit is 1.0" in decisions[1].reason
    engine.surprise = 0.41  # no longer surprising, but not calm
    assert drive(pilot, clock, 8).mode is Mode.BRAKING
    engine.surprise = 0.39
    modes = [drive(pilot, clock, tick).mode for tick in range(9, 20)]
    assert modes == [Mode.BRAKING] * 9 + [Mode.DRIVING] * 2
    assert "this is over: surprise" in pilot.lines[-1]


def test_a_surprising_image_is_predicted_instead_of_believed_and_braking_begins_a_new_belief(pilot, clock, engine):
    """The fake belief counts what it took in: observations, and commands it was advanced by."""
    for tick in range(1, 4):
        drive(pilot, clock, tick)
    engine.surprise = 3.1  # 3 times the limit is beyond belief
    for tick in range(4, 12):
        drive(pilot, clock, tick)
    assert [seen.belief[0, 0] for seen in engine.observed] == [0, 1, 2, 3, 4, 5, 6, 0, 1, 0, 1]
    assert [seen.is_first for seen in engine.observed][7:] == [True, False, True, False]


def test_a_view_that_is_only_rare_is_taken_in(pilot, clock, engine):
    predicted = []
    advance = engine.advance
    engine.advance = lambda *arguments: (predicted.append(arguments), advance(*arguments))[1]
    for tick in range(1, 4):
        engine.surprise = 2.9 if tick > 1 else 0.0
        drive(pilot, clock, tick)
    assert not predicted
    engine.surprise = 3.1
    drive(pilot, clock, 4)
    assert len(predicted) == 1


def test_the_first_observation_of_a_belief_surprises_nobody(pilot, clock, engine):
    engine.surprise = 100.0
    assert drive(pilot, clock, 1).mode is Mode.DRIVING
    for tick in range(2, 12):
        pilot.take_step_result((tick - 1) * PERIOD_NS, ended=True)
        assert drive(pilot, clock, tick).mode is Mode.DRIVING


def test_plans_that_keep_missing_the_deadline_brake_until_they_are_in_time_again(engine, clock, manifest):
    pilot = make_pilot(engine, clock, manifest, deadline_frames=3, recovery_frames=4)
    observe, taken_s = engine.observe, 0.07  # the deadline is 0.06 s

    def slow_observe(*arguments):
        clock.advance(taken_s)
        return observe(*arguments)

    engine.observe = slow_observe
    decisions = [drive(pilot, clock, tick) for tick in range(1, 6)]
    assert [decision.mode for decision in decisions] == [Mode.DRIVING] * 2 + [Mode.BRAKING] * 3
    assert_brakes(decisions[2], "3 plans in a row came after the deadline")
    taken_s = 0.01
    modes = [drive(pilot, clock, tick).mode for tick in range(6, 11)]
    assert modes == [Mode.BRAKING] * 3 + [Mode.DRIVING] * 2  # the 4th in time ends it
    assert [seen.is_first for seen in engine.observed].count(True) == 1  # the belief went on


def test_a_plan_that_comes_far_too_late_is_not_carried_out(pilot, clock, engine):
    drive(pilot, clock, 1)
    observe = engine.observe

    def stopped(*arguments):
        clock.advance(2.0)
        return observe(*arguments)

    engine.observe = stopped
    assert_brakes(drive(pilot, clock, 2), "ready 2.0 s after its image")
    engine.observe = observe
    assert drive(pilot, clock, 3).mode is Mode.DRIVING


def test_in_lock_step_lateness_is_no_fault(engine, clock, manifest):
    pilot = make_pilot(engine, clock, manifest, deadline_frames=0)
    observe = engine.observe

    def slow(*arguments):
        clock.advance(2.0)
        return observe(*arguments)

    engine.observe = slow
    assert all(drive(pilot, clock, tick).mode is Mode.DRIVING for tick in range(1, 30))
