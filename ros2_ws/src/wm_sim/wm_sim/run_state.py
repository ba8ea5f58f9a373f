"""PLAY, PAUSE and STEP_ONCE of /carla/control, handled as in the CARLA bridge: between two ticks, never while one waits
for its command."""

from collections import deque
from collections.abc import Callable

PLAY, PAUSE, STEP_ONCE = range(3)  # as in carla_msgs/CarlaControl


class RunState:
    """Whether simulated time runs. Orders queue up; between two ticks the last one counts, and while paused each one
    in turn. A step that is requested with another one already waiting is lost, as in the bridge."""

    def __init__(self, on_change: Callable[[bool], None]):
        """``on_change`` is told when time begins to run (True) or stops (False)."""
        self.running = True
        self._on_change = on_change
        self._orders: deque[int] = deque()
        self._stepping = False  # a step was granted and not yet made

    def order(self, command: int) -> None:
        """Take an order; ValueError if it is none of the three."""
        if command not in (PLAY, PAUSE, STEP_ONCE):
            raise ValueError(f"expected {PLAY} (play), {PAUSE} (pause) or {STEP_ONCE} (step once), got {command}")
        self._orders.append(command)

    def may_tick(self) -> bool:
        """Obey what was ordered; returns whether the next tick may come. Call it between two ticks only."""
        if self.running and not self._stepping and self._orders:
            self._orders = deque([self._orders[-1]])
        while self._orders and not self._stepping:
            command = self._orders.popleft()
            self._set_running(command != PAUSE)
            if command == PLAY:
                break
            if command == STEP_ONCE:
                self._stepping = True
                self._orders.append(PAUSE)
        return self.running

    def ticked(self) -> None:
        """A tick was made."""
        self._stepping = False

    def _set_running(self, running: bool) -> None:
        if running != self.running:
            self.running = running
            self._on_change(running)
