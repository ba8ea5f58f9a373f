"""The recorded frames to verify a bundle on; without any, wm_evaluation.imagined_frames makes some."""

import itertools
from collections.abc import Iterator

import numpy as np
from wm_bundle import BundleManifest
from wm_evaluation.imagined_frames import Observation

from wm_tools.common.errors import EvaluationError, VerificationError
from wm_tools.evaluate_bag.episode_checks import evaluated_inputs
from wm_tools.evaluate_bag.recording import Recording, Stretch
from wm_tools.verify_bundle.verify_bundle_options import VerifyOptions


def recorded(options: VerifyOptions, manifest: BundleManifest, preprocessed: bool) -> list[Observation]:
    """The first ``options.frames`` frames of a recording. Raises VerificationError for one that cannot be used."""
    try:
        recording = Recording(options.data, manifest, options.reading, preprocessed, options.resample)
        rows = (row for stretch in recording.stretches() for row in _rows(stretch, manifest))
        found = list(itertools.islice(rows, options.frames))
    except EvaluationError as error:
        raise VerificationError(f"--data: {error}") from error
    if not found:
        raise VerificationError(f"--data: no row of {options.data} has every number that the bundle needs")
    return found


def _rows(stretch: Stretch, manifest: BundleManifest) -> Iterator[Observation]:
    episode = stretch.episode
    inputs = list(evaluated_inputs(manifest))
    columns = [inputs.index(spec.name) for spec in manifest.vector]
    needed = [not spec.gaps for spec in manifest.vector]
    applied, is_first = stretch.applied_before, True
    for row in range(len(episode)):
        vector = episode.vector[row, columns].astype(np.float32)
        complete = bool(np.isfinite(vector[needed]).all())
        if complete:
            previous = np.zeros(3, np.float32) if applied is None else np.asarray(applied, np.float32)
            mask = None if episode.camera_mask is None else episode.camera_mask[row].astype(np.float32)
            yield Observation(np.ascontiguousarray(episode.observations[row]), vector, previous, mask, is_first)
        is_first = not complete
        applied = episode.actions[row]
