"""``run.json`` in the folder of a training run: the data it began with, and the devices it ran on."""

import json
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wm_bundle.files import write_text

from wm_training.errors import TrainingError

if TYPE_CHECKING:
    from wm_training.training.trainer import WorldModelTrainer

RUN_FILE = "run.json"


def read_record(folder: Path) -> dict[str, Any] | None:
    """What ``note_run`` wrote, None where it never did. Raises TrainingError for a damaged file."""
    file = folder / RUN_FILE
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(record, dict) or not {"data", "devices"} <= record.keys():
            raise ValueError("expected an object with data and devices")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise TrainingError(f"{file} cannot be used ({error}): remove it, or train anew") from None
    return record


def note_run(trainer: "WorldModelTrainer", continued: bool) -> None:
    """Before training: note what it will be made of. ``continued``: the folder's own run goes on.

    Raises TrainingError when a run goes on with other episodes than it began with: neither its validation nor what is
    told of it would be true. The one reading of all episodes that this takes is small beside an epoch.
    """
    from wm_training.data.summary import data_summary

    found = data_summary(trainer.config.data_path, trainer.config.imagined_folder)
    record = read_record(trainer.output) if continued else None
    if record is not None:
        check_data(record["data"], found, f"the run {trainer.output}", "begin anew with --resume none")
    devices = [*(record["devices"] if record else []), _device(trainer)]
    record = {"data": found, "devices": list(dict.fromkeys(devices)), "versions": _versions()}
    write_text(trainer.output / RUN_FILE, json.dumps(record, indent=1, allow_nan=False) + "\n")


def check_data(expected: dict[str, Any], found: dict[str, Any], whose: str, otherwise: str) -> None:
    """Raise TrainingError where two summaries of ``data_summary`` are not of the same episodes."""
    if expected["sha256"] != found["sha256"]:
        told = [f"{data['episodes']} episodes, sha256 {data['sha256'][:12]}…" for data in (expected, found)]
        raise TrainingError(
            f"the episodes of {whose} have changed since it began: expected {told[0]}, found {told[1]}; bring them "
            f"back, or {otherwise}"
        )


def _device(trainer: "WorldModelTrainer") -> str:
    import torch

    several = f"{trainer.ranks.world_size} × " if trainer.ranks.world_size > 1 else ""
    if trainer.device.type == "cuda":
        return several + torch.cuda.get_device_name(trainer.device)
    threads = torch.get_num_threads()
    return f"{several}{trainer.device.type}, {threads} thread{'s' if threads > 1 else ''}"


def _versions() -> dict[str, str]:
    import numpy
    import torch

    return {"python": platform.python_version(), "torch": torch.__version__, "numpy": numpy.__version__}
