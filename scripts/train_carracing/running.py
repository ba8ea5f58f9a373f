"""A command of the recipe as a process: stopped with us, never orphaned, never running twice."""

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from wm_bundle.processes.ros_distribution import local_environment
from wm_tools.drive.domain import own_domain

from train_carracing.errors import RecipeError
from train_carracing.steps import Command

END_TIMEOUT_S = 60.0  # for a command to save its state and end
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None)


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[BinaryIO]:
    """Lock ``folder`` for this run of the recipe. Commands inherit the lock: one whose recipe was killed keeps it until
    it has ended. Raises RecipeError if another run holds it for longer than that takes."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "ab") as lock:
        deadline = time.monotonic() + END_TIMEOUT_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise RecipeError(
                        f"another run of the recipe uses {folder}: wait until it has ended, or use another --output"
                    ) from None
            time.sleep(0.2)
        yield lock


def run_command(command: Command, lock: BinaryIO) -> None:
    """Run it to its end. Raises RecipeError if it fails; KeyboardInterrupt is passed on after a clean end."""
    with contextlib.ExitStack() as stack:
        environment = dict(os.environ)
        if command.own_domain:
            environment = local_environment(stack.enter_context(own_domain()))
        # A separate session: Ctrl-C reaches it once, from us, and it shuts down cleanly.
        process = subprocess.Popen(
            command.words, env=environment, start_new_session=True, pass_fds=[lock.fileno()], preexec_fn=_end_with_us
        )
        try:
            code = process.wait()
        except BaseException:
            _end(process)
            raise
    if code != 0:
        raise RecipeError(
            f"`{' '.join(command.words[:4])} …` ended with exit code {code}, see its message above; once that is "
            f"fixed, run the same command to continue"
        )


def _end_with_us() -> None:
    """Runs in the child: send it SIGINT when we end for any reason."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # in case we were started with it ignored


def _end(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
