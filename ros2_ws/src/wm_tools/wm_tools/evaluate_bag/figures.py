"""Every figure of an evaluation by its dotted name, as `--threshold` and result.json use it, with a 95 % interval.

To add one, add an entry to the table below: its name, its meaning (printed by `--list-metrics`; docs/evaluation.md says
more), and how it is computed. A row of ``report_tables.groups`` shows it on the page. Shapes: T frames, K steps ahead,
1 + R the data and its resamples.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from wm_evaluation.metrics.bootstrap import SegmentBootstrap
from wm_evaluation.metrics.errors import percentiles, sign_agreements
from wm_evaluation.metrics.pictures import psnr
from wm_evaluation.scorecard.settings import STEPS, ScoreSettings
from wm_evaluation.wording import counted
from wm_planner.pilot.modes import Mode

from wm_tools.evaluate_bag.frames import Frames
from wm_tools.evaluate_bag.offline_pilot import LATENCIES

COMMANDS = ("steer", "throttle", "brake")
CURVE = 0.1  # |steer| above which a frame counts as in a curve
_PERCENTILES = ("p50", "p95", "p99", "max")


class Figure(NamedTuple):
    """One figure and its 95 % interval; NaN if unknown."""

    value: float
    low: float = float("nan")
    high: float = float("nan")


class _Mean(NamedTuple):
    """A figure that is a mean over frames: of ``values`` (T,), ignoring NaN; ``finish`` turns the mean into the
    figure."""

    meaning: str
    values: Callable[[Frames], np.ndarray]
    finish: Callable[[np.ndarray], np.ndarray] = lambda means: means


class _Single(NamedTuple):
    """A figure without an interval."""

    meaning: str
    value: Callable[[Frames], float]


def _error(column: int, of: Callable[[np.ndarray], np.ndarray]) -> Callable[[Frames], np.ndarray]:
    return lambda frames: of(frames.decided.planned[:, column] - frames.recorded[:, column])


def _share(mode: Mode) -> Callable[[Frames], np.ndarray]:
    return lambda frames: (frames.decided.mode == mode).astype(float)


def _judged_surprise(frames: Frames) -> np.ndarray:
    return frames.decided.judged_surprise


def _latency(column: int) -> Callable[[Frames], np.ndarray]:
    return lambda frames: frames.decided.searched_latency_ms[:, column]


def _percentile(values: Callable[[Frames], np.ndarray], at: str) -> Callable[[Frames], float]:
    return lambda frames: percentiles(values(frames))[at]


_MEANS = {
    **{
        f"action.{name}.mae": _Mean(
            f"mean absolute difference of planned and recorded {name}, in frames without a brake", _error(i, np.abs)
        )
        for i, name in enumerate(COMMANDS)
    },
    **{
        f"action.{name}.rmse": _Mean(
            f"root mean square difference of planned and recorded {name}", _error(i, np.square), np.sqrt
        )
        for i, name in enumerate(COMMANDS)
    },
    "action.steer.sign_agreement": _Mean(
        f"share of frames with a recorded |steer| above {CURVE:g} in which the plan steers to the same side",
        lambda frames: sign_agreements(frames.decided.planned[:, 0], frames.recorded[:, 0], CURVE),
    ),
    "prior.psnr_db": _Mean(
        "[dB] of the picture as predicted one step before", lambda frames: frames.one_step.prior.error, psnr
    ),
    "prior.ssim": _Mean("the same in structural similarity, 0 to 1", lambda frames: frames.one_step.prior.ssim),
    "posterior.psnr_db": _Mean(
        "[dB] of the picture as reconstructed after it was seen", lambda frames: frames.one_step.posterior.error, psnr
    ),
    "posterior.ssim": _Mean("the same in structural similarity, 0 to 1", lambda frames: frames.one_step.posterior.ssim),
    "reward.mae": _Mean(
        "mean absolute error of the reward predicted for the recorded action",
        lambda frames: np.abs(frames.one_step.reward - frames.reward),
    ),
    "uncertainty.aleatoric": _Mean(
        "standard deviation of the next reward over sampled futures, in its units",
        lambda frames: frames.one_step.aleatoric,
    ),
    "uncertainty.epistemic": _Mean(
        "standard deviation of the next reward over the ensemble, in its units",
        lambda frames: frames.one_step.epistemic,
    ),
    "surprise.mean": _Mean("[nats] KL of posterior from prior, without a belief's first observation", _judged_surprise),
    "surprise.above_threshold_share": _Mean(
        "share of these observations above the bundle's threshold", lambda frames: frames.decided.above_threshold
    ),
    **{
        f"mode.{mode.name.lower()}_share": _Mean(f"share of frames in the mode {mode.name}", _share(mode))
        for mode in (Mode.DRIVING, Mode.DEGRADED, Mode.BRAKING)
    },
}

_SINGLES = {
    "surprise.p99": _Single("[nats] 99th percentile of the surprise", _percentile(_judged_surprise, "p99")),
    "surprise.max": _Single("[nats] the largest surprise", _percentile(_judged_surprise, "max")),
    **{
        f"latency_ms.{name}.{at}": _Single(
            f"[ms] {at} of {'a complete decision' if name == 'total' else name} on this machine",
            _percentile(_latency(column), at),
        )
        for column, name in enumerate(LATENCIES)
        for at in _PERCENTILES
    },
    "latency_ms.frames": _Single(
        "number of frames in these latencies: those with a search",
        lambda frames: float(len(frames.decided.searched_latency_ms)),
    ),
}

# Figures at every printed step: their name, where the scorecard has them, and what they mean.
_PICTURES = ("imagined", "posterior", "copy_last", "shuffled")
_REWARDS = ("imagined", "last_seen", "data_mean", "shuffled")
_SIGNALS = {"speed": "m/s", "yaw_rate": "rad/s", "route_offset": "m"}  # the page shows the others too
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
        f"return_mae.{name}": (
            ("return", "mean_absolute_error", name),
            f"mean absolute error of the summed reward, {name}",
        )
        for name in _REWARDS
    },
    **{
        f"return_rank_correlation.{name}": (
            ("return", "rank_correlation", name),
            f"Spearman's rank correlation of predicted and real summed reward, {name}",
        )
        for name in ("imagined", "shuffled")
    },
    **{
        f"signal_mae.{signal}.{guess}": (
            ("signals", signal, "mean_absolute_error", guess),
            f"[{unit}] mean absolute error of the {signal.replace('_', ' ')}, {words}",
        )
        for signal, unit in _SIGNALS.items()
        for guess, words in (("imagined", "imagined"), ("copy_last", "the last one taken as unchanged"))
    },
    "return_inside_samples": (("return", "inside_samples", "share"), "share of real returns inside the sampled ones"),
    "action_gap.psnr_db": (("action_gap", "psnr_db"), "[dB] of PSNR lost with the actions of another window"),
    "action_gap.reward_mae": (
        ("action_gap", "reward_mean_absolute_error"),
        "increase of the reward error with these actions",
    ),
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
    """Every figure's name and meaning, for these printed steps."""
    return {
        **{name: figure.meaning for name, figure in _MEANS.items()},
        **{name: figure.meaning for name, figure in _SINGLES.items()},
        **{
            f"open_loop.{name}.{step}": f"{meaning}, {counted(step, 'step')} ahead"
            for name, (_, meaning) in _AT_STEPS.items()
            for step in steps
        },
        "open_loop.continue.brier": "Brier score of the probability that the episode continues",
        "open_loop.continue.calibration_error": "expected calibration error of the same",
        **{
            f"open_loop.break_even.{name}": f"first step no better than {what}; 1: never better, K + 1: to the end"
            for name, what in _BREAK_EVENS.items()
        },
    }


FIGURES = figure_names(list(STEPS))


def figures_of(frames: Frames, card: dict | None, settings: ScoreSettings) -> dict[str, Figure]:
    """All figures by name; NaN if unknown."""
    found = dict.fromkeys(figure_names(settings.steps), Figure(float("nan")))
    found |= mean_figures(frames, settings=settings)
    found |= {name: Figure(figure.value(frames)) for name, figure in _SINGLES.items()}
    return found | dict(figures_of_card(card or {}, settings))


def mean_figures(ours: Frames, baseline: Frames | None = None, *, settings: ScoreSettings) -> dict[str, Figure]:
    """The figures that are means over frames; with a ``baseline`` on the same frames, the differences from it."""
    bootstrap = SegmentBootstrap(ours.place.segment, settings.resamples, settings.seed)
    found = {}
    for name, figure in _MEANS.items():
        rows, *other = (
            figure.finish(bootstrap.means(figure.values(frames)[:, None]))
            for frames in (ours, baseline)
            if frames is not None
        )
        rows = rows - other[0] if other else rows  # (1 + R, 1)
        found[name] = Figure(float(rows[0, 0]), *map(float, bootstrap.interval(rows)[:, 0]))
    return found


def figures_of_card(card: Mapping, settings: ScoreSettings) -> Iterator[tuple[str, Figure]]:
    """The figures in a scorecard, or in a comparison of two."""
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
