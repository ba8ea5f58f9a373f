"""When what was recorded is due: on a steady clock, counted from the beginning or the last pause, so that errors do not
add up."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from wm_bundle.times import NS_PER_S

_READ_AHEAD = 128  # messages
_LOOK_S = 0.2
Entry = TypeVar("Entry")


class Pace:
    """Turns times of recording [ns] into times of a steady clock [s], and remembers the worst lateness."""

    def __init__(self, first_ns: int, rate: float, clock: Callable[[], float]):
        """What was recorded at ``first_ns`` is due now; ``clock`` is steady [s]."""
        self._anchor_ns = first_ns
        self._rate = rate
        self._clock = clock
        self._anchor_s = clock()
        self._halted = False
        self.worst_s = 0.0
        """How late the latest message was [s]."""

    def due_s(self, recorded_ns: int) -> float:
        """When to send what was recorded then, if it is not halted until then."""
        return self._anchor_s + (recorded_ns - self._anchor_ns) / NS_PER_S / self._rate

    def sent(self, due_s: float) -> None:
        """Something that was due at ``due_s`` goes out now."""
        self.worst_s = max(self.worst_s, self._clock() - due_s)

    def halt(self) -> bool:
        """From now on no time of recording passes; whether it did until now."""
        if self._halted:
            return False
        passed_s = self._clock() - self._anchor_s
        self._anchor_ns += int(passed_s * self._rate * NS_PER_S)
        self._halted = True
        return True

    def go(self) -> bool:
        """It passes; whether it did not until now."""
        if not self._halted:
            return False
        self._anchor_s = self._clock()
        self._halted = False
        return True

    @property
    def recorded_ns(self) -> int:
        """The time of recording at which it is, or was last, halted."""
        return self._anchor_ns

    def jump(self, recorded_ns: int) -> None:
        """While it is halted: it is at this time of recording now."""
        self._anchor_ns = recorded_ns
        self._anchor_s = self._clock()


def read_ahead(entries: Iterable[Entry], stop: threading.Event) -> Iterator[Entry]:
    """The entries, read by a thread that is a little ahead, so that unpacking delays none.

    What the reading raises is raised here, in its place.
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
        except Exception as error:  # the other thread has to hear of it, whatever it is
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
