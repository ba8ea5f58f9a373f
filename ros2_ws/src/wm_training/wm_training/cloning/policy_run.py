"""Options shared by all policy trainings. Does not load torch."""

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from wm_training.configuration.run_options import RunOptions
from wm_training.errors import TrainingError


@dataclass(frozen=True, kw_only=True)
class PolicyRun(RunOptions):
    """A run that writes a policy."""

    FILES: ClassVar[tuple[str, ...]] = ("policy", "checkpoint", "data_path", "imagined_path", "output")

    output: str
    """The policy's file (*.onnx). The state for resuming, metrics.csv and summary.json go into the folder of the same
    name with the suffix .training, next to it."""
    name: str
    """First part of the policy's id; the hash of its weights follows."""
    weight_decay: float = 1e-6
    """AdamW weight decay, times the learning rate [share per update]."""
    validation_share: float = 0.1
    """Part of the episodes kept for validation where data_path has no val/ folder [share], as of `train`."""

    def __post_init__(self):
        super().__post_init__()
        if Path(self.output).suffix != ".onnx" or not Path(self.output).stem:
            raise ValueError(f"output is {self.output!r}, expected a file's name that ends with .onnx")
        self._check("name", bool(re.fullmatch(r"[^\s/\\]+", self.name)), "a name without blanks and slashes")
        self._check("validation_share", 0.0 <= self.validation_share < 1.0, "from 0 to below 1")

    def given_away(self) -> dict[str, Any]:
        """All options, with paths reduced to file names: they go into the policy's file."""
        options = dataclasses.asdict(self)
        return options | {name: Path(options[name]).name for name in self.FILES if name in options}

    @property
    def onnx_file(self) -> Path:
        """Path of the policy file."""
        return Path(self.output).expanduser()

    @property
    def folder(self) -> Path:
        """Folder of the training's state, next to the policy."""
        return self.onnx_file.with_suffix(".training")

    def check_output(self) -> None:
        """Raise TrainingError if something else occupies the path of a result, before the work."""
        for place, wanted in ((self.onnx_file, Path.is_file), (self.folder, Path.is_dir)):
            if place.exists() and not wanted(place):
                kind = "file" if wanted is Path.is_file else "folder"
                raise TrainingError(f"{place} exists and is no {kind}: choose another --output")
