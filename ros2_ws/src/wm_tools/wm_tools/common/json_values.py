"""Result files in JSON, which has no number that is not finite."""

import math
from collections.abc import Mapping
from pathlib import Path

from wm_bundle import files


def write_json(path: Path, value) -> None:
    """Write a file, completely or not at all; None for every number that is not finite. Raises OSError."""
    files.write_json(path, without_nan(value))


def without_nan(value):
    """The same with None for every number that is not finite. Tuples become lists."""
    if isinstance(value, Mapping):
        return {key: without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
