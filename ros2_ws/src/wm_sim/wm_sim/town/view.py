"""What a driver could know of the town: the route, the light ahead, the car ahead, who goes first."""

import math

import numpy as np

from wm_sim.rectangles import Rectangles
from wm_sim.town.cars import Traffic
from wm_sim.town.drivers import HALF_M
from wm_sim.town.lights import Light, Lights
from wm_sim.town.network import Network
from wm_sim.town.priority import Ego
from wm_sim.town.trip import Trip
from wm_sim.traffic.car import EgoCar

BESIDE_M = 1.35  # from the middle of a way: what comes closer than this is in the way
OUTLINE = np.array([(x, y) for x in (-0.5, -0.25, 0.0, 0.25, 0.5) for y in (-0.5, 0.0, 0.5)])  # of a unit rectangle
REACH_M = 9.0  # around the driven car, in which it is looked for on lanes


class View:
    """Of one episode; the world moves what it looks at."""

    SIGHT_M = 100.0

    def __init__(self, network: Network, lights: Lights, trip: Trip, traffic: Traffic, parked: Rectangles):
        self._network, self._lights, self.trip, self._traffic, self._parked = network, lights, trip, traffic, parked
        self._from = {way: lane for lane in network.of_streets for way in lane.follows}

    def light(self, way: int) -> Light | None:
        """Of a way through a junction."""
        return self._lights.of_lane(self._from[way])

    def may_enter(self, way: int, line: float, speed: float) -> bool:
        """Whether the driven car may go this way, ``line`` [m] before its beginning."""
        return self._traffic.priority.free(way, line, speed)

    def gap(self) -> tuple[float, float]:
        """(bumper to bumper [m], speed along the route [m/s]) of the next car ahead on the route; (infinity, 0) if
        there is none within SIGHT_M."""
        route, s = self.trip.route, self.trip.place.s
        first, last = np.searchsorted(route.s, [s, s + self.SIGHT_M])
        if last - first < 2:
            return math.inf, 0.0
        x, y = route.points[(first + last) // 2].tolist()
        best, speed = math.inf, 0.0
        for cars, velocities in (
            (self._traffic.rectangles, self._traffic.velocities),
            (self._parked, np.zeros((len(self._parked), 2))),
        ):
            near = cars.near(x, y, self.SIGHT_M / 2 + 2.0)
            if not len(near):
                continue
            s_at, on = _on_line(route.points[first:last], route.s[first:last], _outline(cars[near]))
            rears = np.where(on, s_at, np.inf).min(axis=1)  # (c,) along the route
            k = int(np.argmin(rears))
            if rears[k] - s - HALF_M < best:
                best, heading = float(rears[k]) - s - HALF_M, route.heading(float(rears[k]))
                speed = float(velocities[near[k]] @ (math.cos(heading), math.sin(heading)))
        return max(0.0, best), speed


def seen_on_lanes(network: Network, car: EgoCar, rectangle: Rectangles) -> Ego:
    """Where the driven car is on lanes: those that its outline comes near to."""
    owner, s, headings, points = network.near(*car.position.tolist(), REACH_M)
    outline = _outline(rectangle)
    ego = Ego()
    for lane in np.unique(owner).tolist():
        own = owner == lane
        s_at, on = _on_line(points[own], s[own], outline)
        if not on.any():
            continue
        rear, front = float(s_at[on].min()), float(s_at[on].max())
        if front > rear:  # else it only comes near to the lane's beginning or end
            heading = float(headings[own][np.searchsorted(s[own], (rear + front) / 2)])
            ego.spans[lane] = rear, front, car.speed * math.cos(car.heading - heading)
    return ego


def _outline(rectangles: Rectangles) -> np.ndarray:
    """(n, 15, 2) [m]: points on and in n rectangles."""
    return rectangles.middles[:, None] + (2 * OUTLINE * rectangles.halves[:, None]) @ rectangles.axes


def _on_line(points: np.ndarray, s: np.ndarray, outline: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For n rectangles' points (n, 15, 2): how far along a line (p, 2) they are (n, 15), and whether close to it."""
    apart = ((outline[:, :, None] - points) ** 2).sum(axis=3)  # (n, 15, p)
    return s[apart.argmin(axis=2)], apart.min(axis=2) < BESIDE_M**2
