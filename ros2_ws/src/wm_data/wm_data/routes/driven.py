"""The path that a vehicle drove: its poses over time, in pieces without a gap, a jump or a drive backwards."""

import math

import numpy as np
from wm_bundle.times import NS_PER_S

from wm_data.line import ANEW, FINE, Line, usual_step_ns

LONGEST_GAP_S = 1.0  # between two poses, or three usual steps
_FARTHEST_M = 1e8  # no coordinate on Earth is larger
_JUMP_M, _FASTEST_MPS = 5.0, 60.0  # a longer step was not driven
_STEP_M = 0.5  # of the directions that are compared with the yaw: more than the noise of a standing vehicle
_BACKWARDS_RAD = math.radians(100.0)
_ASKEW_RAD = math.radians(60.0)
_ENOUGH_STEPS, _MOST_ASKEW = 20, 0.5
_STANDS_S, _STANDS_M = 1.0, 0.3


class PathError(ValueError):
    """Poses that are no driven path; one line says why."""


class DrivenPath:
    """Poses of a drive in the order of recording."""

    def __init__(
        self,
        stamps_ns: np.ndarray,
        poses: np.ndarray,
        places: np.ndarray | None = None,
        broken: np.ndarray | None = None,
    ):
        """``poses`` (n, 3): x, y [m] and yaw [rad] at the stamps (n,); ``places`` (n,): see ``Stream``; ``broken`` (n,)
        bool: nothing is known of the way from the pose before. Raises PathError where the yaws are no directions of
        motion."""
        stamps_ns, poses = np.asarray(stamps_ns, np.int64), np.asarray(poses, np.float64).reshape(-1, 3)
        good, run = _runs(stamps_ns, (np.abs(poses) <= _FARTHEST_M).all(axis=1))  # NaN is never smaller
        unknown = np.cumsum(np.zeros(len(stamps_ns), bool) if broken is None else broken)[good]
        self.stamps, self.poses, self._run = stamps_ns[good], poses[good], run
        self._places = None if places is None else np.asarray(places, np.int64)[good]
        self._piece = np.full(len(good), -1)
        if len(good) > 1:
            self._kept = np.zeros(0, int)
            self._piece = self._pieces((np.diff(unknown) > 0) | (np.diff(run) > 0))

    def at(self, stamps_ns: np.ndarray, place: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The poses (n, 3) at other stamps (n,) of one run of the clock, and each one's piece (n,): NaN and -1 where
        none is known. ``place``: of the run, where the path has places."""
        poses, pieces = np.full((len(stamps_ns), 3), np.nan), np.full(len(stamps_ns), -1)
        first, end = self._of_run(place)
        if end - first < 2:
            return poses, pieces
        own = self.stamps[first:end]
        before = np.clip(np.searchsorted(own, stamps_ns, "right") - 1, 0, len(own) - 2)
        share = (stamps_ns - own[before]) / (own[before + 1] - own[before])
        before += first
        inside = (share >= 0.0) & (share <= 1.0) & (self._piece[before] >= 0)
        inside &= (self._piece[before] == self._piece[before + 1]) | (share == 0.0)
        one, other = self.poses[before], self.poses[before + 1]
        turn = other[:, 2] - one[:, 2]
        change = other - one
        change[:, 2] = np.arctan2(np.sin(turn), np.cos(turn))
        poses[inside] = (one + share[:, None] * change)[inside]
        pieces[inside] = self._piece[before[inside]]
        return poses, pieces

    def between(self, piece: int, from_ns: int, until_ns: int, before_m: float, after_m: float):
        """Positions (m, 2) of a piece from ``before_m`` before a stamp to ``after_m`` after another, and whether they
        end where the vehicle stands; those after the piece's end are unknown."""
        numbers = np.flatnonzero(self._piece == piece)
        kept = np.unique([numbers[0], *self._kept[self._piece[self._kept] == piece], numbers[-1]])
        stamps, positions = self.stamps[kept], self.poses[kept, :2]
        driven = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(positions, axis=0).T))])
        begin, stop = np.interp([from_ns - stamps[0], until_ns - stamps[0]], stamps - stamps[0], driven)
        part = (driven >= begin - before_m) & (driven <= stop + after_m)
        last = kept[np.flatnonzero(part)[-1]]
        earlier = numbers[np.searchsorted(self.stamps[numbers], self.stamps[last] - round(_STANDS_S * NS_PER_S))]
        stands = math.dist(self.poses[earlier, :2], self.poses[last, :2]) < _STANDS_M
        return positions[part], stands

    def _of_run(self, place: int | None) -> tuple[int, int]:
        if self._places is None or place is None or not len(self._run):
            run = 0
        else:
            run = self._run[min(int(np.searchsorted(self._places, place)), len(self._run) - 1)]
        return int(np.searchsorted(self._run, run)), int(np.searchsorted(self._run, run, "right"))

    def _pieces(self, broken: np.ndarray) -> np.ndarray:
        """The piece of each pose, -1 while driving backwards. ``broken`` (n - 1,): of the steps."""
        seconds = np.diff(self.stamps) / NS_PER_S
        steps = np.hypot(*np.diff(self.poses[:, :2], axis=0).T)
        gap_s = max(LONGEST_GAP_S, 3.0 * usual_step_ns(self.stamps) / NS_PER_S)
        cut = broken | (seconds > gap_s) | (steps > _JUMP_M + _FASTEST_MPS * seconds)
        piece = np.concatenate([[0], np.cumsum(cut)])
        backwards = self._backwards(piece)
        edges = np.concatenate([[False], backwards[1:] != backwards[:-1]])
        return np.where(backwards, -1, piece + np.cumsum(edges))

    def _backwards(self, piece: np.ndarray) -> np.ndarray:
        """Which poses (n,) are of a drive backwards."""
        self._kept = _thinned(self.poses[:, :2], piece)
        one, other = self._kept[:-1], self._kept[1:]
        same = piece[one] == piece[other]
        one, other = one[same], other[same]
        way = self.poses[other, :2] - self.poses[one, :2]
        away = np.arctan2(way[:, 1], way[:, 0]) - self.poses[one, 2]
        away = np.abs(np.arctan2(np.sin(away), np.cos(away)))
        askew = (away > _ASKEW_RAD) & (away < math.pi - _ASKEW_RAD)
        if len(away) >= _ENOUGH_STEPS and max(askew.mean(), (away > _ASKEW_RAD).mean()) > _MOST_ASKEW:
            raise PathError(
                f"the yaws of the poses are not the directions of motion: {(away > _ASKEW_RAD).mean():.0%} of the way "
                f"is more than {math.degrees(_ASKEW_RAD):.0f} degrees off"
            )
        backwards = np.zeros(len(piece) + 1, int)
        np.add.at(backwards, one[away > _BACKWARDS_RAD] + 1, 1)
        np.add.at(backwards, other[away > _BACKWARDS_RAD] + 1, -1)
        return np.cumsum(backwards)[:-1] > 0


def _runs(stamps_ns: np.ndarray, finite: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the poses whose stamps are fine, and each one's run of the clock."""
    line: Line[int] = Line(usual_step_ns(stamps_ns))
    told = [one for k in np.flatnonzero(finite).tolist() for one in line.take(int(stamps_ns[k]), k)]
    fine = [one for one in (*told, *line.finish()) if one.verdict in (FINE, ANEW)]
    return np.array([one.item for one in fine], int), np.cumsum([one.verdict == ANEW for one in fine], dtype=int)


def _thinned(positions: np.ndarray, piece: np.ndarray) -> np.ndarray:
    """Numbers of positions that are ``_STEP_M`` apart, the first of each piece among them."""
    kept = [0]
    for k, (position, of) in enumerate(zip(positions.tolist(), piece.tolist(), strict=True)):
        if of != piece[kept[-1]] or math.dist(position, positions[kept[-1]]) >= _STEP_M:
            kept.append(k)
    return np.array(kept)


def facing(positions: np.ndarray) -> np.ndarray:
    """The directions of motion (n,) [rad] at positions (n, 2): yaws where none are recorded."""
    kept = _thinned(positions, np.zeros(len(positions), int))
    if len(kept) < 2:
        return np.zeros(len(positions))
    around = positions[np.append(kept[1:], kept[-1])] - positions[np.append(kept[0], kept[:-1])]
    return np.interp(np.arange(len(positions)), kept, np.unwrap(np.arctan2(around[:, 1], around[:, 0])))


def integrated(stamps_ns: np.ndarray, speed: np.ndarray, turn_rate: np.ndarray) -> np.ndarray:
    """Poses (n, 3) from speeds along the heading [m/s] at n stamps, and the mean yaw rates [rad/s] of the n - 1 times
    between them: where nothing else is known. Exact for constant turns."""
    seconds = np.diff(stamps_ns) / NS_PER_S
    yaw = np.concatenate([[0.0], np.cumsum(turn_rate * seconds)])
    middle, half = 0.5 * (yaw[1:] + yaw[:-1]), 0.5 * turn_rate * seconds
    chord = 0.5 * (speed[1:] + speed[:-1]) * seconds * np.sinc(half / math.pi)
    steps = np.stack([chord * np.cos(middle), chord * np.sin(middle)], axis=1)
    return np.column_stack([np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)]), yaw])
