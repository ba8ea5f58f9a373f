"""Episode files: written atomically, uncompressed, and read through the page cache without copying.

The format is described in docs/architecture.md and docs/episodes.md; files with only the seed's four keys load too.
"""

import json
import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from wm_bundle.files import open_regular, replacing
from wm_bundle.vector_inputs import VectorInput

EPISODE_FORMAT_VERSION = 1
# Raised by zipfile, zlib and numpy for damaged files; RuntimeError: an unknown compression or encryption.
_DAMAGE = (OSError, ValueError, EOFError, RuntimeError, TypeError, MemoryError)
_DAMAGE += (struct.error, zipfile.BadZipFile, zlib.error, tokenize.TokenError)
# Type and number of axes; files that lack the last three of these load too.
_NEEDED = {
    "observations": (np.uint8, 4),
    "actions": (np.float32, 2),
    "rewards": (np.float32, 1),
    "dones": (bool, 1),
    "terminals": (bool, 1),
    "vector": (np.float32, 2),
    "expert_actions": (np.float32, 2),
}
_OPTIONAL = {"stamps_ns": np.int64, "camera_mask": bool, "reward_terms": np.float32}
# Smaller members are read: a process may have some 65,000 maps, and a map has pages of 4 KiB.
_MAPPED_BYTES = 1 << 16


class EpisodeError(ValueError):
    """An episode file or folder that cannot be used, and why."""


@dataclass(frozen=True)
class Episode:
    """One drive. Arrays share the first axis T; time is drawn in docs/architecture.md."""

    observations: np.ndarray
    """uint8 (T, C, H, W) RGB, cameras stacked along C."""
    actions: np.ndarray
    """float32 (T, 3): steer, throttle, brake."""
    rewards: np.ndarray
    """float32 (T,)."""
    dones: np.ndarray
    """bool (T,): the episode ended after this row."""
    terminals: np.ndarray
    """bool (T,): it terminated; a done that is not terminal is a truncation."""
    vector: np.ndarray
    """float32 (T, V), names and units in ``meta["vector"]``; NaN where a column is not known that has ``"gaps": true``
    there."""
    expert_actions: np.ndarray
    """float32 (T, 3): the expert's action at o_t; NaN where unknown."""
    stamps_ns: np.ndarray | None = None
    """int64 (T,) stamp of o_t [ns]."""
    camera_mask: np.ndarray | None = None
    """bool (T, K): False where a camera's picture is missing and its pixels are meaningless; None: none missing."""
    reward_terms: np.ndarray | None = None
    """float32 (T, R): the terms of the reward, named in ``meta["reward_terms"]``; NaN where unknown."""
    meta: dict = field(default_factory=dict)
    """Format version, cameras, rate_hz, vector, action convention, reward, source."""

    def __len__(self) -> int:
        return len(self.actions)

    def told(self, entry: VectorInput) -> np.ndarray | None:
        """A vector input (T,); None if the meta has no such column."""
        place = entry.place(self.meta.get("vector"))
        return None if place is None or place >= self.vector.shape[1] else self.vector[:, place]


def write_episode(path: str | os.PathLike, episode: Episode) -> Path:
    """Write ``episode`` as an uncompressed npz: to a temporary file first, then renamed. Returns the path."""
    path = Path(path)
    _validate(episode, path)
    arrays = {key: np.ascontiguousarray(getattr(episode, key), kind) for key, (kind, _) in _NEEDED.items()}
    arrays["meta"] = np.array(json.dumps({**episode.meta, "format_version": EPISODE_FORMAT_VERSION}, sort_keys=True))
    for key, kind in _OPTIONAL.items():
        if getattr(episode, key) is not None:
            arrays[key] = np.ascontiguousarray(getattr(episode, key), kind)
    with replacing(path) as partial, open(partial, "wb") as stream:
        np.savez(stream, **arrays)
    return path


def read_episode(path: str | os.PathLike) -> Episode:
    """Open an episode. Members of uncompressed files are memory-mapped, compressed ones are inflated once.

    Missing optional keys are filled in: terminals with dones, vector with (T, 0), expert_actions with NaN.
    Raises EpisodeError for a file that is truncated, damaged, or lacks a key.
    """
    path = Path(path)
    try:
        arrays = _read_members(path)
    except FileNotFoundError:
        raise EpisodeError(f"episode {path} does not exist") from None
    except _DAMAGE as error:
        raise EpisodeError(f"episode {path} is truncated or damaged ({error}); delete it or record it again") from None
    missing = [key for key in ("observations", "actions", "rewards", "dones") if key not in arrays]
    if missing:
        raise EpisodeError(f"episode {path} lacks {', '.join(missing)}; it holds {', '.join(arrays) or 'nothing'}")
    rows = len(arrays["actions"])
    for key in ("dones", "terminals", "camera_mask"):  # other tools write 0 and 1
        if key in arrays and arrays[key].dtype.kind in "iuf":
            arrays[key] = arrays[key].astype(bool)
    try:
        meta = json.loads(str(arrays["meta"])) if "meta" in arrays else {}
    except (ValueError, RecursionError, SystemError) as error:  # the last for characters beyond Unicode
        raise EpisodeError(f"episode {path} has a meta that is not JSON ({error})") from None
    if not isinstance(meta, dict):
        raise EpisodeError(f"episode {path} has a meta that is a JSON {type(meta).__name__}, expected an object")
    otherwise = {
        "terminals": arrays["dones"],
        "vector": np.zeros((rows, 0), np.float32),
        "expert_actions": np.full((rows, 3), np.nan, np.float32),
    }
    episode = Episode(**{key: arrays.get(key, otherwise.get(key)) for key in (*_NEEDED, *_OPTIONAL)}, meta=meta)
    _validate(episode, path)
    return episode


def drives_in(episode: Episode) -> Iterator[tuple[int, Episode]]:
    """The first row and the episode of each drive in a file: one, unless another tool wrote several with a done between
    them. Arrays stay memory-mapped."""
    begin = 0
    for end in [*(np.flatnonzero(episode.dones[:-1]) + 1).tolist(), len(episode)]:
        yield begin, rows_of(episode, begin, end)
        begin = end


def rows_of(episode: Episode, begin: int, end: int) -> Episode:
    """Rows ``begin`` to ``end`` of an episode, without a copy."""
    if begin == 0 and end >= len(episode):
        return episode
    arrays = {name: values for name, values in vars(episode).items() if isinstance(values, np.ndarray)}
    return replace(episode, **{name: values[begin:end] for name, values in arrays.items()})


def read_meta(path: str | os.PathLike) -> dict:
    """An episode's meta alone, without reading its arrays; empty if there is none or the file is damaged.
    ``read_episode`` reports the damage."""
    try:
        with open_regular(path, "rb") as file, zipfile.ZipFile(file) as archive, archive.open("meta.npy") as member:
            meta = json.loads(str(np.lib.format.read_array(member, allow_pickle=False)))
    except (*_DAMAGE, KeyError, RecursionError, SystemError):
        return {}
    return meta if isinstance(meta, dict) else {}


def content_of(path: str | os.PathLike) -> tuple[int, ...] | None:
    """A key that copies of an episode share: sizes and checksums of its pictures, actions and rewards, from the file's
    directory. None for a damaged file."""
    try:
        with open_regular(path, "rb") as file, zipfile.ZipFile(file) as archive:
            members = [archive.getinfo(f"{name}.npy") for name in ("observations", "actions", "rewards")]
    except (*_DAMAGE, KeyError):
        return None
    return tuple(number for member in members for number in (member.file_size, member.CRC))


def find_episodes(folder: str | os.PathLike) -> list[Path]:
    """The episode files of a folder, sorted by name. Raises EpisodeError where there are none."""
    folder = Path(folder).expanduser()
    if folder.is_file():
        raise EpisodeError(f"{folder} is a file, expected a folder of *.npz episodes")
    if not folder.is_dir():
        raise EpisodeError(
            f"no folder {folder}, expected a folder of *.npz episodes; make one with `ros2 run wm_training collect`"
        )
    files = sorted(file for file in folder.glob("*.npz") if not file.name.startswith("."))
    if not files:
        raise EpisodeError(f"{folder} holds no *.npz episodes; make some with `ros2 run wm_training collect`")
    return files


def _read_members(path: Path) -> dict[str, np.ndarray]:
    with open_regular(path, "rb") as stream, zipfile.ZipFile(path) as archive:
        infos = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        return {name: _read_member(archive, info, stream, path) for name, info in infos.items()}


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, stream, path: Path) -> np.ndarray:
    if info.compress_type != zipfile.ZIP_STORED:
        with archive.open(info) as member:
            return np.lib.format.read_array(member, allow_pickle=False)
    # The local header repeats the name and has an extra field of another length, so its size is read from it.
    stream.seek(info.header_offset)
    header = stream.read(30)
    name_length, extra_length = struct.unpack("<HH", header[26:30])
    start = info.header_offset + 30 + name_length + extra_length
    stream.seek(start)
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read_header(stream)
    if dtype.hasobject:
        raise ValueError(f"{info.filename} holds Python objects")
    offset = stream.tell()
    if offset + dtype.itemsize * math.prod(shape) > start + info.file_size:
        raise ValueError(f"{info.filename} is shorter than its header says")
    if dtype.itemsize * math.prod(shape) < _MAPPED_BYTES:
        stream.seek(start)
        return np.lib.format.read_array(stream, allow_pickle=False)
    # An ndarray view: indexing an np.memmap takes microseconds longer.
    return np.asarray(np.memmap(path, dtype, "r", offset, shape, order="F" if fortran else "C"))


def _validate(episode: Episode, path: Path) -> None:
    rows = len(episode.actions)
    for key, (kind, axes) in _NEEDED.items():
        array = getattr(episode, key)
        expected = np.dtype(kind).name.removesuffix("32")  # float64 is accepted
        if not array.dtype.name.startswith(expected) or array.ndim != axes:
            found = f"{array.dtype} with shape {array.shape}"
            raise EpisodeError(f"episode {path}: {key} is {found}, expected {expected} with {axes} axes")
        if len(array) != rows:
            raise EpisodeError(f"episode {path}: {key} has {len(array)} rows, actions has {rows}")
    if rows == 0:
        raise EpisodeError(f"episode {path} has no rows")
    channels = episode.observations.shape[1]
    if channels % 3:
        raise EpisodeError(f"episode {path}: observations have {channels} channels, expected 3 for each camera")
    for key, shape in (("camera_mask", (rows, channels // 3)), ("stamps_ns", (rows,))):
        array = getattr(episode, key)
        if array is not None and array.shape != shape:
            raise EpisodeError(f"episode {path}: {key} has shape {array.shape}, expected {shape}")
    terms = episode.reward_terms
    if terms is not None and (terms.ndim != 2 or len(terms) != rows or terms.dtype.kind != "f"):
        found = f"{terms.dtype} with shape {terms.shape}"
        raise EpisodeError(f"episode {path}: reward_terms is {found}, expected float ({rows}, R)")
    for key in ("actions", "rewards", "vector"):
        array = getattr(episode, key)
        if key == "vector" and (gaps := columns_with_gaps(episode.meta, array.shape[1])).any():
            array = np.where(gaps & np.isnan(array), 0.0, array)
        if not np.isfinite(array).all():
            raise EpisodeError(f"episode {path}: {key} holds numbers that are not finite")


def columns_with_gaps(meta: dict, count: int) -> np.ndarray:
    """bool (V,): which of ``count`` vector inputs rows may lack, by the meta; False without a word about it."""
    told = meta.get("vector")
    told = told if isinstance(told, list) and len(told) == count else [{}] * count
    return np.array([isinstance(one, dict) and one.get("gaps") is True for one in told], bool)
