"""Folders and files of folders that appear whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wm_data.conversion.errors import ConversionError


@contextmanager
def appearing(dest: Path) -> Iterator[Path]:
    """Give an empty folder beside ``dest`` to work in; what is made in it under dest's name becomes ``dest``.

    An exception leaves nothing behind. Raises ConversionError where ``dest`` exists already or cannot be written.
    """
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
