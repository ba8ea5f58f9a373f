"""Compares the signals that the planner imagined with those observed when that time came.

Shapes: H horizon, V signals.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from wm_bundle.times import NS_PER_S

_REMEMBERED_S = 20.0
_LEAST_SHARE = 0.5  # of the horizon: an expectation from closer to now says little


@dataclass(frozen=True)
class ImaginedSignals:
    """One message's signals. ``values`` (1 + H, V): as observed at the image ``stamp_ns``, then as imagined, one
    ``period_s`` apart, after ``in_flight`` further periods."""

    stamp_ns: int
    period_s: float
    in_flight: int
    names: tuple[str, ...]
    units: tuple[str, ...]
    values: np.ndarray

    def steps_to(self, stamp_ns: int) -> int:
        """The row of ``values`` that is about this later moment; it may be beyond the last one."""
        return round((stamp_ns - self.stamp_ns) / NS_PER_S / self.period_s) - self.in_flight


class Expectations:
    """Takes every message in turn and says, for each signal, what was expected of this moment."""

    def __init__(self):
        self._past: deque[ImaginedSignals] = deque()
        self._errors: deque[tuple[int, np.ndarray, np.ndarray]] = deque()  # stamp, of imagination, of the last value

    def take(self, signals: ImaginedSignals) -> list[dict]:
        """JSON values for each signal: its ``name``, ``unit``, value ``now``, and ``expected`` of now ``ahead_s``
        before, with the mean absolute ``error`` of such expectations over the last 20 s, and ``held_error``, that of
        taking the value then for the value now. None where unknown."""
        if self._past and not self._continues(signals):
            self._past.clear()
            self._errors.clear()
        then, step = self._expected_from(signals)
        self._past.append(signals)
        self._drop_old(signals.stamp_ns)
        now = signals.values[0]
        expected = then.values[step] if then else np.full(len(now), np.nan)
        if then:
            self._errors.append((signals.stamp_ns, np.abs(expected - now), np.abs(then.values[0] - now)))
        errors, held = (self._mean(column, len(now)) for column in (1, 2))
        ahead_s = (step + then.in_flight) * signals.period_s if then else None
        return [
            {
                "name": name,
                "unit": unit,
                "now": _number(now[i]),
                "expected": _number(expected[i]),
                "ahead_s": _number(ahead_s),
                "error": _number(errors[i]),
                "held_error": _number(held[i]),
            }
            for i, (name, unit) in enumerate(zip(signals.names, signals.units, strict=True))
        ]

    def _continues(self, signals: ImaginedSignals) -> bool:
        last = self._past[-1]
        kind = (last.names, last.units, last.period_s, last.values.shape)
        same = kind == (signals.names, signals.units, signals.period_s, signals.values.shape)
        return same and 0 < signals.stamp_ns - last.stamp_ns <= _REMEMBERED_S * NS_PER_S

    def _expected_from(self, signals: ImaginedSignals) -> tuple[ImaginedSignals | None, int]:
        """The past message that looked farthest ahead to this moment, and its row."""
        horizon = len(signals.values) - 1
        for past in self._past:  # the oldest first
            step = past.steps_to(signals.stamp_ns)
            if step <= horizon:
                return (past, step) if step >= max(1, math.ceil(_LEAST_SHARE * horizon)) else (None, 0)
        return None, 0

    def _mean(self, column: int, count: int) -> np.ndarray:
        rows = np.array([error[column] for error in self._errors]).reshape(-1, count)
        known = np.isfinite(rows)
        number = known.sum(axis=0)
        return np.where(number > 0, np.where(known, rows, 0.0).sum(axis=0) / np.maximum(number, 1), np.nan)

    def _drop_old(self, stamp_ns: int) -> None:
        oldest_ns = stamp_ns - int(_REMEMBERED_S * NS_PER_S)
        while self._past[0].stamp_ns < oldest_ns:
            self._past.popleft()
        while self._errors and self._errors[0][0] < oldest_ns:
            self._errors.popleft()


def signals_of(
    stamp_ns: int, period_s: float, in_flight: int, names: Sequence[str], units: Sequence[str], values: Sequence[float]
) -> ImaginedSignals | None:
    """A message's fields as signals; None where it has none, or numbers that do not fit together."""
    rows, rest = divmod(len(values), len(names)) if names else (0, 0)
    if rows < 2 or rest or len(units) != len(names) or not period_s > 0.0:
        return None
    table = np.asarray(values, np.float64).reshape(rows, len(names))
    return ImaginedSignals(stamp_ns, period_s, in_flight, tuple(names), tuple(units), table)


def _number(value: float | None) -> float | None:
    return float(f"{value:.5g}") if value is not None and math.isfinite(value) else None
