"""Episode files as a source: rows, actions and rewards are kept, pictures are resized."""

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.drive import DriveRef
from wm_data.conversion.fitting import fitted
from wm_data.episodes import Episode, EpisodeError, read_episode
from wm_data.errors import ConversionError


def episodes(ref: DriveRef, options: ConvertOptions) -> Iterator[Episode]:
    """The one episode of a file. Raises ConversionError for one that is damaged, or does not match the options."""
    file = Path(ref.locator["episode"])
    if options.actions not in ("auto", "applied"):
        raise ConversionError(f"{file} holds the actions that were applied, no {options.actions} ones")
    _check_bytes(file)
    try:
        episode = read_episode(file)
    except EpisodeError as error:
        raise ConversionError(str(error)) from None
    except MemoryError:
        raise ConversionError(f"{file} needs more memory than there is") from None
    yield fitted(episode, file, options)


def _check_bytes(file: Path) -> None:
    """Raises ConversionError where a member's checksum is wrong: a mapped file is not checked again."""
    try:
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
    except (OSError, ValueError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise ConversionError(f"{file} is not a complete, undamaged npz file ({error})") from None
    if damaged is not None:
        raise ConversionError(f"{file} is damaged: {damaged} does not have the checksum of its bytes")
