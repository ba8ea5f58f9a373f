"""Thresholds on an evaluation's figures, which make it a gate: `action.steer.mae<0.1`."""

import math
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wm_tools.common.errors import EvaluationError

_RELATIONS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}
_FORM = re.compile(r"\s*([A-Za-z0-9_.]+)\s*(<=|>=|<|>)\s*(\S+)\s*")


@dataclass(frozen=True)
class Threshold:
    """A figure's name, the comparison, and the value to compare with."""

    name: str
    relation: str
    limit: float

    @classmethod
    def parse(cls, text: str) -> "Threshold":
        """Parse 'name<value'. Raises ValueError for anything else."""
        found = _FORM.fullmatch(text)
        try:
            limit = float(found.group(3)) if found else math.nan
        except ValueError:
            limit = math.nan
        if math.isnan(limit):
            raise ValueError(f"expected NAME<VALUE, such as action.steer.mae<0.1 (also >, <=, >=), found '{text}'")
        return cls(found.group(1), found.group(2), limit)

    def holds(self, value: float) -> bool:
        """Whether a value satisfies it; an unknown one (NaN) does not."""
        return not math.isnan(value) and _RELATIONS[self.relation](value, self.limit)

    def __str__(self) -> str:
        return f"{self.name}{self.relation}{self.limit:g}"


# The default without --threshold: a bundle that brakes most of the time does not drive.
DEFAULT = (Threshold("mode.braking_share", "<=", 0.5),)


@dataclass(frozen=True)
class Verdict:
    """A threshold, the bundle's figure, and whether it holds."""

    threshold: Threshold
    value: float
    holds: bool


def entries_of(verdicts: Sequence[Verdict]) -> list[dict]:
    """As result files have them."""
    return [
        {"threshold": str(verdict.threshold), "value": verdict.value, "holds": verdict.holds} for verdict in verdicts
    ]


def spell_verdicts(verdicts: Sequence[Verdict]) -> str:
    """How many hold or fail, in words; empty without thresholds."""
    failed, count = sum(not verdict.holds for verdict in verdicts), len(verdicts)
    if not verdicts:
        return ""
    if count == 1:
        return f"the threshold {verdicts[0].threshold} {'fails' if failed else 'holds'}"
    return f"{failed} of {count} thresholds fail" if failed else f"all {count} thresholds hold"


def judge(thresholds: Sequence[Threshold], values: Mapping[str, float]) -> list[Verdict]:
    """A verdict for each threshold on the figures' ``values`` by name."""
    found = [(threshold, values[threshold.name]) for threshold in thresholds]
    return [Verdict(threshold, value, threshold.holds(value)) for threshold, value in found]


def check_names(thresholds: Sequence[Threshold], known: Sequence[str]) -> None:
    """Raise EvaluationError for a threshold on a figure that does not exist."""
    for threshold in thresholds:
        if threshold.name not in known:
            leaf = threshold.name.rsplit(".", 1)[-1]
            near = [name for name in known if leaf in name.split(".")][:5]
            hint = f"; did you mean {', '.join(near)}?" if near else ""
            raise EvaluationError(f"--threshold: there is no figure '{threshold.name}'{hint} (--list-metrics has all)")
