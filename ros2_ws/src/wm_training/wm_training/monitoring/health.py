"""Judges a run by its curves: expected ranges, and the findings of issues.py with their remedies.

`ros2 run wm_training check_run FOLDER` does so for a run's files; Monitor does it while the run trains.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from wm_bundle.doubts import TOO_FEW_UPDATES
from wm_bundle.files import write_text
from wm_evaluation.wording import counted

from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.monitoring.issues import (
    ISSUES,
    MIN_POINTS,
    MIN_UPDATES,
    NOTE,
    RANGES,
    WARNING,
    Curves,
    Range,
    finite,
    settled,
    start,
)
from wm_training.monitoring.tables import NO_CURVE, read_curves

HEALTHY, WARNED, TOO_FEW = "healthy", "warnings", TOO_FEW_UPDATES
"""The verdict on a run."""


@dataclass(frozen=True)
class Level:
    """A run's position in one of the expected ranges."""

    curve: str
    low: float
    high: float
    value: float | None
    """Median of the last points: three of validation where there are any, else ten of training; None without."""
    state: str
    """below, in range, above or unknown."""
    remark: str


@dataclass(frozen=True)
class Finding:
    """An issue of a run."""

    issue: str
    severity: str
    """warning: the model will be bad unless something changes; note: perhaps harmless."""
    evidence: str
    first_update: int
    last_update: int
    remedy: str

    def text(self) -> str:
        """Two lines for the terminal."""
        span = f"updates {self.first_update} to {self.last_update}"
        return f"health {self.severity}: {self.issue} ({span}): {self.evidence}\n  remedy: {self.remedy}"


@dataclass(frozen=True)
class Report:
    """The result of ``examine``."""

    updates: int
    needed: int
    """Minimum updates for a judgement."""
    verdict: str
    """HEALTHY, WARNED or TOO_FEW."""
    levels: dict[str, Level]
    findings: list[Finding]

    def conclusion(self) -> str:
        """A line for a run without findings."""
        if self.verdict == TOO_FEW:
            return f"{TOO_FEW}: {self.updates:,} of about {self.needed:,}"
        return "no issue found"

    def text(self) -> str:
        """Lines for the terminal."""
        lines = [f"health after {counted(self.updates, 'update')}"]
        for name, level in self.levels.items():
            value = "-" if level.value is None else f"{level.value:.3g}"
            lines.append(
                f"  {name:13} {value:>8}  {level.state}, expected {level.low:g} to {level.high:g}; {level.remark}"
            )
        lines += [finding.text() for finding in self.findings]
        if not self.findings or self.verdict == TOO_FEW:
            lines.append(f"health: {self.conclusion()}")
        return "\n".join(lines)


def examine(curves: Curves, config: WorldModelTrainConfig) -> Report:
    """Judge a run by its curves ``train/<name>`` and ``validation/<name>``."""
    last = max((int(curve.steps[-1]) for curve in curves.values() if len(curve.steps)), default=0)
    there = {curve.partition("/")[2] for curve in curves}
    judged_by = {name: expected for name, expected in RANGES.items() if expected.always or expected.curve in there}
    levels = {name: _level(expected, curves) for name, expected in judged_by.items()}
    findings = [found for name in ISSUES if (found := _finding(name, curves, config))]
    judged = settled(curves, config, "metric/pixel_mse") is not None
    return Report(last, needed_updates(config), _verdict(findings, judged), levels, findings)


def needed_updates(config: WorldModelTrainConfig) -> int:
    """Minimum updates for a judgement: then the last third after warm-up and annealing is long enough."""
    return start(config) + 3 * max(MIN_UPDATES, MIN_POINTS * config.log_every)


def _verdict(findings: list[Finding], judged: bool) -> str:
    if any(finding.severity == WARNING for finding in findings):
        return WARNED
    return HEALTHY if judged else TOO_FEW


def write_report(path: Path, report: Report) -> None:
    """Write a report as JSON, atomically. Raises OSError."""
    write_text(path, json.dumps(asdict(report), indent=1, allow_nan=False) + "\n")


def read_run(folder: Path) -> Curves:
    """The curves of a run: training from updates.csv, or else the means of metrics.csv. Raises OSError."""
    return {**read_curves(folder / "metrics.csv"), **read_curves(folder / "updates.csv")}


def _level(expected: Range, curves: Curves) -> Level:
    validation = finite(curves.get(f"validation/{expected.curve}", NO_CURVE)).values[-3:]
    training = finite(curves.get(f"train/{expected.curve}", NO_CURVE)).values[-10:]
    last = validation if len(validation) else training
    value = float(np.median(last)) if len(last) else math.nan
    state = "below" if value < expected.low else "above" if value > expected.high else "in range"
    known = math.isfinite(value)
    return Level(*expected[:3], value if known else None, state if known else "unknown", expected.remark)


def _finding(issue: str, curves: Curves, config: WorldModelTrainConfig) -> Finding | None:
    signs = list(ISSUES[issue](curves, config))
    if not signs:
        return None
    return Finding(
        issue,
        WARNING if any(sign.severity == WARNING for sign in signs) else NOTE,
        "; ".join(sign.evidence for sign in signs),
        min(sign.first for sign in signs),
        max(sign.last for sign in signs),
        "; ".join(dict.fromkeys(sign.remedy for sign in signs)),
    )
