"""Child processes that never outlive us: each in its own process group, with its output kept, and ended however we
end."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from wm_tools.common.errors import DriveError

TAIL_LINES = 15
_STOP_SIGNALS = ((signal.SIGINT, 4.0), (signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0))  # and seconds to wait after each
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def die_with_parent() -> None:
    """Called in a child: the kernel ends it if the thread that started it ends before it can clean up."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class ManagedProcess:
    """A child. Its stdout and stderr go to ``log``."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path):
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "wb") as stream:
            try:
                self._popen = subprocess.Popen(
                    list(command),
                    env={**environment, "PYTHONUNBUFFERED": "1"},
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=die_with_parent,
                )
            except OSError as error:
                raise DriveError(
                    f"cannot start the {name} ({command[0]}): {error.strerror}; build the workspace again"
                ) from None

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative for a signal."""
        return self._popen.poll()

    def tail(self, lines: int = TAIL_LINES) -> str:
        text = self.log.read_text(encoding="utf-8", errors="replace").rstrip()
        return "\n".join(text.splitlines()[-lines:])

    def stop(self) -> None:
        """End its process group with increasingly forceful signals. Returns after at most 8 s."""
        for signal_number, patience_s in _STOP_SIGNALS:
            if not self._signal_group(signal_number):
                return
            deadline = time.monotonic() + patience_s
            while self._signal_group(0) and time.monotonic() < deadline:
                time.sleep(0.02)

    def _signal_group(self, number: int) -> bool:
        """Send a signal, 0 for none; False if no process of the group is alive."""
        self._popen.poll()  # reaps the child, else its zombie would keep the group alive
        try:
            os.killpg(self._popen.pid, number)
        except ProcessLookupError:
            return False
        return True


class ProcessGroup:
    """Context manager that starts children and ends them all, whatever happens inside."""

    def __init__(self):
        self._processes: list[ManagedProcess] = []

    def __enter__(self) -> "ProcessGroup":
        return self

    def __exit__(self, *_exception) -> None:
        self.stop()

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> ManagedProcess:
        """Start a child. Raises DriveError if that is not possible. Call it from the main thread."""
        process = ManagedProcess(name, command, environment, log)
        self._processes.append(process)
        return process

    def check(self) -> None:
        """Raise DriveError, quoting the last lines of its output, if a child has ended."""
        for process in self._processes:
            if (code := process.exit_code) is not None:
                raise DriveError(
                    f"the {process.name} ended unexpectedly ({describe_exit(code)}).\n{self.quote([process])}"
                )

    def quote(self, processes: Sequence[ManagedProcess] | None = None) -> str:
        """The last lines of the output of ``processes``, of all if None."""
        chosen = self._processes if processes is None else processes
        return "\n".join(
            f"Last lines of the {process.name}, all in {process.log}:\n"
            + ("\n".join(f"  | {line}" for line in process.tail().splitlines()) or "  (nothing)")
            for process in chosen
        )

    def last_words(self) -> str:
        """The last line of the process that was started last."""
        if not self._processes:
            return "nothing was started"
        process = self._processes[-1]
        return f"the {process.name} says: {process.tail(1) or '(nothing yet)'}"

    def stop(self) -> None:
        """End all children, the last started first. An interrupt in between does not keep any alive."""
        interrupted = None
        while self._processes:
            process = self._processes[-1]
            try:
                process.stop()
                self._processes.pop()
            except KeyboardInterrupt as interrupt:  # a second Ctrl-C: finish the clean-up first
                interrupted = interrupt
        if interrupted is not None:
            raise interrupted


def describe_exit(code: int) -> str:
    """An exit code in words; negative for a signal."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
