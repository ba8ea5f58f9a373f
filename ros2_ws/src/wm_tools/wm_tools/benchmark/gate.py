"""Thresholds over a benchmark's figures: `planner.real_time.score>800`."""

import math
from collections.abc import Sequence

from wm_tools.benchmark.benchmark_options import BenchmarkOptions
from wm_tools.benchmark.figures import FIGURES
from wm_tools.common.thresholds import Threshold, Verdict, check_names, judge

LATENCIES = ("p50", "p95", "p99")


def known_names(options: BenchmarkOptions) -> list[str]:
    """The names of the figures that a benchmark will have: CONTROLLER.MODE.FIGURE, means over the episodes."""
    leaves = ["failed", *(figure.name for figure in FIGURES), *(f"latency_ms.{name}" for name in LATENCIES)]
    groups = [f"{entry.name}.{_word(mode)}" for entry in options.controllers for mode in options.modes_of(entry)]
    return [f"{group}.{leaf}" for group in groups for leaf in leaves]


def check_thresholds(thresholds: Sequence[Threshold], options: BenchmarkOptions) -> None:
    """Raise EvaluationError for a threshold over a figure that the benchmark will not have."""
    check_names(thresholds, known_names(options))


def judge_summary(thresholds: Sequence[Threshold], summary: dict) -> list[Verdict]:
    """A verdict for each threshold; a missing figure fails it."""
    values = {}
    for group in summary["groups"]:
        name, latencies = f"{group['controller']}.{_word(group['mode'])}", group["latency_ms"] or {}
        values[f"{name}.failed"] = float(group["failed"])
        values |= {f"{name}.{figure.name}": _number(group["figures"][figure.name]["mean"]) for figure in FIGURES}
        values |= {f"{name}.latency_ms.{leaf}": _number(latencies.get(leaf)) for leaf in LATENCIES}
    missing = {threshold.name: math.nan for threshold in thresholds if threshold.name not in values}
    return judge(thresholds, values | missing)


def _word(mode: str) -> str:
    return mode.replace("-", "_")


def _number(value: float | None) -> float:
    return math.nan if value is None else value
