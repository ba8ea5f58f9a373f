"""result.json and result.jsonl; docs/evaluation.md documents both."""

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from wm_bundle.files import replacing, write_text

from wm_tools.evaluate_bag.comparison import Comparison, Evaluation
from wm_tools.evaluate_bag.figures import Figure
from wm_tools.evaluate_bag.moments import Moment
from wm_tools.evaluate_bag.replay import LATENCIES
from wm_tools.evaluate_bag.verdict import verdict

FORMAT_VERSION = 1
RESULT, LINES = "result.json", "result.jsonl"


def write_results(folder: Path, comparison: Comparison) -> None:
    """Write both files, each whole or not at all. Raises OSError."""
    write_text(folder / RESULT, json.dumps(result_of(comparison), indent=1, allow_nan=False) + "\n")
    with replacing(folder / LINES) as partial, open(partial, "w", encoding="utf-8") as stream:
        for frame in range(len(comparison.evaluations[0].frames)):
            for evaluation in comparison.evaluations:
                stream.write(json.dumps(line_of(evaluation, frame), allow_nan=False) + "\n")


def result_of(comparison: Comparison) -> dict:
    """All of result.json, plain values; None for what cannot be told."""
    first = comparison.evaluations[0]
    return {
        "format_version": FORMAT_VERSION,
        "verdict": verdict(comparison),
        "passed": all(verdict.holds for verdict in comparison.verdicts),
        "thresholds": [
            {"threshold": str(verdict.threshold), "value": _number(verdict.value), "holds": verdict.holds}
            for verdict in comparison.verdicts
        ],
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
            {"bundle": first.name, "baseline": baseline.name, "figures": _figures(figures), "open_loop": card}
            for baseline, figures, card in zip(
                comparison.evaluations[1:], comparison.differences, comparison.difference_cards, strict=True
            )
        ],
    }


def line_of(evaluation: Evaluation, frame: int) -> dict:
    """One line of result.jsonl."""
    frames, one_step = evaluation.frames, evaluation.frames.one_step
    braked = not np.isfinite(frames.decided.planned[frame]).all()
    return {
        "bundle": evaluation.name,
        "segment": int(frames.place.segment[frame]),
        "episode": int(frames.place.episode[frame]),
        "row": int(frames.place.row[frame]),
        "stamp_ns": int(frames.place.stamp_ns[frame]),
        "mode": frames.decided.mode_name(frame),
        "reason": frames.decided.reason[frame],
        "recorded": [_number(number) for number in frames.recorded[frame]],
        "planned": None if braked else [_number(number) for number in frames.decided.planned[frame]],
        "reward": _number(frames.reward[frame]),
        "predicted_reward": _number(one_step.reward[frame]),
        "surprise": _number(frames.decided.surprise[frame]),
        "prior_psnr_db": _number(one_step.prior.psnr_db[frame]),
        "posterior_psnr_db": _number(one_step.posterior.psnr_db[frame]),
        "value": _number(one_step.value[frame]),
        "epistemic": _number(one_step.epistemic[frame]),
        "aleatoric": _number(one_step.aleatoric[frame]),
        "latency_ms": dict(zip(LATENCIES, map(_number, frames.decided.latency_ms[frame]), strict=True)),
    }


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
    """The options, without the places of files, which say nothing on another machine."""
    options = dataclasses.asdict(comparison.options)
    for name in ("bag", "bundle", "output", "baselines", "thresholds"):
        options.pop(name)
    return {**options, "parameters": dict(comparison.options.parameters), "reading": comparison.options.reading.given()}


def _figures(figures: Mapping[str, Figure]) -> dict:
    return {
        name: {
            "value": _number(figure.value),
            "ci95": None if math.isnan(figure.low) else [_number(figure.low), _number(figure.high)],
        }
        for name, figure in figures.items()
    }


def _number(value: float) -> float | None:
    """A float that JSON can hold."""
    return float(value) if math.isfinite(value) else None
