"""Temporary files of a launch."""

import atexit
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path


def temporary_json(prefix: str, content) -> str:
    """Write a file that is deleted when the process ends; returns its path."""
    with tempfile.NamedTemporaryFile("w", prefix=prefix, suffix=".json", delete=False) as file:
        json.dump(content, file, indent=2)
    atexit.register(Path(file.name).unlink, missing_ok=True)
    return file.name


def parameter_file(values: Mapping[str, bool | int | float | str]) -> str:
    """A file of node parameters, for ``parameters=[…]``.

    JSON is YAML with quoted strings. From a dictionary, launch would write YAML without quotes, where ROS reads a word
    such as 123E5 or nan as a number."""
    return temporary_json("launch_parameters_", {"/**": {"ros__parameters": dict(values)}})
