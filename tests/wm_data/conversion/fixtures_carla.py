"""Folders of pictures with a table of controls, as people write them around CARLA's Python API."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np


def table_rows(count: int, **columns) -> list[dict[str, object]]:
    """Rows with a frame number, 20 per second, and controls; ``columns`` are functions of the row's number."""
    usual = {"frame": lambda k: 100 + k, "steer": lambda k: 0.01 * k, "throttle": lambda k: 0.5, "brake": lambda k: 0.0}
    return [{name: value(k) for name, value in {**usual, **columns}.items() if value is not None} for k in range(count)]


def write_table(path: Path, rows: list[dict[str, object]], delimiter: str = ",") -> Path:
    """By the ending of the name: CSV, JSON lines, or JSON with the rows under "frames"; else a folder of JSON files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        with open(path, "w", newline="") as stream:
            writer = csv.DictWriter(stream, list(rows[0]), delimiter=delimiter)
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".json":
        path.write_text(json.dumps({"town": "Town01", "frames": rows}))
    else:
        path.mkdir()
        for row in rows:
            (path / f"{row['frame']:04d}.json").write_text(json.dumps({k: v for k, v in row.items() if k != "frame"}))
    return path


def write_picture(path: Path, grey: int, height: int = 12, width: int = 16) -> Path:
    """A picture of one grey, PNG or JPEG by its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((height, width, 3), grey % 256, np.uint8))
    return path


def write_drive(
    folder: Path, rows: list[dict[str, object]], table: str = "controls.csv", cameras=("rgb_front",)
) -> Path:
    """A drive whose k-th row has pictures CAMERA/000123.png, by frame number, of grey 10 + 5 k."""
    write_table(folder / table, rows)
    for camera in cameras:
        for k, row in enumerate(rows):
            write_picture(folder / camera / f"{row['frame']:06d}.png", 10 + 5 * k)
    return folder
