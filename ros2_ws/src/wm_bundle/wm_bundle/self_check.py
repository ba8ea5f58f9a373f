"""``self_check.npz`` in a bundle: inputs (questions), and the float32 answers that every machine must approximate.

Shapes: B beliefs, N plans, H horizon, F belief features, V vector inputs, C channels.
"""

import struct
import tokenize
import zipfile
import zlib
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from wm_bundle.bundle import Bundle, BundleError
from wm_bundle.manifest import SELF_CHECK_FILE, BundleManifest

# What zipfile, zlib and numpy raise about damaged files.
_DAMAGE = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
    RuntimeError,
    MemoryError,
)
MEASURES = ("belief", "return", "action", "actor", "picture")  # see wm_bundle.self_check_measures


@dataclass(frozen=True)
class Questions:
    """Inputs of the four files.

    ``image`` (C, height, width) uint8 with all cameras present, ``vector`` (V,) in physical units and
    ``previous_action`` (3,) are observed after the first of ``beliefs`` (B, F). ``plans`` (B, N, H, 2) are search
    actions (steer, longitudinal), imagined from each belief without noise."""

    image: np.ndarray
    vector: np.ndarray
    previous_action: np.ndarray
    beliefs: np.ndarray
    plans: np.ndarray


@dataclass(frozen=True)
class Answers:
    """Outputs of the four files: ``next_belief`` (F,) of observe.onnx, ``returns`` (B, N) of imagine.onnx, ``actor``
    (B, H, 3) commands of actor.onnx, and ``picture`` (C, height, width) uint8 of the first belief by decode.onnx.
    At the end of each plan, None where imagine.onnx does not give them: ``imagined_vector`` (B, N, V), the vector
    inputs in standard deviations from their means, and ``imagined_terms`` (B, N, R), the terms of the reward."""

    next_belief: np.ndarray
    returns: np.ndarray
    actor: np.ndarray
    picture: np.ndarray
    imagined_vector: np.ndarray | None = None
    imagined_terms: np.ndarray | None = None


def write_self_check(file: Path, questions: Questions, answers: Answers) -> None:
    """Write the file. Raises OSError."""
    arrays = asdict(questions) | asdict(answers)
    np.savez_compressed(file, **{name: array for name, array in arrays.items() if array is not None})


def read_self_check(bundle: Bundle) -> tuple[Questions, Answers] | None:
    """Questions and answers of a bundle, None where it has none.

    Raises BundleError for a file that does not match the inputs and outputs of the bundle's other files.
    """
    if bundle.manifest.self_check is None:
        return None
    file = bundle.file(SELF_CHECK_FILE)
    try:
        if not zipfile.is_zipfile(file):  # numpy would misread other files
            raise ValueError("it is not an npz file")
        with np.load(file, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
        _check_shapes(found, bundle.manifest)
        limits, measures = bundle.manifest.self_check.limits, measures_of(bundle.manifest)
        if set(limits) != set(measures):
            raise ValueError(f"expected limits of {', '.join(measures)}, found {', '.join(limits) or 'none'}")
    except _DAMAGE as error:
        raise BundleError(f"{file} cannot be used: {error}; export the bundle again") from error
    return tuple(kind(**{entry.name: found.get(entry.name) for entry in fields(kind)}) for kind in (Questions, Answers))


def measures_of(manifest: BundleManifest) -> tuple[str, ...]:
    """Names of what is compared: more where imagine.onnx gives more."""
    return (*MEASURES, *["vector"] * manifest.imagines_vector, *["reward_terms"] * bool(manifest.reward_terms))


def _check_shapes(found: dict[str, np.ndarray], manifest: BundleManifest) -> None:
    """Raise ValueError unless every array is present, finite, and of the type and shape of the bundle's model."""
    size, image = manifest.latent.belief, (manifest.image.channels, manifest.image.height, manifest.image.width)
    if found["returns"].ndim != 2 or not found["returns"].size:
        raise ValueError(f"'returns': expected a row for each belief, found {found['returns'].shape}")
    many, plans = found["returns"].shape
    expected = {
        "image": (np.uint8, image),
        "vector": (np.float32, (len(manifest.vector),)),
        "previous_action": (np.float32, (3,)),
        "beliefs": (np.float32, (many, size)),
        "plans": (np.float32, (many, plans, manifest.horizon, 2)),
        "next_belief": (np.float32, (size,)),
        "returns": (np.float32, (many, plans)),
        "actor": (np.float32, (many, manifest.horizon, 3)),
        "picture": (np.uint8, image),
    }
    if manifest.imagines_vector:
        expected["imagined_vector"] = (np.float32, (many, plans, len(manifest.vector)))
    if manifest.reward_terms:
        expected["imagined_terms"] = (np.float32, (many, plans, len(manifest.reward_terms)))
    for name, (kind, shape) in expected.items():
        array = found[name]
        if array.dtype != kind or array.shape != shape:
            raise ValueError(f"'{name}': expected {np.dtype(kind)} {shape}, found {array.dtype} {array.shape}")
        if name == "vector":  # an unknown one is among the questions where the graph masks it
            array = array[[not spec.gaps for spec in manifest.vector]]
        if not np.isfinite(array).all():
            raise ValueError(f"'{name}' has numbers that are not finite")
