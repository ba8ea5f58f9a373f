"""Recorded times for a player: counted from the start of the bag, without excessive gaps.

Clocks are corrected during a recording, some recorders begin at time 0, and damaged numbers are far ahead: recorded
times have gaps of years, and steps back.
"""

from wm_bundle.times import NS_PER_S
from wm_evaluation.wording import spell_duration

_BACK_NS = NS_PER_S  # a smaller step back is the disorder of writing threads
_DAY_NS = 86_400 * NS_PER_S
_TOLD_NS = 5 * NS_PER_S  # silences from this length on are reported


class RecordedTime:
    """The position of a message in a recording [ns], from the recorded times in the order of the bag."""

    def __init__(self, first_ns: int, max_gap_s: float):
        """``first_ns``: when the bag's first message was recorded. ``max_gap_s``: longer silences are skipped; 0:
        none."""
        self._newest_ns = first_ns
        self._max_gap_ns = round(max_gap_s * NS_PER_S)
        self.at_ns = 0
        """Position of the latest message, without skipped gaps."""
        self.note: str | None = None
        """Remark to print before the latest message is played."""
        self.skipped = False
        """Whether the gap before the latest message is skipped."""

    def go_to(self, recorded_ns: int) -> None:
        """Add the recorded time of the next message."""
        step_ns = recorded_ns - self._newest_ns
        where = f"at {self.at_ns / NS_PER_S:.2f} s"
        self.note = None
        self._newest_ns = recorded_ns
        is_gap = 0 < self._max_gap_ns < step_ns
        self.skipped = is_gap or step_ns < -_BACK_NS
        if is_gap:
            self.note = f"{where} nothing was recorded for {_spelt(step_ns)}, more than --max-gap: skipped"
        elif self.skipped:
            self.note = f"{where} the times of recording go back by {_spelt(-step_ns)}: playing on"
        elif step_ns > _TOLD_NS:
            self.note = f"{where} nothing was recorded for {_spelt(step_ns)}: waiting; --max-gap skips such gaps"
        if not self.skipped:
            self.at_ns += step_ns


def _spelt(gap_ns: int) -> str:
    """`12 s`, `200 days`, `54 years`."""
    days = round(gap_ns / _DAY_NS)
    if days > 2 * 365:
        return f"{round(days / 365.25):,} years"
    return f"{days} days" if days >= 5 else spell_duration(gap_ns / NS_PER_S)
