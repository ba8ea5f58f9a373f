"""Finds the bags under a path: each is a drive."""

import os
import re
from pathlib import Path

from wm_data.bags.layout import FILE_SUFFIXES, MCAP_SUFFIXES, METADATA
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.drive import DriveRef
from wm_data.conversion.naming import safe_name, uniquely_named
from wm_data.errors import ConversionError

_EXPECTED = "expected a bag's folder, a .mcap, .db3 or .bag file, or a folder that holds such"


def find_drives(options: ConvertOptions) -> list[DriveRef]:
    """The bags at ``options.source``, or in its folders at any depth, sorted by name.

    A folder with a metadata.yaml is one bag. Without it, the files FOLDER_0.mcap, FOLDER_1.mcap, … of a folder named
    FOLDER are one bag in pieces, as rosbag2 names them; every other .mcap, .db3 and .bag file is a separate bag.
    Raises ConversionError where there is none.
    """
    source = Path(options.source).expanduser()
    if not source.exists():
        raise ConversionError(f"{source} does not exist, {_EXPECTED}")
    if source.is_file():
        if not source.name.endswith((*FILE_SUFFIXES, *MCAP_SUFFIXES)):
            raise ConversionError(f"{source} is a file that ends in '{source.suffix}', {_EXPECTED}")
        return [_reference(safe_name(_without_ending(source)), [source])]
    bags = sorted(_bags_below(source))
    if not bags:
        raise ConversionError(f"{source} holds no bag, {_EXPECTED}")
    refs = uniquely_named(_reference(_name(source, files), files) for files in bags)
    return sorted(refs, key=lambda ref: ref.name)


def _bags_below(source: Path) -> list[list[Path]]:
    """The files of each bag; a bag with metadata is its folder alone."""
    bags = []
    for folder_name, subfolders, file_names in os.walk(source):
        folder = Path(folder_name)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        found = sorted(name for name in file_names if not name.startswith("."))
        here = [name for name in found if name.endswith(FILE_SUFFIXES)]
        if METADATA in found and (here or folder == source):
            bags.append([folder])
            subfolders.clear()
        else:
            bags += _bare_bags(folder, here)
    return bags


def _is_piece(file: Path) -> re.Match | None:
    """Whether a file is named like a rosbag2 piece: FOLDER_3.mcap in a folder FOLDER."""
    return re.fullmatch(re.escape(file.parent.resolve().name) + r"_(\d+)(\.mcap|\.db3)(\.zstd)?", file.name)


def _bare_bags(folder: Path, names: list[str]) -> list[list[Path]]:
    """Files of a folder without metadata, those that are pieces of one bag together."""
    pieces: dict[str, list[tuple[int, Path]]] = {}
    bags = []
    for name in names:
        match = _is_piece(folder / name)
        if match:
            pieces.setdefault(match.group(2), []).append((int(match.group(1)), folder / name))
        else:
            bags.append([folder / name])
    return bags + [[path for _, path in sorted(several)] for several in pieces.values()]


def _name(source: Path, files: list[Path]) -> str:
    """A drive's name: its path below the source, without the suffix."""
    first = files[0]
    path = first
    if _is_piece(first):
        path = first.parent
    elif first.is_file():
        path = first.with_name(_without_ending(first))
    if path == source:
        return path.resolve().name
    return "-".join(path.relative_to(source).parts)


def _without_ending(file: Path) -> str:
    """A bag's file name without its storage suffixes."""
    for ending in (".part", ".active", ".zstd"):
        file = file.with_name(file.name.removesuffix(ending))
    return file.stem


def _reference(name: str, files: list[Path]) -> DriveRef:
    paths = tuple(str(file) for file in files)
    return DriveRef(name, {"paths": list(paths)}, paths)
