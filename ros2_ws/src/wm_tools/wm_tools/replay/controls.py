"""Pausing and stepping of a playing bag: its state, and the keys and services that change it."""

import os
import select
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from rclpy.node import Node
from std_srvs.srv import SetBool, Trigger
from wm_bundle.processes.service_guard import guard_services

HELP = "space pauses and resumes; while paused, the right arrow plays up to the next picture"
_SPACE, _RIGHT = b" ", (b"\x1b[C", b"\x1bOC")  # the right arrow as terminals send it in their two modes
_LOOK_S = 0.2
_MOST_BYTES = 32  # of keys read at once


class Controls:
    """Whether playing is paused, and how many steps are pending. Thread-safe."""

    def __init__(self, paused: bool = False):
        self._lock = threading.Lock()
        self._paused = paused
        self._steps = 0

    @property
    def paused(self) -> bool:
        """Also true while a step is played."""
        return self._paused

    @property
    def stepping(self) -> bool:
        """Whether to play the next messages despite the pause."""
        return self._steps > 0

    def pause(self, paused: bool) -> None:
        """Pause or resume; pending steps are dropped."""
        with self._lock:
            self._paused, self._steps = paused, 0

    def toggle(self) -> None:
        """Pause if playing, else resume."""
        self.pause(not self._paused)

    def step(self) -> bool:
        """Request a step; False if it is not paused."""
        with self._lock:
            self._steps += self._paused
            return self._paused

    def stepped(self) -> None:
        """A step was played."""
        with self._lock:
            self._steps = max(0, self._steps - 1)


def offer_services(node: Node, controls: Controls) -> None:
    """``~/pause`` (std_srvs/SetBool, true pauses) and ``~/step`` (std_srvs/Trigger)."""

    def pause(request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        controls.pause(request.data)
        response.success, response.message = True, "paused" if request.data else "playing"
        return response

    def step(_, response: Trigger.Response) -> Trigger.Response:
        response.success = controls.step()
        response.message = "" if response.success else "it is playing: pause it first"
        return response

    node.create_service(SetBool, "~/pause", pause)
    node.create_service(Trigger, "~/step", step)
    guard_services(node)


def has_keyboard() -> bool:
    """Whether this process gets keyboard input: it has a terminal, and is in its foreground."""
    try:
        return sys.stdin.isatty() and os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError, AttributeError):  # another session's terminal, a closed one, or none
        return False


@contextmanager
def listening_to_keys(controls: Controls) -> Iterator[None]:
    """Read single keys from the terminal, and restore its settings afterwards."""
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    over = threading.Event()

    def listen() -> None:
        while not over.is_set():
            if select.select([terminal], [], [], _LOOK_S)[0]:
                typed = os.read(terminal, _MOST_BYTES)
                if not typed:  # the terminal was closed
                    return
                take_keys(typed, controls)

    thread = threading.Thread(target=listen, name="keys", daemon=True)
    tty.setcbreak(terminal)  # Ctrl-C is still a signal
    try:
        thread.start()
        yield
    finally:
        over.set()
        thread.join()
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def take_keys(typed: bytes, controls: Controls) -> None:
    """Act on the keys; others are ignored."""
    while typed:
        arrow = next((key for key in _RIGHT if typed.startswith(key)), None)
        if arrow:
            controls.step()
        elif typed.startswith(_SPACE):
            controls.toggle()
        typed = typed[len(arrow or _SPACE) :]
