"""The meaning of a control table's columns, and the time of each row."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from wm_bundle.times import NS_PER_S
from wm_bundle.vector_inputs import COMMAND, VECTOR_INPUTS

from wm_data.conversion.moments import time_of_name, time_of_text
from wm_data.conversion.tables.reading import Row
from wm_data.errors import ConversionError

_UNITS_NS = {"": NS_PER_S, "_s": NS_PER_S, "_ms": 1_000_000, "_us": 1_000, "_ns": 1}
# Column names by meaning, the first one present counts; a vector input not listed here has a column of its name.
# Compared in lower case, with characters other than letters and digits as '_'; if none matches, without a leading
# "control_", "vehicle_" or "ego_".
ALIASES = {
    "frame": ("frame", "frame_id", "frame_number", "frame_index", "frame_idx", "image_id", "step", "tick", "index"),
    **{
        f"stamp{unit}": tuple(f"{name}{unit}" for name in ("timestamp", "stamp", "time", "sim_time", "game_time"))
        for unit in ("_ns", "_us", "_ms", "_s", "")
    },
    "steer": ("steer", "steering"),
    "throttle": ("throttle", "gas"),
    "brake": ("brake",),
    "speed": ("speed", "velocity", "speed_mps", "speed_m_s", "forward_speed"),
    "speed_kmh": ("speed_kmh", "speed_km_h", "speed_kph", "velocity_kmh"),
    "yaw_rate": ("yaw_rate", "yawrate"),
    "reverse": ("reverse", "is_reverse", "in_reverse"),
    "gear": ("gear",),
    "collision": ("collision", "collisions", "collided"),
    "lane_invasion": ("lane_invasion", "lane_invasions"),
}
_COMMAND = ("command", "high_level_command", "navigation_command", "road_option", "command_near")
_POSITION = {axis: (axis, f"location_{axis}", f"position_{axis}") for axis in "xy"}
_ROAD_OPTIONS = "left", "right", "straight", "lanefollow", "changelaneleft", "changelaneright"
"""CARLA's RoadOption from 1 on."""
COMMANDS = {name: entry for name, entry in VECTOR_INPUTS.items() if COMMAND.kind in entry.kinds}
"""The vector inputs of CARLA's high-level command."""
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg")
LEFT_OUT = "\0left_out"
"""A column added by readers: why a row is skipped, as "in reverse gear"; None if it is not."""
_FRONT_COLUMNS = "image image_name image_file image_path filename file_name file path img img_name".split()
_WORDS = {"true": "1", "false": "0", "yes": "1", "no": "0", "on": "1", "off": "0"}
_GEARS = dict.fromkeys(("r", "reverse"), -1.0) | dict.fromkeys(("n", "neutral", "p", "park", "parking"), 0.0)
_GEARS |= dict.fromkeys(("d", "drive", "forward", "f"), 1.0)
_SLOWEST_S, _FASTEST_NS = 2.0, 2e6  # steps of a time without a unit that may be seconds, or nanoseconds
_LISTED = 12
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_PREFIX = re.compile(r"^(control|vehicle|ego)_")
_NUMBER_OF_NAME = re.compile(r"(\d{1,15})\.[A-Za-z]+$")


def number(value: object) -> float:
    """A cell as a number, NaN if invalid; true, yes and on count as 1, false, no and off as 0, a decimal comma as a
    point."""
    if isinstance(value, str):
        value = _WORDS.get(value.strip().lower(), value.strip())
        if _DECIMAL_COMMA.fullmatch(value):
            value = value.replace(",", ".")
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return result if math.isfinite(result) else math.nan


def _gear(value: object) -> float:
    """A gear as a number, negative in reverse; NaN if invalid."""
    return _GEARS.get(value.strip().lower(), number(value)) if isinstance(value, str) else number(value)


@dataclass(frozen=True)
class Columns:
    """The meaning of a table's columns. ``by_meaning`` has the column of a key of ALIASES, ``pictures`` the column
    with a camera's file names; ``names`` are all columns."""

    names: tuple[str, ...]
    by_meaning: dict[str, str]
    pictures: dict[str, str]

    @classmethod
    def of(
        cls, first_rows: list[Row], file: Path, vector_inputs: Iterable[str] = (), positions: bool = False
    ) -> "Columns":
        """From a table's first rows; ``vector_inputs`` are looked for by their names too, and ``positions`` if wanted.
        Raises ConversionError where two columns have the pictures of one camera."""
        names = tuple(dict.fromkeys(name for row in first_rows for name in row if name != LEFT_OUT))
        exact = {_plain(name): name for name in reversed(names)}
        shorter = {_PREFIX.sub("", plain): name for plain, name in exact.items()}
        by_meaning = {}
        wanted = {name: (name,) for name in vector_inputs} | ALIASES
        if any(name in COMMANDS for name in vector_inputs):
            wanted["command"] = _COMMAND
        if positions:
            wanted |= _POSITION
        for meaning, aliases in wanted.items():
            there = [called[alias] for called in (exact, shorter) for alias in aliases if alias in called]
            if there:
                by_meaning[meaning] = there[0]
        for meaning, read in (("reverse", number), ("gear", _gear)):  # unknown values are ignored
            if not any(math.isfinite(read(row.get(by_meaning.get(meaning)))) for row in first_rows):
                by_meaning.pop(meaning, None)
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

    def value(self, row: Row, meaning: str) -> float:
        return number(row.get(self.by_meaning[meaning])) if meaning in self.by_meaning else math.nan

    def tells(self, name: str) -> bool:
        """Whether there is a column for a vector input."""
        return bool({name, f"{name}_kmh"} & self.by_meaning.keys()) or (
            name in COMMANDS and "command" in self.by_meaning
        )

    def vector_input(self, row: Row, name: str) -> float:
        """A row's number of a vector input that there is a column for, NaN where it has none."""
        if name in self.by_meaning:
            return self.value(row, name)
        if name in COMMANDS:
            told = row.get(self.by_meaning["command"])
            word = _plain(str(told)).removeprefix("roadoption_").replace("_", "")
            option = _ROAD_OPTIONS.index(word) + 1 if word in _ROAD_OPTIONS else number(told)
            return COMMANDS[name].sources[0].read(SimpleNamespace(data=option))
        return self.value(row, f"{name}_kmh") / 3.6

    def frame(self, row: Row) -> int | None:
        """A row's frame number; without such a column, the number in the name of its first picture."""
        if "frame" in self.by_meaning:
            frame = self.value(row, "frame")
            return int(frame) if abs(frame) < 1e15 and frame == int(frame) else None
        name = self.picture_name(row)
        match = None if time_of_name(name) is not None else _NUMBER_OF_NAME.search(name)
        return int(match[1]) if match else None

    def picture_name(self, row: Row) -> str:
        """The first picture name of a row, empty without one."""
        names = (row.get(column) for column in self.pictures.values())
        return next((name.strip() for name in names if isinstance(name, str) and name.strip()), "")

    def note_unused(self) -> str | None:
        """A note that lists the unused columns; None without any."""
        unused = [name for name in self.names if name not in {*self.by_meaning.values(), *self.pictures.values()}]
        more = f" and {len(unused) - _LISTED} more" if len(unused) > _LISTED else ""
        return f"columns that are not used: {', '.join(unused[:_LISTED])}{more}" if unused else None

    @property
    def tells_reverse(self) -> bool:
        return bool({"reverse", "gear"} & self.by_meaning.keys())

    def left_out(self, row: Row) -> str | None:
        """Why no action can be made from a row; None for a normal one."""
        if self.value(row, "reverse") > 0.0 or _gear(row.get(self.by_meaning.get("gear"))) < 0.0:
            return "in reverse gear"
        return row.get(LEFT_OUT)


class Clock:
    """The stamps of rows [ns]: from a column of time, the time in pictures' names, or frame numbers."""

    def __init__(
        self, columns: Columns, first_rows: list[Row], frame_period_ns: int, file: Path, prefers_frames: bool = False
    ):
        """``first_rows`` show the unit of a column that does not state it: seconds, or nanoseconds if the steps are too
        large for seconds. ``prefers_frames``: use frame numbers even if there is a time. Raises ConversionError where
        there is neither time nor frame, and for an unclear unit."""
        timed = [meaning for meaning in columns.by_meaning if meaning.startswith("stamp")]
        numbered = any(columns.frame(row) is not None for row in first_rows)
        named = any(time_of_name(columns.picture_name(row)) is not None for row in first_rows)
        if not (timed or named or numbered):
            raise ConversionError(
                f"{file} has no column of frame numbers or time ({ALIASES['frame'][0]}, timestamp, timestamp_ns, ...) "
                f"and no pictures with such in their names; its columns are {', '.join(columns.names)}"
            )
        self.by_frame = numbered and (prefers_frames or not (timed or named))
        self.is_assumed_ns = False
        self.is_of_names = not (timed or self.by_frame)
        self._columns = columns
        self._frame_period_ns = frame_period_ns
        if timed and not self.by_frame:
            self._column = columns.by_meaning[timed[0]]
            self._scale = _UNITS_NS[timed[0].removeprefix("stamp")]
            if timed[0] == "stamp":
                self._find_unit(first_rows, file)

    def _find_unit(self, first_rows: list[Row], file: Path) -> None:
        values = [self._columns.value(row, "stamp") for row in first_rows]
        steps = sorted(abs(b - a) for a, b in zip(values, values[1:], strict=False) if b != a and a + b == a + b)
        usual = steps[len(steps) // 2] if steps else 0.0
        if usual > _FASTEST_NS:
            self._scale, self.is_assumed_ns = 1, True
        elif usual > _SLOWEST_S:
            raise ConversionError(
                f"{file}: column {self._column} grows by {usual:g} from row to row, which are hardly seconds: name "
                f"it after its unit, timestamp_ms, timestamp_us, timestamp_ns or timestamp_s"
            )

    def stamp_ns(self, row: Row) -> int | None:
        if self.by_frame:
            frame = self._columns.frame(row)
            return None if frame is None else _bounded(frame * self._frame_period_ns)
        if self.is_of_names:
            return time_of_name(self._columns.picture_name(row))
        value = row.get(self._column)
        try:
            exact = int(value) if isinstance(value, str | int) else None  # doubles cannot hold nanoseconds since 1970
        except ValueError:
            exact = None
        if exact is not None:
            return _bounded(exact * self._scale)
        floating = number(value) * self._scale
        if abs(floating) < 2.0**62:
            return round(floating)
        return time_of_text(value) if isinstance(value, str) else None


def _bounded(stamp_ns: int) -> int | None:
    return stamp_ns if abs(stamp_ns) < 2**62 else None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
