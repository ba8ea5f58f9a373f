"""Upgrades a bundle of an earlier version, without its checkpoint."""

from dataclasses import replace
from pathlib import Path

from wm_bundle import Bundle, BundleError, BundleManifest, check_destination, write_bundle
from wm_bundle.onnx_runtime import onnxruntime
from wm_bundle.scores import read_scores, write_scores
from wm_evaluation.imagined_frames import imagined

from wm_training.exporting.file_model import FileModel
from wm_training.exporting.quantization import float_copy, unsigned_copy
from wm_training.exporting.self_check import add_self_check

_FRAMES = 400  # imagined, of four drives


def upgrade(old: Bundle, output: str, work: Path, seed: int = 0) -> tuple[Bundle, list[str]]:
    """Write an upgraded ``old`` to ``output``; returns the new bundle and the changes as text.

    ``work`` is an empty folder for its files. Scores are kept: the numbers are the same. Raises BundleError, also
    for eight-bit products that `export` did not write.
    """
    check_destination(output)
    changes, scores = [], read_scores(old)
    manifest, files = replace(old.manifest, files={}), {name: old.file(name) for name in old.manifest.files}
    try:
        if tensors := unsigned_copy(files["imagine.onnx"], work / "imagine.onnx"):
            files["imagine.onnx"] = work / "imagine.onnx"
            changes.append(f"imagine.onnx: {tensors} eight-bit tensors are uint8, were int8, for the same products")
        if manifest.self_check is None:
            manifest, files = _with_self_check(manifest, files, work, seed)
            changes.append(f"self-check: {manifest.self_check.reference}")
    except ValueError as error:
        raise BundleError(f"{old.path} cannot be upgraded: {error}; export its checkpoint again") from None
    new = write_bundle(output, manifest, files)
    if scores is not None:
        write_scores(new, scores.benchmarks)
    return new, changes


def _with_self_check(manifest: BundleManifest, files: dict[str, Path], work: Path, seed: int):
    """Manifest and files with a self-check. Raises ValueError."""
    full = float_copy(files["imagine.onnx"], work / "imagine_float32.onnx")
    weights = "what its eight-bit weights stand for" if full else "its weights"
    reference = f"float32 by onnxruntime {onnxruntime.__version__} from {weights}, on frames that it imagined"
    functions = FileModel(manifest, files | ({"imagine.onnx": full} if full else {}))
    return add_self_check(manifest, files, functions, reference, imagined(functions, _FRAMES, seed), work, seed)
