"""The section of a benchmark's page on robustness: scores under disturbances."""

import re
from collections.abc import Sequence

from wm_evaluation.report import Chart, Head, Section, Table
from wm_evaluation.report.charts import Series, lines

from wm_tools.benchmark.disturbance import KINDS
from wm_tools.benchmark.figures import BY_NAME, score_interval
from wm_tools.benchmark.summary import AT_SIZES, grouped, name_of


def sweeps_section(summary: dict) -> Section | None:
    if not summary["sweeps"]:
        return None
    blocks, span = [], _span(summary)
    for same in grouped(summary["sweeps"], "disturbance"):
        kind = KINDS[same[0]["disturbance"]]
        series = [
            Series(name_of(sweep), *(_column(sweep, key) for key in ("size", "mean", "low", "high"))) for sweep in same
        ]
        caption = f"{kind.label}; {kind.none:g} disturbs nothing. The band is the 95 % interval of the mean."
        figure = lines(series, f"{kind.label.lower()} [{kind.unit}]", "score", y_range=span)
        figure.update_traces(mode="lines+markers", selector=lambda trace: trace.name)  # not for the bands
        blocks += [Chart(figure, caption, f"sweep_{same[0]['disturbance']}"), _sizes(same)]
    return Section(
        "Robustness",
        blocks,
        lead="Mean score against the size of a disturbance between the simulator and the planner, on the same tracks.",
    )


def _span(summary: dict) -> tuple[float, float]:
    """One range of scores for all sweeps, including zero, so that their charts can be compared."""
    points = [point["score"] for sweep in summary["sweeps"] for point in sweep["points"]]
    values = [value for point in points for value in (point["mean"], point["low"], point["high"]) if value is not None]
    low, high = min(values, default=0.0), max(values, default=1.0)
    return min(0.0, 1.05 * low), max(0.0, 1.05 * high)


def _sizes(sweeps: Sequence[dict]) -> Table:
    several = len(sweeps) > 1
    score, *others = (BY_NAME[name] for name in AT_SIZES)
    heads = [
        f"Size [{KINDS[sweeps[0]['disturbance']].unit}]",
        *(["Controller"] if several else []),
        Head(score.head, score.metric),
        Head("95 %", "bootstrap_interval"),
        *(Head(figure.head, figure.metric) for figure in others),
        Head("Failed", "failed_episodes"),
        "Mostly braked for",
    ]
    rows = [
        [
            f"{point['size']:g}",
            *([name_of(sweep)] if several else []),
            score.spell(point["score"]["mean"]),
            score_interval(point["score"]),
            *(figure.spell(point[figure.name]["mean"]) for figure in others),
            f"{point['failed']} of {point['episodes']}",
            _first_words(next(iter(point["braking_reasons"]), "–")),
        ]
        for sweep in sweeps
        for point in sweep["points"]
    ]
    return Table(heads, rows)


def _first_words(reason: str) -> str:
    """What went wrong, without the numbers and advice that follow the planner's reasons."""
    return re.split("[,:;]", reason)[0]


def _column(sweep: dict, key: str) -> list[float]:
    values = [point["size"] if key == "size" else point["score"][key] for point in sweep["points"]]
    return [float("nan") if value is None else value for value in values]
