"""`report.html` of a training run: the issues found, the curves with their expected ranges, speed, configuration."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from wm_evaluation.report import Block, Chart, Facts, Grid, Page, Prose, Section, Table, Tile
from wm_evaluation.report.charts import Expected, Series, lines
from wm_evaluation.wording import counted

from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.monitoring.health import TOO_FEW, Report
from wm_training.monitoring.issues import RANGES, WARNING, Curves, finite

METRIC_OF = {  # in the glossary of the pages
    "metric/pixel_mse": "pixel_mse",
    "metric/kl_nats": "kl",
    "reward": "reward_loss",
    "dynamics": "dynamics_loss",
    "metric/vector_error_ahead": "vector_loss",
    "total": "total_loss",
    "gradient_norm": "gradient_norm",
    "learning_rate": "learning_rate",
}
MANY_TIMES = 20.0  # ratio of largest to smallest value from which a curve has a logarithmic axis
SMALL_CHART = 220  # [px]


def build_page(
    name: str, curves: Curves, config: WorldModelTrainConfig, report: Report, record: Mapping[str, Any] | None = None
) -> Page:
    """The page of the run called ``name``; ``report`` is the result of ``health.examine``, ``record`` the content of
    its run.json."""
    named = {curve.partition("/")[2] for curve in curves if curve.startswith(("train/", "validation/"))}
    others = sorted(named - {expected.curve for expected in RANGES.values()})
    sections = [
        Section("Issues", [_issues(report)]),
        Section("Expected ranges", [_levels(report), *_range_charts(curves)], "What they are: docs/monitoring.md."),
    ]
    if others:
        charts = [_chart(curves, curve, height=SMALL_CHART) for curve in others]
        sections.append(Section("All other curves", [Grid(charts, 400)]))
    if "frames_per_s" in curves:
        speed = curves["frames_per_s"]
        chart = lines([Series("throughput", speed.steps, speed.values)], "updates", "frames/s", height=SMALL_CHART)
        sections.append(Section("Speed", [Chart(chart, metric="throughput")], "By epoch."))
    if record and "precision" in record:
        sections.append(Section("Precision", [Facts(dict(record["precision"]), "run.json")], "What it computed in."))
    sections.append(Section("Configuration", [Facts(asdict(config), "config.yaml")]))
    return Page(f"Training report · {name}", _headline(report), tiles=_tiles(curves, report), sections=sections)


def _headline(report: Report) -> str:
    warnings = sum(finding.severity == WARNING for finding in report.findings)
    notes = len(report.findings) - warnings
    found = " and ".join(counted(count, name) for count, name in ((warnings, "warning"), (notes, "note")) if count)
    if not found and report.verdict == TOO_FEW:
        return report.conclusion().capitalize()
    return f"{found or 'No issue'} after {counted(report.updates, 'update')}"


def _tiles(curves: Curves, report: Report) -> list[Tile]:
    # Being outside a range is not a fault by itself: only values inside have a colour.
    tiles = [
        Tile(
            _spell(level.value),
            f"{_title(level.curve)}, {level.state}",
            METRIC_OF[level.curve],
            "good" if level.state == "in range" and report.verdict != TOO_FEW else "",
        )
        for level in report.levels.values()
    ]
    speed = finite(curves["frames_per_s"]).values if "frames_per_s" in curves else ()
    if len(speed):
        tiles.append(Tile(f"{speed[-1]:,.0f}", "frames/s in the last epoch", "throughput"))
    return tiles


def _issues(report: Report) -> Block:
    if not report.findings and report.verdict == TOO_FEW:
        return Prose(f"{report.conclusion().capitalize()}. What the curves are near then says nothing of the model.")
    if not report.findings:
        return Prose(
            "None of the four common issues was found: KL collapse, blurry reconstructions, poor dynamics, instability."
        )
    rows = [
        [
            finding.issue,
            finding.severity,
            f"{finding.first_update} to {finding.last_update}",
            finding.evidence,
            finding.remedy,
        ]
        for finding in sorted(report.findings, key=lambda finding: finding.severity != WARNING)
    ]
    return Table(["issue", "severity", "updates", "evidence", "remedy"], rows)


def _levels(report: Report) -> Table:
    rows = [
        [name, _title(level.curve), _spell(level.value), f"{level.low:g} to {level.high:g}", level.state, level.remark]
        for name, level in report.levels.items()
    ]
    return Table(["range", "curve", "level", "expected", "", "remark"], rows)


def _range_charts(curves: Curves) -> list[Block]:
    found = [
        _chart(curves, expected.curve, Expected(expected.low, expected.high, "expected range"))
        for expected in RANGES.values()
        if f"train/{expected.curve}" in curves or f"validation/{expected.curve}" in curves
    ]
    return [Grid(found, 400)] if found else []


def _chart(curves: Curves, name: str, expected: Expected | None = None, height: int = 260) -> Chart:
    series, values = [], []
    for part, colour in (("train", "blue"), ("validation", "amber")):
        curve = curves.get(f"{part}/{name}")
        if curve is not None:
            # What is not finite is among the issues; a chart can only skip it.
            series.append(Series(part, curve.steps, curve.values, colour=colour))
            values += finite(curve).values.tolist()
    log = bool(values) and min(values) > 0.0 and max(values) > MANY_TIMES * min(values)
    figure = lines(series, "updates", "", y_log=log, expected=expected, height=height)
    return Chart(figure, _title(name), METRIC_OF.get(name))


def _title(curve: str) -> str:
    return curve.removeprefix("metric/").replace("_", " ")


def _spell(value: float | None) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:.3g}"
