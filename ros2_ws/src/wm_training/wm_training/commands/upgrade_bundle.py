"""`ros2 run wm_training upgrade_bundle`: brings a bundle of an earlier version forward, without its checkpoint."""

import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro
from wm_bundle import Bundle, BundleError, BundleManifest
from wm_evaluation.command_line import DONE, parse, run, say

_FRAMES = 400  # imagined, of four drives


@dataclass(frozen=True)
class Options:
    """Bring a bundle of an earlier version forward: eight-bit weights that every processor multiplies exactly, and a
    self-check. What the bundle computes, and its scores, stay the same."""

    bundle: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="BUNDLE")]
    """Folder of the bundle to bring forward."""
    output: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="OUTPUT")]
    """Folder to write to; may be the same one. A bundle there is replaced once the new one is complete."""
    seed: int = 0
    """Seed of the frames and plans of the self-check."""

    def __post_init__(self):
        if self.seed < 0:
            raise ValueError(f"seed: expected at least 0, found {self.seed}")


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = parse(Options, "upgrade_bundle", arguments)
    return run("upgrade_bundle", lambda: _upgrade(options), (BundleError, OSError))


def _upgrade(options: Options) -> int:
    from wm_bundle import load_bundle

    old = load_bundle(options.bundle)
    with tempfile.TemporaryDirectory() as folder:
        new, changes = upgrade(old, options.output, Path(folder), options.seed)
    for change in changes:
        say("upgrade_bundle", change)
    say("upgrade_bundle", f"{new.manifest.model_id} in {new.path}" if changes else f"{old.path} has all this already")
    return DONE


def upgrade(old: Bundle, output: str, work: Path, seed: int = 0) -> tuple[Bundle, list[str]]:
    """Write ``old`` brought forward to ``output``; returns the new bundle and what was changed, in words.

    ``work`` is an empty folder for its files. Scores go along: they are of the same numbers. Raises BundleError, also
    for eight-bit products that `export` did not write.
    """
    from wm_bundle import check_destination, write_bundle
    from wm_bundle.scores import read_scores, write_scores

    from wm_training.exporting.quantization import unsigned_copy

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
        raise BundleError(f"{old.path} cannot be brought forward: {error}; export its checkpoint again") from None
    new = write_bundle(output, manifest, files)
    if scores is not None:
        write_scores(new, scores.benchmarks)
    return new, changes


def _with_self_check(manifest: BundleManifest, files: dict[str, Path], work: Path, seed: int):
    """Manifest and files with a self-check. Raises ValueError."""
    from wm_bundle.onnx_runtime import onnxruntime
    from wm_evaluation.imagined_frames import imagined

    from wm_training.exporting.file_model import FileModel
    from wm_training.exporting.quantization import float_copy
    from wm_training.exporting.self_check import add_self_check

    full = float_copy(files["imagine.onnx"], work / "imagine_float32.onnx")
    weights = "what its eight-bit weights stand for" if full else "its weights"
    reference = f"float32 by onnxruntime {onnxruntime.__version__} from {weights}, on frames that it imagined"
    functions = FileModel(manifest, files | ({"imagine.onnx": full} if full else {}))
    return add_self_check(manifest, files, functions, reference, imagined(functions, _FRAMES, seed), work, seed)


if __name__ == "__main__":
    sys.exit(main())
