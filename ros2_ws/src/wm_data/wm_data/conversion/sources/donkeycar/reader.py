"""DonkeyCar tubs as drives: catalogs of records next to a folder of pictures, or one JSON file per record.

A tub has a manifest.json, whose fifth line lists its catalogs and the deleted records, catalog_*.catalog with a record
per line, and the pictures in images/. One from before 2020 has record_N.json files next to the pictures, and its
exclude.json lists the deleted ones.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.drive import Drive, DriveRef
from wm_data.conversion.naming import uniquely_named
from wm_data.conversion.tables.columns import LEFT_OUT, PICTURE_ENDINGS, number
from wm_data.conversion.tables.drive import Frames, drive_of
from wm_data.conversion.tables.reading import Place, Row, Table, flat, lines, reading
from wm_data.errors import ConversionError
from wm_data.files import read_small_file, readable, walk

FRAMES = Frames(50_000_000, "DonkeyCar")  # DRIVE_LOOP_HZ by default: 20
_FASTEST_NS = 8_000_000  # cameras of such cars have up to 90 pictures per second
_CATALOGS_LINE = 4
_MAX_MANIFEST_BYTES = 1 << 24
_MAX_RECORD_BYTES = 1 << 20
_RECORD = re.compile(r"record_(\d{1,15})\.json", re.ASCII)
_CAMERA, _FRONT = "cam/image_array", "image"  # "image" is the camera rgb_front, see tables.py
_UNREADABLE = {LEFT_OUT: "whose record cannot be read"}  # left by a power failure
_SESSIONS_APART = 1000  # frames: a restarted car did not continue from where it was
_SPEEDS = ("enc/speed", "pos/speed")  # [m/s], of cars with an encoder and of the simulator


def find_drives(options: ConvertOptions) -> list[DriveRef]:
    """One per tub: the source, or the folders below it, in the order of their paths. Raises ConversionError where there
    is none."""
    source = Path(options.source).expanduser()
    if not source.is_dir():
        raise ConversionError(f"{source} is not a folder, expected a DonkeyCar tub or a folder of such")
    with readable(source):
        found = list(_tubs_below(source))
    if not found:
        raise ConversionError(
            f"{source} holds no DonkeyCar tub: expected manifest.json with catalog_0.catalog, or record_0.json"
        )
    return uniquely_named(
        DriveRef("_".join(tub.relative_to(source).parts) or source.resolve().name, {"folder": str(tub)}, (str(tub),))
        for tub in found
    )


@contextmanager
def open_drive(ref: DriveRef, options: ConvertOptions) -> Iterator[Drive]:
    folder = Path(ref.locator["folder"])
    if (folder / "manifest.json").is_file():
        table = Table(folder / "manifest.json", partial(_catalog_rows, folder))
    else:
        table = Table(folder, partial(_record_rows, folder))
    drive = drive_of(table, folder, ref.name, options, FRAMES, {"dataset": "donkeycar"})
    if drive.picture_period_ns < _FASTEST_NS:
        raise ConversionError(
            f"{folder}: the records are {drive.picture_period_ns / 1e6:g} ms apart, faster than any car: they were "
            f"stamped when the tub was converted from an older one; give the car's own rate, --frame-rate 20 usually"
        )
    drive.report.note("steer is a share of the car's own largest angle, which a tub does not tell")
    yield drive


def _tubs_below(source: Path) -> Iterator[Path]:
    for folder, folders, files in walk(source):
        catalogs = "manifest.json" in files and any(name.endswith(".catalog") for name in files)
        if catalogs or any(_RECORD.fullmatch(name) for name in files):
            folders.clear()
            yield folder


def _catalog_rows(folder: Path) -> Iterator[Row]:
    """Rows of all catalogs in the manifest, in its order."""
    manifest = folder / "manifest.json"
    try:
        told = json.loads(read_small_file(manifest, _MAX_MANIFEST_BYTES).splitlines()[_CATALOGS_LINE])
        paths = [str(name) for name in told["paths"]]
        deleted = {int(index) for index in told["deleted_indexes"]}
    except (ValueError, IndexError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, ConversionError):
            raise
        raise ConversionError(
            f"{manifest} is damaged: expected five lines of JSON, the fifth with paths and deleted_indexes"
        ) from None
    session, breaks = None, 0
    for name in paths:
        if Path(name).name != name:
            raise ConversionError(f"{manifest} names the catalog {name!r}, expected one beside it")
        place = Place(folder / name)
        for record in reading(place, _catalog_records(place)):
            index = record.get("_index")
            if record.get("_session_id", session) != session:
                breaks += session is not None
                session = record["_session_id"]
            row = _row(record, index if isinstance(index, int) else None, deleted, "images/")
            if row["frame"] is not None:
                row["frame"] += breaks * _SESSIONS_APART
            yield row


def _catalog_records(place: Place) -> Iterator[Row]:
    for line in lines(place.file, place):
        place.row += 1
        if line.strip():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                record = _UNREADABLE
            yield flat(record, place)


def _record_rows(folder: Path) -> Iterator[Row]:
    """Rows of the record_N.json files in the order of their numbers."""
    deleted = _excluded(folder / "exclude.json")
    names = [match for name in os.listdir(folder) if (match := _RECORD.fullmatch(name))]
    for match in sorted(names, key=lambda match: int(match[1])):
        place, index = Place(folder / match[0]), int(match[1])
        try:
            record = json.loads(read_small_file(place.file, _MAX_RECORD_BYTES))
        except (ValueError, RecursionError) as error:
            if isinstance(error, ConversionError):
                raise
            record = _UNREADABLE
        yield _row(flat(record, place), index, deleted, "")


def _excluded(file: Path) -> set[int]:
    if not file.is_file():
        return set()
    try:
        return {int(index) for index in json.loads(read_small_file(file, _MAX_MANIFEST_BYTES))}
    except (ValueError, TypeError, RecursionError) as error:
        if isinstance(error, ConversionError):
            raise
        raise ConversionError(f"{file} is damaged: expected a list of record numbers") from None


def _row(record: Row, index: int | None, deleted: set[int], pictures: str) -> Row:
    """A record with the column names of tables.py; ``pictures`` is the prefix of its picture names."""
    mode = record.get("user/mode") or "user"
    steered_by = "user" if mode == "user" else "pilot"
    driven_by = "user" if mode in ("user", "local_angle") else "pilot"
    row: Row = {
        "frame": index,
        "steer": record.get(f"{steered_by}/angle"),
        "throttle": record.get(f"{driven_by}/throttle"),
        "brake": 0.0,
        LEFT_OUT: record.get(LEFT_OUT) or _why_left_out(record, index in deleted, steered_by, driven_by),
    }
    if isinstance(record.get("timestamp"), str):  # of older cars, also in tubs converted from them
        row["timestamp"] = record["timestamp"]
    elif "_timestamp_ms" in record or "milliseconds" in record:
        row["timestamp_ms"] = record.get("_timestamp_ms", record.get("milliseconds"))
    speed = next((record[name] for name in _SPEEDS if name in record), None)
    if speed is not None:
        row["speed"] = speed
    for name, value in record.items():
        if isinstance(value, str) and value.lower().endswith(PICTURE_ENDINGS):
            camera = _FRONT if name == _CAMERA else name.replace("/", "_")
            row[camera] = pictures + value.replace("\\", "/").rsplit("/", 1)[-1]
    return row


def _why_left_out(record: Row, is_deleted: bool, steered_by: str, driven_by: str) -> str | None:
    if is_deleted or record.get("__empty__"):
        return "that was deleted in the tub"
    if f"{steered_by}/angle" not in record or f"{driven_by}/throttle" not in record:
        who = "the pilot's" if "pilot" in (steered_by, driven_by) else "the user's"
        return f"without {who} command, by which the car was driven"
    if number(record[f"{driven_by}/throttle"]) < 0.0:
        return "with a throttle below zero, which brakes or drives backwards"
    return None
