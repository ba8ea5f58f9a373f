"""The lanes of a town: those of its streets, those that join them in the junctions, and which of these conflict.

All lanes are lines of points about SPACING_M apart. A street's lane ends at the stop line of a junction, where lanes
through the junction begin, one for each way to go. On an avenue the inner lane goes straight on and left, the outer
one straight on and right; where straight on is missing, each has its turn.
"""

import math
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from wm_sim.town.plan import LANE_WIDTH_M, Plan, Street

SPACING_M = 1.0
STREET_LIMIT, AVENUE_LIMIT = 30 / 3.6, 50 / 3.6  # [m/s]
CLEARANCE_M = 2.7  # between the middles of two cars that pass each other
ROUNDING = 0.5523  # of a quarter circle as a Bezier curve: the handles' share of the legs
STRAIGHT_ANGLE = math.radians(40.0)
SIDE_ACCELERATION = 2.2  # [m/s^2] that drivers accept in a turn


class Turn(IntEnum):
    """Ways through a junction, numbered as CARLA's RoadOption."""

    LEFT = 1
    RIGHT = 2
    STRAIGHT = 3
    FOLLOW = 4


@dataclass
class Lane:
    """One lane, in driving direction."""

    number: int
    points: np.ndarray  # (n, 2) [m]
    limit: float  # [m/s]
    street: int  # -1 in a junction
    junction: int  # the one it leads through, or to
    turn: Turn = Turn.FOLLOW  # in a junction
    rank: int = 0  # in a junction: a lower one goes first
    follows: list[int] = field(default_factory=list)  # lanes that begin at its end
    beside: int = -1  # the other lane of its direction
    conflicts: list[tuple[int, float, float]] = field(default_factory=list)  # (lane, s on this one, s on that one)
    speed: float = math.inf  # [m/s] that its curve allows

    def __post_init__(self):
        steps = np.diff(self.points, axis=0)
        self.s = np.concatenate([[0.0], np.cumsum(np.hypot(*steps.T))])
        self.length = float(self.s[-1])
        turns = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
        self.headings = np.concatenate([turns[:1], (turns[1:] + turns[:-1]) / 2, turns[-1:]])
        if len(turns) > 1:
            bend = float(np.abs(np.diff(turns) / np.diff(self.s)[1:]).max())
            self.speed = min(self.limit, math.sqrt(SIDE_ACCELERATION / max(bend, 1e-3)))

    def at(self, s: float) -> tuple[float, float, float]:
        """x, y [m] and heading [rad] at a distance along it."""
        share = min(max(s / self.length, 0.0), 1.0) * (len(self.s) - 1)
        k = min(int(share), len(self.s) - 2)
        share -= k
        (x, y), (next_x, next_y) = self.points[k].tolist(), self.points[k + 1].tolist()
        heading, ahead = self.headings[k], self.headings[k + 1]
        return x + share * (next_x - x), y + share * (next_y - y), float(heading + share * (ahead - heading))

    @property
    def through(self) -> bool:
        """Whether it leads through a junction."""
        return self.street < 0


class Network:
    """All lanes, and the nearest of them to a place."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.lanes: list[Lane] = []
        self._inbound: dict[tuple[int, int], list[int]] = {}  # (junction, street): from the inner one to the outer
        self._outbound: dict[tuple[int, int], list[int]] = {}
        for number, street in enumerate(plan.streets):
            self._add_street(number, street)
        self._streets_lanes = len(self.lanes)
        for number in range(len(plan.junctions)):
            self._add_ways(number)
        self._find_conflicts()
        self._ends = np.array([lane.points[-1] for lane in self.of_streets])
        angles = np.array([lane.headings[-1] for lane in self.of_streets])
        self._end_axes = np.stack(
            [np.stack([np.cos(angles), np.sin(angles)], 1), np.stack([-np.sin(angles), np.cos(angles)], 1)], 1
        )
        self._points = np.concatenate([lane.points for lane in self.lanes])
        self._owner = np.repeat(np.arange(len(self.lanes)), [len(lane.points) for lane in self.lanes])
        self._s = np.concatenate([lane.s for lane in self.lanes])
        self._heading = np.concatenate([lane.headings for lane in self.lanes])

    @property
    def of_streets(self) -> list[Lane]:
        """Those outside junctions."""
        return self.lanes[: self._streets_lanes]

    def _add(self, points: np.ndarray, **facts) -> Lane:
        lane = Lane(len(self.lanes), points, **facts)
        self.lanes.append(lane)
        return lane

    def _add_street(self, number: int, street: Street) -> None:
        limit = AVENUE_LIMIT if street.lanes > 1 else STREET_LIMIT
        count = math.ceil((street.span[1] - street.span[0]) / SPACING_M) + 1
        for forward in (True, False):
            ends = street.span if forward else street.span[::-1]
            to, origin = (street.end, street.begin) if forward else (street.begin, street.end)
            made = []
            for k in range(street.lanes):
                lateral = (-1 if forward else 1) * LANE_WIDTH_M * (k + 0.5)
                line = np.linspace(street.point(ends[0], lateral), street.point(ends[1], lateral), count)
                made.append(self._add(line, limit=limit, street=number, junction=to).number)
            if len(made) > 1:
                self.lanes[made[0]].beside, self.lanes[made[1]].beside = made[1], made[0]
            self._inbound[to, number], self._outbound[origin, number] = made, made

    def _add_ways(self, number: int) -> None:
        junction = self.plan.junctions[number]
        for arm in junction.arms:
            for other in junction.arms:
                if other is arm:
                    continue
                turn = _turn(-arm.outward, other.outward)
                into, out = self._inbound[number, arm.street], self._outbound[number, other.street]
                pairs = {
                    Turn.LEFT: [(into[0], out[0])],
                    Turn.RIGHT: [(into[-1], out[-1])],
                    Turn.STRAIGHT: list(zip(into, out, strict=True)) if len(into) == len(out) else [],
                }[turn]
                # Lights give way to the left-turner's opposite; without them the arms differ.
                rank = (0 if junction.has_lights or arm.has_priority else 2) + (turn == Turn.LEFT)
                for begin, end in pairs:
                    way = self._add(
                        _curve(self.lanes[begin], self.lanes[end]),
                        limit=min(self.lanes[begin].limit, self.lanes[end].limit),
                        street=-1,
                        junction=number,
                        turn=Turn.FOLLOW if junction.is_bend else turn,
                        rank=0 if junction.is_bend else rank,
                    )
                    way.follows.append(end)
                    self.lanes[begin].follows.append(way.number)

    def _find_conflicts(self) -> None:
        """Pairs of ways through one junction, from different lanes, that come too close to be driven together."""
        begins = {way: lane.number for lane in self.of_streets for way in lane.follows}
        for number in range(len(self.plan.junctions)):
            ways = [lane for lane in self.lanes[self._streets_lanes :] if lane.junction == number]
            for way in ways:
                for other in ways:
                    if begins[way.number] == begins[other.number]:
                        continue
                    apart = np.hypot(*(way.points[:, None] - other.points[None]).transpose(2, 0, 1))
                    close = apart < CLEARANCE_M
                    if close.any():
                        own, theirs = close.any(axis=1), close.any(axis=0)
                        # Where this one's part ends, and where the other's begins.
                        way.conflicts.append((other.number, float(way.s[own].max()), float(other.s[theirs].min())))

    def near(self, x: float, y: float, reach_m: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Of all points of lanes within this distance: lanes, distances along them [m], headings [rad], places (n, 2)
        [m]."""
        apart = np.hypot(self._points[:, 0] - x, self._points[:, 1] - y)
        (found,) = np.nonzero(apart <= reach_m)
        return self._owner[found], self._s[found], self._heading[found], self._points[found]

    def stop_lines_crossed(self, before: np.ndarray, now: np.ndarray) -> list[Lane]:
        """The streets' lanes over whose ends a point (2,) moved in driving direction."""
        ahead = ((np.stack([before, now])[:, None] - self._ends) * self._end_axes[:, 0]).sum(axis=2)  # (2, lanes)
        sideways = np.abs(((now - self._ends) * self._end_axes[:, 1]).sum(axis=1))
        crossed = (ahead[0] <= 0.0) & (ahead[1] > 0.0) & (sideways <= LANE_WIDTH_M / 2) & (ahead[1] < SPACING_M * 8)
        return [self.lanes[k] for k in np.flatnonzero(crossed).tolist()]

    def closest(self, x: float, y: float, yaw: float | None = None, streets_only: bool = False) -> tuple[int, float]:
        """(lane, s [m]) of the closest point of a lane; with a ``yaw``, of lanes that lead within 90 degrees of it."""
        apart = np.hypot(self._points[:, 0] - x, self._points[:, 1] - y)
        if yaw is not None:
            apart = np.where(np.cos(self._heading - yaw) > 0.0, apart, np.inf)
        if streets_only:
            apart = np.where(self._owner < self._streets_lanes, apart, np.inf)
        k = int(np.argmin(apart))
        return int(self._owner[k]), float(self._s[k])


def _turn(inward: np.ndarray, outward: np.ndarray) -> Turn:
    angle = math.atan2(inward[0] * outward[1] - inward[1] * outward[0], inward @ outward)
    if abs(angle) < STRAIGHT_ANGLE:
        return Turn.STRAIGHT
    return Turn.LEFT if angle > 0.0 else Turn.RIGHT


def _curve(begin: Lane, end: Lane) -> np.ndarray:
    """(n, 2): from the one's end to the other's beginning, tangent to both."""
    first, last = begin.points[-1], end.points[0]
    along, after = (np.array([math.cos(h), math.sin(h)]) for h in (begin.headings[-1], end.headings[0]))
    chord = last - first
    cross = along[0] * after[1] - along[1] * after[0]
    if abs(cross) < math.sin(STRAIGHT_ANGLE):
        legs = [math.hypot(*chord) / 3] * 2
    else:
        # Where both tangents meet.
        legs = [ROUNDING * (chord[0] * after[1] - chord[1] * after[0]) / cross]
        legs.append(ROUNDING * (along[0] * chord[1] - along[1] * chord[0]) / cross)
    share = np.linspace(0.0, 1.0, 101)[:, None]
    line = (
        (1 - share) ** 3 * first
        + 3 * share * (1 - share) ** 2 * (first + legs[0] * along)
        + 3 * share**2 * (1 - share) * (last - legs[1] * after)
        + share**3 * last
    )
    s = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = np.linspace(0.0, s[-1], math.ceil(s[-1] / SPACING_M) + 1)
    return np.stack([np.interp(at, s, line[:, axis]) for axis in range(2)], axis=1)
