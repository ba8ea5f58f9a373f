"""Commands that were sent and will act before the next one can.

A simulator that waits for a command applies it to the interval that begins with the image it answers: nothing is in
flight. One that does not wait continues with the previous command until the new one arrives: the answer to image t
acts from t + d periods on. The delay d is measured by finding sent commands among those that the vehicle reports as
applied.
"""

from collections import deque

import numpy as np
from wm_bundle.times import NS_PER_S

_REMEMBERED = 64  # commands sent
_MEASURED = 9  # measured delays, whose median is used
_TOLERANCE = 1e-4  # a vehicle may store its command in another number format


class CommandsInFlight:
    """Records sent and applied commands, and finds those that act in between.

    A command answers the image stamped t. A vehicle_status stamped t reports what was applied in the period before t.
    """

    def __init__(self, period_s: float, most: int, assumed: int = 0, pedals: bool = True):
        """``period_s``: control period; ``most``: longest plausible delay (the bundle's horizon), and ``assumed``: the
        delay until one is measured, both in periods. ``pedals``: those sent are those applied; of a vehicle whose own
        controller presses them, only the steer tells which command acts."""
        self._compared = slice(3 if pedals else 1)
        self._period_ns = period_s * NS_PER_S
        self._most = most
        self._assumed = assumed
        self.forget()
        self.reset()

    def forget(self) -> None:
        """Forget the measured delay: it has changed."""
        self._delays: deque[int] = deque(maxlen=_MEASURED)
        self._measured: int | None = None

    def reset(self) -> None:
        """Forget the commands, not the measured delay: a new episode, or a command that answers no image."""
        self._sent: deque[tuple[int, np.ndarray]] = deque(maxlen=_REMEMBERED)
        self._last_applied: np.ndarray | None = None

    @property
    def delay(self) -> int:
        """Periods from an image to the first one that its command acts in."""
        return sorted(self._delays)[len(self._delays) // 2] if self._delays else self._assumed

    def sent(self, stamp_ns: int, command: np.ndarray) -> None:
        """``command`` (3,) was sent in answer to the image stamped ``stamp_ns``."""
        self._sent.append((stamp_ns, np.array(command, np.float32)))

    def withdraw(self) -> None:
        """The last command was not sent after all."""
        if self._sent:
            self._sent.pop()

    def take_measured(self) -> int | None:
        """The delay measured since the last call [periods], None if there was none."""
        measured, self._measured = self._measured, None
        return measured

    def applied(self, stamp_ns: int, command: np.ndarray) -> None:
        """``command`` (3,) acted in the period that ended at ``stamp_ns``. A delay is measured only where a command is
        new and was sent for one image: a steady command shows nothing."""
        command = np.asarray(command, np.float32)
        new = self._last_applied is not None and not self._same(command, self._last_applied)
        self._last_applied = command
        if not new:
            return
        origins = [sent_ns for sent_ns, sent in self._sent if sent_ns < stamp_ns and self._same(sent, command)]
        if len(origins) == 1:
            delay = round((stamp_ns - origins[0]) / self._period_ns) - 1
            if 0 <= delay <= self._most:
                self._delays.append(delay)
                self._measured = delay

    def before(self, stamp_ns: int) -> list[np.ndarray]:
        """The commands (3,) that act between the image stamped ``stamp_ns`` and its answer's first period, in order.

        For each period, the last one sent early enough; it stays in force where a frame was skipped.
        """
        commands = []
        for periods in range(self.delay, 0, -1):
            newest_ns = stamp_ns - (periods - 0.5) * self._period_ns
            commands += [command for sent_ns, command in self._sent if sent_ns <= newest_ns][-1:]
        return commands

    def _same(self, one: np.ndarray, other: np.ndarray) -> bool:
        return bool(np.abs(one - other)[self._compared].max() <= _TOLERANCE)
