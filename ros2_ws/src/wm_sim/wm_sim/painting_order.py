"""In which order to paint boxes that stand on the ground, so that none covers one that is nearer to the eye.

Two that do not overlap are separated by the line of an edge of one of them: the one beyond it, seen from the eye,
cannot cover the other. Farther ones come first where that leaves a choice.
"""

import numpy as np

TOUCHING_M = 1e-3  # boxes that overlap by less count as apart
_CORNERS = np.array([(0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5), (0.5, -0.5)])


def painting_order(place: np.ndarray, turn: np.ndarray, size: np.ndarray, seen_from: np.ndarray) -> np.ndarray:
    """(n,): the numbers of n rectangles with these middles (n, 2), axes (n, 2, 2) as columns and sizes (n, 2), from the
    one to paint first; ``seen_from`` (n, 2): the eye in each one's axes."""
    distance = np.hypot(*np.maximum(np.abs(seen_from) - size / 2, 0.0).T)
    order = np.argsort(-distance, kind="stable")
    later = _may_cover(place, turn, size, seen_from).T[np.ix_(order, order)]
    if not np.tril(later).any():
        return order
    result, done, waiting = [], np.zeros(len(order), bool), later.sum(axis=0)
    for _ in order:
        free = ~done & (waiting == 0)
        k = int(np.argmax(free if free.any() else ~done))  # overlapping ones can form a circle
        done[k] = True
        waiting -= later[k]
        result.append(k)
    return order[result]


def _may_cover(place: np.ndarray, turn: np.ndarray, size: np.ndarray, seen_from: np.ndarray) -> np.ndarray:
    """(n, n) bool: whether the row's rectangle may cover the column's, and not the other way round."""
    corners = place[:, None] + (_CORNERS * size[:, None]) @ turn.transpose(0, 2, 1)  # (n, 4, 2)
    # In the row's axes: the column's corners, and on which side of the row's edges they and the eye are.
    seen = (corners[None] - place[:, None, None]) @ turn[:, None]  # (n, n, 4, 2)
    half = size[:, None] / 2 - TOUCHING_M
    beyond = np.stack([seen.min(axis=2) >= half, seen.max(axis=2) <= -half])  # (2, n, n, 2)
    eye_beyond = np.stack([seen_from[:, None] >= half, seen_from[:, None] <= -half])
    behind = (beyond & eye_beyond).any(axis=(0, 3))  # the row's one is behind the edge that the column's is beyond
    ahead = (beyond & ~eye_beyond).any(axis=(0, 3))
    cannot = behind | ahead.T
    return ~cannot & cannot.T & _in_one_direction(turn, size, seen_from)


def _in_one_direction(turn: np.ndarray, size: np.ndarray, seen_from: np.ndarray) -> np.ndarray:
    """(n, n) bool: whether two may overlap for the eye, by the circles around them."""
    to_eye = (turn @ seen_from[..., None])[..., 0]
    distance, radius = np.hypot(*to_eye.T), np.hypot(*size.T) / 2
    angle = np.arctan2(to_eye[:, 1], to_eye[:, 0])
    width = np.arcsin(np.minimum(1.0, radius / np.maximum(distance, 1e-9)))
    width[distance <= radius] = np.pi
    between = np.abs(np.remainder(angle[:, None] - angle + np.pi, 2 * np.pi) - np.pi)
    return between <= width[:, None] + width
