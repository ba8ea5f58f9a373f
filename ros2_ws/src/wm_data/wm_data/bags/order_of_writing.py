"""Whether a bag's messages must be read in the order of writing.

Recording times come from the machine's clock. Where that clock was set back, messages from before and after have the
same times, and sorted by time the two would alternate. Only the order of writing separates them. It is not used
otherwise: some files are written topic by topic.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from wm_bundle.times import NS_PER_S

from wm_data.line import ANEW, Line, usual_step_ns
from wm_data.notes import Notes

_AROUND = 4  # messages around a step back that are examined


def set_back_ns(of_topics: Iterable[np.ndarray]) -> int:
    """The largest step back [ns] of the recording clock, 0 without one. ``of_topics``: for each topic the recording
    times [ns] in the order of writing."""
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
    """Whether the recording clock was set back; adds a note if so."""
    by_ns = set_back_ns(of_topics)
    if by_ns:
        report.note(
            f"the clock of recording was set back by {by_ns / NS_PER_S:.3f} s while {file.name} was written: its "
            f"messages are taken in the order of writing"
        )
    return by_ns > 0
