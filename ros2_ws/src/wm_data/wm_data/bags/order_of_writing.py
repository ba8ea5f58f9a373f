"""Whether a bag's messages have to be taken in the order of writing.

The time of recording is that of a machine's clock. Where that clock was set back meanwhile, what was recorded before
and after lies at the same times, and in their order the two would alternate. Only the order of writing tells them
apart. It is not taken otherwise: there are files that were written topic by topic.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from wm_bundle.times import NS_PER_S

from wm_data.line import ANEW, Line, usual_step_ns
from wm_data.notes import Notes

_AROUND = 4  # messages around a step back that tell what it was


def set_back_ns(of_topics: Iterable[np.ndarray]) -> int:
    """By how much [ns] the clock of recording was set back at most, 0 where it was not. ``of_topics``: of each topic
    the times of recording [ns] in the order of writing."""
    farthest = 0
    for times in of_topics:
        steps = np.diff(times)
        usual = usual_step_ns(times)
        for place in np.flatnonzero(steps < 0).tolist():
            around = times[max(0, place - _AROUND) : place + _AROUND].tolist()
            line: Line[int] = Line(usual)
            told = [one for stamp in around for one in line.take(stamp, stamp)]
            if any(one.verdict == ANEW for one in told):
                farthest = max(farthest, int(-steps[place]))
    return farthest


def is_set_back(of_topics: Iterable[np.ndarray], file: Path, report: Notes) -> bool:
    """Whether the clock of recording was set back, which is noted."""
    by_ns = set_back_ns(of_topics)
    if by_ns:
        report.note(
            f"the clock of recording was set back by {by_ns / NS_PER_S:.3f} s while {file.name} was written: its "
            f"messages are taken in the order of writing"
        )
    return by_ns > 0
