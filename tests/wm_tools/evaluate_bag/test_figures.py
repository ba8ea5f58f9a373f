"""Figures of frames and windows, against values computed by hand."""

import math

import numpy as np
import pytest
from known_engine import KnownEngine, known_drive
from wm_evaluation.scorecard.settings import ScoreSettings
from wm_evaluation.scorecard.summary import summarise
from wm_planner.pilot.modes import Mode
from wm_tools.evaluate_bag.comparison import Evaluation, difference_of
from wm_tools.evaluate_bag.figures import figure_names, figures_of
from wm_tools.evaluate_bag.frames import Frames, Place
from wm_tools.evaluate_bag.offline_pilot import Decided
from wm_tools.evaluate_bag.one_step import OneStep, PictureScores, predict_next
from wm_tools.evaluate_bag.open_loop import OpenLoop

SETTINGS = ScoreSettings(horizon=5, resamples=200)


def frames(count: int = 4, **changes) -> Frames:
    """Every action as recorded, every prediction right; ``changes`` replace columns."""
    zeros, ints = np.zeros(count), np.zeros(count, int)
    names = [f"{of}_{what}" for of in ("prior", "posterior") for what in ("error", "ssim")]
    names += ["reward", "predicted_reward", "surprise", "epistemic", "aleatoric"]
    columns = dict.fromkeys(names, zeros) | {"mode": np.full(count, Mode.DRIVING), "segment": np.arange(count) // 2}
    columns |= {name: np.zeros((count, 3)) for name in ("recorded", "planned", "latency_ms")}
    get = (columns | {"expected": np.ones(count, bool)} | changes).__getitem__
    judged = np.where(get("expected"), get("surprise"), np.nan)
    above = np.where(np.isnan(judged), np.nan, judged > 1.0)
    return Frames(
        Place(ints, ints, np.arange(count), get("segment"), np.arange(count)),
        get("recorded"),
        get("reward"),
        Decided(get("mode"), ints, get("planned"), get("surprise"), judged, above, get("latency_ms")),
        OneStep(
            get("predicted_reward"),
            zeros,
            get("epistemic"),
            get("aleatoric"),
            PictureScores(get("prior_error"), get("prior_ssim")),
            PictureScores(get("posterior_error"), get("posterior_ssim")),
        ),
    )


def values(found: Frames) -> dict[str, float]:
    return {name: figure.value for name, figure in figures_of(found, None, SETTINGS).items()}


def test_action_errors_are_of_the_frames_that_planned_and_signs_of_those_in_curves():
    recorded = np.array([[0.2, 0.0, 0.0], [-0.3, 0.0, 0.0], [0.05, 0.0, 0.0], [0.4, 0.0, 0.0]])
    planned = np.array([[0.1, 0.3, 0.0], [0.1, 0.4, 0.0], [-0.05, 0.0, 0.0], [np.nan] * 3])
    found = values(frames(recorded=recorded, planned=planned))
    assert found["action.steer.mae"] == pytest.approx((0.1 + 0.4 + 0.1) / 3)
    assert found["action.steer.rmse"] == pytest.approx(math.sqrt((0.01 + 0.16 + 0.01) / 3))
    assert found["action.throttle.mae"] == pytest.approx(0.7 / 3) and found["action.brake.rmse"] == 0.0
    assert found["action.steer.sign_agreement"] == 0.5  # of 0.2 and -0.3; 0.05 is no curve, 0.4 was not planned


def test_psnr_is_that_of_the_mean_error_and_not_the_mean_of_each():
    found = values(frames(prior_error=np.array([np.nan, 0.01, 0.03, 0.02]), posterior_error=np.full(4, 1e-4)))
    assert found["prior.psnr_db"] == pytest.approx(-10.0 * math.log10(0.02))
    assert found["posterior.psnr_db"] == pytest.approx(40.0)


def test_surprise_leaves_out_the_first_observation_of_a_belief_and_those_that_were_not_made():
    found = values(frames(surprise=np.array([99.0, 0.5, np.nan, 2.5]), expected=np.array([False, True, False, True])))
    assert found["surprise.mean"] == 1.5 and found["surprise.max"] == 2.5
    assert found["surprise.p99"] == pytest.approx(2.48) and found["surprise.above_threshold_share"] == 0.5


def test_shares_of_modes_are_of_all_frames():
    found = values(frames(mode=np.array([Mode.DRIVING, Mode.DEGRADED, Mode.BRAKING, Mode.BRAKING])))
    assert [found[f"mode.{name}_share"] for name in ("driving", "degraded", "braking")] == [0.25, 0.25, 0.5]


def test_latencies_are_percentiles_of_the_calls_that_were_made():
    latency = np.stack([np.full(101, np.nan), np.arange(101.0), np.arange(101.0) + 1.0], 1)
    found = values(frames(101, latency_ms=latency))
    assert [found[f"latency_ms.plan.{at}"] for at in ("p50", "p95", "p99", "max")] == [50.0, 95.0, 99.0, 100.0]
    assert found["latency_ms.total.max"] == 101.0 and math.isnan(found["latency_ms.observe.p50"])


def test_what_a_recording_or_a_bundle_does_not_tell_is_missing_and_not_zero():
    unknown = np.full(4, np.nan)
    found = values(frames(reward=unknown, epistemic=unknown))
    assert math.isnan(found["reward.mae"]) and math.isnan(found["uncertainty.epistemic"])
    assert found["uncertainty.aleatoric"] == 0.0
    assert all(math.isnan(found[name]) for name in found if name.startswith("open_loop."))
    assert list(found) == list(figure_names(SETTINGS.steps))


def test_an_interval_holds_the_value_and_is_missing_with_one_segment():
    steer = np.zeros((200, 3))
    steer[:, 0] = np.random.default_rng(0).normal(0.0, 0.1, 200)
    figure = figures_of(frames(200, planned=steer), None, SETTINGS)["action.steer.mae"]
    # 100 segments of 2: the mean of |N(0, 0.1)| has a deviation of 0.06 / sqrt(200), the interval is 3.9 of it wide.
    assert figure.low < figure.value < figure.high
    assert figure.high - figure.low == pytest.approx(3.9 * 0.06 / math.sqrt(200), rel=0.35)
    alone = figures_of(frames(200, planned=steer, segment=np.zeros(200, int)), None, SETTINGS)
    assert math.isnan(alone["action.steer.mae"].low) and alone["action.steer.mae"].value == pytest.approx(figure.value)


def test_what_only_one_segment_tells_has_no_interval():
    planned = np.full((40, 3), np.nan)
    planned[3:5] = 0.1  # both in the segment of frames 2 to 5
    figure = figures_of(frames(40, planned=planned, segment=np.arange(2, 42) // 4), None, SETTINGS)["action.steer.mae"]
    assert figure.value == pytest.approx(0.1) and math.isnan(figure.low)


def evaluation(seed: int, dimmer: float = 0.0, *, lost: slice = slice(0)) -> Evaluation:
    """A known drive, whose planned steer is off by ``dimmer`` and whose reconstructions by ten times that."""
    engine, drive = KnownEngine(), known_drive(60)
    drive.beliefs.kept[:, 0] += 10.0 * dimmer
    drive.beliefs.age[lost] = 0
    one_step = predict_next(engine, drive.stretch.episode, drive.beliefs, 2, (seed,))
    segments = np.arange(60) // 6
    loop = OpenLoop(engine, SETTINGS, 2, 2)
    measured = loop.measure(drive.stretch, drive.beliefs, one_step, segments, (seed,))
    actions = drive.stretch.episode.actions.astype(float)
    planned = actions + np.array([dimmer, 0.0, 0.0])
    planned[lost] = np.nan
    found = frames(
        60,
        segment=segments,
        recorded=actions,
        planned=planned,
        prior_error=one_step.prior.error,
        prior_ssim=one_step.prior.ssim,
    )
    card = summarise(measured, SETTINGS, 0.5)
    return Evaluation(
        name=f"known {dimmer}",
        path="known",
        manifest=engine.manifest,
        settings=SETTINGS,
        frames=found,
        measurements=measured,
        windows=loop.starts(drive.beliefs),
        card=card,
        moments=[],
        figures=figures_of(found, card, SETTINGS),
    )


def test_open_loop_figures_are_the_scorecards_by_name():
    found = {name: figure.value for name, figure in evaluation(0, dimmer=0.51).figures.items()}
    # Every picture is 5 of 255 too bright: round(100 + steer + 5.1).
    expected = -20.0 * math.log10(5.0 / 255.0)
    assert found["open_loop.psnr_db.imagined.1"] == pytest.approx(expected)
    assert found["open_loop.psnr_db.imagined.5"] == pytest.approx(expected)
    assert found["open_loop.reward_mae.imagined.5"] == pytest.approx(0.0, abs=1e-6)
    assert found["open_loop.return_rank_correlation.imagined.1"] == pytest.approx(1.0)
    assert found["open_loop.break_even.reward_against_last_seen"] == 6.0  # never within K = 5 steps
    assert math.isnan(found["open_loop.epistemic.1"]) and found["open_loop.aleatoric.1"] > 0.1
    assert 0.0 < found["open_loop.continue.brier"] < 0.2


def test_differences_are_paired_over_what_both_can_tell():
    ours, baseline = evaluation(0), evaluation(0, dimmer=0.3, lost=slice(20, 30))
    difference = difference_of(ours, baseline)
    found, card = difference.figures, difference.card
    figure = found["action.steer.mae"]
    # The same error in every frame: the paired interval has no width, though frames differ.
    assert figure.value == pytest.approx(-0.3) and figure.high - figure.low < 1e-12
    lower = -10.0 * math.log10(1e-10) + 20.0 * math.log10(3.0 / 255.0)
    assert found["open_loop.psnr_db.imagined.5"].value == pytest.approx(lower)
    assert "copy_last" not in card["picture"]["psnr_db"]
    assert "latency_ms.total.p50" not in found


@pytest.mark.parametrize("imagines", [False, True])
def test_imagined_signals_become_figures_and_are_unknown_without(imagines):
    drive = known_drive(20)
    engine = KnownEngine(imagines_speed=imagines)
    one_step = predict_next(engine, drive.stretch.episode, drive.beliefs, 3, (0, 0))
    loop = OpenLoop(engine, SETTINGS, 3, 4)
    measured = loop.measure(drive.stretch, drive.beliefs, one_step, np.zeros(20, int), (0, 0))
    figures = figures_of(frames(), summarise(measured, SETTINGS, 0.0), SETTINGS)
    names = [f"open_loop.signal_mae.speed.{guess}.5" for guess in ("imagined", "copy_last")]
    assert set(names) <= set(figure_names(SETTINGS.steps))
    assert [math.isfinite(figures[name].value) for name in names] == [imagines] * 2
    assert math.isnan(figures["open_loop.signal_mae.yaw_rate.imagined.5"].value)  # this model knows no yaw rate
