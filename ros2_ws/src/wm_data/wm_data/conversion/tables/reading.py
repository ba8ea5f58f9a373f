"""Reads tables in common formats: CSV, JSON, JSON lines, or a folder with one JSON file per frame."""

import csv
import gzip
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import ijson
from wm_bundle.files import open_regular

from wm_data.errors import ConversionError

Row = dict[str, object]
"""A row's values by column name."""
_LONGEST_LINE = 1 << 20
_LARGEST_FRAME_FILE = 1 << 25  # characters; some contain every actor and its box
_DEEPEST = 20
FRAME_FILE = re.compile(r"(\d{1,15})\.json(\.gz)?$")


@dataclass(frozen=True)
class Table:
    """A table: its file or folder, for messages, and a function that yields its rows. The function raises
    ConversionError, with the place, for a damaged table."""

    path: Path
    rows: Callable[[], Iterator[Row]]

    @classmethod
    def of(cls, path: Path) -> "Table":
        """From a file that ends in .csv, .json or .jsonl, or a folder of JSON files."""
        return cls(path, lambda: _rows(path))


def reading(place: "Place", read: Iterator[Row]) -> Iterator[Row]:
    """``read``, with errors as ConversionErrors that name the place."""
    try:
        yield from read
    except UnicodeDecodeError as error:
        raise ConversionError(
            f"{place}: the byte 0x{error.object[error.start]:02x} is no {error.encoding.upper()} text: save the table "
            f"as UTF-8"
        ) from None
    except (OSError, EOFError, zlib.error, csv.Error, ijson.JSONError, ValueError, RecursionError) as error:
        if isinstance(error, ConversionError):
            raise
        raise ConversionError(f"{place}: {(str(error).splitlines() or ['damaged'])[0]}") from None


class Place:
    """The reader's position in a table, for messages."""

    def __init__(self, file: Path):
        self.file = file
        self.row = 0

    def __str__(self) -> str:
        return f"{self.file}, row {self.row}"


def _rows(table: Path) -> Iterator[Row]:
    place = Place(table)
    if table.is_dir():
        return reading(place, _folder_rows(table, place))
    read = {".csv": csv_rows, ".jsonl": json_lines}.get(table.suffix, _json_rows)
    return reading(place, read(table, place))


def lines(file: Path, place: Place) -> Iterator[str]:
    """The lines of a text file in UTF-8, or in UTF-16 as written by spreadsheets."""
    with open_regular(file, encoding=_encoding(file), newline="") as stream:
        while line := stream.readline(_LONGEST_LINE):
            if len(line) == _LONGEST_LINE:
                raise ConversionError(f"{place}: a line of more than {_LONGEST_LINE} characters, expected a table")
            yield line


def _encoding(file: Path) -> str:
    with open_regular(file, "rb") as stream:
        begin = stream.read(2)
    if begin in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    if len(begin) == 2 and 0 in begin:  # Latin letters without a byte order mark
        return "utf-16-be" if begin[0] == 0 else "utf-16-le"
    return "utf-8-sig"


def csv_rows(file: Path, place: Place, header: list[str] | None = None) -> Iterator[Row]:
    """Rows of a CSV file whose first line is the header, unless a ``header`` is given."""
    delimiter = max(",;\t", key=next(lines(file, place), "").count)
    table = csv.reader(lines(file, place), delimiter=delimiter)
    if header is None:
        header = [name.strip() for name in next(table, [])]
        if any(re.search(r"\.(png|jpe?g)$", name, re.IGNORECASE) for name in header):
            raise ConversionError(
                f"{file} begins with {', '.join(header):.200}, expected a line with the names of the columns; a "
                f"recording of Udacity's simulator is read by `convert udacity`"
            )
    for cells in table:
        place.row += 1
        if any(cell.strip() for cell in cells[len(header) :]):
            raise ConversionError(
                f"{place} has {len(cells)} cells, there are {len(header)} columns: where numbers have decimal commas, "
                f"cells must be apart by semicolons or tabs"
            )
        if cells:
            yield dict(zip(header, cells, strict=False))


def json_lines(file: Path, place: Place) -> Iterator[Row]:
    """Rows of a file with a JSON object per line."""
    for line in lines(file, place):
        place.row += 1
        if line.strip():
            yield flat(json.loads(line), place)


def _json_rows(file: Path, place: Place) -> Iterator[Row]:
    """Rows of a list, or of the first list in an object."""
    if _encoding(file) != "utf-8-sig":
        raise ConversionError(f"{file} is UTF-16 text, expected JSON in UTF-8: save it as that")
    with open_regular(file, "rb") as stream:
        # Not ijson.items: it would build extremely deep nesting, and crash on freeing it.
        events = ijson.basic_parse(stream, use_float=True)
        depth = 0
        for event, _ in events:
            if event == "start_array" and depth <= 1:
                break
            depth += event.startswith("start_") - event.startswith("end_")
        else:
            raise ConversionError(f"{file} holds no list of rows, expected [{{...}}, ...] or {{'frames': [...]}}")
        depth, builder = 0, ijson.ObjectBuilder()
        for event, value in events:
            if depth == 0:
                if event == "end_array":
                    return
                place.row += 1
                builder = ijson.ObjectBuilder()
            depth += event.startswith("start_") - event.startswith("end_")
            if depth > _DEEPEST:
                raise ConversionError(
                    f"{place} is nested more than {_DEEPEST} deep, expected an object with the row's values"
                )
            builder.event(event, value)
            if depth == 0:
                yield flat(builder.value, place)


def _folder_rows(folder: Path, place: Place) -> Iterator[Row]:
    """One JSON object per file, possibly compressed; the number in its name is the frame."""
    names = [(FRAME_FILE.search(name), name) for name in os.listdir(folder)]
    for frame, name in sorted((int(match[1]), name) for match, name in names if match):
        place.row = frame
        yield {**flat(json.loads(_text(folder / name, place)), place), "frame": frame}


def _text(file: Path, place: Place) -> str:
    """A small file's text; its unpacked size is limited too."""
    with open_regular(file, "rb") as raw:
        stream = gzip.GzipFile(fileobj=raw) if file.suffix == ".gz" else raw
        data = stream.read(_LARGEST_FRAME_FILE + 1)
    if len(data) > _LARGEST_FRAME_FILE:
        raise ConversionError(f"{place}: {file.name} holds more than {_LARGEST_FRAME_FILE} bytes, expected one frame")
    return data.decode("utf-8-sig")


def flat(item: object, place: Place) -> Row:
    """An object's values by name; nested ones have both names, joined by '_'."""
    if not isinstance(item, dict):
        raise ConversionError(f"{place} is a JSON {type(item).__name__}, expected an object with the row's values")
    row: Row = {}
    for name, value in item.items():
        if isinstance(value, dict):
            row.update({f"{name}_{inner}": inner_value for inner, inner_value in value.items()})
        else:
            row[name] = value
    return row
