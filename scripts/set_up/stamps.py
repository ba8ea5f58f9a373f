"""Records of finished steps, each with a hash of its inputs, and of steps in progress."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import time
from pathlib import Path

LAST_LINES = 25


class SetUpError(RuntimeError):
    """Set-up cannot continue; the message says why and what to do."""


class Stamps:
    """One small file in `folder` for each finished step, another for a step in progress."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def is_done(self, step: str, key: str) -> bool:
        """Whether the step was finished with exactly this `key`."""
        stamp = self.folder / f"{step}.done"
        return stamp.is_file() and stamp.read_text() == key

    def was_interrupted(self, step: str) -> bool:
        """Whether the step was started and neither finished nor failed cleanly."""
        return (self.folder / f"{step}.begun").is_file()

    def set_done(self, step: str, key: str) -> None:
        """Records a step as finished, atomically."""
        temporary = self.folder / f"{step}.new"
        temporary.write_text(key)
        temporary.replace(self.folder / f"{step}.done")

    @contextlib.contextmanager
    def doing(self, step: str, key: str, title: str):
        """Runs a step: prints it, and records it as finished if its body ends without an error."""
        print(f"[set-up] {title}", flush=True)
        start = time.monotonic()
        begun = self.folder / f"{step}.begun"
        begun.touch()
        (self.folder / f"{step}.done").unlink(missing_ok=True)
        try:
            yield
        except SetUpError:
            begun.unlink()
            raise
        self.set_done(step, key)
        begun.unlink()
        print(f"[set-up]   {step}: done in {time.monotonic() - start:.0f} s", flush=True)


def hash_of(*parts: str | bytes) -> str:
    """The SHA-256 of the parts, each length-prefixed so that their boundaries count."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(f"{len(data)}:".encode() + data)
    return digest.hexdigest()


def run_logged(command: list[str], log: Path, deadline_s: float, **popen) -> None:
    """Runs a command with its output in the file `log`; raises SetUpError with the last lines if it fails."""
    with running(command, log, deadline_s, **popen):
        pass


@contextlib.contextmanager
def running(command: list[str], log: Path, deadline_s: float, **popen):
    """The same beside the body, which must end first; an exception of the body kills the command."""
    with (
        open(log, "w") as output,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, **popen) as child,
    ):
        try:
            yield
            code = child.wait(deadline_s)
        except subprocess.TimeoutExpired:
            child.kill()
            code = f"timed out after {deadline_s:.0f} s"
        except BaseException:
            child.kill()
            raise
    if code != 0:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-LAST_LINES:])
        raise SetUpError(f"{' '.join(command[:6])} … failed ({code}); the end of {log}:\n{last}\n(see {log} for all)")
