"""Rectangles on the ground: whether they overlap, and when they will."""

import numpy as np

_CORNERS = np.array([(0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5), (0.5, -0.5)])


class Rectangles:
    """n of them: middles (n, 2) [m], headings (n,) [rad], sizes (n, 2) [m] along and across."""

    def __init__(self, middles: np.ndarray, headings: np.ndarray, sizes: np.ndarray):
        self.middles = np.asarray(middles, np.float64).reshape(-1, 2)
        headings = np.asarray(headings, np.float64)
        self.axes = np.stack(  # (n, 2, 2): along and to the left, as rows
            [np.stack([np.cos(headings), np.sin(headings)], 1), np.stack([-np.sin(headings), np.cos(headings)], 1)], 1
        ).reshape(-1, 2, 2)
        self.halves = np.asarray(sizes, np.float64).reshape(-1, 2) / 2

    def __len__(self) -> int:
        return len(self.middles)

    def __getitem__(self, chosen) -> "Rectangles":
        part = Rectangles.__new__(Rectangles)
        part.middles, part.axes, part.halves = self.middles[chosen], self.axes[chosen], self.halves[chosen]
        return part

    def corners(self) -> np.ndarray:
        """(n, 4, 2) [m]."""
        return self.middles[:, None] + (2 * _CORNERS * self.halves[:, None]) @ self.axes

    def near(self, x: float, y: float, reach_m: float) -> np.ndarray:
        """Numbers of those that come within a distance of a place, roughly."""
        return np.flatnonzero(
            np.hypot(self.middles[:, 0] - x, self.middles[:, 1] - y) - np.hypot(*self.halves.T) <= reach_m
        )


def contact_times(own: Rectangles, velocity: np.ndarray, others: Rectangles, velocities: np.ndarray) -> np.ndarray:
    """(n,) [s]: when one rectangle, moving straight, touches each of n others; 0 for those it overlaps now, infinity
    for never. By separating axes: on each of the four the gap closes and opens at known times."""
    if not len(others):
        return np.zeros(0)
    axes = np.concatenate([np.broadcast_to(own.axes, (len(others), 2, 2)), others.axes], axis=1)  # (n, 4, 2)
    # Half the widths of both on each axis.
    reach = (np.abs(axes @ own.axes[0].T) * own.halves[0]).sum(axis=2)
    reach = reach + (np.abs(axes @ others.axes.transpose(0, 2, 1)) * others.halves[:, None]).sum(axis=2)
    apart = (axes @ (others.middles - own.middles[0])[..., None])[..., 0]
    speed = (axes @ (velocities - velocity)[..., None])[..., 0]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        first, second = (-reach - apart) / speed, (reach - apart) / speed
    still = np.abs(speed) < 1e-9
    inside = np.abs(apart) < reach
    begin = np.where(still, np.where(inside, -np.inf, np.inf), np.minimum(first, second)).max(axis=1)
    end = np.where(still, np.where(inside, np.inf, -np.inf), np.maximum(first, second)).min(axis=1)
    return np.where((begin < end) & (end > 0.0), np.maximum(begin, 0.0), np.inf)


def overlapping(own: Rectangles, others: Rectangles) -> np.ndarray:
    """(n,) bool: which of n rectangles one overlaps."""
    still = np.zeros(2)
    return contact_times(own, still, others, np.zeros((len(others), 2))) == 0.0
