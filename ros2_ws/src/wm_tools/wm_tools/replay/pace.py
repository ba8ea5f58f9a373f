"""When recorded messages are due: on a steady clock, from the start or the last pause, so that errors do not add up."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from wm_bundle.times import NS_PER_S

_READ_AHEAD = 128  # messages
_LOOK_S = 0.2
Entry = TypeVar("Entry")


class Pace:
    """Converts recorded times [ns] to a steady clock [s], and keeps the worst lateness."""

    def __init__(self, first_ns: int, rate: float, clock: Callable[[], float]):
        """``first_ns`` is due now; ``clock`` is steady [s]."""
        self._anchor_ns = first_ns
        self._rate = rate
        self._clock = clock
        self._anchor_s = clock()
        self._halted = False
        self.worst_s = 0.0
        """Lateness of the latest message [s]."""

    def due_s(self, recorded_ns: int) -> float:
        """When to send a message recorded then, unless paused first."""
        return self._anchor_s + (recorded_ns - self._anchor_ns) / NS_PER_S / self._rate

    def sent(self, due_s: float) -> None:
        """A message due at ``due_s`` is sent now."""
        self.worst_s = max(self.worst_s, self._clock() - due_s)

    def halt(self) -> bool:
        """Stop recorded time; returns whether it was running."""
        if self._halted:
            return False
        passed_s = self._clock() - self._anchor_s
        self._anchor_ns += int(passed_s * self._rate * NS_PER_S)
        self._halted = True
        return True

    def go(self) -> bool:
        """Resume recorded time; returns whether it was stopped."""
        if not self._halted:
            return False
        self._anchor_s = self._clock()
        self._halted = False
        return True

    @property
    def recorded_ns(self) -> int:
        """The recorded time at which it is, or was last, stopped."""
        return self._anchor_ns

    def jump(self, recorded_ns: int) -> None:
        """While stopped: move to this recorded time."""
        self._anchor_ns = recorded_ns
        self._anchor_s = self._clock()


def read_ahead(entries: Iterable[Entry], stop: threading.Event) -> Iterator[Entry]:
    """The entries, read ahead by a thread, so that unpacking delays none.

    Exceptions of the reader are raised here, in their place.
    """
    waiting: queue.Queue = queue.Queue(_READ_AHEAD)
    given_up = threading.Event()

    def put(item) -> bool:
        while not (stop.is_set() or given_up.is_set()):
            try:
                waiting.put(item, timeout=_LOOK_S)
                return True
            except queue.Full:
                continue
        return False

    def read() -> None:
        try:
            for entry in entries:
                if not put((entry, None)):
                    return
            put((None, StopIteration()))
        except Exception as error:  # the other thread must get it, whatever it is
            put((None, error))

    thread = threading.Thread(target=read, name="read ahead", daemon=True)
    thread.start()
    try:
        while not stop.is_set():
            try:
                entry, fault = waiting.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
            if isinstance(fault, StopIteration):
                return
            if fault is not None:
                raise fault
            yield entry
    finally:
        given_up.set()
        thread.join()
