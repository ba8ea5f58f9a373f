"""Selects the command that drives the car: channels, manual override, autopilot, and the wait for a command.

The rules are the CARLA bridge's. Two channels carry commands, and only the one selected by the override counts; the
last command persists until another one arrives; a command's header has no influence on driving.
"""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

REMEMBERED_STAMPS = 64  # ticks, whose stamps are recognised in commands


class Channel(Enum):
    """The topic of a command."""

    NORMAL = "vehicle_control_cmd"
    MANUAL = "vehicle_control_cmd_manual"


@dataclass(frozen=True)
class Command:
    """A control command: steer in [-1, 1], positive to the right; throttle and brake in [0, 1]."""

    steer: float = 0.0
    throttle: float = 0.0
    brake: float = 0.0
    hand_brake: bool = False
    reverse: bool = False

    def is_finite(self) -> bool:
        return all(math.isfinite(value) for value in (self.steer, self.throttle, self.brake))

    def clamped(self) -> "Command":
        """This command with every number in its range."""
        return replace(
            self,
            steer=min(1.0, max(-1.0, self.steer)),
            throttle=min(1.0, max(0.0, self.throttle)),
            brake=min(1.0, max(0.0, self.brake)),
        )

    def pedals(self) -> tuple[float, float, float]:
        """(steer, throttle, brake) as accepted by a World.

        The built-in cars have neither a hand brake nor a reverse gear: the hand brake becomes full braking, and in
        reverse there is no throttle."""
        return self.steer, 0.0 if self.reverse else self.throttle, 1.0 if self.hand_brake else self.brake


class CommandDesk:
    """Collects the commands from the topics and selects the one to apply."""

    def __init__(self, autopilot: bool, clock: Callable[[], float] = time.monotonic):
        """``autopilot``: whether the expert drives initially; ``clock``: monotonic wall time [s]."""
        self.autopilot = autopilot
        self.override = False
        self._clock = clock
        self._current = Command()
        self._arrived = False
        self._answered = False
        self._stamps: deque[int] = deque(maxlen=REMEMBERED_STAMPS)
        self._ready_at = math.nan
        self._latency_s = math.nan

    @property
    def active_channel(self) -> Channel:
        """The channel whose commands count now."""
        return Channel.MANUAL if self.override else Channel.NORMAL

    @property
    def autopilot_drives(self) -> bool:
        """Whether the expert's command is applied: the manual override takes precedence over the autopilot."""
        return self.autopilot and not self.override

    def receive(self, channel: Channel, command: Command, stamp_ns: int) -> str | None:
        """Add a command that arrived now; returns a warning for the user or None.

        ``stamp_ns``: of the command's header. If it is an earlier tick's, the command does not count for this tick's
        latency; any other value, such as zero, counts as an answer to this tick.
        """
        if channel is not self.active_channel:
            return None
        if not command.is_finite():
            return (
                f"ignored a command on {channel.value} that is not finite: steer {command.steer}, "
                f"throttle {command.throttle}, brake {command.brake}"
            )
        if math.isnan(self._latency_s) and stamp_ns not in list(self._stamps)[:-1]:
            self._latency_s = self._clock() - self._ready_at
        self._arrived = True
        self._answered |= bool(self._stamps) and stamp_ns == self._stamps[-1]
        clamped = command.clamped()
        if not self.autopilot_drives:
            self._current = clamped
        if clamped != command:
            return (
                f"clamped a command on {channel.value}: steer {command.steer} to [-1, 1], throttle "
                f"{command.throttle} and brake {command.brake} to [0, 1]"
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

    def take_arrival(self) -> bool:
        """Whether a command arrived since the last call that returned True (each one ends one wait)."""
        arrived, self._arrived = self._arrived, False
        return arrived

    def is_answered(self) -> bool:
        """Whether a command with this tick's stamp arrived."""
        return self._answered

    def choose(self, expert: Command) -> Command:
        """The command for the interval that begins now; it stays in force until another one arrives."""
        if self.autopilot_drives:
            self._current = expert
        return self._current

    def new_episode(self) -> None:
        """The car is at the start with its pedals released; earlier commands answer none of its ticks."""
        self._current = Command()
        self._arrived = False
