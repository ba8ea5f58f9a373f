"""`ros2 run wm_training upgrade_bundle`: upgrades a bundle of an earlier version, without its checkpoint."""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from wm_bundle import BundleError
from wm_evaluation.command_line import DONE, parse, run, say


@dataclass(frozen=True)
class Options:
    """Upgrade a bundle of an earlier version: eight-bit weights that every processor multiplies exactly, and a
    self-check. What the bundle computes, and its scores, stay the same."""

    bundle: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="BUNDLE")]
    """Folder of the bundle to upgrade."""
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

    from wm_training.exporting.upgrade import upgrade

    old = load_bundle(options.bundle)
    with tempfile.TemporaryDirectory() as folder:
        new, changes = upgrade(old, options.output, Path(folder), options.seed)
    for change in changes:
        say("upgrade_bundle", change)
    say("upgrade_bundle", f"{new.manifest.model_id} in {new.path}" if changes else f"{old.path} has all this already")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
