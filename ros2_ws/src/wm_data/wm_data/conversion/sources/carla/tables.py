"""Tables of controls as people write them: CSV, JSON, JSON lines, or a folder with one JSON file for each frame."""

import csv
import json
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ijson
from wm_bundle.files import open_regular

from wm_data.conversion.errors import ConversionError

_LONGEST_LINE = 1 << 20
_DEEPEST = 20
_UNITS_NS = {"": 1_000_000_000, "_s": 1_000_000_000, "_ms": 1_000_000, "_us": 1_000, "_ns": 1}
# Column names by meaning, the first that is there counts. Compared in lower case, other signs than letters and digits
# as '_', without a leading "control_", "vehicle_" or "ego_".
ALIASES = {
    "frame": ("frame", "frame_id", "frame_number", "frame_index", "frame_idx", "image_id", "step", "tick", "index"),
    **{
        f"stamp{unit}": tuple(f"{name}{unit}" for name in ("timestamp", "stamp", "time", "sim_time", "game_time"))
        for unit in ("_ns", "_us", "_ms", "_s", "")
    },
    "steer": ("steer", "steering"),
    "throttle": ("throttle", "gas"),
    "brake": ("brake",),
    "speed": ("speed", "velocity", "speed_mps", "forward_speed"),
    "speed_kmh": ("speed_kmh", "speed_kph", "velocity_kmh"),
    "yaw_rate": ("yaw_rate", "yawrate"),
    "collision": ("collision", "collisions", "collided"),
    "lane_invasion": ("lane_invasion", "lane_invasions"),
}
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg")
_FRONT_COLUMNS = ("image", "image_file", "image_path", "filename", "file_name", "file", "path", "img")


def number(value: object) -> float:
    """A cell as a number, NaN where it is none; true and false count as 1 and 0."""
    if isinstance(value, str):
        value = {"true": "1", "false": "0"}.get(value.strip().lower(), value)
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return result if math.isfinite(result) else math.nan


@dataclass(frozen=True)
class Columns:
    """What the columns of a table mean. ``by_meaning`` gives the column of a key of ALIASES, ``pictures`` the column
    with a camera's file names; ``names`` are all columns."""

    names: tuple[str, ...]
    by_meaning: dict[str, str]
    pictures: dict[str, str]

    @classmethod
    def of(cls, first_rows: list[dict[str, object]], file: Path) -> "Columns":
        """From a table's first rows. Raises ConversionError where two columns have the pictures of one camera."""
        names = tuple(dict.fromkeys(name for row in first_rows for name in row))
        plain = {_plain(name): name for name in reversed(names)}
        by_meaning = {}
        for meaning, aliases in ALIASES.items():
            there = [plain[alias] for alias in aliases if alias in plain]
            if there:
                by_meaning[meaning] = there[0]
        pictures: dict[str, str] = {}
        for name in names:
            if any(str(row.get(name)).strip().lower().endswith(PICTURE_ENDINGS) for row in first_rows):
                camera = "rgb_front" if _plain(name) in _FRONT_COLUMNS else name.strip()
                if camera in pictures:
                    raise ConversionError(
                        f"{file} has two columns with pictures of {camera}: {pictures[camera]} and {name}; "
                        f"rename one to its camera's name"
                    )
                pictures[camera] = name
        return cls(names, by_meaning, pictures)

    def value(self, row: dict[str, object], meaning: str) -> float:
        """A row's number, NaN where there is none."""
        return number(row.get(self.by_meaning[meaning])) if meaning in self.by_meaning else math.nan

    def frame(self, row: dict[str, object]) -> int | None:
        """A row's frame number."""
        frame = self.value(row, "frame")
        return int(frame) if abs(frame) < 1e15 and frame == int(frame) else None


class Clock:
    """The stamps of rows [ns]: from a column of time, or from frame numbers."""

    def __init__(self, columns: Columns, first_rows: list[dict[str, object]], frame_period_ns: int, file: Path):
        """``first_rows`` tell the unit of a column that does not say it: seconds, or nanoseconds where the steps are
        beyond all seconds. Raises ConversionError where there is neither time nor frame, and for an unclear unit."""
        timed = [meaning for meaning in columns.by_meaning if meaning.startswith("stamp")]
        if not timed and "frame" not in columns.by_meaning:
            raise ConversionError(
                f"{file} has no column of frame numbers or time ({ALIASES['frame'][0]}, timestamp, timestamp_ns, ...); "
                f"its columns are {', '.join(columns.names)}"
            )
        self.by_frame = not timed
        self.is_assumed_ns = False
        meaning = timed[0] if timed else "frame"
        self._column = columns.by_meaning[meaning]
        self._scale = frame_period_ns if self.by_frame else _UNITS_NS[meaning.removeprefix("stamp")]
        if meaning == "stamp":
            values = [columns.value(row, meaning) for row in first_rows]
            steps = sorted(abs(b - a) for a, b in zip(values, values[1:], strict=False) if b != a and a + b == a + b)
            usual = steps[len(steps) // 2] if steps else 0.0
            if usual > 1e5:
                self._scale, self.is_assumed_ns = 1, True
            elif usual > 10.0:
                raise ConversionError(
                    f"{file}: column {self._column} grows by {usual:g} from row to row, which are hardly seconds: name "
                    f"it after its unit, timestamp_ms, timestamp_us or timestamp_ns"
                )

    def stamp_ns(self, row: dict[str, object]) -> int | None:
        """A row's stamp; None where it has none."""
        value = row.get(self._column)
        try:
            exact = int(value) if isinstance(value, str | int) else None  # doubles hold no nanoseconds since 1970
        except ValueError:
            exact = None
        if exact is None:
            floating = number(value) * self._scale
            exact = round(floating) if abs(floating) < 2.0**62 else None
        else:
            exact *= self._scale
        return exact if exact is not None and abs(exact) < 2**62 else None


def rows(table: Path) -> Iterator[dict[str, object]]:
    """The rows of a table by column, read as a stream. Raises ConversionError, naming the place, for a damaged one."""
    place = _Place(table)
    try:
        if table.is_dir():
            yield from _folder_rows(table, place)
        elif table.suffix == ".csv":
            yield from _csv_rows(table, place)
        elif table.suffix == ".jsonl":
            yield from _json_lines(table, place)
        else:
            yield from _json_rows(table, place)
    except (OSError, csv.Error, ijson.JSONError, ValueError, RecursionError) as error:
        if isinstance(error, ConversionError):
            raise
        raise ConversionError(f"{place}: {(str(error).splitlines() or ['damaged'])[0]}") from None


class _Place:
    """Where in a table the reader is, for messages."""

    def __init__(self, table: Path):
        self.file = table
        self.row = 0

    def __str__(self) -> str:
        return f"{self.file}, row {self.row}"


def _lines(stream, place: _Place) -> Iterator[str]:
    while line := stream.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise ConversionError(f"{place}: a line of more than {_LONGEST_LINE} characters, expected a table")
        yield line


def _csv_rows(file: Path, place: _Place) -> Iterator[dict[str, object]]:
    with open_regular(file, encoding="utf-8-sig", newline="") as stream:
        head = stream.readline(_LONGEST_LINE)
        delimiter = max(",;\t", key=head.count)
        stream.seek(0)
        table = csv.reader(_lines(stream, place), delimiter=delimiter)
        header = [name.strip() for name in next(table, [])]
        for cells in table:
            place.row += 1
            if cells:
                yield dict(zip(header, cells, strict=False))


def _json_lines(file: Path, place: _Place) -> Iterator[dict[str, object]]:
    with open_regular(file, encoding="utf-8-sig") as stream:
        for line in _lines(stream, place):
            place.row += 1
            if line.strip():
                yield _flat(json.loads(line), place)


def _json_rows(file: Path, place: _Place) -> Iterator[dict[str, object]]:
    """Of a list, or of the first list in an object."""
    with open_regular(file, "rb") as stream:
        # ijson.items would build what is nested a hundred thousand deep, and crash the process on taking it down.
        events = ijson.basic_parse(stream, use_float=True)
        depth = 0
        for event, _ in events:
            if event == "start_array" and depth <= 1:
                break
            depth += event.startswith("start_") - event.startswith("end_")
        else:
            raise ConversionError(f"{file} holds no list of rows, expected [{{...}}, ...] or {{'frames': [...]}}")
        for event, value in events:
            if event == "end_array":
                return
            place.row += 1
            yield _flat(_built(event, value, events, place), place)


def _built(event: str, value: object, events: Iterator[tuple[str, object]], place: _Place, depth: int = 0) -> object:
    """The JSON value that begins with ``event``; the ``events`` after it are consumed up to its end."""
    if depth > _DEEPEST:
        raise ConversionError(f"{place} is nested more than {_DEEPEST} deep, expected an object with the row's values")
    if event == "start_map":
        built = {}
        for event, key in events:
            if event == "end_map":
                break
            built[key] = _built(*next(events), events, place, depth + 1)
        return built
    if event == "start_array":
        items = []
        for event, item in events:
            if event == "end_array":
                break
            items.append(_built(event, item, events, place, depth + 1))
        return items
    return value


def _folder_rows(folder: Path, place: _Place) -> Iterator[dict[str, object]]:
    """One JSON object in each file; the number in its name is the frame."""
    names = [(re.search(r"(\d{1,15})\.json$", name), name) for name in os.listdir(folder)]
    for frame, name in sorted((int(match[1]), name) for match, name in names if match):
        place.row = frame
        with open_regular(folder / name, encoding="utf-8-sig") as stream:
            text = stream.read(_LONGEST_LINE)
        yield {**_flat(json.loads(text), place), "frame": frame}


def _flat(item: object, place: _Place) -> dict[str, object]:
    """An object's values by name; those of an object within it have both names, joined by '_'."""
    if not isinstance(item, dict):
        raise ConversionError(f"{place} is a JSON {type(item).__name__}, expected an object with the row's values")
    flat: dict[str, object] = {}
    for name, value in item.items():
        if isinstance(value, dict):
            flat.update({f"{name}_{inner}": inner_value for inner, inner_value in value.items()})
        else:
            flat[name] = value
    return flat


def _plain(name: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return re.sub(r"^(control|vehicle|ego)_", "", plain)
