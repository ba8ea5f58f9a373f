"""Sits between a simulator and a planner and disturbs the images and commands that pass. No ROS in here.

Frames keep their stamps, also when delayed. Images of several cameras with the same stamp are one frame, and are
dropped or delayed together. A frame never overtakes an earlier one.

``LockStepDisturber`` is for a simulator that waits for one command in every tick. Delays are rounded to ticks, and each
tick gets exactly one command: the answer to the frame that the planner got in that tick, or the last command if it got
none. ``RealTimeDisturber`` is for a simulator that does not wait: delays are in wall time, and the last command stays
in force until a new one.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from wm_tools.benchmark.disturbance import Effects


@dataclass(frozen=True)
class Command:
    """``stamp_ns`` [ns] is that of the image it answers, 0 if it answers none."""

    stamp_ns: int
    steer: float
    throttle: float
    brake: float


@dataclass(frozen=True)
class Passed:
    """What to pass on now: ``images`` to the planner, as (camera, image), and ``commands`` to the simulator."""

    images: tuple[tuple[int, Any], ...] = ()
    commands: tuple[Command, ...] = ()


BRAKE = Command(0, 0.0, 0.0, 1.0)  # before the first command


class LockStepDisturber:
    """One command per tick; a new stamp begins a tick."""

    def __init__(self, effects: Effects, period_s: float):
        """``period_s`` [s]: the length of a tick."""
        self._effects = effects
        self._period_ns = period_s * 1e9
        self._stamp_ns: int | None = None  # of the tick
        self._frames: deque[tuple[int, float, list]] = deque()  # delayed frames: stamp, time due [ns], images
        self._given_ns: int | None = None  # stamp of the last frame sent to the planner
        self._awaited = False  # whether its answer is still missing
        self._command = BRAKE  # the last one that reached the vehicle's actuators
        self._count = 0
        delay = round(effects.command_delay_s / period_s)
        self._line = deque([BRAKE] * delay)  # commands that have not reached the wheels yet

    def image(self, camera: int, stamp_ns: int, image: Any) -> Passed:
        if stamp_ns == self._stamp_ns:
            if self._given_ns == stamp_ns:
                return Passed(images=((camera, image),))
            if self._frames and self._frames[-1][0] == stamp_ns:
                self._frames[-1][2].append((camera, image))
            return Passed()
        self._stamp_ns = stamp_ns
        if not self._effects.loses_frame():
            due_ns = stamp_ns + 1e9 * self._effects.frame_delay_s()
            self._frames.append((stamp_ns, due_ns, [(camera, image)]))
        frame = self._newest_due(stamp_ns)
        if frame is None:
            self._awaited = False
            return Passed(commands=(self._through_actuators(),))
        self._given_ns, _, images = frame
        self._awaited = True
        return Passed(images=tuple(images))

    def command(self, command: Command) -> Passed:
        """The planner sent a command. Only the awaited answer is passed on: the simulator counts commands."""
        if not self._awaited or command.stamp_ns != self._given_ns:
            return Passed()
        self._awaited = False
        if self._count % self._effects.command_divisor == 0:
            self._command = replace(command, steer=self._effects.steer(command.steer))
        self._count += 1
        return Passed(commands=(self._through_actuators(),))

    def _newest_due(self, now_ns: int) -> tuple[int, float, list] | None:
        """The newest frame that is due; older ones are dropped, as by a queue that holds only the newest."""
        due = [frame for frame in self._frames if frame[1] < now_ns + 0.5 * self._period_ns]
        if not due:
            return None
        while self._frames and self._frames[0] is not due[-1]:
            self._frames.popleft()
        return self._frames.popleft()

    def _through_actuators(self) -> Command:
        self._line.append(self._command)
        return self._line.popleft()


class RealTimeDisturber:
    """Everything is passed on when it is due: call ``due`` again after ``wait_s``."""

    def __init__(self, effects: Effects, clock: Callable[[], float] = time.monotonic):
        """``clock``: monotonic wall time [s]."""
        self._effects = effects
        self._clock = clock
        self._frame_ns: int | None = None  # stamp of the latest frame
        self._frame_due_s = 0.0
        self._frame_lost = False
        self._count = 0
        self._images: deque[tuple[float, int, Any]] = deque()
        self._commands: deque[tuple[float, Command]] = deque()

    def image(self, camera: int, stamp_ns: int, image: Any) -> Passed:
        if stamp_ns != self._frame_ns:
            self._frame_ns = stamp_ns
            self._frame_lost = self._effects.loses_frame()
            self._frame_due_s = max(self._frame_due_s, self._clock() + self._effects.frame_delay_s())
        if not self._frame_lost:
            self._images.append((max(self._frame_due_s, self._clock()), camera, image))
        return self.due()

    def command(self, command: Command) -> Passed:
        if self._count % self._effects.command_divisor == 0:
            disturbed = replace(command, steer=self._effects.steer(command.steer))
            self._commands.append((self._clock() + self._effects.command_delay_s, disturbed))
        self._count += 1
        return self.due()

    def due(self) -> Passed:
        """What has to be passed on now."""
        now_s = self._clock()
        images, commands = [], []
        while self._images and self._images[0][0] <= now_s:
            images.append(self._images.popleft()[1:])
        while self._commands and self._commands[0][0] <= now_s:
            commands.append(self._commands.popleft()[1])
        return Passed(tuple(images), tuple(commands))

    def wait_s(self) -> float | None:
        """Time until something is due [s], None if nothing is waiting."""
        times = [queue[0][0] for queue in (self._images, self._commands) if queue]
        return max(0.0, min(times) - self._clock()) if times else None
