"""The outcome of every frame of a played bag, joined by stamp after the replay.

A frame is one moment of the cameras. Stamps may repeat (if a simulator restarts), so answers for a stamp are matched in
order.
"""

import struct
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from wm_bundle.times import NS_PER_S
from wm_planner.pilot.modes import Mode

NS_PER_MS = 1_000_000
BRAKE = (0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Command:
    """A received command: when [ns since 1970], and [steer, throttle, brake]."""

    arrival_ns: int
    values: tuple[float, float, float]


@dataclass(frozen=True)
class Status:
    """What the planner reported about a command: see wm_msgs/PlannerStatus."""

    mode: Mode
    reason: str
    latency_ms: float
    deadline_missed: bool
    candidates: int
    iterations: int
    surprise: float
    in_flight: int

    @classmethod
    def of(cls, message) -> "Status":
        """From such a message. Raises ValueError for an unknown mode."""
        return cls(Mode(message.mode), *(getattr(message, field.name) for field in fields(cls)[1:]))


@dataclass(frozen=True)
class Frame:
    """One frame: its stamp, when its first picture arrived (None: the monitor missed it), and the planner's answer."""

    stamp_ns: int
    arrival_ns: int | None
    command: Command | None
    status: Status | None

    @property
    def latency_ms(self) -> float | None:
        """From the arrival of the picture to that of its command."""
        if self.arrival_ns is None or self.command is None:
            return None
        return (self.command.arrival_ns - self.arrival_ns) / NS_PER_MS


@dataclass(frozen=True)
class Moment:
    """The pictures of several cameras that belong together: ``stamps_ns``, the first one first."""

    stamps_ns: tuple[int, ...]


def header_stamp_ns(raw: bytes) -> int:
    """The stamp of a serialised message that begins with a header. Raises ValueError for bytes without one."""
    if len(raw) < 12:
        raise ValueError(f"expected a message with a header, found {len(raw)} bytes")
    seconds, nanoseconds = struct.unpack_from("<iI" if raw[1] & 1 else ">iI", raw, 4)
    return seconds * NS_PER_S + nanoseconds


def moments_of(stamps_ns: Iterable[int], tolerance_ns: int) -> list[Moment]:
    """Pictures in recorded order, grouped if their stamps are at most ``tolerance_ns`` apart.

    With a tolerance below 0 (one camera), every picture is a moment.
    """
    found: list[list[int]] = []
    for stamp_ns in stamps_ns:
        if found and tolerance_ns >= 0 and abs(stamp_ns - found[-1][0]) <= tolerance_ns:
            found[-1].append(stamp_ns)
        else:
            found.append([stamp_ns])
    return [Moment(tuple(stamps)) for stamps in found]


class Arrivals:
    """Collects what the monitor receives, and joins it to the frames at the end."""

    def __init__(self):
        self._pictures: dict[int, deque[int]] = defaultdict(deque)
        self._commands: dict[int, deque[Command]] = defaultdict(deque)
        self._statuses: dict[int, deque[Status]] = defaultdict(deque)
        self._unasked_ns: list[int] = []
        self.first_ns: int | None = None
        """When the first picture arrived."""
        self.last_ns: int | None = None
        """When the last picture arrived."""

    def picture(self, stamp_ns: int, arrival_ns: int) -> None:
        """A picture of any camera arrived."""
        self.first_ns = self.first_ns or arrival_ns
        self.last_ns = arrival_ns
        self._pictures[stamp_ns].append(arrival_ns)

    def command(self, stamp_ns: int, command: Command) -> None:
        """A command arrived; stamp 0 means that it answers no picture."""
        if stamp_ns == 0:
            self._unasked_ns.append(command.arrival_ns)
        else:
            self._commands[stamp_ns].append(command)

    def status(self, stamp_ns: int, status: Status) -> None:
        """A status arrived."""
        self._statuses[stamp_ns].append(status)

    @property
    def unasked(self) -> int:
        """Number of commands between the first and the last picture that answer no picture: brakes of a watchdog."""
        if self.first_ns is None:
            return 0
        return sum(self.first_ns < arrival_ns < self.last_ns for arrival_ns in self._unasked_ns)

    def frames(self, moments: Sequence[Moment]) -> list[Frame]:
        """Every moment of the bag with its answers. Call it once."""
        return [self._frame(moment) for moment in moments]

    def _frame(self, moment: Moment) -> Frame:
        def next_of(waiting: dict[int, deque]):
            found = [waiting[stamp].popleft() for stamp in moment.stamps_ns if waiting.get(stamp)]
            return found[0] if found else None

        arrivals = [self._pictures[stamp].popleft() for stamp in moment.stamps_ns if self._pictures.get(stamp)]
        return Frame(moment.stamps_ns[0], min(arrivals, default=None), next_of(self._commands), next_of(self._statuses))
