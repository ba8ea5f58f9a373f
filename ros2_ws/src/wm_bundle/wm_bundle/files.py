"""Reading files without blocking, atomic writing, hashing, and names without folders."""

import errno
import hashlib
import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


def open_regular(path: str | os.PathLike, *arguments: Any, **options: Any) -> IO:
    """``open`` for reading, for regular files only: opening a named pipe would block until somebody writes to it.

    Raises OSError for everything else.
    """
    return open(path, *arguments, opener=_open_regular, **options)


def _open_regular(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NONBLOCK)  # which changes nothing for regular files
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is not a regular file, but a folder, a named pipe or a device", str(path))
    return descriptor


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path to write to, and rename it to ``path`` when the block ends without an exception.

    A missing folder is created. A reader, or a run that is killed, never sees half a file. Raises OSError.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part-{os.getpid()}")
    try:
        yield partial
        with open(partial, "rb") as stream:
            os.fsync(stream.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to fill, which replaces ``folder`` when the block ends without an exception.

    The old folder is deleted last, and restored if the replacement fails. Raises OSError.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh, old = (folder.with_name(f".{folder.name}.{which}-{os.getpid()}") for which in ("new", "old"))
    shutil.rmtree(fresh, ignore_errors=True)  # from a killed process with the same id
    fresh.mkdir()
    try:
        yield fresh
        replaces = folder.exists()
        if replaces:
            folder.rename(old)
        try:
            fresh.rename(folder)
        except BaseException:
            if replaces:
                old.rename(folder)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write a text file, UTF-8, completely or not at all. Raises OSError."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike, value: Any) -> None:
    """As ``write_text``. Raises ValueError for a number that is not finite, which JSON does not allow."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def sha256_of(file: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with open(file, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def without_folders(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values, with paths reduced to file names: published files must not reveal local folders."""
    return {name: Path(value).name if _names_file(value) else value for name, value in values.items()}


def _names_file(value: Any) -> bool:
    return isinstance(value, str) and "/" in value and (value.endswith(".onnx") or Path(value).is_file())
