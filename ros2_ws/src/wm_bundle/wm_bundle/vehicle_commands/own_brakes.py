"""Tells a node's own brakes from other nodes' on the topic that both send to."""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from wm_bundle.vehicle_commands.messages import CommandOutput

_RETURNS_S = 1.0  # within this time an own brake has come back, or was lost


class OwnBrakes:
    """By the frame, where messages have one. Without, one brake is like the other, so it does not matter whose comes
    back first: as many are own as were sent and have not come back."""

    def __init__(self, output: CommandOutput, frame: str, clock: Callable[[], float] = time.monotonic):
        self._output, self._frame, self._clock = output, frame, clock
        self._sent_s: deque[float] = deque()

    def sent(self) -> None:
        """A brake was sent."""
        self._sent_s.append(self._clock())

    def is_own(self, message: Any) -> bool:
        """Whether this message is one of them."""
        if self._output.has_header:
            return message.header.frame_id == self._frame
        while self._sent_s and self._clock() - self._sent_s[0] > _RETURNS_S:
            self._sent_s.popleft()
        if not self._sent_s or self._output.lets_move(message):
            return False
        self._sent_s.popleft()
        return True
