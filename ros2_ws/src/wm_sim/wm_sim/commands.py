"""Selects the command that drives the car: channels, manual override, autopilot, and the wait for a command.

The rules are CARLA's and its bridge's. Two channels carry commands, and only the one selected by the override counts;
the autopilot commands once after each tick; the last command before a tick is applied, whoever sent it, and persists; a
command's header has no influence on driving; values are not checked, only the car itself has limits.
"""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from wm_sim.answers import Answers

REMEMBERED_STAMPS = 64  # ticks, whose stamps are recognised in commands


class Channel(Enum):
    """The topic of a command."""

    NORMAL = "vehicle_control_cmd"
    MANUAL = "vehicle_control_cmd_manual"


@dataclass(frozen=True)
class Command:
    """A control command: steer in [-1, 1], positive to the right; throttle and brake in [0, 1]. It may hold any other
    numbers too: the car takes what ``pedals`` makes of them."""

    steer: float = 0.0
    throttle: float = 0.0
    brake: float = 0.0
    hand_brake: bool = False
    reverse: bool = False

    def at(self, speed: float) -> "Command":
        """The command at a speed [m/s]: pedals are the same at any."""
        return self

    def pedals(self) -> tuple[float, float, float]:
        """(steer, throttle, brake) as accepted by a World: within their limits, zero for NaN.

        The built-in cars have neither a hand brake nor a reverse gear: the hand brake becomes full braking, and in
        reverse there is no throttle."""
        steer, throttle, brake = _within(self.steer, -1.0), _within(self.throttle, 0.0), _within(self.brake, 0.0)
        return steer, 0.0 if self.reverse else throttle, 1.0 if self.hand_brake else brake

    @property
    def in_range(self) -> bool:
        """Whether the car does what the numbers say."""
        return self.pedals() == (self.steer, self.throttle, self.brake) or self.reverse or self.hand_brake


def _within(value: float, lowest: float) -> float:
    return 0.0 if math.isnan(value) else min(1.0, max(lowest, value))


class CommandDesk:
    """Collects the commands from the topics and selects the one to apply."""

    def __init__(self, autopilot: bool, clock: Callable[[], float] = time.monotonic):
        """``autopilot``: whether the expert drives initially; ``clock``: monotonic wall time [s]."""
        self.autopilot = autopilot
        self.override = False
        self.answers = Answers()
        self.unexpected = 0  # commands that no tick was waiting for
        self._clock = clock
        self._current = Command()
        self._answered = False
        self._stamps: deque[int] = deque(maxlen=REMEMBERED_STAMPS)
        self._ready_at = math.nan
        self._latency_s = math.nan

    @property
    def active_channel(self) -> Channel:
        """The channel whose commands count now."""
        return Channel.MANUAL if self.override else Channel.NORMAL

    def receive(self, channel: Channel, command: Command, stamp_ns: int | None) -> str | None:
        """Add a command that arrived now; returns a warning for the user or None.

        ``stamp_ns``: of the command's header. If it is an earlier tick's, the command does not count for this tick's
        latency; any other value, such as zero, counts as an answer to this tick. None: its message has no stamp.
        """
        if channel is not self.active_channel:
            return None
        if stamp_ns is None:
            stamp_ns = self._stamps[-1] if self._stamps else 0
        if math.isnan(self._latency_s) and stamp_ns not in list(self._stamps)[:-1]:
            self._latency_s = self._clock() - self._ready_at
        self.unexpected += not self.answers.command()
        self._answered |= bool(self._stamps) and stamp_ns == self._stamps[-1]
        self._current = command
        if not command.in_range:
            return (
                f"a command on {channel.value} is out of range: steer {command.steer} (-1 to 1), throttle "
                f"{command.throttle} and brake {command.brake} (0 to 1): the car takes {command.pedals()}"
            )
        if command.reverse:
            return f"a command on {channel.value} requests reverse, which this car lacks: no throttle"
        return None

    def begin_tick(self, stamp_ns: int) -> float:
        """A tick's state with this stamp is ready; returns the latency [ms] of the interval that ended, or NaN."""
        ended = 1e3 * self._latency_s
        self._stamps.append(stamp_ns)
        self._answered = False
        self._ready_at = self._clock()
        self._latency_s = math.nan
        return ended

    def is_answered(self) -> bool:
        """Whether a command with this tick's stamp arrived."""
        return self._answered

    @property
    def current(self) -> Command:
        """The command for the interval that begins now; it stays in force until another one arrives."""
        return self._current

    def drive_by(self, expert: Command) -> None:
        """The autopilot's command after a tick, if it is on."""
        if self.autopilot:
            self._current = expert

    def new_episode(self) -> None:
        """The car is at the start with its pedals released."""
        self._current = Command()
