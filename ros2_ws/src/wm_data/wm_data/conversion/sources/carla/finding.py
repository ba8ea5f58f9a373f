"""Finding episode files and folders of pictures with a table of controls."""

import os
from collections.abc import Iterator
from pathlib import Path

from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.drive import DriveRef
from wm_data.conversion.naming import uniquely_named
from wm_data.conversion.tables.reading import FRAME_FILE
from wm_data.errors import ConversionError
from wm_data.files import readable, walk

TABLE_NAMES = ("controls", "control", "measurements", "driving_log", "actions", "log", "data", "labels")
TABLE_ENDINGS = (".csv", ".json", ".jsonl")
TABLE_FOLDERS = (*TABLE_NAMES[:3], "anno")


def find_drives(options: ConvertOptions) -> list[DriveRef]:
    """One per *.npz episode and per folder with a table of controls, in the order of their paths.

    A folder with a table is one drive, and everything below belongs to it. Raises ConversionError where there is no
    such thing."""
    with readable(options.source):
        return uniquely_named(_found(Path(options.source).expanduser()))


def _found(source: Path) -> list[DriveRef]:
    if source.is_file():
        if source.suffix == ".npz":
            return [_episode(source.stem, source)]
        if source.suffix in TABLE_ENDINGS:
            return [_table(source.resolve().parent.name, source.parent, source)]
        raise ConversionError(f"{source} is neither an .npz episode nor a table ({', '.join(TABLE_ENDINGS)})")
    if not source.is_dir():
        raise ConversionError(f"no file or folder {source}, expected episodes or pictures with a table of controls")
    found = list(_in_folder(source))
    if not found:
        raise ConversionError(
            f"{source} holds no *.npz episode, and no folder with a table of controls: expected a file such as "
            f"controls.csv or controls.json, or a folder measurements/ of JSON files, beside the pictures; DonkeyCar "
            f"tubs are read by `convert donkeycar`"
        )
    return found


def _in_folder(source: Path) -> Iterator[DriveRef]:
    for place, folders, files in walk(source):
        name = "_".join(place.relative_to(source).parts)
        tables = _tables(place, folders, files)
        if tables:
            folders.clear()
            yield _table(name or source.resolve().name, place, *tables)
            continue
        for file in files:
            if file.endswith(".npz"):
                yield _episode("_".join(part for part in (name, Path(file).stem) if part), place / file)


def _tables(place: Path, folders: list[str], files: list[str]) -> list[Path]:
    """Candidates for a folder's table."""
    named = [file for file in files if Path(file).stem in TABLE_NAMES and Path(file).suffix in TABLE_ENDINGS]
    named += [folder for folder in folders if folder in TABLE_FOLDERS and _holds_json(place / folder)]
    if not named:
        named = [file for file in files if file.endswith(".csv")]
    return [place / name for name in named]


def _holds_json(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return any(FRAME_FILE.search(entry.name) for entry in entries)


def _episode(name: str, file: Path) -> DriveRef:
    return DriveRef(name, {"whole_episode": True, "episode": str(file)}, (str(file),))


def _table(name: str, folder: Path, *tables: Path) -> DriveRef:
    return DriveRef(
        name, {"whole_episode": False, "folder": str(folder), "tables": [*map(str, tables)]}, (str(folder),)
    )
