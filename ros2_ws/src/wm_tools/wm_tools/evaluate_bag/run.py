"""An evaluation from its options: every bundle over the recording, the figures, the differences and the verdicts."""

import time
from collections.abc import Sequence

import numpy as np
from wm_bundle import Bundle, BundleError, BundleManifest, load_bundle
from wm_evaluation.metrics.pictures import WINDOW
from wm_evaluation.scorecard.settings import ScoreSettings
from wm_planner.errors import ConfigError, EngineError

from wm_tools.common.console import ProgressBar
from wm_tools.common.errors import BagError, BundleRefused
from wm_tools.common.machine import machine_facts
from wm_tools.common.thresholds import DEFAULT, check_names, judge
from wm_tools.evaluate_bag.bundle_run import BundleRun
from wm_tools.evaluate_bag.comparison import Comparison, Evaluation, difference_of
from wm_tools.evaluate_bag.evaluate_bag_options import EvaluateOptions
from wm_tools.evaluate_bag.figures import figure_names
from wm_tools.evaluate_bag.frames import Frames
from wm_tools.evaluate_bag.offline_pilot import OfflinePilot
from wm_tools.evaluate_bag.recording import Recording


def evaluate(options: EvaluateOptions, progress: ProgressBar | None = None) -> Comparison:
    """Evaluate. Raises EvaluationError: BagError for the recording, BundleRefused for a bundle."""
    progress = progress or ProgressBar()
    settings = ScoreSettings(horizon=options.steps, seed=options.seed, resamples=options.resamples)
    check_names(options.thresholds, list(figure_names(settings.steps)))
    bundles = _bundles(options)
    evaluations: list[Evaluation] = []
    began_s = time.perf_counter()
    recording = None
    for folder, name, bundle in zip(options.bundles, _names(bundles), bundles, strict=True):
        progress.begin(name)
        try:
            pilot = OfflinePilot(options.config(folder))
            recording = _recording(options, bundle.manifest)
            run = BundleRun(options, pilot, settings, evaluations[0].moments if evaluations else None)
            run.take_all(recording, progress)
        except (ConfigError, EngineError) as error:
            raise BundleRefused(str(error)) from error
        evaluations.append(run.evaluation(name, folder.resolve().name, recording.notes))
        _check_same_frames(evaluations)
    took_s = time.perf_counter() - began_s
    first = evaluations[0]
    period_s = first.manifest.control_period_s
    seconds = float(first.frames.times_s(period_s)[-1]) + period_s
    frames = len(first.frames) * len(evaluations)
    return Comparison(
        options=options,
        bag=_bag_facts(recording, first.frames, seconds),
        machine={**machine_facts(), "inference": pilot.parts.engine.provider},
        evaluations=evaluations,
        differences=[difference_of(first, baseline) for baseline in evaluations[1:]],
        verdicts=judge(options.thresholds or DEFAULT, {name: figure.value for name, figure in first.figures.items()}),
        frames_per_s=frames / took_s,
        times_real_time=seconds * len(evaluations) / took_s,
    )


def _bundles(options: EvaluateOptions) -> list[Bundle]:
    """Load all of them before running the first. Raises BundleRefused."""
    try:
        return [load_bundle(folder) for folder in options.bundles]
    except BundleError as error:
        raise BundleRefused(str(error)) from None


def _names(bundles: Sequence[Bundle]) -> list[str]:
    identities = [bundle.manifest.model_id for bundle in bundles]
    return [
        name if identities.count(name) == 1 else f"{name} ({identities[: i + 1].count(name)})"
        for i, name in enumerate(identities)
    ]


def _recording(options: EvaluateOptions, manifest: BundleManifest) -> Recording:
    """The recording to read. ``manifest`` is the bundle's own: the pilot's is for preprocessed pictures."""
    height, width = manifest.image.height, manifest.image.width
    if min(height, width) < WINDOW:
        raise BundleRefused(
            f"bundle {manifest.model_id} has pictures of {width}x{height} pixels, which cannot be "
            f"compared: structural similarity needs at least {WINDOW}x{WINDOW}"
        )
    return Recording(options.bag, manifest, options.reading, options.preprocessed, options.resample)


def _check_same_frames(evaluations: Sequence[Evaluation]) -> None:
    """Raise BagError if two bundles got different rows, which cannot be compared."""
    first, last = evaluations[0], evaluations[-1]
    if not (
        np.array_equal(first.frames.place.stamp_ns, last.frames.place.stamp_ns)
        and np.array_equal(first.frames.place.segment, last.frames.place.segment)
    ):
        raise BagError(
            f"{first.name} sees {len(first.frames)} frames of the recording and {last.name} {len(last.frames)}, or "
            f"different ones: bundles with other cameras, inputs or periods cannot be compared on it; evaluate them "
            f"separately"
        )


def _bag_facts(recording: Recording, frames: Frames, seconds: float) -> dict[str, object]:
    return {
        "name": recording.source.resolve().name,
        "recordings": recording.drives,
        "episodes": int(frames.place.episode[-1]) + 1,
        "frames": len(frames),
        "seconds": round(seconds, 3),
        "left_out": dict(sorted(recording.skipped.items())),
        "choices": list(recording.choices),
    }
