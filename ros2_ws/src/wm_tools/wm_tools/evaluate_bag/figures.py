"""Every figure of an evaluation by its dotted name, with a 95 % interval, and differences between two bundles.

The names are what `--threshold` and result.json use. What a figure means is said in ``FIGURES`` here and, for people,
in docs/evaluation.md. Shapes: T frames, K steps ahead, 1 + R the data and its resamples.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from wm_evaluation.metrics.bootstrap import SegmentBootstrap
from wm_evaluation.metrics.errors import percentiles, sign_agreements
from wm_evaluation.metrics.pictures import psnr
from wm_evaluation.scorecard.measurements import Measurements
from wm_evaluation.scorecard.settings import STEPS, ScoreSettings
from wm_evaluation.scorecard.summary import compare
from wm_planner.pilot.modes import Mode

from wm_tools.evaluate_bag.comparison import COMMANDS, LATENCIES, Evaluation, Figure, Frames

CURVE = 0.1  # of steer, above which a frame counts as in a curve
_PERCENTILES = ("p50", "p95", "p99", "max")
_MODES = {"driving_share": Mode.DRIVING, "degraded_share": Mode.DEGRADED, "braking_share": Mode.BRAKING}

_OF_FRAMES = {
    **{
        f"action.{name}.mae": f"mean distance of the planned {name} from the recorded one, where it did not brake"
        for name in COMMANDS
    },
    **{f"action.{name}.rmse": f"the same of {name}, root of the mean square" for name in COMMANDS},
    "action.steer.sign_agreement": f"share of frames with a recorded |steer| above {CURVE:g} that plan the same side",
    "prior.psnr_db": "[dB] of the picture as it was expected one step before",
    "prior.ssim": "the same in structural similarity, 0 to 1",
    "posterior.psnr_db": "[dB] of the picture as it is reconstructed after it was seen",
    "posterior.ssim": "the same in structural similarity, 0 to 1",
    "reward.mae": "mean distance of the reward expected of the recorded action from the real one",
    "uncertainty.aleatoric": "standard deviation of the next reward over sampled futures, in its units",
    "uncertainty.epistemic": "standard deviation of the next reward over the ensemble, in its units",
    "surprise.mean": "[nats] KL of posterior and prior, without the first observation of a belief",
    "surprise.p99": "[nats] 99th percentile of it",
    "surprise.max": "[nats] largest of it",
    "surprise.above_threshold_share": "share of these observations above the bundle's threshold",
    **{f"mode.{name}": f"share of frames in the mode {mode.name}" for name, mode in _MODES.items()},
    **{
        f"latency_ms.{name}.{at}": f"[ms] {at} of {'a whole decision' if name == 'total' else name} on this machine"
        for name in LATENCIES
        for at in _PERCENTILES
    },
    "latency_ms.frames": "frames that these latencies are of: those with a search",
}

# Figures at every printed step: their name, where the scorecard has them, and what they mean.
_PICTURES = ("imagined", "posterior", "copy_last", "shuffled")
_REWARDS = ("imagined", "last_seen", "data_mean", "shuffled")
_AT_STEPS = {
    **{f"psnr_db.{name}": (("picture", "psnr_db", name), f"[dB] of the pictures, {name}") for name in _PICTURES},
    **{
        f"ssim.{name}": (("picture", "ssim", name), f"structural similarity of the pictures, {name}")
        for name in _PICTURES
    },
    **{
        f"reward_mae.{name}": (("reward", "mean_absolute_error", name), f"mean absolute error of the reward, {name}")
        for name in _REWARDS
    },
    **{
        f"return_mae.{name}": (("return", "mean_absolute_error", name), f"the same of the summed reward, {name}")
        for name in _REWARDS
    },
    **{
        f"return_rank_correlation.{name}": (
            ("return", "rank_correlation", name),
            f"Spearman's, of predicted and real summed reward, {name}",
        )
        for name in ("imagined", "shuffled")
    },
    "return_inside_samples": (("return", "inside_samples", "share"), "share of real returns inside the sampled ones"),
    "action_gap.psnr_db": (("action_gap", "psnr_db"), "[dB] lost with the actions of another window"),
    "action_gap.reward_mae": (("action_gap", "reward_mean_absolute_error"), "error of the reward gained with them"),
    "aleatoric": (("uncertainty", "sample_spread", "size"), "spread of the reward over sampled futures"),
    "aleatoric_error_correlation": (
        ("uncertainty", "sample_spread", "rank_correlation_with_error"),
        "Spearman's, of that and the reward's error",
    ),
    "epistemic": (("uncertainty", "disagreement", "size"), "disagreement of the ensemble about the reward"),
    "epistemic_error_correlation": (
        ("uncertainty", "disagreement", "rank_correlation_with_error"),
        "Spearman's, of that and the reward's error",
    ),
}
_BREAK_EVENS = {
    "picture_against_copy_last": "copying the last picture",
    "reward_against_last_seen": "the last reward seen",
    "reward_against_data_mean": "the mean reward",
    "return_against_last_seen": "the last reward seen, summed",
    "return_against_data_mean": "the mean reward, summed",
}


def figure_names(steps: list[int]) -> dict[str, str]:
    """Every figure's name and meaning, with these printed steps."""
    return {
        **_OF_FRAMES,
        **{
            f"open_loop.{name}.{step}": f"{meaning}, {step} steps ahead"
            for name, (_, meaning) in _AT_STEPS.items()
            for step in steps
        },
        "open_loop.continue.brier": "Brier score of the probability to go on",
        "open_loop.continue.calibration_error": "expected calibration error of the same",
        **{
            f"open_loop.break_even.{name}": f"first step no better than {what}; 1: never better, K + 1: to the end"
            for name, what in _BREAK_EVENS.items()
        },
    }


FIGURES = figure_names(list(STEPS))


def figures_of(frames: Frames, card: dict | None, threshold: float, settings: ScoreSettings) -> dict[str, Figure]:
    """All figures by name; NaN where one cannot be told. ``threshold`` [nats] of the bundle's surprise."""
    bootstrap = SegmentBootstrap(frames.segment, settings.resamples, settings.seed)
    found = dict.fromkeys(figure_names(settings.steps), Figure(float("nan")))
    found |= {name: _figure(bootstrap, rows) for name, rows in _rows(bootstrap, frames, threshold).items()}
    observed = frames.surprise[frames.expected]
    if observed.size:
        found["surprise.p99"] = Figure(float(np.percentile(observed, 99.0)))
        found["surprise.max"] = Figure(float(observed.max()))
    searched = frames.searched_latency_ms
    found["latency_ms.frames"] = Figure(float(len(searched)))
    for column, name in enumerate(LATENCIES):
        for at, value in percentiles(searched[:, column]).items():
            found[f"latency_ms.{name}.{at}"] = Figure(value)
    return found | dict(_of_card(card or {}, settings))


def differences_of(ours: Evaluation, baseline: Evaluation) -> tuple[dict[str, Figure], dict]:
    """Figures of ``ours`` minus those of ``baseline`` by name, and the open loop's as `compare` gives them.

    Only over frames and windows that both can tell, with intervals paired over the segments.
    """
    settings = ours.settings
    bootstrap = SegmentBootstrap(ours.frames.segment, settings.resamples, settings.seed)
    ours_there, baseline_there = _common(ours.frames, baseline.frames)
    one = _rows(bootstrap, ours_there, ours.manifest.surprise_threshold)
    other = _rows(bootstrap, baseline_there, baseline.manifest.surprise_threshold)
    found = {name: _figure(bootstrap, rows - other[name]) for name, rows in one.items()}
    both, here, there = np.intersect1d(ours.windows, baseline.windows, return_indices=True)
    tree = {}
    if len(both):
        tree = compare(_chosen(ours.measurements, here), _chosen(baseline.measurements, there), settings)
    return found | dict(_of_card(tree, settings)), tree


def _rows(bootstrap: SegmentBootstrap, frames: Frames, threshold: float) -> dict[str, np.ndarray]:
    """Figures that are means over frames, (1 + R, 1) each."""

    def mean(values: np.ndarray) -> np.ndarray:
        return bootstrap.means(values[:, None])

    error = frames.planned - frames.recorded
    rows = {f"action.{name}.mae": mean(np.abs(error[:, i])) for i, name in enumerate(COMMANDS)}
    rows |= {f"action.{name}.rmse": np.sqrt(mean(np.square(error[:, i]))) for i, name in enumerate(COMMANDS)}
    rows["action.steer.sign_agreement"] = mean(sign_agreements(frames.planned[:, 0], frames.recorded[:, 0], CURVE))
    for name in ("prior", "posterior"):
        errors = mean(getattr(frames, f"{name}_error"))
        rows[f"{name}.psnr_db"] = np.where(np.isnan(errors), np.nan, psnr(errors))
        rows[f"{name}.ssim"] = mean(getattr(frames, f"{name}_ssim"))
    rows["reward.mae"] = mean(np.abs(frames.predicted_reward - frames.reward))
    rows["uncertainty.aleatoric"] = mean(frames.aleatoric)
    rows["uncertainty.epistemic"] = mean(frames.epistemic)
    surprise = np.where(frames.expected, frames.surprise, np.nan)
    rows["surprise.mean"] = mean(surprise)
    rows["surprise.above_threshold_share"] = mean(np.where(frames.expected, surprise > threshold, np.nan))
    rows |= {f"mode.{name}": mean((frames.mode == mode).astype(float)) for name, mode in _MODES.items()}
    return rows


def _figure(bootstrap: SegmentBootstrap, rows: np.ndarray) -> Figure:
    low, high = bootstrap.interval(rows)[:, 0]
    return Figure(float(rows[0, 0]), float(low), float(high))


def _of_card(card: Mapping, settings: ScoreSettings) -> Iterator[tuple[str, Figure]]:
    """The figures that a scorecard, or a comparison of two, holds."""
    for name, (path, _) in _AT_STEPS.items():
        told = _at(card, path)
        if told is not None:
            for step, value, interval in zip(settings.steps, told["value"], told["ci95"], strict=True):
                yield f"open_loop.{name}.{step}", _told(value, interval)
    brier = _at(card, ("continue", "brier"))
    if brier is not None:
        yield "open_loop.continue.brier", _told(brier["value"][0], brier["ci95"][0])
    calibration = _at(card, ("continue", "expected_calibration_error"))
    if calibration is not None:
        yield "open_loop.continue.calibration_error", Figure(calibration)
    for name in _BREAK_EVENS:
        told = _at(card, ("break_even", name))
        if told is not None:
            beyond = settings.horizon + 1
            limits = [beyond if limit is None else limit for limit in told["stops_ci95"] or ()]
            stops = beyond if told["stops"] is None else told["stops"]
            yield f"open_loop.break_even.{name}", Figure(float(stops), *map(float, limits))


def _told(value: float | None, interval: list) -> Figure:
    return Figure(*(float("nan") if number is None else number for number in (value, *interval)))


def _at(tree: Mapping, path: tuple[str, ...]):
    for key in path:
        if not isinstance(tree, Mapping) or tree.get(key) is None:
            return None
        tree = tree[key]
    return tree


def _common(one: Frames, other: Frames) -> tuple[Frames, Frames]:
    """The same, with NaN for both where one of them cannot tell."""
    changes: tuple[dict, dict] = {}, {}
    names = (
        "planned",
        "prior_error",
        "prior_ssim",
        "posterior_error",
        "posterior_ssim",
        "predicted_reward",
        "reward",
        "aleatoric",
        "epistemic",
    )
    for name in names:
        values = getattr(one, name), getattr(other, name)
        known = np.isfinite(values[0]) & np.isfinite(values[1])
        for change, value in zip(changes, values, strict=True):
            change[name] = np.where(known, value, np.nan)
    expected = one.expected & other.expected
    return replace(one, **changes[0], expected=expected), replace(other, **changes[1], expected=expected)


def _chosen(measurements: Measurements, windows: np.ndarray) -> Measurements:
    """Only some of the windows."""

    def chosen(values):
        if isinstance(values, dict):
            return {key: value[windows] for key, value in values.items()}
        return None if values is None else values[windows]

    return Measurements(*map(chosen, measurements))
