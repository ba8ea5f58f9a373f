"""One clock for all messages of a bag, which may carry stamps of several."""

from collections import deque
from statistics import median

from wm_bundle.times import NS_PER_S

EPOCH_NS = 10_000_000_000  # clocks that differ by more have different epochs
_LATE_NS = 500_000_000  # longest delay from stamp to recorder, over all topics with stamps
_FRESH_NS = 2_000_000_000  # older recordings say nothing about now: a simulator may have restarted
_KEPT = 3


def header_ns(message) -> int | None:
    """Stamp of a message's header, or its own as Autoware's have [ns]; None without one or for a zero stamp. Raises
    AttributeError, TypeError or ValueError where the header is not a ROS header."""
    header = _header(message)
    if header is None:
        return None
    stamp_ns = int(header.stamp.sec) * NS_PER_S + int(header.stamp.nanosec)
    if abs(stamp_ns) >= 2**62:
        raise ValueError(f"the stamp is {stamp_ns} ns")
    return stamp_ns or None


def tells_time(message) -> bool:
    """Whether messages of this type have a stamp, zero or not."""
    return _header(message) is not None


def _header(message):
    return getattr(message, "header", message if hasattr(message, "stamp") else None)


def epochs_differ(offsets: dict[str, list[int]]) -> bool:
    """Whether topics' stamps have different epochs; ``offsets`` [ns], header minus recording, of some messages of
    each."""
    usual = [median(several) for several in offsets.values() if several]
    return bool(usual) and max(usual) - min(usual) > EPOCH_NS


def apart_note(offsets: dict[str, list[int]]) -> str | None:
    """A note if some topics' stamps are much further from the recording times than others', else None."""
    usual = sorted((median(several), topic) for topic, several in offsets.items() if several)
    if not usual or usual[-1][0] - usual[0][0] <= _LATE_NS:
        return None
    (behind_ns, late), *_, (ahead_ns, other) = usual
    return (
        f"{late} is recorded {(ahead_ns - behind_ns) / NS_PER_S:.2f} s later after its stamps than {other}; where that "
        f"is not a delay but two clocks that differ, actions and pictures are of different moments"
    )


class Clock:
    """Selects the stamps: those of headers, or the recording times.

    A message without a stamp, among others with one, gets its recording time, shifted by the distance between headers
    and recording where these are different clocks. Where messages were late, the topic with the least delay defines it.
    """

    def __init__(self, by_recording: bool, offsets: dict[str, list[int]]):
        """``offsets`` [ns], header minus recording, of each topic's first messages."""
        self.by_recording = by_recording
        # The last ones of each topic, of which one may be odd, and when the last was recorded.
        self._offsets = {topic: deque(known[:_KEPT], _KEPT) for topic, known in offsets.items()}
        self._heard_ns: dict[str, int] = {}

    def stamp_ns(self, topic: str, in_header_ns: int | None, log_ns: int) -> int:
        """The stamp of a message."""
        if self.by_recording:
            return log_ns
        if in_header_ns is None:
            return log_ns + self._apart_ns(log_ns)
        self._offsets[topic].append(in_header_ns - log_ns)
        self._heard_ns[topic] = log_ns
        return in_header_ns

    def knows_stamps_of(self, topic: str) -> bool:
        """Whether stamps are used and other messages of the topic have one: one without is odd."""
        return not self.by_recording and bool(self._offsets[topic])

    def _apart_ns(self, log_ns: int) -> int:
        """Distance of headers from recording times, beyond message delays; 0 where unknown."""
        known = {topic: _newest(several) for topic, several in self._offsets.items() if several}
        fresh = {topic for topic, heard_ns in self._heard_ns.items() if abs(log_ns - heard_ns) < _FRESH_NS}
        apart = [offset for topic, offset in known.items() if topic in fresh or not fresh]
        latest = max(apart, default=0)
        # A single late topic may also be a slow camera's.
        enough = EPOCH_NS if len(apart) < 2 and latest < 0 else _LATE_NS
        return latest if abs(latest) > enough else 0


def _newest(offsets: deque[int]) -> int:
    """The last one confirmed by another: a single odd one is ignored."""
    for offset in reversed(offsets):
        if sum(abs(offset - other) <= _LATE_NS for other in offsets) > 1:
            return offset
    return offsets[-1]
