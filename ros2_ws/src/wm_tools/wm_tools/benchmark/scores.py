"""A benchmark's scores of the bundle it drove, for the bundle's folder: ``--write-scores``."""

import os
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from wm_bundle import Bundle, Estimate
from wm_bundle.files import without_folders
from wm_bundle.scores import BenchmarkScores, BundleScores, ControllerScore, ScoreDifference, add_scores

from wm_tools.benchmark.benchmark_options import EXTERNAL, BenchmarkOptions
from wm_tools.common.errors import DriveError
from wm_tools.drive.controllers import REFERENCES


def check_write_scores(options: BenchmarkOptions, bundle: Bundle) -> None:
    """Raise DriveError, before driving, if the scores of this benchmark could not be written for ``bundle``."""
    if options.simulator == EXTERNAL:
        raise DriveError(
            "--write-scores: expected --simulator embedded, found external: which tracks a foreign simulator drives is "
            "not known; leave one of them out"
        )
    if (options.weather, options.light) != ("noon", 1.0):
        raise DriveError(
            f"--write-scores: expected --weather noon --light 1, found --weather {options.weather} --light "
            f"{options.light:g}: scores.json names the world, not its weather; leave one of them out"
        )
    if not any(entry.has_model and entry.kind != "policy" and not entry.bundle for entry in options.controllers):
        found = ", ".join(entry.name for entry in options.controllers)
        raise DriveError(f"--write-scores: expected planner or another that drives the bundle, found {found}")
    if not os.access(bundle.path, os.W_OK):
        raise DriveError(f"--write-scores: the bundle's folder {bundle.path} cannot be written; copy it elsewhere")


def write_scores(summary: dict, bundle: Bundle) -> BundleScores:
    """Write the scores of a finished benchmark, one entry per mode, to the bundle's folder. ``summary`` comes from
    ``build_summary``. Raises OSError."""
    scores = None
    for mode in dict.fromkeys(group["mode"] for group in summary["groups"]):
        scores = add_scores(bundle, scores_of(summary, mode))
    if scores is None:
        raise ValueError("the benchmark drove no episode without disturbance, so there are no scores to write")
    return scores


def scores_of(summary: dict, mode: str) -> BenchmarkScores:
    """The part of a benchmark's summary that was driven in ``mode``. Sweeps are not included."""
    settings = summary["settings"]
    models = {entry["name"]: _model(entry) for entry in settings["controllers"]}
    return BenchmarkScores(
        mode=mode,
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        map=", ".join(summary["maps"]),
        seeds=tuple(settings["seeds"]),
        max_steps=settings["max_steps"],
        parameters=without_folders(settings["parameters"]),
        machine=summary["machine"],
        controllers=tuple(
            ControllerScore(
                group["controller"],
                models[group["controller"]],
                group["episodes"],
                group["failed"],
                _estimate(group["figures"]["score"]),
            )
            for group in summary["groups"]
            if group["mode"] == mode
        ),
        differences=tuple(
            ScoreDifference(pair["first"], pair["second"], pair["n"], _estimate(pair))
            for pair in summary["comparisons"]
            if pair["mode"] == mode
        ),
    )


def _model(entry: Mapping[str, Any]) -> str | None:
    """What a controller drove with, according to the benchmark's settings."""
    return None if entry["kind"] in REFERENCES else entry.get("policy") or entry["bundle"]


def _estimate(figures: Mapping[str, Any]) -> Estimate:
    return Estimate(figures["mean"], figures["low"], figures["high"])
