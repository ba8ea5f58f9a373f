"""Many recorded episodes into one folder of imagined ones: calibration, resuming, manifest.

Every finished episode leaves a record in OUTPUT/.augmentation; the manifest is built from these, so it does not depend
on how often a run was stopped. What is imagined from an episode depends only on the episode, the model and the options.
"""

import json
import time
from collections import Counter
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from wm_bundle.files import write_text
from wm_data.agreement import names_of
from wm_data.episodes import EpisodeError, drives_in, read_episode, write_episode
from wm_data.imagined import drive_hash, is_imagined
from wm_data.splits import split_files

from wm_training.api.pretrained import PretrainedWorldModel
from wm_training.augmentation.augment_options import AugmentOptions
from wm_training.augmentation.filters import Calibration
from wm_training.augmentation.imagining import Imaginer, calibration_of
from wm_training.data.summary import data_summary
from wm_training.errors import TrainingError
from wm_training.imagination.recorded import open_split

FORMAT_VERSION = 1
FEW_BLOCKS = 50
RECORDS = ".augmentation"
MANIFEST = "manifest.json"
Progress = Callable[[dict[str, Any]], None]


class Augmentation:
    """One run of `augment`. Use: ``todo = begin()``, ``run(todo, …)``, ``finish()``."""

    def __init__(self, model: PretrainedWorldModel, options: AugmentOptions):
        """``model`` as returned by ``load_world_model``."""
        self.model, self.options = model, options
        self.output = options.output
        self.notes: list[str] = []
        """Notes for users of the episodes."""
        self.files: list[Path] = []
        """The recorded episodes to augment."""
        self._records = self.output / RECORDS
        self._imaginer: Imaginer | None = None

    def begin(self) -> list[Path]:
        """Check the data and the existing output; returns the recorded episodes still to be augmented.

        Raises EpisodeError for unusable episodes, TrainingError for an unusable output folder, OSError.
        """
        options = self.options
        folder = Path(options.data_path).expanduser()
        if self.output.exists() and not self.output.is_dir():
            raise TrainingError(f"{self.output} is a file, expected a folder or a new name")
        if self.output.resolve() in {place.resolve() for place in (folder, folder / "train", folder / "val")}:
            raise TrainingError(f"{self.output} holds the recorded episodes: choose another --output-dir")
        self._train = open_split(folder, self.model.model, "train")
        validates = split_files(folder, self.model.config.validation_share, "val")
        self._judged_by = open_split(folder, self.model.model, "val") if validates else self._train
        episodes = zip(self._train.files, self._train.episodes, strict=True)
        recorded = list(dict.fromkeys(file for file, episode in episodes if not is_imagined(episode.meta)))
        if not recorded:
            raise EpisodeError(f"{folder} has no recorded training episodes: imagined ones are not augmented")
        if options.episodes > len(recorded):
            raise EpisodeError(
                f"episodes is {options.episodes}, but {folder} has {len(recorded)} recorded training episodes"
            )
        self.files = recorded[: options.episodes or None]
        self._settle_arguments(data_summary(folder)["sha256"])
        return [file for file in self.files if not self._is_done(file)]

    def calibrate(self) -> Calibration:
        """Calibrate on recorded drives: limits of the filters, the vector readout, the actor's error.

        Computed again in every run, as it takes seconds; the same data gives the same result. Raises EpisodeError.
        """
        options, model = self.options, self.model
        folder = Path(options.data_path).expanduser()
        split = self._judged_by.split
        if split == "train":
            self.notes.append("no episodes for validation: the filters are calibrated on those of training")
        calibration, error = calibration_of(model, self._judged_by.episodes, options.context, options.quantile, split)
        if calibration.blocks < FEW_BLOCKS:
            self.notes.append(f"the limits of the filters are of {calibration.blocks} recorded blocks only")
        vectors = np.concatenate([episode.vector for episode in self._train.episodes])
        names = names_of(self._train.meta.get("vector"), vectors.shape[1])
        quality: dict[str, float] = {}
        if not model.tells_vector:
            readout = model.fit_vector(folder)
            quality = {name: round(r2, 4) for name, r2 in zip(names, readout.r2, strict=True) if np.isfinite(r2)}
        for name, r2 in quality.items():
            if r2 < 0.9:
                self.notes.append(f"the model's states tell {name} badly (R² {r2:.2f}): imagined ones are as wrong")
        if error is None and (options.policy == "actor" or options.labels == "actor"):
            self.notes.append("no row has an expert's action: the quality of the model's actor is unknown")
        self._measured = {"calibration": calibration.to_json(), "vector_r2": quality, "actor_error": error}
        self._imaginer = Imaginer(model, options, (np.nanmin(vectors, 0), np.nanmax(vectors, 0)), calibration)
        return calibration

    def run(self, todo: list[Path], on_record: Progress, stop: Callable[[], bool] = lambda: False) -> bool:
        """Augment; ``on_record`` gets every episode's record. ``stop`` is checked between episodes; returns False if it
        was true. Raises EpisodeError, TrainingError, OSError."""
        for file in todo:
            if stop():
                return False
            record = self._augment(file)
            write_text(self._record_file(file), _json(record))
            on_record(record)
        return True

    def finish(self) -> dict[str, Any]:
        """Write the manifest from all records; returns it."""
        records = [_read_json(self._record_file(file)) for file in self.files]
        drives = [drive for record in records for drive in record["drives"]]
        kept = [drive for drive in drives if drive["file"]]
        manifest = {
            "format_version": FORMAT_VERSION,
            "imagined": True,
            "arguments": _read_json(self._records / "arguments.json"),
            "model": {"file": self.model.path.name, "sha256": self.model.sha256},
            **self._measured,
            "notes": self.notes,
            "totals": totals(drives) | {"recorded": len(records), "too_short": sum(not r["drives"] for r in records)},
            "episodes": kept,
            "rejected": [drive for drive in drives if not drive["file"]],
        }
        write_text(self.output / MANIFEST, _json(manifest))
        return manifest

    def _augment(self, file: Path) -> dict[str, Any]:
        started = time.monotonic()
        episode = read_episode(file)
        drives = []
        found = (self._imaginer.drives(drive, file.name, row) for row, drive in drives_in(episode))
        for number, made in enumerate(chain.from_iterable(found)):
            name = None
            if made.episode is not None:
                name = f"{file.stem}_imagined_{number:03d}.npz"
                write_episode(self.output / name, made.episode)
            drives.append(
                {
                    "file": name,
                    "source": file.name,
                    "start_row": made.start,
                    "disturbance": made.disturbance,
                    "imagined_rows": made.verdict.imagined,
                    "rows": made.verdict.rows if name else 0,
                    "reason": made.verdict.reason,
                    "means": {key: round(value, 6) for key, value in made.verdict.means.items()},
                }
            )
        return {
            "source": file.name,
            "source_hash": drive_hash(episode),
            "drives": drives,
            "seconds": round(time.monotonic() - started, 3),
        }

    def _settle_arguments(self, data_sha256: str) -> None:
        """Store the options, or compare them with those stored in the folder."""
        now = {**self.options.decisive(), "checkpoint_sha256": self.model.sha256, "data_sha256": data_sha256}
        noted = self._records / "arguments.json"
        if noted.is_file() and self.options.resume == "none":
            self._clear()
        if noted.is_file():
            before = _read_json(noted)
            differing = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
            if differing:
                told = ", ".join(f"{key} {before.get(key)!r} → {now.get(key)!r}" for key in differing)
                raise TrainingError(
                    f"{self.output} was begun with others ({told}): take those, choose another --output-dir, or "
                    f"remove what it holds and start from scratch with --resume none"
                )
        elif any(self.output.glob("*.npz")):
            raise TrainingError(
                f"{self.output} holds episodes that are not from `augment`: choose another --output-dir"
            )
        for partial in self.output.glob(".*.npz.part-*"):
            partial.unlink(missing_ok=True)
        write_text(noted, _json(now))

    def _clear(self) -> None:
        """Remove what an earlier run made, and nothing else."""
        for record in self._records.glob("*.episode.json"):
            for drive in _read_json(record)["drives"]:
                if drive["file"]:
                    (self.output / drive["file"]).unlink(missing_ok=True)
            record.unlink()
        (self.output / MANIFEST).unlink(missing_ok=True)
        (self._records / "arguments.json").unlink()

    def _is_done(self, file: Path) -> bool:
        record = self._record_file(file)
        return record.is_file() and all(
            (self.output / drive["file"]).is_file() for drive in _read_json(record)["drives"] if drive["file"]
        )

    def _record_file(self, file: Path) -> Path:
        return self._records / f"{file.stem}.episode.json"


def totals(drives: list[dict[str, Any]]) -> dict[str, Any]:
    """How much was imagined, kept and rejected, and why.

    ``drives`` and ``rows`` that were imagined, ``kept_drives`` and ``kept_rows``; ``rejected_share`` of the drives and
    ``left_out_share`` of the rows; ``rejected``, ``cut`` and ``ended``, drives by the reason of their end: rejected
    completely, cut, and ended by the model or at the horizon.
    """
    rejected = Counter(drive["reason"] for drive in drives if not drive["file"])
    kept = [drive for drive in drives if drive["file"]]
    natural = ("horizon", "end")
    rows, kept_rows = sum(drive["imagined_rows"] for drive in drives), sum(drive["rows"] for drive in kept)
    return {
        "drives": len(drives),
        "rows": rows,
        "kept_drives": len(kept),
        "kept_rows": kept_rows,
        "rejected_share": round(1.0 - len(kept) / len(drives), 4) if drives else 0.0,
        "left_out_share": round(1.0 - kept_rows / rows, 4) if rows else 0.0,
        "rejected": dict(sorted(rejected.items())),
        "cut": dict(sorted(Counter(drive["reason"] for drive in kept if drive["reason"] not in natural).items())),
        "ended": dict(sorted(Counter(drive["reason"] for drive in kept if drive["reason"] in natural).items())),
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n"


def _read_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(f"{file} cannot be read ({error}): start from scratch with --resume none") from None
