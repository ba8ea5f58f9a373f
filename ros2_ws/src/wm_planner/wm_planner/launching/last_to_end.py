"""`python -m wm_planner.launching.last_to_end PROGRAM …` runs a program that has to outlive the others of a launch:
Ctrl-C reaches all of them at once, and this one a moment later."""

import ctypes
import os
import signal
import subprocess
import sys
import time

from wm_bundle.processes.stop_signals import note_stop_signals

LATER_S = 1.5  # for the others' last words: a brake, the removal of the car, an order to run on
LONGEST_S = 10.0  # for its own end; longer than a launch waits before its second signal
_KILL_S = 3.0  # after a second signal: less than a launch waits until it kills this process
_SET_PARENT_DEATH_SIGNAL = 1


def run(words: list[str], later_s: float = LATER_S, longest_s: float = LONGEST_S) -> int:
    """Returns the program's exit code; the first signal is passed on after ``later_s`` [s], another one at once. It is
    killed ``longest_s`` [s] after the first: CARLA's bridge in wall-clock time removes its car and then hangs.

    The same signal again is not: a second Ctrl-C would interrupt the end that the first one began. SIGHUP, which no
    ROS 2 program handles, is passed on as SIGTERM."""
    asked, passed, passed_s = note_stop_signals(), 0, 0.0
    process = subprocess.Popen(words, preexec_fn=_apart)
    while process.poll() is None:
        time.sleep(0.05)
        kinds = list(dict.fromkeys(signal.SIGTERM if number == signal.SIGHUP else number for number in asked))
        if len(kinds) > passed:
            time.sleep(0.0 if passed else later_s)
            process.send_signal(kinds[passed])
            passed, passed_s = passed + 1, time.monotonic()
            if passed == 2:
                _wait_or_kill(process)
        if passed and time.monotonic() - passed_s > longest_s:
            process.kill()
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _apart() -> None:
    """In the program: the terminal's Ctrl-C does not reach it, the death of the process that passes it on does."""
    os.setpgrp()
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)


def _wait_or_kill(process: subprocess.Popen) -> None:
    try:
        process.wait(_KILL_S)
    except subprocess.TimeoutExpired:
        process.kill()


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
