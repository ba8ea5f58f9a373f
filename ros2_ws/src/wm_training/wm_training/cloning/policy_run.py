"""What the options of every training of a policy have beside their fields. Loads no torch."""

import dataclasses
import re
from pathlib import Path
from typing import Any

from wm_training.errors import TrainingError

_FILES = ("policy", "checkpoint", "data_path", "imagined_path", "output")
# What changes where and how fast a run computes, or where its results go, and not what it learns.
_PLACES = (*_FILES, "device", "threads", "resume")


class PolicyRun:
    """A run that writes a policy: mixed into a frozen dataclass with the fields ``output`` (*.onnx) and ``name``."""

    output: str
    name: str

    def _check_names(self) -> None:
        if Path(self.output).suffix != ".onnx" or not Path(self.output).stem:
            raise ValueError(f"output is {self.output!r}, expected a file's name that ends with .onnx")
        self._check("name", bool(re.fullmatch(r"[^\s/\\]+", self.name)), "a name without blanks and slashes")

    def _check(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise ValueError(f"{name} is {getattr(self, name)!r}, expected {expected}")

    def learned_from(self) -> dict[str, Any]:
        """The options that decide what is learned, by name."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name not in _PLACES}

    def given_away(self) -> dict[str, Any]:
        """All options, with files but without the way to them: they go into the policy's file."""
        options = dataclasses.asdict(self)
        return options | {name: Path(options[name]).name for name in _FILES if name in options}

    @property
    def onnx_file(self) -> Path:
        """Where the policy goes."""
        return Path(self.output).expanduser()

    @property
    def folder(self) -> Path:
        """Where the state of the training goes: beside the policy."""
        return self.onnx_file.with_suffix(".training")

    def check_output(self) -> None:
        """Raise TrainingError where something else is in the place of a result, before the work."""
        for place, wanted in ((self.onnx_file, Path.is_file), (self.folder, Path.is_dir)):
            if place.exists() and not wanted(place):
                kind = "file" if wanted is Path.is_file else "folder"
                raise TrainingError(f"{place} exists and is no {kind}: choose another --output")
