"""``run.json`` in the folder of a training run: its data, what validates, devices, and how its precision was chosen."""

import json
from pathlib import Path
from typing import Any

from wm_evaluation.wording import counted

from wm_training.errors import TrainingError

RUN_FILE = "run.json"


def read_record(folder: Path) -> dict[str, Any] | None:
    """The record written by ``note_run``, None without one. Raises TrainingError for a damaged file."""
    file = folder / RUN_FILE
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(record, dict) or not {"data", "devices"} <= record.keys():
            raise ValueError("expected an object with data and devices")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise TrainingError(f"{file} cannot be used ({error}): remove it, or train again") from None
    return record


def check_data(expected: dict[str, Any], found: dict[str, Any], whose: str, otherwise: str) -> None:
    """Raise TrainingError where two summaries of ``data_summary`` are not of the same episodes."""
    if expected["sha256"] != found["sha256"]:
        told = [f"{counted(data['episodes'], 'episode')}, sha256 {data['sha256'][:12]}…" for data in (expected, found)]
        raise TrainingError(
            f"the episodes of {whose} have changed since it began: expected {told[0]}, found {told[1]}; bring them "
            f"back, or {otherwise}"
        )
