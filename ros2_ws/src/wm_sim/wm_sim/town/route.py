"""A route: lanes one after another, as one line, and where a car is along it."""

import math
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np

from wm_sim.town.network import Network, Turn

JUNCTIONS = 4  # on a drawn route, not counting bends
BEGIN_M = 8.0  # along its first lane
END_M = 14.0  # before the end of its last lane
COMMAND_M = 40.0  # before a junction from which its command holds
BRAKING = 1.5  # [m/s^2] to a lower speed ahead, at most
TRIES = 400
WINDOW_M = (-15.0, 30.0)  # along the route around the last place, in which the next one is searched
MERGED_M = 1e-6
SHORTEST_M = 1.0  # of a planned route; a nearer goal is reached by a way round the block


@dataclass(frozen=True)
class Place:
    """Where a car is on a route."""

    s: float  # [m] along it
    offset: float  # [m] to the left of it
    distance: float  # [m] from it


class Route:
    """The line of some lanes, from a distance along the first to one along the last."""

    def __init__(self, network: Network, lanes: list[int], begin_m: float, end_m: float):
        self.lanes, self.begin_m = lanes, begin_m
        points, limits, speeds, owners = [], [], [], []
        for k, number in enumerate(lanes):
            lane = network.lanes[number]
            low = begin_m if k == 0 else -math.inf
            high = end_m if k == len(lanes) - 1 else math.inf
            kept = (lane.s > low) & (lane.s < high)
            line = [lane.points[kept]]
            if k == 0:
                line.insert(0, np.array([lane.at(begin_m)[:2]]))
            if k == len(lanes) - 1:
                line.append(np.array([lane.at(end_m)[:2]]))
            line = np.concatenate(line)
            points.append(line)
            limits += [lane.limit] * len(line)
            speeds += [lane.speed if lane.through else lane.limit] * len(line)
            owners += [number] * len(line)
        points = np.concatenate(points)
        new = np.concatenate([[True], np.hypot(*np.diff(points, axis=0).T) > MERGED_M])
        self.points = points[new]  # (n, 2) [m]
        steps = np.diff(self.points, axis=0)
        self.s = np.concatenate([[0.0], np.cumsum(np.hypot(*steps.T))])
        self.length = float(self.s[-1])
        self._headings = np.arctan2(steps[:, 1], steps[:, 0])
        self._limits = np.array(limits)[new]
        owner = np.array(owners)[new]
        self.speeds = _braked(np.array(speeds)[new], self.s)
        # Along the route: where each junction begins and ends, and which way leads through it.
        self.ways = [
            (float(self.s[at].min()), float(self.s[at].max()), number)
            for number in lanes
            if network.lanes[number].through and (at := owner == number).any()
        ]
        self._turns = [(begin, end, network.lanes[number].turn) for begin, end, number in self.ways]

    def locate(self, x: float, y: float, near_m: float | None = None) -> Place:
        """The closest place on the route; ``near_m``: only around this distance along it."""
        first, last = 0, len(self.s)
        if near_m is not None:
            first = int(np.searchsorted(self.s, near_m + WINDOW_M[0]))
            last = max(first + 2, int(np.searchsorted(self.s, near_m + WINDOW_M[1])))
            first = min(first, len(self.s) - 2)
        points = self.points[first:last]
        k = first + int(np.argmin((points[:, 0] - x) ** 2 + (points[:, 1] - y) ** 2))
        best = None
        for piece in {max(k - 1, 0), min(k, len(self.s) - 2)}:
            (ax, ay), (bx, by) = self.points[piece].tolist(), self.points[piece + 1].tolist()
            ux, uy, size = bx - ax, by - ay, float(self.s[piece + 1] - self.s[piece])
            share = min(max(((x - ax) * ux + (y - ay) * uy) / size**2, 0.0), 1.0)
            dx, dy = x - ax - share * ux, y - ay - share * uy
            place = Place(float(self.s[piece]) + share * size, (ux * dy - uy * dx) / size, math.hypot(dx, dy))
            if best is None or (place.distance, place.s) < (best.distance, best.s):
                best = place
        return best

    def point(self, s: float) -> tuple[float, float]:
        """(x, y) [m] at a distance along it; at its ends, its first or last one."""
        return float(np.interp(s, self.s, self.points[:, 0])), float(np.interp(s, self.s, self.points[:, 1]))

    def heading(self, s: float) -> float:
        """[rad] at a distance along it."""
        return float(self._headings[min(max(int(np.searchsorted(self.s, s)) - 1, 0), len(self._headings) - 1)])

    def _index(self, s: float) -> int:
        return min(max(int(np.searchsorted(self.s, s, side="right")) - 1, 0), len(self.s) - 1)

    def limit(self, s: float) -> float:
        """The speed limit [m/s] at a distance along it."""
        return float(self._limits[self._index(s)])

    def speed(self, s: float) -> float:
        """What limits and bends allow [m/s] at a distance along it."""
        return float(np.interp(s, self.s, self.speeds))

    def command(self, s: float) -> Turn:
        """What a navigator says here of the next junction; FOLLOW where there is none near or no choice."""
        for begin, end, turn in self._turns:
            if s <= end:
                return turn if begin - s <= COMMAND_M else Turn.FOLLOW
        return Turn.FOLLOW

    @property
    def turns(self) -> list[Turn]:
        """At the junctions with a choice, in order."""
        return [turn for _, _, turn in self._turns if turn != Turn.FOLLOW]


def draw_route(network: Network, rng: np.random.Generator) -> Route:
    """A route that turns left, turns right and goes straight on, through no junction twice and without changing lanes
    in a street."""
    best: list[int] = []
    for _ in range(TRIES):
        lanes = [int(rng.integers(len(network.of_streets)))]
        seen, turns = {_origin(network, lanes[0])}, []
        while len(turns) < JUNCTIONS:
            here = network.lanes[lanes[-1]].junction
            if here in seen:
                break
            seen.add(here)
            ways = network.lanes[lanes[-1]].follows
            way = network.lanes[ways[int(rng.integers(len(ways)))]]
            turns += [way.turn] if way.turn != Turn.FOLLOW else []
            lanes += [way.number, way.follows[0]]
        if len(turns) == JUNCTIONS and len(set(turns)) == 3:
            best = lanes
            break
    if not best:
        raise RuntimeError(f"no route with all turns was found in {TRIES} tries")
    return Route(network, best, BEGIN_M, network.lanes[best[-1]].length - END_M)


def _origin(network: Network, number: int) -> int:
    """The junction where a street's lane begins."""
    lane = network.lanes[number]
    street = network.plan.streets[lane.street]
    return street.begin if lane.junction == street.end else street.end


def plan_route(network: Network, begin: tuple[int, float], goals: list[tuple[int, float]]) -> Route | None:
    """The quickest route from a (lane, s [m]) to the best of some others; None where no lane leads there."""
    lane, at = begin
    queue, done, count = [(-at, 0, lane, ())], set(), 1
    best = None
    while queue:
        length, _, here, path = heappop(queue)
        path = (*path, here)
        for goal, goal_m in goals:
            ahead = here == goal and (len(path) > 1 or goal_m >= at + SHORTEST_M)
            if ahead and (best is None or length + goal_m < best[0]):
                best = (length + goal_m, path, goal_m)
        if (best and length > best[0]) or (here in done):
            continue
        if len(path) > 1:
            done.add(here)  # the first lane may be reached again, from behind
        for ahead in network.lanes[here].follows:
            heappush(queue, (length + network.lanes[here].length, count, ahead, path))
            count += 1
    return Route(network, list(best[1]), at, best[2]) if best else None


def _braked(speeds: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Speeds [m/s] from which every later one is reached by braking gently."""
    result = speeds.copy()
    for k in range(len(s) - 2, -1, -1):
        result[k] = min(result[k], math.sqrt(result[k + 1] ** 2 + 2 * BRAKING * (s[k + 1] - s[k])))
    return result
