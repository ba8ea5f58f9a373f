"""Writes ``run.json`` in the folder of a training run before it begins."""

import json
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy
import torch
from wm_bundle.files import write_text

from wm_training.data.notes import validating_drives
from wm_training.data.summary import data_summary
from wm_training.errors import TrainingError
from wm_training.monitoring.run_record import RUN_FILE, check_data, read_record

if TYPE_CHECKING:
    from wm_training.training.trainer import WorldModelTrainer


def note_run(trainer: "WorldModelTrainer", checkpoint: Path | None) -> list[str]:
    """Before training: record its data. ``checkpoint``: the one to resume from; returns lines to print.

    Raises TrainingError when the folder's own run resumes with other episodes than it started with, or others validate:
    then its validation and its record would be wrong. A run that resumes from a checkpoint elsewhere may have others;
    both are recorded. The one pass over all episodes that this takes is short compared with an epoch."""
    found = {
        "data": data_summary(trainer.config.data_path, trainer.config.imagined_folder),
        "validates": validating_drives(trainer.val_data),
    }
    said, before = [], {}
    if checkpoint is not None and checkpoint.parent.resolve() == trainer.output.resolve():
        before = read_record(trainer.output) or {}
        if not before:
            said.append(f"{trainer.output} has no {RUN_FILE}: whether its episodes have changed cannot be told")
        _check_unchanged(before, found, trainer.output)
    elif checkpoint is not None:
        other = read_record(checkpoint.parent)
        found["began_from"] = {"checkpoint": checkpoint.name, "update": trainer.step, "data": other and other["data"]}
        if other is not None and other["data"]["sha256"] != found["data"]["sha256"]:
            said.append(f"{checkpoint} was trained on other episodes than these; {RUN_FILE} records both")
    arithmetic = trainer.arithmetic.record()
    if before.get("precision", {}).get("used") == arithmetic["used"]:
        arithmetic = before["precision"]  # as chosen when the run began
    devices = list(dict.fromkeys([*before.get("devices", []), _device(trainer)]))
    record = {**before, **found, "devices": devices, "versions": versions(), "precision": arithmetic}
    write_text(trainer.output / RUN_FILE, json.dumps(record, indent=1, allow_nan=False) + "\n")
    return said


def _check_unchanged(before: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    if "data" in before:
        check_data(before["data"], now["data"], f"the run {folder}", "start from scratch with --resume none")
    expected = before.get("validates", now["validates"])
    if expected != now["validates"]:
        odd = sorted({*expected} ^ {*now["validates"]})
        raise TrainingError(
            f"other drives would validate than when the run {folder} began, {odd[0]} among them: expected "
            f"{len(expected)}, found {len(now['validates'])}; keep --validation-share, "
            f"or start from scratch with --resume none"
        )


def _device(trainer: "WorldModelTrainer") -> str:
    several = f"{trainer.ranks.world_size} × " if trainer.ranks.world_size > 1 else ""
    if trainer.device.type == "cuda":
        return several + torch.cuda.get_device_name(trainer.device)
    threads = torch.get_num_threads()
    return f"{several}{trainer.device.type}, {threads} thread{'s' if threads > 1 else ''}"


def versions() -> dict[str, str]:
    """Versions of the libraries that compute."""
    return {"python": platform.python_version(), "torch": torch.__version__, "numpy": numpy.__version__}
