"""Predictions of a model whose futures are known, against values computed by hand."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from known_engine import KnownEngine, known_drive
from wm_evaluation.scorecard.settings import ScoreSettings
from wm_planner.assembly import build
from wm_planner.config import PlannerConfig
from wm_tools.evaluate_bag.imagination import imagine, pictures_of
from wm_tools.evaluate_bag.one_step import predict_next
from wm_tools.evaluate_bag.open_loop import CONTEXT, OpenLoop

SEED = (0, 0)


@pytest.fixture
def known() -> KnownEngine:
    return KnownEngine()


def measured(engine, drive, *, steps=6, samples=3, stride=4):
    one_step = predict_next(engine, drive.stretch.episode, drive.beliefs, samples, SEED)
    loop = OpenLoop(engine, ScoreSettings(horizon=steps), samples, stride)
    segments = np.arange(len(drive.beliefs.age)) // 10
    return loop, one_step, loop.measure(drive.stretch, drive.beliefs, one_step, segments, SEED)


def test_futures_longer_than_the_bundles_horizon_are_those_of_a_longer_one():
    random = np.random.default_rng(1)
    belief = random.standard_normal(3).astype(np.float32)
    actions, noise = random.standard_normal((5, 11, 3)), random.standard_normal((5, 11, 1))
    short, long = KnownEngine(horizon=4), KnownEngine(horizon=11)
    found, expected = (imagine(engine, belief, actions, noise) for engine in (short, long))
    for one, other in zip(found, expected, strict=True):
        assert (one is None and other is None) or (one.shape[:2] == (5, 11) and np.allclose(one, other, atol=1e-5))
    # Five futures from one belief at once, then each of them alone through 4 and 3 steps.
    assert short.calls == [5] + [1] * 10 and long.calls == [5]


def test_a_real_bundle_imagines_in_one_call_what_it_does_in_two(bundle):
    engine = build(PlannerConfig(bundle=str(bundle)), print).engine
    random, latent = np.random.default_rng(2), engine.manifest.latent
    belief = random.standard_normal((1, latent.belief)).astype(np.float32)
    actions = random.random((4, engine.manifest.horizon, 3), dtype=np.float32)
    noise = random.standard_normal((4, engine.manifest.horizon, latent.stochastic)).astype(np.float32)
    scores, beliefs = engine.imagine_whole(belief, actions, noise)
    scores, beliefs = {name: value.copy() for name, value in vars(scores).items() if value is not None}, beliefs.copy()
    alone = engine.imagine(belief, actions, noise)
    assert list(scores) == ["reward", "continues", "value"]
    assert all(np.allclose(value, getattr(alone, name), rtol=1e-5) for name, value in scores.items())
    assert np.allclose(beliefs, engine.imagine_beliefs(belief, actions, noise), atol=1e-6)
    longer = imagine(engine, belief[0], np.tile(actions, (1, 2, 1)), np.tile(noise, (1, 2, 1)))
    assert np.allclose(longer.beliefs[:, : engine.manifest.horizon], beliefs, atol=1e-6)
    onward = engine.imagine_beliefs(beliefs[2, -1:], actions[2:3], noise[2:3])
    assert np.allclose(longer.beliefs[2, engine.manifest.horizon :], onward[0], atol=1e-6)


def test_pictures_come_in_order_however_many_there_are(known):
    beliefs = np.zeros((60, 3), np.float32)
    beliefs[:, 0] = np.arange(60)
    assert (pictures_of(known, beliefs)[:, 0, 0, 0] == 100 + np.arange(60)).all()


def test_every_row_tells_its_next_reward_and_the_picture_it_had_expected(known):
    drive = known_drive(12)
    drive.beliefs.seen[:, 0] += 3.0  # reconstructions are 3 of 255 too bright
    one_step = predict_next(known, drive.stretch.episode, drive.beliefs, 64, SEED)
    assert np.allclose(one_step.reward, drive.stretch.episode.actions[:, 1])
    assert np.allclose(one_step.value, 10.0 * np.arange(1, 13))
    assert np.isnan(one_step.epistemic).all()
    # The reward's noise is standard normal: of 64 samples its deviation is 1 within 4 standard errors, 0.35.
    assert (np.abs(one_step.aleatoric - 1.0) < 0.35).all() and np.unique(one_step.aleatoric).size == 12
    assert np.isnan(one_step.prior.error[0]) and (one_step.prior.error[1:] == 0.0).all()
    assert np.allclose(one_step.posterior.error, (3.0 / 255.0) ** 2)
    assert (one_step.prior.ssim[1:] > one_step.posterior.ssim[1:]).all()


def test_rows_without_a_belief_tell_nothing_and_the_ones_after_them_have_no_prior(known):
    drive = known_drive(12)
    drive.beliefs.age[5] = 0
    one_step = predict_next(known, drive.stretch.episode, drive.beliefs, 2, SEED)
    assert np.flatnonzero(np.isnan(one_step.reward)).tolist() == [5]
    assert np.flatnonzero(np.isnan(one_step.prior.error)).tolist() == [0, 6]


def test_windows_hold_what_was_imagined_and_what_was_recorded_step_by_step(known):
    drive = known_drive(20)
    loop, one_step, found = measured(known, drive)
    actions = drive.stretch.episode.actions
    assert loop.starts(drive.beliefs).tolist() == [4, 8, 12, 16] and found.segment.tolist() == [0, 0, 1, 1]
    assert np.allclose(found.rewards[0], actions[4:10, 1]) and np.allclose(found.real_rewards[0], actions[4:10, 1])
    assert np.allclose(found.last_reward, actions[[3, 7, 11, 15], 1])
    assert np.allclose(found.continues[0], np.exp(-0.01 * np.arange(5, 11)), atol=1e-6)
    assert (found.squared_errors["imagined"][0] == 0.0).all() and (found.similarities["imagined"][0] > 0.999).all()
    shade = drive.stretch.episode.observations[:, 0, 0, 0].astype(float)
    assert np.allclose(found.squared_errors["copy_last"][0], ((shade[5:11] - shade[4]) / 255.0) ** 2)
    assert (found.squared_errors["posterior"][0] == one_step.posterior.error[5:11]).all()
    assert found.sampled_rewards.shape == (4, 3, 6) and found.disagreement is None
    # Row 16 of 20: 3 pictures and 4 rewards come after it, the last of which ended the episode.
    assert np.isfinite(found.squared_errors["imagined"][3]).tolist() == [True] * 3 + [False] * 3
    assert found.real_continues[3, :4].tolist() == [1.0, 1.0, 1.0, 0.0] and np.isnan(found.real_continues[3, 4:]).all()


def test_shuffled_actions_are_those_of_a_window_that_does_not_overlap(known):
    drive = known_drive(40)
    _, _, found = measured(known, drive, stride=5)
    actions = drive.stretch.episode.actions
    for window, row in enumerate(range(5, 40, 5)):
        same = [
            start
            for start in range(0, 35, 5)
            if np.allclose(found.shuffled_rewards[window], actions[start : start + 6, 1])
        ]
        assert len(same) == 1 and abs(same[0] - row) >= 6, (row, same)


def test_a_window_without_another_one_has_no_shuffled_run(known):
    _, _, found = measured(known, known_drive(11), stride=6)  # only row 6 is left
    assert len(found.segment) == 1 and np.isnan(found.shuffled_rewards).all()
    assert np.isnan(found.squared_errors["shuffled"]).all()
    assert np.isfinite(found.squared_errors["imagined"][0, :4]).all()


def test_windows_begin_where_a_belief_has_seen_enough(known):
    drive = known_drive(30)
    drive.beliefs.age[10:] = np.arange(20)  # lost at row 10, begun again with row 11
    loop, _, _ = measured(known, drive, stride=1)
    assert loop.starts(drive.beliefs).tolist() == [*range(CONTEXT - 1, 10), *range(10 + CONTEXT, 30)]


def test_the_ensembles_disagreement_is_kept_apart_from_the_samples_spread():
    engine = KnownEngine(disagreement=0.25)
    _, one_step, found = measured(engine, known_drive(20), samples=50)
    assert np.allclose(one_step.epistemic, 0.25) and np.allclose(found.disagreement, 0.25)
    # Noise of k steps adds up to a standard deviation of sqrt(k): 1 at the first step, 2.4 at the sixth.
    spread = found.sampled_rewards.std(1).mean(0)
    assert spread[0] == pytest.approx(1.0, abs=0.2) and spread[5] == pytest.approx(np.sqrt(6.0), abs=0.5)


def test_samples_are_a_function_of_the_seed(known):
    drive = known_drive(20)
    same, again = (measured(known, drive)[2].sampled_rewards for _ in range(2))
    one_step = predict_next(known, drive.stretch.episode, drive.beliefs, 3, SEED)
    loop = OpenLoop(known, ScoreSettings(horizon=6), 3, 4)
    other = loop.measure(drive.stretch, drive.beliefs, one_step, np.zeros(20, int), (1, 0)).sampled_rewards
    assert (same == again).all() and not np.isclose(same, other).any()


@pytest.mark.parametrize("horizon", [4, 11])  # of the bundle: imagined in pieces, or at once
def test_the_imagined_speed_is_compared_with_the_rows_it_is_about(horizon):
    drive = known_drive(20)
    rows = np.arange(20.0, dtype=np.float32)
    # Row t has the speed t + 0.5, and its belief counts t steps: every imagined speed is 0.5 too low.
    stretch = replace(drive.stretch, episode=replace(drive.stretch.episode, vector=rows[:, None] + 0.5))
    drive = SimpleNamespace(stretch=stretch, beliefs=drive.beliefs)
    engine = KnownEngine(horizon, imagines_speed=True)
    loop, _, found = measured(engine, drive)
    imagined, held = found.signal_errors["speed"].swapaxes(0, 1)
    starts = loop.starts(drive.beliefs)
    left = 19 - starts  # rows after each start
    known = np.arange(1, 7) <= left[:, None]
    assert (np.isfinite(imagined) == known).all() and (np.isfinite(held) == known).all()
    assert np.allclose(imagined[known], 0.5)
    assert np.allclose(held[known], np.broadcast_to(np.arange(1.0, 7.0), held.shape)[known])
    _, _, without = measured(KnownEngine(horizon), drive)
    assert dict(without.signal_errors) == {}
