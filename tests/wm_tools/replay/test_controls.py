"""Pausing and stepping: what is asked for, and the keys of a real terminal."""

import io
import os
import pty
import sys
import termios
import time

from wm_tools.replay.controls import Controls, has_keyboard, listening_to_keys, take_keys

START_S = 20.0


def test_steps_are_taken_in_a_pause_only_and_none_is_left_when_it_ends():
    controls = Controls()
    assert not controls.step() and not controls.stepping
    controls.pause(True)
    assert controls.step() and controls.step() and controls.stepping
    controls.stepped()
    assert controls.stepping and controls.paused
    controls.stepped()
    assert not controls.stepping
    controls.step()
    controls.pause(False)
    controls.pause(True)
    assert not controls.stepping


def test_space_pauses_and_goes_on_and_the_right_arrow_steps_among_any_other_keys():
    controls = Controls()
    take_keys(b" ", controls)
    assert controls.paused and not controls.stepping
    take_keys(b"x\x1b[Aq\x1b[C\x1bOC", controls)  # up steps not, right steps, in both modes of a terminal
    assert controls.stepping
    controls.stepped()
    controls.stepped()
    assert not controls.stepping
    take_keys(b" \x1b[C", controls)
    assert not controls.paused and not controls.stepping


def test_single_keys_of_a_terminal_are_heard_and_it_gets_its_lines_back(monkeypatch):
    keyboard, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    controls = Controls()
    with open(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with listening_to_keys(controls):
            os.write(keyboard, b" ")  # no end of line
            deadline_s = time.monotonic() + START_S
            while not controls.paused:
                assert time.monotonic() < deadline_s
                time.sleep(0.01)
        assert termios.tcgetattr(terminal) == before
    os.close(keyboard)


def test_what_is_no_terminal_is_no_keyboard(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(" "))
    assert not has_keyboard()
    monkeypatch.setattr(sys, "stdin", None)
    assert not has_keyboard()
