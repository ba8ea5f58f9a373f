"""What a drive through the town is judged by: infractions as in CARLA's leaderboard, how it ends, and its reward.

Infractions are named and defined as in the leaderboard, version 2, as far as a town without pedestrians, stop signs and
emergency vehicles has them. As there, a drive goes on after a collision.
"""

import math
from dataclasses import dataclass

from wm_sim.town.facts import BLOCKED, BLOCKED_POINTS, GOAL, GOAL_POINTS, ROUTE_LEFT, ROUTE_LEFT_POINTS
from wm_sim.world_facts import TIME_LIMIT

COLLISION_VEHICLE, COLLISION_LAYOUT, RED_LIGHT = "collision_vehicle", "collision_layout", "red_light"
OUTSIDE_LANES, ROUTE_DEVIATION = "outside_route_lanes", "route_dev"
VEHICLE_BLOCKED, ROUTE_TIMEOUT = "vehicle_blocked", "route_timeout"

OUTSIDE_M = 1.3  # beside the asphalt, from which a car is outside its lanes
WRONG_WAY = math.cos(math.radians(120.0))  # of the angle to the lane, below which it is on a wrong one
DEVIATION_M = 30.0  # from the route, at most
BLOCKED_SPEED, BLOCKED_S = 0.1, 60.0  # [m/s]
SAME_CONTACT_S = 5.0  # a contact with the same thing this soon after the last one is not a new one

POINTS_PER_M = 1.0  # of the route, at most for the speed limit
POINTS_PER_SPEEDING_M = -1.0  # for each metre driven faster than the limit allows
OUTSIDE_POINTS_PER_S = -5.0
INFRACTION_POINTS, LEAST_STEP_POINTS = -20.0, -40.0  # for a collision or a red light; for all in one step


@dataclass(frozen=True)
class Seen:
    """What happened in a tick."""

    gained_m: float  # further along the route than ever
    driven_m: float
    limit: float  # [m/s]
    speed: float  # [m/s]
    touched: tuple[object, ...]  # things that the car ran into: actor ids of cars, names of others
    ran_red: bool
    outside: bool  # its lanes
    deviation_m: float  # from the route
    arrived: bool
    time_up: bool


@dataclass(frozen=True)
class Verdict:
    reward: float
    infractions: tuple[str, ...]
    touched: tuple[object, ...]  # newly
    ending: str  # empty while it goes on


class Judge:
    """Of one episode, in control ticks of ``period_s`` [s]."""

    def __init__(self, period_s: float):
        self._period_s = period_s
        self._time_s = 0.0
        self._touched_s: dict[object, float] = {}
        self._standing_s = 0.0

    def moved(self) -> None:
        """The car was moved externally."""
        self._standing_s, self._touched_s = 0.0, {}

    def see(self, seen: Seen) -> Verdict:
        """Judge a tick."""
        self._time_s += self._period_s
        new = self._new_contacts(seen.touched)
        found = [COLLISION_VEHICLE if isinstance(what, int) else COLLISION_LAYOUT for what in new]
        found += [RED_LIGHT] * seen.ran_red
        penalty = max(LEAST_STEP_POINTS, INFRACTION_POINTS * len(found))
        found += [OUTSIDE_LANES] * seen.outside  # as long as it lasts
        self._standing_s = self._standing_s + self._period_s if seen.speed < BLOCKED_SPEED else 0.0
        ending, points = self._ending(seen)
        found += {ROUTE_LEFT: [ROUTE_DEVIATION], BLOCKED: [VEHICLE_BLOCKED], TIME_LIMIT: [ROUTE_TIMEOUT]}.get(
            ending, []
        )
        allowed_m = seen.limit * self._period_s
        reward = POINTS_PER_M * min(seen.gained_m, allowed_m) + penalty + points
        reward += POINTS_PER_SPEEDING_M * max(0.0, seen.driven_m - allowed_m)
        reward += OUTSIDE_POINTS_PER_S * self._period_s * seen.outside
        return Verdict(reward, tuple(found), new, ending)

    def _new_contacts(self, touched: tuple[object, ...]) -> tuple[object, ...]:
        new = tuple(what for what in touched if self._time_s - self._touched_s.get(what, -math.inf) > SAME_CONTACT_S)
        self._touched_s.update(dict.fromkeys(touched, self._time_s))
        return new

    def _ending(self, seen: Seen) -> tuple[str, float]:
        if seen.arrived:
            return GOAL, GOAL_POINTS
        if seen.deviation_m > DEVIATION_M:
            return ROUTE_LEFT, ROUTE_LEFT_POINTS
        if self._standing_s >= BLOCKED_S - self._period_s / 2:
            return BLOCKED, BLOCKED_POINTS
        return (TIME_LIMIT, 0.0) if seen.time_up else ("", 0.0)
