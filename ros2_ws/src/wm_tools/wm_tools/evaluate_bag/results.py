"""result.json and result.jsonl; docs/evaluation.md documents both."""

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from wm_bundle.files import replacing, write_json

from wm_tools.common.json_values import without_nan
from wm_tools.common.thresholds import entries_of
from wm_tools.evaluate_bag.comparison import Comparison, Evaluation
from wm_tools.evaluate_bag.figures import Figure
from wm_tools.evaluate_bag.moments import Moment
from wm_tools.evaluate_bag.offline_pilot import LATENCIES
from wm_tools.evaluate_bag.verdict import verdict

FORMAT_VERSION = 1
RESULT, LINES = "result.json", "result.jsonl"


def write_results(folder: Path, comparison: Comparison) -> None:
    """Write both files, each atomically. Raises OSError."""
    write_json(folder / RESULT, without_nan(result_of(comparison)))
    with replacing(folder / LINES) as partial, open(partial, "w", encoding="utf-8") as stream:
        for lines in zip(*map(_lines, comparison.evaluations), strict=True):
            stream.writelines(json.dumps(line, allow_nan=False) + "\n" for line in lines)


def result_of(comparison: Comparison) -> dict:
    """All of result.json."""
    return {
        "format_version": FORMAT_VERSION,
        "verdict": verdict(comparison),
        "passed": all(verdict.holds for verdict in comparison.verdicts),
        "thresholds": entries_of(comparison.verdicts),
        "bag": dict(comparison.bag),
        "options": _options(comparison),
        "machine": dict(comparison.machine),
        "speed": {
            "frames_per_s": round(comparison.frames_per_s, 2),
            "times_real_time": round(comparison.times_real_time, 3),
        },
        "segments": comparison.segments,
        "bundles": [_bundle(evaluation) for evaluation in comparison.evaluations],
        "differences": [
            {
                "bundle": difference.ours.name,
                "baseline": difference.baseline.name,
                "figures": _figures(difference.figures),
                "open_loop": difference.card,
            }
            for difference in comparison.differences
        ],
    }


def _lines(evaluation: Evaluation) -> Iterator[dict]:
    place, decided, one_step = evaluation.frames.place, evaluation.frames.decided, evaluation.frames.one_step
    columns = {
        "segment": place.segment,
        "episode": place.episode,
        "row": place.row,
        "stamp_ns": place.stamp_ns,
        "mode": np.array([decided.mode_name(row) for row in range(len(evaluation.frames))]),
        "reason": decided.reason,
        "recorded": evaluation.frames.recorded,
        "planned": decided.planned,
        "reward": evaluation.frames.reward,
        "predicted_reward": one_step.reward,
        "surprise": decided.surprise,
        "prior_psnr_db": one_step.prior.psnr_db,
        "posterior_psnr_db": one_step.posterior.psnr_db,
        "value": one_step.value,
        "epistemic": one_step.epistemic,
        "aleatoric": one_step.aleatoric,
        "latency_ms": decided.latency_ms,
    }
    for row in zip(*(column.tolist() for column in columns.values()), strict=True):
        line = {"bundle": evaluation.name, **dict(zip(columns, row, strict=True))}
        if math.isnan(line["planned"][0]):  # it braked
            line["planned"] = None
        line["latency_ms"] = dict(zip(LATENCIES, line["latency_ms"], strict=True))
        yield without_nan(line)


def _bundle(evaluation: Evaluation) -> dict:
    manifest = evaluation.manifest
    return {
        "name": evaluation.name,
        "folder": evaluation.path,
        "model_id": manifest.model_id,
        "control_period_s": manifest.control_period_s,
        "horizon": manifest.horizon,
        "surprise_threshold": manifest.surprise_threshold,
        "notes": list(evaluation.notes),
        "figures": _figures(evaluation.figures),
        "open_loop": evaluation.card,
        "moments": [_moment(evaluation, moment) for moment in evaluation.moments],
    }


def _moment(evaluation: Evaluation, moment: Moment) -> dict:
    frames = evaluation.frames
    return {
        "kind": moment.kind,
        "value": moment.value,
        "frame": moment.frame,
        "episode": int(frames.place.episode[moment.frame]),
        "row": int(frames.place.row[moment.frame]),
        "stamp_ns": int(frames.place.stamp_ns[moment.frame]),
    }


def _options(comparison: Comparison) -> dict:
    """The options without file paths, which mean nothing on another machine."""
    options = dataclasses.asdict(comparison.options)
    for name in ("bag", "bundle", "output", "baselines", "thresholds"):
        options.pop(name)
    return {**options, "parameters": dict(comparison.options.parameters), "reading": comparison.options.reading.given()}


def _figures(figures: Mapping[str, Figure]) -> dict:
    return {
        name: {"value": figure.value, "ci95": None if math.isnan(figure.low) else [figure.low, figure.high]}
        for name, figure in figures.items()
    }
