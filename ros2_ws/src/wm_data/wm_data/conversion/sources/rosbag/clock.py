"""One clock for all messages of a bag, which may carry stamps of several."""

from statistics import median

EPOCH_NS = 10_000_000_000  # clocks that differ by more have another beginning


def header_ns(message) -> int | None:
    """Stamp of a message's header [ns], None without a header or where the stamp is zero.

    Raises AttributeError, TypeError or ValueError where the header is not as that of ROS.
    """
    header = getattr(message, "header", None)
    if header is None:
        return None
    stamp_ns = int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)
    if abs(stamp_ns) >= 2**62:
        raise ValueError(f"the stamp is {stamp_ns} ns")
    return stamp_ns or None


def epochs_differ(offsets: dict[str, list[int]]) -> bool:
    """Whether topics' stamps begin at different times; ``offsets`` [ns], header minus recording, of some of each."""
    usual = [median(several) for several in offsets.values() if several]
    return bool(usual) and max(usual) - min(usual) > EPOCH_NS


def usual_offset_ns(offsets: dict[str, list[int]]) -> int:
    """How far [ns] stamps usually are from the times of recording; 0 where nothing tells it."""
    known = [offset for several in offsets.values() for offset in several]
    return int(median(known)) if known else 0


class Clock:
    """The stamps that are used: those of headers, or the times of recording.

    A single message without a stamp, among such that have one, gets its time of recording, moved by how far headers
    and recording lie apart where these are different clocks.
    """

    def __init__(self, by_recording: bool, apart_ns: int = 0):
        """``apart_ns``: how far headers usually are from the times of recording."""
        self.by_recording = by_recording
        self._apart_ns = apart_ns if abs(apart_ns) > EPOCH_NS else 0

    def stamp_ns(self, in_header_ns: int | None, log_ns: int) -> int:
        """The stamp of a message."""
        if self.by_recording:
            return log_ns
        if in_header_ns is None:
            return log_ns + self._apart_ns
        apart = in_header_ns - log_ns
        self._apart_ns = apart if abs(apart) > EPOCH_NS else 0
        return in_header_ns
