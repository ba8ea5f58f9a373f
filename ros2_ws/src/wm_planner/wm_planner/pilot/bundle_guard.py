"""Detects changes on disk to the files of the bundle in use, or its policy."""

import time
from collections.abc import Callable
from pathlib import Path

from wm_bundle import Bundle
from wm_bundle.files import sha256_of

from wm_planner.engine.policy import PolicyFile

CHECK_S = 0.1  # a check costs a few microseconds while nothing has changed


class BundleGuard:
    """Checks size, time and inode at intervals, and the content where one of them changed.

    The model that drives is in memory and does not change with its files, but it could no longer be identified later.
    """

    def __init__(self, bundle: Bundle, clock: Callable[[], float] = time.monotonic, policy: PolicyFile | None = None):
        """``bundle`` and ``policy`` have just been checked; ``clock`` is monotonic [s]."""
        self._clock = clock
        self._next_s = clock() + CHECK_S
        self._expected = {bundle.file(name): entry.sha256 for name, entry in bundle.manifest.files.items()}
        description = bundle.file("bundle.json")
        self._expected[description] = sha256_of(description)
        self._policy = None if policy is None else policy.path
        if policy is not None:
            self._expected[policy.path] = policy.sha256
        self._signatures = {file: _signature(file) for file in self._expected}
        self._faults: dict[Path, str] = {}

    def fault(self) -> str | None:
        """The present fault, None if there is none. Checks the disk at most every ``CHECK_S`` seconds."""
        now_s = self._clock()
        if now_s >= self._next_s:
            self._next_s = now_s + CHECK_S
            for file in self._expected:
                self._look_at(file)
        return next(iter(self._faults.values()), None)

    def _look_at(self, file: Path) -> None:
        signature = _signature(file)
        if signature == self._signatures[file]:
            return
        self._signatures[file] = signature
        try:
            same = signature is not None and sha256_of(file) == self._expected[file]
        except OSError:
            same = False
        if same:
            self._faults.pop(file, None)
        else:
            kind = "policy" if file == self._policy else "bundle"
            self._faults[file] = (
                f"{kind} file {file} was {'removed' if signature is None else 'changed'} while it drove: put the old "
                f"one back, or configure the planner again to drive with the new {kind}"
            )


def _signature(file: Path) -> tuple[int, int, int] | None:
    """Size [bytes], time of the last change [ns] and inode; None for a missing file."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino
