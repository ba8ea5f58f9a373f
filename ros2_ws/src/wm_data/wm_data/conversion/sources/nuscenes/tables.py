"""The tables of nuScenes: JSON lists of rows, read row by row, because the largest do not fit in memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import ijson
import numpy as np
from wm_bundle.files import open_regular

from wm_data.errors import ConversionError

NEEDED = ("log", "scene", "sample", "sample_data", "ego_pose", "calibrated_sensor", "sensor")
TOKEN_BYTES = 16
_BLOCK_BYTES = 1 << 18
_DEEPEST = 1000
_STEPS = np.zeros(256, np.int8)
_STEPS[[ord("["), ord("{")]] = 1
_STEPS[[ord("]"), ord("}")]] = -1


def check_tables(folder: Path) -> None:
    """Raises ConversionError that names the tables a version's folder lacks."""
    missing = [f"{name}.json" for name in NEEDED if not (folder / f"{name}.json").is_file()]
    if missing:
        raise ConversionError(
            f"{folder} lacks the tables {', '.join(missing)}: unpack the metadata archive of this version again"
        )


class _Shallow:
    """A file with limited nesting: ijson would crash the process at a depth of a hundred thousand."""

    def __init__(self, file: BinaryIO, path: Path):
        self._file = file
        self._path = path
        self._depth = 0

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        # Brackets within strings count as well, but are too few to matter.
        steps = _STEPS[np.frombuffer(data, np.uint8)]
        depths = np.cumsum(steps, dtype=np.int32)
        if len(depths):
            if self._depth + int(depths.max()) > _DEEPEST:
                raise ConversionError(f"{self._path} is nested more than {_DEEPEST} deep, expected a list of rows")
            self._depth += int(depths[-1])
        return data


class Table:
    """One table. Iterating yields its rows in order; the methods read a value of the latest row.

    All raise ConversionError, with the file and the row, for a damaged file, and for a value that is
    missing or of another type.
    """

    def __init__(self, folder: Path, name: str):
        self.path = folder / f"{name}.json"
        self._number = 0

    def __iter__(self) -> Iterator[dict]:
        self._number = 0
        try:
            with open_regular(self.path, "rb") as file:
                for row in ijson.items(_Shallow(file, self.path), "item", buf_size=_BLOCK_BYTES, use_float=True):
                    self._number += 1
                    if not isinstance(row, dict):
                        raise self.error(f"is {row!r:.40}, expected a row with named columns")
                    yield row
        except OSError as error:
            raise ConversionError(f"cannot read {self.path}: {error.strerror}") from None
        except (ijson.JSONError, UnicodeDecodeError) as error:
            what = str(error).partition("\n")[0].strip()
            raise ConversionError(
                f"{self.path} is damaged after row {self._number}: {what}; get the file again"
            ) from None

    def error(self, text: str) -> ConversionError:
        """A ConversionError about the latest row."""
        return ConversionError(f"row {self._number} of {self.path} {text}")

    def text(self, row: dict, column: str) -> str:
        value = row.get(column)
        if not isinstance(value, str):
            raise self.error(f"has {value!r:.40} as {column}, expected a text")
        return value

    def token(self, row: dict, column: str) -> bytes:
        """The 16 bytes of a token; zeros for the empty token, which means no row."""
        try:
            token = bytes.fromhex(self.text(row, column))
        except ValueError as error:
            if isinstance(error, ConversionError):
                raise
            token = b"?"
        if len(token) not in (0, TOKEN_BYTES):
            raise self.error(f"has {row[column]!r:.60} as {column}, expected a token of 32 hexadecimal digits")
        return token or bytes(TOKEN_BYTES)

    def stamp_ns(self, row: dict) -> int:
        """The column timestamp [us] as nanoseconds."""
        value = row.get("timestamp")
        if type(value) is not int or not 0 <= value < 1 << 53:
            raise self.error(f"has {value!r:.40} as timestamp, expected microseconds since 1970")
        return value * 1000

    def numbers(self, row: dict, column: str, length: int) -> list[float]:
        value = row.get(column)
        if not isinstance(value, list) or len(value) != length or not all(type(x) in (int, float) for x in value):
            raise self.error(f"has {value!r:.60} as {column}, expected a list of {length} numbers")
        return value
