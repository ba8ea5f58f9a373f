"""Reading, and atomic writing, of files and folders, with one kind of error."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wm_bundle.files import open_regular

from wm_data.errors import ConversionError


@contextmanager
def appearing(dest: Path) -> Iterator[Path]:
    """Yield an empty temporary folder to work in; the result in it under dest's name becomes ``dest``. An exception
    leaves nothing behind. Raises ConversionError where ``dest`` already exists or cannot be written."""
    if os.path.lexists(dest):
        raise ConversionError(f"{dest} exists already: name another destination, or delete it")
    work = dest.parent / f".{dest.name}.part-{os.getpid()}"
    try:
        dest.parent.mkdir(parents=True, exist_ok=True)
        work.mkdir()
        yield work
        os.rename(work / dest.name, dest)
    except OSError as error:
        raise ConversionError(f"{dest} cannot be written ({error}): nothing is left of it") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def read_small_file(path: Path, limit: int) -> bytes:
    """The bytes of a file of at most ``limit`` bytes. Raises ConversionError if it is missing, unreadable, or larger,
    so that an unexpectedly large file does not fill the memory."""
    try:
        with open_regular(path, "rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise ConversionError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > limit:
        raise ConversionError(f"{path} has more than {limit} bytes, expected a small file: is it damaged?")
    return data


@contextmanager
def readable(source: object) -> Iterator[None]:
    """Converts an OSError to a ConversionError: ``source`` cannot be read."""
    try:
        yield
    except OSError as error:
        raise ConversionError(f"{source} cannot be read: {error}") from None


def walk(source: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Every folder at and below ``source``, with its folders and files by name, except hidden ones. Folders removed
    from the list are not visited. Raises OSError."""

    def refuse(error: OSError) -> None:
        raise error  # os.walk would skip the folder silently

    for folder, folders, files in os.walk(source, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(folder), folders, sorted(name for name in files if not name.startswith("."))
