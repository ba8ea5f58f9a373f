"""The program that outlives the others of a launch: when signals reach it, and how it ends."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from wm_planner.launching import last_to_end

PROGRAM = """
import os, signal, sys, time
def told(number, frame):
    print("got", number, flush=True)
    if signal.Signals(number).name not in "{stubborn}":
        sys.exit(7)
signal.signal(signal.SIGINT, told)
signal.signal(signal.SIGTERM, told)
print("pid", os.getpid(), flush=True)
while True:
    time.sleep(0.05)
"""


def begin(stubborn: str = "SIGUSR1"):
    """The process, and the program's own id."""
    words = [sys.executable, "-m", "wm_planner.launching.last_to_end", sys.executable, "-c"]
    process = subprocess.Popen([*words, PROGRAM.format(stubborn=stubborn)], stdout=subprocess.PIPE, text=True)
    return process, int(process.stdout.readline().split()[1])


def test_a_signal_comes_a_moment_later_and_the_exit_code_is_the_program_s():
    process, _ = begin()
    process.send_signal(signal.SIGINT)
    asked = time.monotonic()
    assert process.stdout.readline() == f"got {signal.SIGINT:d}\n"
    assert time.monotonic() - asked >= 1.4
    assert process.wait(10) == 7


def test_a_terminal_that_closes_ends_it_in_order():
    process, _ = begin()
    process.send_signal(signal.SIGHUP)
    asked = time.monotonic()
    assert process.stdout.readline() == f"got {signal.SIGTERM:d}\n"
    assert time.monotonic() - asked >= 1.4
    assert process.wait(10) == 7


def test_another_signal_comes_at_once_and_what_ignores_both_is_killed():
    process, _ = begin(stubborn="SIGINT SIGTERM")
    for number in (signal.SIGINT, signal.SIGTERM):
        process.send_signal(number)
        assert process.stdout.readline() == f"got {number:d}\n"
    assert process.wait(10) == 128 + signal.SIGKILL


def test_what_hangs_in_its_end_is_killed_without_a_second_signal():
    """As CARLA's bridge in wall-clock time, where the launch itself is gone with its terminal."""
    stubborn = [sys.executable, "-c", PROGRAM.format(stubborn="SIGINT SIGTERM")]
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM)).start()
    begun = time.monotonic()
    assert last_to_end.run(stubborn, later_s=0.1, longest_s=0.5) == 128 + signal.SIGKILL
    assert time.monotonic() - begun < 10.0


def test_a_second_ctrl_c_does_not_interrupt_the_end_that_the_first_began():
    process, _ = begin(stubborn="SIGINT")
    for _ in range(3):
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    assert process.stdout.readline() == f"got {signal.SIGINT:d}\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == f"got {signal.SIGTERM:d}\n"
    assert process.wait(10) == 7


def test_it_ends_with_the_process_that_passes_signals_on():
    process, program = begin()
    process.kill()
    assert process.stdout.readline() == f"got {signal.SIGTERM:d}\n"
    process.wait(10)
    deadline = time.monotonic() + 10.0
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < deadline:
            time.sleep(0.05)
            os.kill(program, 0)
