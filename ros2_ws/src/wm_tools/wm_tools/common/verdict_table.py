"""The verdicts on thresholds, in a report."""

import math
from collections.abc import Sequence

from wm_evaluation.report import Table

from wm_tools.common.thresholds import Verdict


def verdict_table(verdicts: Sequence[Verdict]) -> Table:
    """A row for each."""
    rows = [
        (
            str(verdict.threshold),
            "holds" if verdict.holds else "fails",
            "not known" if math.isnan(verdict.value) else f"{verdict.value:.6g}",
        )
        for verdict in verdicts
    ]
    return Table(["threshold", "verdict", "found"], rows)
