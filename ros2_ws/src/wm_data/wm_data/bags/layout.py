"""The files of a bag, and the contents of its metadata.yaml."""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePath

import yaml

from wm_data.bags.connection import full_type
from wm_data.errors import ConversionError
from wm_data.files import read_small_file
from wm_data.notes import Notes

METADATA = "metadata.yaml"
MCAP_SUFFIXES = (".mcap", ".mcap.part")  # .part: left by a killed `record`, used only if named
ROS1_SUFFIXES = (".bag", ".bag.active")  # .active: left by a killed `rosbag record`
FILE_SUFFIXES = (".mcap", ".db3", *ROS1_SUFFIXES, ".mcap.zstd", ".db3.zstd")
_STORED = re.compile(r"(?P<stem>.+?)(_(?P<number>\d+))?(?P<suffix>\.mcap|\.db3)(\.zstd)?")
_MAX_METADATA_BYTES = 1 << 26


@dataclass
class Layout:
    """The files of a bag in order. ``promised``: messages per (topic, type), from a metadata.yaml."""

    files: list[Path]
    promised: Counter = field(default_factory=Counter)


def layout_of(paths: list[Path], report: Notes, recover: bool) -> Layout:
    """The layout of a bag: its folder, or its files.

    Pieces in the folder are used even if the metadata does not list them, as when the recorder was killed. With
    ``recover`` damaged metadata and missing files are ignored, with a note. Raises ConversionError, OSError.
    """
    for path in paths:
        if not path.exists():
            raise ConversionError(f"{path} does not exist any more")
    if not paths[0].is_dir():
        return Layout(list(paths))
    (folder,) = paths
    there = sorted((file for file in folder.iterdir() if _STORED.fullmatch(file.name)), key=_place)
    if not (folder / METADATA).exists():
        raise ConversionError(f"{folder} has no {METADATA}: make one with `ros2 bag reindex {folder}`")
    try:
        listed, promised = _listed(folder / METADATA)
    except ConversionError as error:
        if not recover:
            raise ConversionError(f"{folder} cannot be read as a bag: {error}") from None
        report.note(f"{error}: all files of the folder are read")
        return Layout(there)
    return Layout(_with_unlisted([folder / name for name in listed], there, report, recover), promised)


def _listed(file: Path) -> tuple[list[str], Counter]:
    """The files and message counts in the metadata. Raises ConversionError."""
    try:
        told = yaml.load(read_small_file(file, _MAX_METADATA_BYTES), _Loader)["rosbag2_bagfile_information"]
        names = [PurePath(name).name for name in told["relative_file_paths"]]
        promised: Counter = Counter()
        for entry in told.get("topics_with_message_count") or []:
            topic = entry["topic_metadata"]
            promised[str(topic["name"]), full_type(str(topic["type"]))] += int(entry["message_count"])
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        what = " ".join(str(error).split())[:200]
        raise ConversionError(f"its {METADATA} is damaged ({type(error).__name__}: {what})") from None
    return names, promised


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML without Python objects, by the faster library if available."""


def _with_unlisted(listed: list[Path], there: list[Path], report: Notes, recover: bool) -> list[Path]:
    """The files to read: those listed, and other pieces of the same bag."""
    missing = [file for file in listed if not file.exists()]
    if missing:
        names = ", ".join(str(file) for file in missing)
        if not recover:
            raise ConversionError(
                f"{listed[0].parent} cannot be read as a bag: its {METADATA} lists {names}, which is not there: bring "
                f"it back, or read what is there with --recover"
            )
        report.note(f"{names}, which the {METADATA} lists, is not there")
        if len(missing) == len(listed):  # renamed, perhaps
            return there
    files = [file for file in listed if file not in missing]
    pieces = {_piece(file) for file in listed} or {_piece(file) for file in there}
    bags = {piece[:2] for piece in pieces if piece is not None}
    for file in there:
        if file in listed:
            continue
        piece = _piece(file)
        if piece is not None and piece[:2] in bags and (not listed or piece not in pieces):
            report.note(f"{file.name} is read too: a piece of the bag that its {METADATA} does not list")
            files = sorted([*files, file], key=_place)
        else:
            report.note(f"{file.name} is not read: the {METADATA} beside it does not list it")
    return files


def _piece(file: Path) -> tuple[str, str, int] | None:
    """(bag, suffix, number) of a file named like a piece of a bag."""
    match = _STORED.fullmatch(file.name)
    if match is None or match["number"] is None:
        return None
    return match["stem"], match["suffix"], int(match["number"])


def _place(file: Path) -> tuple[str, int, str]:
    match = _STORED.fullmatch(file.name)
    return (match["stem"], int(match["number"] or 0), file.name) if match else (file.name, 0, file.name)
