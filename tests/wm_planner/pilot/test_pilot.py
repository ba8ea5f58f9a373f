"""One decision for every frame, whatever happens."""

import dataclasses

import numpy as np
import pytest
from fake_pilot import PERIOD_NS, assert_brakes, check, drive, frame, image, make_pilot
from wm_bundle import CameraSpec, ImageSpec, VectorSpec
from wm_bundle.lock_step import planner_parameters as lock_step_parameters
from wm_bundle.pictures.frames import Frame
from wm_planner.config import PlannerConfig
from wm_planner.errors import ConfigError, NonFiniteError
from wm_planner.pilot.continuity import Sample
from wm_planner.pilot.modes import Mode
from wm_planner.pilot.preflight import inputs_of


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


def test_the_belief_goes_through_the_periods_of_lost_images_with_what_acted_in_them(pilot, clock, engine):
    drive(pilot, clock, 1)
    drive(pilot, clock, 2)
    assert engine.advanced == []
    pilot.take("speed", Sample(3 * PERIOD_NS, 5.0, (0.1, 0.2, 0.0)))  # its image was lost, and the whole tick 4
    drive(pilot, clock, 5, command=(-0.3, 0.0, 0.4))
    assert np.concatenate(engine.advanced) == pytest.approx(np.array([[0.1, 0.2, 0.0], [-0.3, 0.0, 0.4]]))
    assert engine.observed[-1].belief[0, 0] == 4.0  # two observations and two periods without one
    assert engine.observed[-1].previous_action == pytest.approx([-0.3, 0.0, 0.4])
    drive(pilot, clock, 6)
    assert len(engine.advanced) == 1


def test_more_lost_images_than_the_bundles_horizon_are_gone_through_too(engine, clock, manifest):
    pilot = make_pilot(engine, clock, manifest)
    drive(pilot, clock, 1)
    drive(pilot, clock, 7)  # within the 0.5 s that a belief holds
    assert sum(map(len, engine.advanced)) == 5
    assert all(len(actions) <= manifest.horizon for actions in engine.advanced)


@pytest.mark.parametrize("withheld", [1, 2])
def test_after_an_answer_that_was_withheld_the_command_before_it_acted(pilot, clock, engine, withheld):
    drive(pilot, clock, 1)
    sent = drive(pilot, clock, 2).command
    for tick in range(3, 3 + withheld):
        drive(pilot, clock, tick, command=None)
        pilot.withhold()
    drive(pilot, clock, 3 + withheld, command=None)
    assert engine.observed[-1].previous_action == pytest.approx(sent)


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
    assert len(pilot.lines) == 2 and "the previous episode ended" in pilot.lines[1]


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


@pytest.mark.parametrize("lock_step", [True, False])
def test_in_lock_step_a_slow_plan_hides_no_wrong_rate(engine, clock, manifest, lock_step):
    """A busy planner drops images only where time does not wait for it."""
    pilot = make_pilot(engine, clock, manifest, **lock_step_parameters(1.0) | {"lock_step": lock_step})
    engine.imagine_s_each = 0.003  # a plan takes longer than the period of 0.08 s, and far less than the wait
    decisions = [drive(pilot, clock, 2 * n) for n in range(1, 13)]
    assert decisions[-1].fatal == lock_step


def test_an_answer_later_than_the_simulator_waits_makes_no_rate_wrong(engine, clock, manifest):
    pilot = make_pilot(engine, clock, manifest, **lock_step_parameters(1.0))
    engine.imagine_s_each = 0.1
    assert not any(drive(pilot, clock, 2 * n).fatal for n in range(1, 20))


def test_images_that_cannot_be_used_are_no_gap_in_the_rate(pilot, clock):
    """Every second one is damaged: the good ones are two periods apart."""
    drive(pilot, clock, 1)
    for tick in range(2, 30):
        decision = drive(pilot, clock, tick, height=8 if tick % 2 else 16)
        assert decision.mode is Mode.DRIVING if tick % 2 else "8x16 images" in decision.reason


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
    engine, clock, manifest
):
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


@pytest.mark.parametrize(
    "error, message",
    [(NonFiniteError("belief is not finite"), "not finite"), (ZeroDivisionError("oops"), "internal error")],
)
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
    pilot.take("speed", Sample(stamp_ns, 5.0, (0.0, 0.0, 0.0)))
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
        inputs_of(PlannerConfig(), odd)
    with pytest.raises(ConfigError, match="surprise threshold 0 nats, expected above 0"):
        inputs_of(PlannerConfig(), dataclasses.replace(manifest, surprise_threshold=0.0))


def test_the_yaw_rate_is_the_last_one_at_or_before_the_image_and_an_old_one_serves_no_more(engine, clock, manifest):
    entries = (VectorSpec("yaw_rate", "rad/s", 0.0, 1.0), VectorSpec("speed", "m/s", 0.0, 1.0))
    pilot = make_pilot(engine, clock, dataclasses.replace(manifest, vector=entries))
    assert drive(pilot, clock, 1).mode is Mode.BRAKING
    for tick, yaw_rate in ((2, 0.25), (4, 0.5)):
        pilot.take("yaw_rate", Sample(tick * PERIOD_NS, yaw_rate))
    assert [drive(pilot, clock, tick).mode for tick in (3, 4, 5, 6)] == [Mode.DRIVING] * 4
    assert [seen.vector.tolist() for seen in engine.observed] == [[0.25, 5.0], [0.5, 5.0], [0.5, 5.0], [0.5, 5.0]]
    late = drive(pilot, clock, 7)
    assert late.mode is Mode.BRAKING and "no yaw rate" in late.reason and "odometry" in late.reason
