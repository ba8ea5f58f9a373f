"""One decision for every image, whatever happens."""

import dataclasses

import numpy as np
import pytest
from wm_bundle import CameraSpec, ImageSpec, VectorSpec
from wm_planner.continuity import StatusSample
from wm_planner.errors import ConfigError, NonFiniteError
from wm_planner.pilot import BRAKE, Frame, Pilot, check_inputs
from wm_planner.planner import Planner
from wm_planner.scoring import Scorer
from wm_planner.solvers import CEM, SamplingSettings

PERIOD_NS = 80_000_000


@pytest.fixture
def pilot(engine, clock, manifest) -> Pilot:
    settings = SamplingSettings(16, manifest.horizon, iterations=2, std=(0.2, 0.2), correlation=0.8, trust=3.0, seed=1)
    planner = Planner(engine, CEM(settings, 4), Scorer(1.0, 1.0), clock=clock)
    pilot = Pilot(planner, manifest, 0.06, clock=clock, log=lambda line: pilot.lines.append(line))
    pilot.lines = []
    return pilot


def frame(clock, tick: int, height=8, width=8, encoding="bgra8") -> Frame:
    data = np.full(height * width * 4, 128, np.uint8).tobytes()
    return Frame(tick * PERIOD_NS, height, width, encoding, 4 * width, data, clock())


def drive(pilot, clock, tick: int, speed=5.0, command=(0.0, 0.0, 0.0)):
    """One tick with its status."""
    clock.advance(0.08)
    pilot.take_status(StatusSample(tick * PERIOD_NS, speed, command))
    return pilot.decide(frame(clock, tick))


def test_a_normal_tick_drives_with_speed_and_the_applied_command(pilot, clock, engine):
    drive(pilot, clock, 1)
    decision = drive(pilot, clock, 2, speed=7.0, command=(0.5, 0.25, 0.0))
    assert decision.plan is not None and not decision.fatal and decision.reason == ""
    seen = engine.observed[1]
    assert seen.vector == pytest.approx([7.0])
    assert seen.previous_action == pytest.approx([0.5, 0.25, 0.0])  # what the vehicle says, not what was sent
    assert seen.image.shape == (3, 8, 8)


def test_without_this_ticks_status_the_last_speed_and_the_sent_command_serve(pilot, clock, engine):
    sent = drive(pilot, clock, 1).command
    clock.advance(0.08)
    assert pilot.should_wait(2 * PERIOD_NS)
    assert pilot.decide(frame(clock, 2)).plan is not None
    assert engine.observed[1].previous_action == pytest.approx(sent)


def test_brakes_when_the_bundle_needs_a_speed_that_nobody_sends(pilot, clock, engine):
    assert pilot.should_wait(PERIOD_NS)
    decision = pilot.decide(frame(clock, 1))
    assert (decision.command == BRAKE).all() and not decision.fatal
    assert "no vehicle_status" in decision.reason and "speed" in decision.reason
    assert drive(pilot, clock, 2).plan is not None  # and drives on when it comes
    assert engine.observed[0].is_first


def test_a_bundle_without_speed_needs_no_status(engine, clock, manifest):
    blind = dataclasses.replace(manifest, vector=())
    settings = SamplingSettings(16, manifest.horizon, iterations=1, std=(0.2, 0.2), correlation=0.8, trust=3.0, seed=1)
    pilot = Pilot(Planner(engine, CEM(settings, 4), Scorer(1.0, 1.0), clock=clock), blind, 0.06, clock=clock,
                  log=lambda line: None)
    assert not pilot.should_wait(PERIOD_NS)
    assert pilot.decide(frame(clock, 1)).plan is not None
    assert engine.observed[0].vector.shape == (0,)


def test_an_episode_ends_with_a_step_result(pilot, clock, engine):
    drive(pilot, clock, 1)
    pilot.take_step_result(2 * PERIOD_NS, ended=True)
    drive(pilot, clock, 2)
    drive(pilot, clock, 3)
    pilot.take_step_result(4 * PERIOD_NS, ended=False)
    drive(pilot, clock, 4)
    assert [seen.is_first for seen in engine.observed] == [True, False, True, False]
    assert len(pilot.lines) == 2 and "the episode before ended" in pilot.lines[1]


@pytest.mark.parametrize("changes, message", [
    ({"height": 16}, "8x16 images, expected 8x8"), ({"encoding": "32FC1"}, "encoding is '32FC1'")])
def test_images_that_can_never_fit_are_fatal(pilot, clock, changes, message):
    decision = pilot.decide(frame(clock, 1, **changes))
    assert decision.fatal and (decision.command == BRAKE).all()
    assert message in decision.reason


def test_another_image_rate_is_fatal(pilot, clock):
    decisions = [drive(pilot, clock, 2 * n) for n in range(1, 12)]  # 0.16 s by the stamps
    fatal = [decision for decision in decisions if decision.fatal]
    assert (fatal[0].command == BRAKE).all()
    assert "every 0.160 s" in fatal[0].reason and "every 0.08 s" in fatal[0].reason


def test_a_stamp_that_stands_still_brakes(pilot, clock):
    drive(pilot, clock, 1)
    decision = drive(pilot, clock, 1)
    assert (decision.command == BRAKE).all() and "did not advance" in decision.reason


@pytest.mark.parametrize("error, message", [
    (NonFiniteError("belief is not finite"), "not finite"), (ZeroDivisionError("oops"), "internal error")])
def test_any_failure_brakes_and_the_next_image_begins_afresh(pilot, clock, engine, error, message):
    drive(pilot, clock, 1)
    engine.fail = error
    decision = drive(pilot, clock, 2)
    assert (decision.command == BRAKE).all() and message in decision.reason and not decision.fatal
    engine.fail = None
    assert drive(pilot, clock, 3).plan is not None
    assert [seen.is_first for seen in engine.observed] == [True, False, True]


def test_bundles_with_other_inputs_are_refused(manifest):
    two = dataclasses.replace(manifest, image=ImageSpec(8, 8, (CameraSpec("left", 8, 8), CameraSpec("right", 8, 8))))
    with pytest.raises(ConfigError, match="left, right.*exactly one"):
        check_inputs(two)
    odd = dataclasses.replace(manifest, vector=(VectorSpec("temperature", "K", 0.0, 1.0),))
    with pytest.raises(ConfigError, match=r"temperature \[K\].*provides speed"):
        check_inputs(odd)
