"""``episodes.jsonl``: a line with the benchmark's settings, then one for every finished episode, as it happens.

A line is written with one call and is on disk before the next episode begins, so a benchmark that is killed loses only
the episode that was being driven.
"""

import fcntl
import json
import os
from pathlib import Path

from wm_tools.common.errors import DriveError

FORMAT_VERSION = 1
FILE_NAME = "episodes.jsonl"


class EpisodeStore:
    """The file in ``folder``, locked for this process until ``close``. A context manager."""

    def __init__(self, folder: Path, settings: dict, resume: bool):
        """Create the file, or with ``resume`` read it; ``settings`` is everything that the episodes depend on, plain
        JSON. Raises DriveError if there is a benchmark already, or one to resume has other settings; OSError."""
        self.path = folder / FILE_NAME
        self.episodes: list[dict] = []  # finished earlier, in the order of the file
        header = {"format_version": FORMAT_VERSION, "settings": settings}
        if not resume and self.path.exists():
            raise DriveError(
                f"{self.path} already holds a benchmark: continue it (--resume), or choose another --output"
            )
        folder.mkdir(parents=True, exist_ok=True)
        self._stream = open(self.path, "a+b")
        try:
            self._hold()
            lines = self._complete_lines()
            if lines:
                _require_same(json.loads(lines[0]), header, self.path)
                self.episodes = [json.loads(line) for line in lines[1:]]
            else:
                self._write(header)
        except ValueError as error:
            self._stream.close()
            raise DriveError(f"{self.path} is damaged ({error}): delete it and start again") from None
        except BaseException:
            self._stream.close()
            raise

    def __enter__(self) -> "EpisodeStore":
        return self

    def __exit__(self, *_exception) -> None:
        self._stream.close()

    def append(self, episode: dict) -> None:
        """Add a finished episode. Raises ValueError for a number that is not finite, OSError."""
        self._write(episode)
        self.episodes.append(episode)

    def _write(self, entry: dict) -> None:
        self._stream.write(json.dumps(entry, allow_nan=False).encode() + b"\n")
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def _hold(self) -> None:
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DriveError(f"another benchmark is writing to {self.path}: wait for it, or stop it") from None

    def _complete_lines(self) -> list[bytes]:
        """All lines; an incomplete last one, of a benchmark killed while it wrote, is cut off."""
        self._stream.seek(0)
        content = self._stream.read()
        complete = content[: content.rfind(b"\n") + 1]
        self._stream.truncate(len(complete))
        return complete.splitlines()


def _require_same(found: dict, wanted: dict, path: Path) -> None:
    if found.get("format_version") != FORMAT_VERSION:
        raise DriveError(
            f"{path}: expected format version {FORMAT_VERSION}, found {found.get('format_version')}; "
            f"start a new benchmark in another --output"
        )
    before, now = found.get("settings", {}), wanted["settings"]
    different = [
        f"{name} was {_spell(before.get(name))} and is now {_spell(now.get(name))}"
        for name in dict.fromkeys((*before, *now))
        if before.get(name) != now.get(name)
    ]
    if different:
        raise DriveError(
            f"{path} is a benchmark with other settings: {'; '.join(different)}. Use those, or another --output"
        )


def _spell(value) -> str:
    return "not set" if value is None else json.dumps(value)
