"""The report's tables: every bundle's figures, and how the first one differs from the others."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from wm_evaluation.report import Head, Table

from wm_tools.evaluate_bag.comparison import Comparison, Difference
from wm_tools.evaluate_bag.figures import Figure
from wm_tools.evaluate_bag.offline_pilot import LATENCIES


class Row(NamedTuple):
    """A figure's name, its label, and the format of its number."""

    name: str
    label: str
    how: str = ".3f"
    better: str = ""
    """"higher", "lower", or empty if neither is better."""
    decides: bool = False
    """Whether it counts in calling one bundle better than another."""
    optional: bool = False
    """Left out where no bundle has it."""


class Group(NamedTuple):
    """A table of figures that share a definition in the glossary."""

    title: str
    metric: str
    rows: tuple[Row, ...]


def groups(step: int) -> list[Group]:
    """All tables; ``step`` is the number of steps ahead of the open loop's figures."""
    return [
        Group("action error", "action_mae", tuple(_action_errors())),
        Group(
            "one step",
            "one_step",
            (
                Row("prior.psnr_db", "predicted picture (prior), PSNR [dB]", ".2f", "higher", True),
                Row("posterior.psnr_db", "reconstructed picture (posterior), PSNR [dB]", ".2f", "higher"),
                Row("prior.ssim", "predicted picture, SSIM", ".3f", "higher"),
                Row("posterior.ssim", "reconstructed picture, SSIM", ".3f", "higher"),
                Row("reward.mae", "reward error (MAE)", ".3f", "lower"),
            ),
        ),
        Group(
            f"imagined, k = {step}",
            "psnr",
            (
                Row(f"open_loop.psnr_db.imagined.{step}", "picture, PSNR [dB]", ".2f", "higher", True),
                Row(f"open_loop.ssim.imagined.{step}", "picture, SSIM", ".3f", "higher"),
                Row(f"open_loop.return_mae.imagined.{step}", "return error (MAE)", ".2f", "lower", True),
                Row(
                    f"open_loop.return_rank_correlation.imagined.{step}",
                    "return, rank correlation",
                    ".2f",
                    "higher",
                    True,
                ),
                Row(f"open_loop.action_gap.psnr_db.{step}", "lost with other actions [dB]", ".2f", "higher"),
                *_signal_errors(step),
                Row("open_loop.continue.brier", "continue, Brier score", ".5f", "lower", True),
            ),
        ),
        Group(
            "surprise",
            "surprise",
            (
                Row("surprise.mean", "mean [nats]", ".2f"),
                Row("surprise.p99", "p99 [nats]", ".2f"),
                Row("surprise.max", "largest [nats]", ".2f"),
                Row("surprise.above_threshold_share", "frames above the bundle's threshold", ".2%", "lower"),
            ),
        ),
        Group(
            "mode",
            "braking_share",
            (
                Row("mode.driving_share", "driving", ".2%", "higher"),
                Row("mode.degraded_share", "degraded", ".2%", "lower"),
                Row("mode.braking_share", "braking", ".2%", "lower", True),
            ),
        ),
    ]


def _signal_errors(step: int) -> list[Row]:
    labels = {"speed": "speed error [m/s]", "yaw_rate": "yaw rate error [rad/s]", "route_offset": "route error [m]"}
    return [
        Row(f"open_loop.signal_mae.{name}.imagined.{step}", label, ".3f", "lower", optional=True)
        for name, label in labels.items()
    ]


def _action_errors() -> list[Row]:
    errors = [
        Row(
            f"action.{name}.{measure}",
            f"{name}, {measure.upper()}",
            ".3f",
            "lower",
            (name, measure) == ("steer", "mae"),
        )
        for measure in ("mae", "rmse")
        for name in ("steer", "throttle", "brake")
    ]
    return [*errors, Row("action.steer.sign_agreement", "same side in curves (|steer| > 0.1)", ".1%", "higher")]


def deciding(step: int) -> list[Row]:
    """The figures that decide whether one bundle is better than another."""
    return [row for group in groups(step) for row in group.rows if row.decides]


def tables(comparison: Comparison, step: int) -> list[Table]:
    """A table per group: a column for each bundle, and one for each difference from another bundle."""
    evaluations = comparison.evaluations
    names = ["value"] if len(evaluations) == 1 else [evaluation.name for evaluation in evaluations]
    names += [f"{evaluations[0].name} minus {evaluation.name}" for evaluation in evaluations[1:]]
    found = []
    for group in groups(step):
        rows = []
        for row in group.rows:
            if row.optional and not any(is_known(evaluation.figures.get(row.name)) for evaluation in evaluations):
                continue
            cells = [spell(evaluation.figures.get(row.name), row.how) for evaluation in evaluations]
            cells += [
                spell_difference(difference.figures.get(row.name), row) + apart(difference, row.name)
                for difference in comparison.differences
            ]
            rows.append((row.label, *cells))
        found.append(Table([Head(group.title, group.metric), *names], rows))
    return found


def latency_table(comparison: Comparison) -> Table:
    """Percentiles of observe, plan and total, for each bundle."""
    several = len(comparison.evaluations) > 1
    rows = []
    for evaluation in comparison.evaluations:
        for part in LATENCIES:
            cells = [
                spell(evaluation.figures.get(f"latency_ms.{part}.{at}"), ".1f") for at in ("p50", "p95", "p99", "max")
            ]
            rows.append((f"{part}: {evaluation.name}" if several else part, *cells))
    return Table([Head("latency [ms]", "planner_latency"), "p50", "p95", "p99", "max"], rows)


def is_known(figure: Figure | None) -> bool:
    """Whether there is a value."""
    return figure is not None and math.isfinite(figure.value)


def spell(figure: Figure | None, how: str) -> str:
    """A value with its interval; a dash if not measured."""
    if not is_known(figure):
        return "–"
    interval = f" ({_number(figure.low, how)}, {_number(figure.high, how)})" if math.isfinite(figure.low) else ""
    return f"{_number(figure.value, how)}{interval}"


def _number(value: float, how: str) -> str:
    """A number without a minus sign if it rounds to zero."""
    text = f"{value:{how}}"
    return text if any(digit in text for digit in "123456789") else text.replace("-", "+" if "+" in how else "")


def signed(value: float, how: str) -> str:
    """A difference with its sign."""
    return _number(value, f"+{how}")


APART = "*"
ABOUT_APART = f"{APART} over the frames and windows that both have, so not the difference of the columns"


def apart(difference: Difference, name: str) -> str:
    """A mark if a figure's difference is not that of the columns, such as when one of the two braked; else empty."""
    ours, theirs, found = (of.figures.get(name) for of in (difference.ours, difference.baseline, difference))
    if not (is_known(ours) and is_known(theirs) and is_known(found)):
        return ""
    return "" if math.isclose(found.value, ours.value - theirs.value, rel_tol=1e-6, abs_tol=1e-9) else APART


def spell_difference(figure: Figure | None, row: Row) -> str:
    """A signed difference, and whether it is better or worse if the interval shows that."""
    if not is_known(figure):
        return "–"
    text = spell(figure, f"+{row.how}")
    verdict = judge(figure, row)
    return f"{text} {verdict}" if verdict else text


def judge(figure: Figure | None, row: Row) -> str:
    """Better or worse if the 95 % interval of a difference excludes zero, else empty."""
    if not is_known(figure) or not math.isfinite(figure.low) or not row.better or figure.low <= 0.0 <= figure.high:
        return ""
    return "better" if (figure.low > 0.0) == (row.better == "higher") else "worse"


def nearest(steps: Sequence[int], wanted: int = 10) -> int:
    """The printed step nearest to ``wanted``."""
    return min(steps, key=lambda step: abs(step - wanted))
