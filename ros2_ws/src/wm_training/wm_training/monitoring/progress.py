"""Progress display of training: a live line on a terminal, plain lines at intervals elsewhere."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Column

TERMINAL_S = 2.0
"""Seconds between two readings of the losses for the line on a terminal."""
PLAIN_S = 20.0
"""Seconds between two plain lines without a terminal, as in a log file."""
RATE_S = 10.0
"""Frames per second are averaged over about this many seconds."""
SHOWN = ("reconstruction", "kl", "reward", "dynamics", "value", "behaviour_cloning", "actor", "critic")
"""The losses shown in the line."""


class TrainingProgress:
    """Counts updates and shows their speed, the time left, and the main losses."""

    def __init__(
        self,
        total: int,
        done: int,
        frames_per_update: int,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        """``total`` and ``done`` updates; the line goes to ``console``, by default on stderr."""
        self.console = console or Console(stderr=True)
        self.total, self.step = total, done
        self.frames_per_update = frames_per_update
        self._clock = clock
        self._every = TERMINAL_S if self.console.is_terminal else PLAIN_S
        self._first = self._said_at = clock(), done
        self._moments: deque[tuple[float, int]] = deque([self._first])
        self._bar = Progress(
            BarColumn(16, table_column=Column(min_width=16)),
            MofNCompleteColumn(table_column=Column(min_width=2 * len(str(total)) + 1)),
            # The line is truncated to the window here, not earlier.
            TextColumn("{task.fields[note]}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
            console=self.console,
            disable=not self.console.is_terminal,
            expand=True,
            refresh_per_second=2,
        )
        self._task = self._bar.add_task("training", total=total, completed=done, note="")

    def start(self) -> None:
        """Show the line."""
        self._bar.start()

    def stop(self) -> None:
        """Leave the line as it is."""
        self._bar.stop()

    def advance(self, step: int) -> None:
        """``step`` updates are done."""
        self.step = step
        self._bar.update(self._task, completed=step)

    def is_due(self) -> bool:
        """Whether it is time to ``show`` losses."""
        return self._clock() - self._said_at[0] >= self._every

    def show(self, losses: Mapping[str, float]) -> None:
        """Show speed, time left and the main ones of ``losses``."""
        self._measure()
        self._said_at = self._clock(), self.step
        shown = " ".join(f"{name} {losses[name]:.3g}" for name in SHOWN if name in losses)
        note = f"{self.frames_per_s():.0f} frames/s, {self._time_left()} left: {shown}"
        self._bar.update(self._task, note=note)
        if not self.console.is_terminal:
            self.say(f"update {self.step}/{self.total}: {note}")

    def say(self, text: str) -> None:
        """Print a permanent line."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def pause_over(self) -> None:
        """Exclude time spent on something else, such as validation, from the frames per second."""
        self._moments = deque([(self._clock(), self.step)])

    def frames_per_s(self) -> float:
        """Training speed over the last seconds."""
        (since, first), (now, last) = self._moments[0], (self._clock(), self.step)
        return (last - first) * self.frames_per_update / max(now - since, 1e-6)

    def _measure(self) -> None:
        now = self._clock()
        self._moments.append((now, self.step))
        # The last entry before the window stays, as a reference.
        while len(self._moments) > 2 and self._moments[1][0] <= now - RATE_S:
            self._moments.popleft()

    def _time_left(self) -> timedelta | str:
        """From the mean speed of this process, including validation and checkpoints."""
        since, first = self._first
        done = self.step - first
        if done <= 0:
            return "?"
        return timedelta(seconds=round((self.total - self.step) * (self._clock() - since) / done))
