"""The autopilot: it knows the route, the lights and all cars, and drives as a good driver would.

It steers along the route by pure pursuit and keeps the speed that limits and bends allow. It follows by the Intelligent
Driver Model, stops at lights, and gives way by the same rules as the other cars.
"""

import math

from wm_sim.town.drivers import HALF_M, HARDEST, LINE_REST_M, can_stop, wanted_acceleration
from wm_sim.town.lights import Light
from wm_sim.town.view import View
from wm_sim.traffic.car import BODY, WHEELBASE_M, largest_angle, pedals_for
from wm_sim.world import CarState

LOOK_AHEAD_S, LEAST_LOOK_AHEAD_M = 0.6, 4.0
COMFORT = 0.95  # of the speed limit
JERK = 6.0  # [m/s^3] at most, unless it has to brake hard
HARD = -3.5  # [m/s^2]
LINES_M = 60.0  # ahead, within which it looks at junctions
END_M = 2.0  # where it would stop, after the end of the route
MAX_ANGLE = BODY.max_steering_angle


class TownExpert:
    """Commands for one car in one episode, in control ticks of ``period_s`` [s]."""

    def __init__(self, view: View, period_s: float):
        self._view = view
        self._period_s = period_s
        self._acceleration = 0.0

    def search_everywhere(self) -> None:
        """The car was moved externally: the world has found it again."""
        self._acceleration = 0.0

    def act(self, state: CarState) -> tuple[float, float, float]:
        """(steer, throttle, brake) for this state, in CARLA's ranges; call it once per tick."""
        speed = max(0.0, state.forward_speed)
        wanted = self._wanted(speed)
        step = JERK * self._period_s
        if wanted > HARD:
            wanted = min(max(wanted, self._acceleration - step), self._acceleration + step)
        self._acceleration = wanted if speed > 0.0 or wanted > 0.0 else 0.0
        throttle, brake = pedals_for(wanted, speed)
        return self._steer(state, speed), throttle, max(brake, 0.3) if speed == 0.0 and wanted <= 0.0 else brake

    def _steer(self, state: CarState, speed: float) -> float:
        rear_x = state.x - WHEELBASE_M / 2 * math.cos(state.yaw)
        rear_y = state.y - WHEELBASE_M / 2 * math.sin(state.yaw)
        trip = self._view.trip
        reach = max(LEAST_LOOK_AHEAD_M, LOOK_AHEAD_S * speed)
        target_x, target_y = trip.route.point(trip.place.s - WHEELBASE_M / 2 + reach)
        dx, dy = target_x - rear_x, target_y - rear_y
        left = dy * math.cos(state.yaw) - dx * math.sin(state.yaw)
        distance = math.hypot(dx, dy)
        angle = math.atan2(2.0 * WHEELBASE_M * left, max(distance, 1.0) ** 2)
        angle = min(MAX_ANGLE, max(-MAX_ANGLE, angle))
        return min(1.0, max(-1.0, -angle / largest_angle(speed)))

    def _wanted(self, speed: float) -> float:
        """[m/s^2]"""
        view = self._view
        route, s = view.trip.route, view.trip.place.s
        wanted = wanted_acceleration(speed, COMFORT * route.speed(s))
        gap, leader = view.gap()
        wanted = min(wanted, wanted_acceleration(speed, route.limit(s), gap, leader))
        end = route.length + END_M - s
        wanted = min(wanted, wanted_acceleration(speed, route.limit(s), end, 0.0, 0.0))
        for begin, _, way in route.ways:
            line = begin - s - HALF_M
            if line > LINES_M:
                break
            if line > -0.5 and self._waits(way, line, speed):
                return min(wanted, wanted_acceleration(speed, route.limit(s), line, 0.0, LINE_REST_M))
        return wanted

    def _waits(self, way: int, line: float, speed: float) -> bool:
        """Whether it stops at the line before a way through a junction, ``line`` [m] ahead."""
        light = self._view.light(way)
        stops = can_stop(speed, line)
        if light is Light.RED and can_stop(speed, line, HARDEST):
            return True
        if light is Light.YELLOW and stops:
            return True
        return can_stop(speed, line, HARDEST) and not self._view.may_enter(way, line, speed)
