"""The autopilot: highway-env's driver model, which sees all other cars, driving this car.

The Intelligent Driver Model keeps the distance and the speed, MOBIL changes lanes, and highway-env's controller steers
to the middle of the lane. Its commands depend on the state of the car and of the traffic, and on the lane that it has
chosen. Off its lane, whoever drove there, it steers back to the nearest one.
"""

import math

import numpy as np
from highway_env.vehicle.behavior import IDMVehicle
from highway_env.vehicle.kinematics import Vehicle

from wm_sim.traffic.car import GRIP, pedals_for, steer_for
from wm_sim.traffic.road import SPEED_LIMIT, Curve, CurvedRoad
from wm_sim.world import CarState

USED_GRIP = 0.8 * GRIP  # [m/s^2] lateral; the sharpest bend needs 4.5 at the speed limit


class _Driver(IDMVehicle):
    """Keeps less distance than the others and changes lanes sooner: it aims to be faster."""

    TIME_WANTED = 1.0  # [s]
    DISTANCE_WANTED = 8.0  # [m] between centres at rest
    LANE_CHANGE_MIN_ACC_GAIN = 0.1  # [m/s^2]
    LANE_CHANGE_MAX_BRAKING_IMPOSED = 3.0  # [m/s^2]


class TrafficExpert:
    """Commands for one car in one episode, in control ticks of ``period_s`` [s]; the world moves the ``others``."""

    def __init__(self, curve: Curve, others: list[Vehicle], state: CarState, period_s: float):
        self._period_s = period_s
        # A driver on a road without the car itself, so that it does not see itself as another vehicle.
        self._road = CurvedRoad(curve, others, np.random.default_rng(0))
        place = np.array([state.x, state.y])
        self._driver = _Driver(self._road, place, state.yaw, state.speed, target_speed=SPEED_LIMIT)

    def search_everywhere(self) -> None:
        """The car was moved externally: its lane is the nearest one."""
        self._driver.target_lane_index = None

    def act(self, state: CarState) -> tuple[float, float, float]:
        """(steer, throttle, brake) for this state, in CARLA's ranges; call it once per tick."""
        driver = self._driver
        self._road.settle()
        driver.position, driver.heading = np.array([state.x, state.y]), state.yaw
        driver.speed = max(0.0, state.forward_speed)
        driver.on_state_update()
        if driver.target_lane_index is None:
            driver.target_lane_index = driver.lane_index
        driver.timer += self._period_s
        driver.act()
        # highway-env's vehicles turn about their centre like a bicycle as long as the car.
        slip = math.atan(0.5 * math.tan(driver.action["steering"]))
        curvature = math.sin(slip) / (driver.LENGTH / 2)
        limit = USED_GRIP / max(driver.speed, 1.0) ** 2
        curvature = min(limit, max(-limit, curvature))
        throttle, brake = pedals_for(float(driver.action["acceleration"]), driver.speed)
        return steer_for(curvature, driver.speed), throttle, brake
