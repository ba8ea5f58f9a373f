"""Detects that commands stopped while the last one lets the vehicle move: the planner hangs or was killed."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

_LATEST_NS = 1_000_000_000  # longest time from the image of an episode's last command to the episode's end
REPEAT_S = 0.5  # for the brake, in case a simulator restarts


@dataclass(frozen=True)
class WatchState:
    """What the watchdog does now, and why. ``name`` is disarmed, watching, braking or resting: braking between two
    episodes, when no command is expected."""

    name: str
    reason: str


class CommandWatchdog:
    """Watches commands; the monotonic clock is injected.

    Armed by the first command. A vehicle keeps its last command indefinitely: after a full brake nothing has to be
    done. Only a command that lets the vehicle move must be followed by another one in time."""

    def __init__(self, timeout_s: float, clock: Callable[[], float] = time.monotonic):
        """``timeout_s``: maximum time to the next command after a command that lets the vehicle move."""
        self._timeout_s = timeout_s
        self._clock = clock
        self._last_s = 0.0
        self._moving = False
        self._braked_s: float | None = None
        self._fault: str | None = None
        self._left = True  # no planner is active
        self._answered_ns = 0  # stamp of the last image that a command answered
        self._ended_ns: int | None = None  # end of the last episode, until the next one starts
        self._begun_s = -math.inf  # when the start of the next one was seen
        self.state = WatchState("disarmed", "no command so far")

    def step_result(self, stamp_ns: int, ended: bool) -> None:
        """The simulator reported the tick with this stamp [ns], and whether the episode ended with it.

        Only an end shortly after the last command explains that no other follows: not a repeated one, one of another
        clock, or one long after. Any later tick belongs to the next episode, or to a simulator that continues."""
        if self._ended_ns is None:
            if ended and 0 <= stamp_ns - self._answered_ns <= _LATEST_NS:
                self._ended_ns = stamp_ns
        elif not (ended and stamp_ns == self._ended_ns):
            self._begins()

    def _begins(self) -> None:
        """Next episode: the simulator moves the vehicle to the start, and forgets the last brake."""
        self._ended_ns = None
        self._begun_s = self._clock()
        if not (self._moving or self._left):
            self._moving, self._last_s = True, self._begun_s

    def answered(self, stamp_ns: int) -> None:
        """The planner answered the image with this stamp [ns], 0: none, as when it deactivates and brakes."""
        if stamp_ns > 0:
            self._left, self._answered_ns = False, stamp_ns
            if self._ended_ns is not None and not 0 <= self._ended_ns - stamp_ns <= _LATEST_NS:
                self._ended_ns = None

    def command(self, moves: bool, stamp_ns: int = 0) -> None:
        """A command from another node arrived, which lets the vehicle move or not; it ends the watchdog's brake.
        ``stamp_ns`` of the image it answers, 0: none, or not told by it."""
        self._last_s = self._clock()
        self.answered(stamp_ns)
        self._moving = moves
        self._left = self._left and not self._moving
        self._braked_s = self._fault = None
        self.state = WatchState("watching", "commands arrive" if self._moving else "the last command is a full brake")

    def planner_left(self) -> None:
        """The planner reported that it braked and is inactive. Only the brake itself counts, which arrives on another
        topic, before or after this."""
        self._left = True
        if not self._moving:
            self.state = WatchState("disarmed", "the planner has braked and is inactive")

    def failed(self, fault: str) -> None:
        """The watchdog itself failed, and may have missed a command: brake until the next one arrives."""
        self._moving = True
        self._braked_s = None
        self._fault = fault
        self.state = WatchState("braking", fault)

    def brake_due(self) -> str | None:
        """Why a brake must be sent now; None while all is well or the last brake need not be repeated yet."""
        now_s = self._clock()
        silent_s = now_s - self._last_s
        if not self._moving or (silent_s <= self._timeout_s and self._fault is None):
            return None
        if self._braked_s is not None and now_s - self._braked_s < REPEAT_S:
            return None
        self._braked_s = now_s
        silence = f"no command for {silent_s:.2f} s, the limit is {self._timeout_s:g} s"
        resting = self._ended_ns is not None or now_s - self._begun_s <= self._timeout_s
        if self._fault is None and resting:
            self.state = WatchState("resting", f"{silence}: the episode is over, the next one has not begun")
        else:
            reason = self._fault or f"{silence}: the planner has no images, hangs or was killed"
            self.state = WatchState("braking", reason)
        return self.state.reason

    def brake_at_end(self) -> str | None:
        """Why a last brake must be sent before the watchdog itself ends; None when the last command is a brake."""
        return "the command watchdog ends while the vehicle may move" if self._moving else None
