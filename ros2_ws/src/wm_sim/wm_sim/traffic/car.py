"""The car: a kinematic bicycle with limited lateral acceleration.

Both pedals cause an acceleration, drag reduces it, and the car stops when braked. Steer +-1 means the largest angle of
the front wheels that the tyres can use at this speed, so a command means the same share of the grip at every speed; the
wheels move as fast as CarRacing's, from straight ahead to full in 0.13 s.
"""

import math

import numpy as np
from highway_env.road.road import Road
from highway_env.vehicle.kinematics import Vehicle

from wm_sim.ticks import PHYSICS_PERIOD_S
from wm_sim.traffic.road import SPEED_LIMIT
from wm_sim.world import CarBody

LENGTH_M, WIDTH_M, HEIGHT_M = Vehicle.LENGTH, Vehicle.WIDTH, 1.5  # of all cars
MASS_KG = 1500.0  # of all cars
WHEELBASE_M = 2.9
TRACK_M = 1.6  # between left and right wheels
WHEEL_RADIUS_M = 0.33
MAX_STEERING_ANGLE = 0.5  # [rad] at low speed
STEERING_RATE = 7.5  # [1/s] rate of the share of the largest angle
GRIP = 7.0  # [m/s^2] lateral
THROTTLE_GAIN = 5.0  # [m/s^2] at full throttle
BRAKE_GAIN = 8.0  # [m/s^2] at full brake
DRAG = 0.003  # [1/m] times the squared speed
ROLLING = 0.2  # [m/s^2]; the top speed is sqrt((5 - 0.2) / 0.003) = 40 m/s

_REAR = WHEELBASE_M / 2  # from the middle to each axle
WHEELS_M = tuple((x, y) for x in (_REAR, -_REAR) for y in (TRACK_M / 2, -TRACK_M / 2))
BODY = CarBody(
    type="vehicle.highway_env.car",
    mass_kg=MASS_KG,
    size_m=(LENGTH_M, WIDTH_M, HEIGHT_M),
    max_steering_angle=MAX_STEERING_ANGLE,
    wheel_radius_m=WHEEL_RADIUS_M,
    wheel_positions_m=WHEELS_M,
)


class EgoCar(Vehicle):
    """The driven car among highway-env's vehicles, which treat it as one of their own.

    Its ``position`` is the middle between the axles, ``speed`` [m/s] along its heading, ``steering`` the share of the
    largest angle, positive to the left, ``target_speed`` the speed that others assume.
    """

    def __init__(self, road: Road, position: np.ndarray, heading: float, speed: float):
        super().__init__(road, position, heading, speed)
        self.steering = 0.0
        self.target_speed = SPEED_LIMIT

    def act(self, action=None) -> None:
        """Nothing: commands arrive through ``drive``."""

    def step(self, dt: float) -> None:
        """Nothing: it has already moved."""

    def drive(self, steer: float, throttle: float, brake: float) -> None:
        """Advance by one physics frame with a command, steer positive to the right."""
        change = STEERING_RATE * PHYSICS_PERIOD_S
        self.steering += min(change, max(-change, -steer - self.steering))
        acceleration = THROTTLE_GAIN * throttle - BRAKE_GAIN * brake - DRAG * self.speed**2
        if self.speed > 0.0:
            acceleration -= ROLLING
        slip = self.slip
        x, y = self.position
        self.position = np.array(
            [
                x + self.speed * math.cos(self.heading + slip) * PHYSICS_PERIOD_S,
                y + self.speed * math.sin(self.heading + slip) * PHYSICS_PERIOD_S,
            ]
        )
        self.heading += self.yaw_rate * PHYSICS_PERIOD_S
        self.speed = max(0.0, self.speed + acceleration * PHYSICS_PERIOD_S)

    @property
    def steering_angle(self) -> float:
        """[rad] of the front wheels, positive to the left."""
        return self.steering * largest_angle(self.speed)

    @property
    def slip(self) -> float:
        """[rad] from the heading to the direction of motion, positive to the left."""
        return math.atan(0.5 * math.tan(self.steering_angle))

    @property
    def yaw_rate(self) -> float:
        """[rad/s], positive to the left."""
        return self.speed * math.sin(self.slip) / _REAR

    @property
    def velocity(self) -> np.ndarray:
        """(2,) [m/s] on the map."""
        course = self.heading + self.slip
        return self.speed * np.array([math.cos(course), math.sin(course)])

    def wheels(self) -> np.ndarray:
        """(4, 2) [m]: positions of the wheels on the map."""
        cosine, sine = math.cos(self.heading), math.sin(self.heading)
        return self.position + np.array(WHEELS_M) @ np.array([[cosine, sine], [-sine, cosine]])


def wheel_angle(curvature: float) -> float:
    """[rad] of the front wheels for a curvature [1/m]; both positive to the left, within the wheels' range."""
    slip = math.asin(min(1.0, max(-1.0, curvature * _REAR)))
    return min(MAX_STEERING_ANGLE, max(-MAX_STEERING_ANGLE, math.atan(2.0 * math.tan(slip))))


def largest_angle(speed: float) -> float:
    """[rad] of the front wheels that the tyres can use at a speed [m/s]."""
    return wheel_angle(GRIP / max(speed, 1.0) ** 2)


def steer_for(curvature: float, speed: float) -> float:
    """The steer command, positive to the right, for a curvature [1/m], positive to the left, at a speed [m/s]."""
    return min(1.0, max(-1.0, -wheel_angle(curvature) / largest_angle(speed)))


def pedals_for(acceleration: float, speed: float) -> tuple[float, float]:
    """(throttle, brake) for an acceleration [m/s^2] at a speed [m/s], within the pedals' range."""
    wanted = acceleration + DRAG * speed**2 + (ROLLING if speed > 0.0 else 0.0)
    return (min(1.0, wanted / THROTTLE_GAIN), 0.0) if wanted > 0.0 else (0.0, min(1.0, -wanted / BRAKE_GAIN))
