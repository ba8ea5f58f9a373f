"""The commands that ticks wait for, counted as by the CARLA bridge."""


class Answers:
    """The bridge notes before a tick that the car's command is missing, and waits after it for an event that any
    command sets. So one that comes when none is missing ends the next tick's wait, and one that comes before the wait
    began ends that one and the next: the driver is then out of step until it leaves out one."""

    def __init__(self):
        self._missing = False
        self._came = False

    def begin_tick(self, car: bool) -> None:
        """``car``: it exists already, so that its command is waited for."""
        self._missing = car

    def command(self) -> bool:
        """A command came; returns whether it was missing."""
        expected, self._missing, self._came = self._missing, False, True
        return expected

    @property
    def missing(self) -> bool:
        """Whether this tick has to wait."""
        return self._missing

    @property
    def came(self) -> bool:
        """Whether the wait is over."""
        return self._came

    def waited(self) -> None:
        """The wait ended, one way or the other."""
        self._came = False
