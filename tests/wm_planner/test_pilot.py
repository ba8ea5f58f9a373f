"""One decision for every frame, whatever happens."""

import dataclasses

import numpy as np
import pytest
from wm_bundle import CameraSpec, ImageSpec, VectorSpec
from wm_planner.config import PlannerConfig
from wm_planner.continuity import StatusSample
from wm_planner.errors import ConfigError, NonFiniteError
from wm_planner.frames import Frame, RawImage
from wm_planner.limits import ActionLimits
from wm_planner.modes import Mode
from wm_planner.pilot import BRAKE, Pilot, check_inputs
from wm_planner.planner import Manner, Planner, Tuning
from wm_planner.scoring import Scorer
from wm_planner.solvers import CEM, SamplingSettings

PERIOD_NS = 80_000_000
CAUTIOUS_THROTTLE = 0.1


class FakeGuard:
    """Says of the bundle's files what it is told."""

    found: str | None = None

    def fault(self) -> str | None:
        return self.found


def make_pilot(engine, clock, manifest, **parameters) -> Pilot:
    settings = SamplingSettings(16, manifest.horizon, iterations=2, std=(0.2, 0.2), correlation=0.8, trust=3.0, seed=1)
    scorer = Scorer(1.0, 1.0)
    tuning = Tuning(CEM(settings, 4), Manner(scorer), Manner(scorer, ActionLimits(ceiling=CAUTIOUS_THROTTLE)))
    planner = Planner(engine, tuning, clock=clock)
    guard, lines = FakeGuard(), []
    pilot = Pilot(planner, manifest, PlannerConfig(**parameters), guard, clock=clock, log=lines.append)
    pilot.guard, pilot.lines = guard, lines
    return pilot


@pytest.fixture
def pilot(engine, clock, manifest) -> Pilot:
    engine.proposal[:] = (0.0, 0.5, 0.0)
    return make_pilot(engine, clock, manifest)


def image(stamp_ns: int, value: int, height=8, width=8, encoding="bgra8") -> RawImage:
    data = np.full(height * width * 4, value % 256, np.uint8).tobytes()
    return RawImage(stamp_ns, height, width, encoding, 4 * width, data)


def frame(clock, tick: int, value=None, **changes) -> Frame:
    stamp_ns = tick * PERIOD_NS
    return Frame(stamp_ns, (image(stamp_ns, tick if value is None else value, **changes),), clock())


def drive(pilot, clock, tick: int, speed=5.0, command=(0.0, 0.0, 0.0), **changes):
    """One tick with its status."""
    clock.advance(0.08)
    pilot.take_status(StatusSample(tick * PERIOD_NS, speed, command))
    return check(pilot.decide(frame(clock, tick, **changes)))


def check(decision):
    """What holds for every decision."""
    braking = decision.mode is Mode.BRAKING
    assert (decision.plan is None) == braking
    assert bool(decision.reason) == (decision.mode is not Mode.DRIVING)
    assert not braking or (decision.command == BRAKE).all()
    return decision


def assert_brakes(decision, message: str):
    assert decision.mode is Mode.BRAKING and message in decision.reason, decision


def test_a_normal_tick_drives_with_speed_and_the_applied_command(pilot, clock, engine):
    drive(pilot, clock, 1)
    decision = drive(pilot, clock, 2, speed=7.0, command=(0.5, 0.25, 0.0))
    assert decision.mode is Mode.DRIVING and not decision.fatal
    seen = engine.observed[1]
    assert seen.vector == pytest.approx([7.0])
    assert seen.previous_action == pytest.approx([0.5, 0.25, 0.0])  # what the vehicle says, not what was sent
    assert seen.image.shape == (3, 8, 8)
    assert seen.camera_mask is None


def test_without_this_ticks_status_the_last_speed_and_the_sent_command_serve(pilot, clock, engine):
    sent = drive(pilot, clock, 1).command
    clock.advance(0.08)
    assert pilot.should_wait(2 * PERIOD_NS)
    assert pilot.decide(frame(clock, 2)).mode is Mode.DRIVING
    assert engine.observed[1].previous_action == pytest.approx(sent)


def test_a_speed_from_a_source_that_knows_no_command_leaves_the_sent_one(pilot, clock, engine):
    sent = drive(pilot, clock, 1).command
    drive(pilot, clock, 2, command=None)
    assert engine.observed[1].previous_action == pytest.approx(sent)


def test_brakes_when_the_bundle_needs_a_speed_that_nobody_sends(pilot, clock, engine):
    assert pilot.should_wait(PERIOD_NS)
    decision = check(pilot.decide(frame(clock, 1)))
    assert_brakes(decision, "no vehicle_status")
    assert "speed" in decision.reason and not decision.fatal
    assert drive(pilot, clock, 2).mode is Mode.DRIVING  # and drives on when it comes
    assert engine.observed[0].is_first


def test_a_bundle_without_speed_needs_no_status(engine, clock, manifest):
    pilot = make_pilot(engine, clock, dataclasses.replace(manifest, vector=()))
    assert not pilot.should_wait(PERIOD_NS)
    assert pilot.decide(frame(clock, 1)).mode is Mode.DRIVING
    assert engine.observed[0].vector.shape == (0,)


def test_an_episode_ends_with_a_step_result(pilot, clock, engine):
    drive(pilot, clock, 1)
    pilot.take_step_result(2 * PERIOD_NS, ended=True)
    drive(pilot, clock, 2)
    assert drive(pilot, clock, 3).mode is Mode.DRIVING
    pilot.take_step_result(4 * PERIOD_NS, ended=False)
    drive(pilot, clock, 4)
    assert [seen.is_first for seen in engine.observed] == [True, False, True, False]
    assert len(pilot.lines) == 2 and "the episode before ended" in pilot.lines[1]


@pytest.mark.parametrize("tick, message", [(10, "jumped back by"), (110, "jumped forward by")])
def test_a_jump_of_the_stamps_brakes_once_and_begins_a_new_belief(pilot, clock, engine, tick, message):
    drive(pilot, clock, 100)
    assert_brakes(drive(pilot, clock, tick), message)
    assert drive(pilot, clock, tick + 1).mode is Mode.DRIVING
    assert [seen.is_first for seen in engine.observed] == [True, True]


WRONG_IMAGES = [({"height": 16}, "8x16 images, expected 8x8"), ({"encoding": "32FC1"}, "encoding is '32FC1'")]


@pytest.mark.parametrize("changes, message", WRONG_IMAGES)
def test_images_that_never_fit_are_fatal_after_a_few(pilot, clock, changes, message):
    decisions = [drive(pilot, clock, tick, **changes) for tick in range(1, 9)]
    assert [decision.fatal for decision in decisions] == [False] * 7 + [True]
    for decision in decisions:
        assert_brakes(decision, message)


@pytest.mark.parametrize("changes, message", WRONG_IMAGES)
def test_images_that_fitted_before_brake_while_they_do_not(pilot, clock, engine, changes, message):
    drive(pilot, clock, 1)
    decisions = [drive(pilot, clock, tick, **changes) for tick in range(2, 40)]
    for decision in decisions:
        assert_brakes(decision, message)
        assert not decision.fatal
    assert drive(pilot, clock, 40).mode is Mode.DRIVING
    assert engine.observed[-1].is_first
    assert message in pilot.lines[-1] and "this is over" in pilot.lines[-1]


def test_another_image_rate_from_the_start_is_fatal(pilot, clock):
    decisions = [drive(pilot, clock, 2 * n) for n in range(1, 13)]  # 0.16 s by the stamps
    assert [decision.mode for decision in decisions[:5]] == [Mode.DRIVING] * 4 + [Mode.BRAKING]  # 4 gaps
    assert [decision.fatal for decision in decisions] == [False] * 11 + [True]  # the 8th brake
    assert_brakes(decisions[-1], "every 0.160 s")
    assert "every 0.08 s" in decisions[-1].reason


def test_another_image_rate_after_the_right_one_brakes_while_it_lasts(pilot, clock):
    ticks = [*range(1, 20), *range(20, 60, 2), *range(60, 80)]
    decisions = [drive(pilot, clock, tick) for tick in ticks]
    assert not any(decision.fatal for decision in decisions)
    assert_brakes(decisions[35], "every 0.160 s")
    assert decisions[-1].mode is Mode.DRIVING


def test_a_stamp_that_stands_still_brakes(pilot, clock):
    drive(pilot, clock, 1)
    assert_brakes(drive(pilot, clock, 1), "did not advance")
    assert drive(pilot, clock, 2).mode is Mode.DRIVING


def test_a_picture_that_stands_still_brakes_until_it_moves_even_when_the_vehicle_has_stopped(pilot, clock, engine):
    modes = [drive(pilot, clock, tick, value=7).mode for tick in range(1, 6)]
    assert modes == [Mode.DRIVING] * 3 + [Mode.BRAKING] * 2  # the 4th is its 3rd repetition
    assert_brakes(drive(pilot, clock, 6, value=7, speed=0.0), "camera rgb_front repeats the same picture")
    assert drive(pilot, clock, 7, value=8).mode is Mode.DRIVING
    assert engine.observed[-1].is_first


def test_where_no_speed_is_known_a_picture_that_stands_still_brakes_once_throttle_must_have_moved_the_vehicle(
        engine, clock, manifest):
    engine.target[:] = (0.0, 0.5)
    engine.proposal[:] = (0.0, 0.5, 0.0)
    pilot = make_pilot(engine, clock, dataclasses.replace(manifest, vector=()), frozen_throttle_s=0.2)
    decisions = []
    for tick in range(1, 12):
        clock.advance(0.08)
        decisions.append(check(pilot.decide(frame(clock, tick, value=7))))
    throttles = [decision.command[1] for decision in decisions]
    moving = int(np.argmax(np.cumsum(throttles) * 0.08 >= 0.2)) + 1  # the first tick after enough of it
    assert throttles[0] > 0.0 and 2 < moving < 8
    assert [decision.mode for decision in decisions] == [Mode.DRIVING] * (moving + 2) + [Mode.BRAKING] * (9 - moving)
    assert_brakes(decisions[-1], "camera rgb_front repeats the same picture")
    clock.advance(0.08)
    assert pilot.decide(frame(clock, 12, value=8)).mode is Mode.DRIVING


def test_a_vehicle_without_speed_that_is_not_driven_may_see_the_same_picture_for_ever(engine, clock, manifest):
    engine.target[:], engine.proposal[:] = (0.0, -0.5), (0.0, 0.0, 0.5)
    pilot = make_pilot(engine, clock, dataclasses.replace(manifest, vector=()))
    for tick in range(1, 60):
        clock.advance(0.08)
        assert pilot.decide(frame(clock, tick, value=7)).mode is Mode.DRIVING


def test_the_last_speed_serves_for_two_periods(pilot, clock):
    drive(pilot, clock, 1)
    modes = []
    for tick in range(2, 5):
        clock.advance(0.08)
        modes.append(pilot.decide(frame(clock, tick)).mode)
    assert modes == [Mode.DRIVING, Mode.DRIVING, Mode.BRAKING]


@pytest.mark.parametrize("error, message", [
    (NonFiniteError("belief is not finite"), "not finite"), (ZeroDivisionError("oops"), "internal error")])
def test_any_failure_brakes_and_the_next_image_begins_afresh(pilot, clock, engine, error, message):
    drive(pilot, clock, 1)
    engine.fail = error
    decision = drive(pilot, clock, 2)
    assert_brakes(decision, message)
    assert not decision.fatal
    engine.fail = None
    assert drive(pilot, clock, 3).mode is Mode.DRIVING
    assert [seen.is_first for seen in engine.observed] == [True, False, True]


def test_brakes_while_the_files_of_the_bundle_are_others(pilot, clock):
    drive(pilot, clock, 1)
    pilot.guard.found = "imagine.onnx was changed"
    assert_brakes(drive(pilot, clock, 2), "imagine.onnx was changed")
    pilot.guard.found = None
    assert drive(pilot, clock, 3).mode is Mode.DRIVING


def test_surprise_degrades_brakes_and_lets_drive_again(pilot, clock, engine):
    """2 surprising images degrade, 2 more brake, 10 calm ones in a row end it; the limit is 1 nat, calm below 0.4."""
    drive(pilot, clock, 1)
    engine.surprise = 1.1
    decisions = [drive(pilot, clock, tick) for tick in range(2, 8)]
    assert [decision.mode for decision in decisions] == [
        Mode.DRIVING, Mode.DEGRADED, Mode.DEGRADED, Mode.BRAKING, Mode.BRAKING, Mode.BRAKING]
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


def test_commands_in_flight_are_planned_through(pilot, clock, engine):
    """The vehicle applies every command one period late, as its status tells."""
    sent = [drive(pilot, clock, 1).command]
    for tick in range(2, 12):
        applied = sent[-2] if len(sent) > 1 else np.zeros(3)
        engine.proposal[:, 0] = 0.01 * tick  # so that commands can be told from each other
        decision = drive(pilot, clock, tick, command=tuple(float(number) for number in applied))
        sent.append(decision.command)
    assert decision.plan.in_flight == 1
    assert engine.imagined_from[-1][0, 0] == engine.observed[-1].belief[0, 0] + 2  # observed once, advanced once


@pytest.fixture
def two_cameras(manifest):
    cameras = (CameraSpec("left", 8, 8), CameraSpec("right", 8, 8))
    return dataclasses.replace(manifest, image=ImageSpec(8, 8, cameras))


def drive_two(pilot, clock, tick: int, left, right):
    """One tick of two cameras; each a value for its pixels, None for no picture."""
    clock.advance(0.08)
    stamp_ns = tick * PERIOD_NS
    pilot.take_status(StatusSample(stamp_ns, 5.0, (0.0, 0.0, 0.0)))
    images = tuple(None if value is None else image(stamp_ns, value) for value in (left, right))
    return check(pilot.decide(Frame(stamp_ns, images, clock())))


def test_pictures_of_several_cameras_are_stacked_in_the_bundles_order(engine, clock, two_cameras):
    pilot = make_pilot(engine, clock, two_cameras)
    assert drive_two(pilot, clock, 1, 10, 20).mode is Mode.DRIVING
    assert [int(channel.max()) for channel in engine.observed[0].image] == [10, 10, 10, 20, 20, 20]
    assert engine.observed[0].camera_mask.tolist() == [1.0, 1.0]


def test_a_camera_without_a_picture_is_masked_and_degrades(engine, clock, two_cameras):
    pilot = make_pilot(engine, clock, two_cameras)
    drive_two(pilot, clock, 1, 10, 20)
    decision = drive_two(pilot, clock, 2, 30, None)
    assert decision.mode is Mode.DEGRADED and decision.reason == "no picture of camera right"
    assert [int(channel.max()) for channel in engine.observed[1].image] == [30, 30, 30, 0, 0, 0]
    assert drive_two(pilot, clock, 3, 40, 50).mode is Mode.DRIVING


def test_one_frozen_camera_of_two_brakes(engine, clock, two_cameras):
    pilot = make_pilot(engine, clock, two_cameras)
    decisions = [drive_two(pilot, clock, tick, tick, 99) for tick in range(1, 6)]
    assert_brakes(decisions[-1], "camera right repeats")


def test_bundles_with_other_inputs_are_refused(manifest):
    odd = dataclasses.replace(manifest, vector=(VectorSpec("temperature", "K", 0.0, 1.0),))
    with pytest.raises(ConfigError, match=r"temperature \[K\].*provides speed"):
        check_inputs(odd)
    with pytest.raises(ConfigError, match="surprise threshold 0 nats, expected above 0"):
        check_inputs(dataclasses.replace(manifest, surprise_threshold=0.0))
