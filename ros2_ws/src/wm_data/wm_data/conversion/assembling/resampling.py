"""Signals at the rows' stamps: means over intervals, latest values, and sums between stamps.

All stamps are integers [ns]. Every function also returns which results are supported by close enough samples, see
``Samples.max_hold_s``; the others are meaningless.
"""

import numpy as np
from wm_bundle.times import NS_PER_S

from wm_data.conversion.drive import Samples


def mean_over(signal: Samples, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Time-weighted mean in each interval from starts to ends, (n,) each: values (n, width), supported bool (n,).

    A signal that holds "after" is constant from each stamp to the next, one that holds "before" from just after the
    previous stamp up to its own. Where one sample covers an interval the result is exactly its value.
    """
    stamps, values = signal.stamps, signal.values
    starts, ends = np.asarray(starts, np.int64), np.asarray(ends, np.int64)
    if not len(stamps):
        return np.zeros((len(starts), values.shape[1])), np.zeros(len(starts), bool)
    if signal.holds == "before":  # the same with time reversed
        stamps, values = -stamps[::-1], values[::-1]
        starts, ends = -ends, -starts
    first = np.searchsorted(stamps, starts, "right") - 1
    last = np.searchsorted(stamps, ends, "left") - 1
    hold_ns = round(signal.max_hold_s * NS_PER_S)
    # Count of pieces longer than the hold limit, so that a difference shows whether an interval touches one.
    too_long = np.concatenate([[0], np.cumsum(np.diff(stamps) > hold_ns)])
    inside = np.maximum(first, 0)
    supported = (first >= 0) & (ends - stamps[np.maximum(last, 0)] <= hold_ns)
    supported &= too_long[np.maximum(last, 0)] == too_long[inside]
    lengths = np.diff(stamps, append=stamps[-1:])[:, None] / NS_PER_S
    before = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values * lengths, axis=0)])[:-1]

    def integral(pieces: np.ndarray, times: np.ndarray) -> np.ndarray:
        return before[pieces] + values[pieces] * ((times - stamps[pieces])[:, None] / NS_PER_S)

    last = np.maximum(last, inside)
    seconds = np.maximum(ends - starts, 1)[:, None] / NS_PER_S
    means = (integral(last, ends) - integral(inside, starts)) / seconds
    return np.where((last == inside)[:, None], values[inside], means), supported


def latest_at(signal: Samples, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The newest sample at or before each time (n,): values (n, width), supported bool (n,). Nothing later is used."""
    stamps, values = signal.stamps, signal.values
    times = np.asarray(times, np.int64)
    if not len(stamps):
        return np.zeros((len(times), values.shape[1])), np.zeros(len(times), bool)
    index = np.searchsorted(stamps, times, "right") - 1
    supported = (index >= 0) & (times - stamps[np.maximum(index, 0)] <= round(signal.max_hold_s * NS_PER_S))
    return values[np.maximum(index, 0)], supported


def exactly_at(signal: Samples, times: np.ndarray) -> np.ndarray:
    """Values (n, width) of the samples with exactly these stamps (n,); NaN where there is none."""
    stamps, values = signal.stamps, signal.values
    found = np.full((len(times), values.shape[1]), np.nan)
    if len(stamps):
        index = np.minimum(np.searchsorted(stamps, times), len(stamps) - 1)
        there = stamps[index] == times
        found[there] = values[index[there]]
    return found


def sum_between(signal: Samples, times: np.ndarray) -> np.ndarray:
    """Sums (n, width) of the samples after each of n + 1 times, up to and including the next."""
    stamps, values = signal.stamps, signal.values
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    index = np.searchsorted(stamps, times, "right")
    return np.diff(total[index], axis=0)
