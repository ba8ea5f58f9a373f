"""Report of a conversion: what was found, kept and skipped, by drive."""

from array import array

import numpy as np
from wm_bundle.times import NS_PER_S

from wm_data.line import usual_step_ns
from wm_data.notes import Notes


class TopicStatistics:
    """Stamps of one topic, camera or table: their regularity, and their distance from the recording times."""

    def __init__(self, kind: str):
        """``kind`` is the message type, or the source's name for it."""
        self.kind = kind
        self._stamps = array("q")
        self._offsets = array("q")

    def add(self, stamp_ns: int, recorded_ns: int | None = None) -> None:
        """Add one sample's stamp, and its recording time if known [ns]."""
        self._stamps.append(stamp_ns)
        if recorded_ns is not None:
            self._offsets.append(recorded_ns - stamp_ns)

    @property
    def latency_ms(self) -> float | None:
        """Median of recorded minus stamp [ms]; None where the recording times are unknown."""
        return round(float(np.median(self._offsets)) / 1e6, 3) if len(self._offsets) else None

    def summary(self) -> dict:
        """count, rate [Hz], jitter [ms] (99th percentile of the gaps' deviation from the usual one), drops (missing
        samples, by the usual gap), longest gap [s], latency [ms] (median of recorded minus stamp), backwards."""
        stamps = np.array(self._stamps, np.int64)
        gaps = np.diff(stamps)
        forward = gaps[gaps > 0]
        usual = float(usual_step_ns(stamps))
        return {
            "type": self.kind,
            "count": len(stamps),
            "rate_hz": round(NS_PER_S / usual, 3) if usual else None,
            "jitter_ms": round(float(np.percentile(np.abs(forward - usual), 99)) / 1e6, 3) if usual else None,
            "drops": int(np.maximum(np.rint(forward / usual) - 1, 0).sum()) if usual else 0,
            "longest_gap_s": round(float(forward.max()) / NS_PER_S, 3) if len(forward) else None,
            "latency_ms": self.latency_ms,
            "backwards": int((gaps <= 0).sum()),
        }


class DriveReport(Notes):
    """One drive's report. ``splits``: where an episode was cut."""

    def __init__(self, name: str):
        super().__init__()
        self.name = name
        self.topics: dict[str, TopicStatistics] = {}
        self.splits: list[dict] = []

    def take_over(self, other: "DriveReport") -> None:
        """Share everything with ``other`` from now on, except the name."""
        self.topics, self.skipped = other.topics, other.skipped
        self.splits, self.notes = other.splits, other.notes

    def summary(self) -> dict:
        return {
            "topics": {name: topic.summary() for name, topic in sorted(self.topics.items())},
            "clock_skew_ms": self.clock_skew_ms(),
            "splits": self.splits,
            "skipped": dict(sorted(self.skipped.items())),
            "notes": self.notes,
        }

    def topic(self, name: str, kind: str) -> TopicStatistics:
        return self.topics.setdefault(name, TopicStatistics(kind))

    def split(self, stamp_ns: int, reason: str) -> None:
        self.splits.append({"stamp_ns": int(stamp_ns), "reason": reason})

    def clock_skew_ms(self) -> dict[str, float]:
        """Difference of each topic's latency from the first one's [ms]: reveals stamps of different clocks."""
        latency = {name: topic.latency_ms for name, topic in self.topics.items()}
        known = {name: value for name, value in latency.items() if value is not None}
        if not known:
            return {}
        first = next(iter(known.values()))
        return {name: round(value - first, 3) for name, value in known.items()}
