"""CarRacing-v3 advanced by whole control ticks, drawn only when somebody looks.

Units: Box2D computes in metres, kilograms and seconds, and one Box2D unit is taken as **one metre**. The car is then
5.0 m long and 2.4 m wide (wheelbase 3.24 m), the road 13.3 m wide, a lap about 1 km, and the car laps at 60 to 80 m/s:
a race car with the grip of one.

Axes: the world is right-handed with z up, as in ROS. The hull points along its own +y axis in Box2D, so
``yaw = hull.angle + pi/2``. Yaw is counter-clockwise positive; steer +1 is right, as in CARLA, and lowers the yaw.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # no window and no sound device is ever needed
os.environ.setdefault("SDL_AUDIODRIVER", "dummy")
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import numpy as np  # noqa: E402  (the variables above must be set before pygame is imported)
from gymnasium.envs.box2d.car_racing import (  # noqa: E402
    FPS,
    GRASS_DIM,
    MAX_SHAPE_DIM,
    PLAYFIELD,
    TRACK_WIDTH,
    WINDOW_H,
    WINDOW_W,
    CarRacing,
)

PHYSICS_PERIOD_S = 1.0 / FPS  # one physics frame: 0.02 s
FRAME_LIMIT = 1000  # physics frames in an episode, gymnasium's registered limit for CarRacing-v3
IMAGE_SIZE = 96  # native observation, pixels
ROAD_HALF_WIDTH_M = TRACK_WIDTH  # gymnasium's TRACK_WIDTH is measured from the centre line to the edge
PLAYFIELD_HALF_WIDTH_M = PLAYFIELD
CAR_MASS_KG = 7.3  # hull 7.06 and four wheels of 0.06: Box2D's densities, not a real car's
MAX_STEERING_ANGLE = 0.4  # [rad] limit of the front wheels; a steer command of s asks for s rad
WHEEL_RADIUS_M = 0.54
WHEEL_POSITIONS_M = ((1.6, 1.1), (1.6, -1.1), (-1.64, 1.1), (-1.64, -1.1))  # ahead and left of the hull's origin


@dataclass(frozen=True)
class StepOutcome:
    """What one control tick led to.

    A finished lap is reported as ``terminated`` (that is what gymnasium does, and no reward follows it); it differs
    from leaving the field by ``lap_finished`` and by its reward, which is not -100.
    """

    reward: float  # sum over the physics frames of the tick
    terminated: bool  # lap finished, or the car left the playfield
    truncated: bool  # the limit of 1000 physics frames was reached
    lap_finished: bool
    frames: int  # physics frames advanced; fewer than a whole tick only in an episode's last one


@dataclass(frozen=True)
class CarState:
    """The car at one instant, ROS axes, metres and radians."""

    x: float  # [m] map
    y: float  # [m] map
    yaw: float  # [rad] counter-clockwise, 0 along map x, in (-pi, pi]
    velocity_x: float  # [m/s] map
    velocity_y: float  # [m/s] map
    acceleration_x: float  # [m/s^2] map, mean over the last control tick
    acceleration_y: float  # [m/s^2] map, mean over the last control tick
    yaw_rate: float  # [rad/s]
    steering_angle: float  # [rad] of the front wheels, right positive
    rear_wheel_rate: float  # [rad/s] mean of both driven wheels
    wheels_off_road: int  # 0 to 4

    @property
    def speed(self) -> float:
        """|v| [m/s]."""
        return math.hypot(self.velocity_x, self.velocity_y)

    @property
    def forward_speed(self) -> float:
        """Signed speed along the car's nose [m/s]."""
        return self.velocity_x * math.cos(self.yaw) + self.velocity_y * math.sin(self.yaw)

    @property
    def left_speed(self) -> float:
        """Speed to the car's left [m/s]."""
        return -self.velocity_x * math.sin(self.yaw) + self.velocity_y * math.cos(self.yaw)


# (400, 4, 2) [m] vertices of the brighter squares of grass, in gymnasium's order
_GRASS = np.array([
    [(x + 1, y), (x, y), (x, y + 1), (x + 1, y + 1)] for x in range(-20, 20, 2) for y in range(-20, 20, 2)
]) * GRASS_DIM


def _near(polygons: np.ndarray, place, reach_m: float) -> np.ndarray:
    """Indices, in order, of the polygons (P, 4, 2) with a vertex within ``reach_m`` of a place."""
    squared = ((polygons - (place[0], place[1])) ** 2).sum(axis=2)
    return np.nonzero(squared.min(axis=1) < reach_m**2)[0]


class _LazyCarRacing(CarRacing):
    """CarRacing whose ``step`` does not draw: the picture of the current frame is drawn by ``draw``.

    gymnasium draws inside ``step``, before that frame's -0.1 is booked, and the score is part of the picture. So the
    score at that moment is kept and put back while drawing; nothing else of the picture changes afterwards.
    """

    _score_in_picture = 0.0

    def _render(self, mode: str):
        self._score_in_picture = self.reward
        return None

    def _render_road(self, zoom: float, translation, angle: float) -> None:
        """As gymnasium's, but polygons that are far outside the picture are sorted out all at once.

        gymnasium rotates each of some 730 polygons in Python to find the 50 that show; this was most of the time.
        The sorting here is coarse, and its own test still decides about what is left.
        """
        field = [(PLAYFIELD, PLAYFIELD), (PLAYFIELD, -PLAYFIELD), (-PLAYFIELD, -PLAYFIELD), (-PLAYFIELD, PLAYFIELD)]
        self._draw_colored_polygon(self.surf, field, self.bg_color, zoom, translation, angle, clip=False)
        # The car is drawn at (W/2, H/4): nothing farther from it than the farthest corner, plus a polygon, shows.
        reach = math.hypot(WINDOW_W / 2 + MAX_SHAPE_DIM, WINDOW_H * 3 / 4 + MAX_SHAPE_DIM) / zoom + 1.0
        for k in _near(_GRASS, self.car.hull.position, reach):
            self._draw_colored_polygon(self.surf, _GRASS[k], self.grass_color, zoom, translation, angle)
        if self._road_vertices is None:
            self._road_vertices = np.array([polygon for polygon, _ in self.road_poly])
        for k in _near(self._road_vertices, self.car.hull.position, reach):
            polygon, color = self.road_poly[k]
            self._draw_colored_polygon(
                self.surf, polygon, [int(part) for part in color], zoom, translation, angle)

    def reset(self, **arguments):
        self._road_vertices = None  # (P, 4, 2) [m] of the new track, made at its first drawing
        return super().reset(**arguments)

    def draw(self) -> np.ndarray:
        """The current frame: (96, 96, 3) uint8 RGB, equal to what plain CarRacing returns for it."""
        score = self.reward
        self.reward = self._score_in_picture
        try:
            return super()._render("state_pixels")
        finally:
            self.reward = score


class CarRacingWorld:
    """One CarRacing-v3 track and car at a time.

    Parameters
    ----------
    fixed_delta_seconds: float
        Length of a control tick [s], a whole multiple of 0.02. Raises ValueError otherwise.
    """

    def __init__(self, fixed_delta_seconds: float = 0.08):
        self.frames_per_tick = frames_per_tick(fixed_delta_seconds)
        self._env: _LazyCarRacing | None = None
        self._image: np.ndarray | None = None

    def reset(self, seed: int) -> None:
        """Begin an episode on the track of ``seed`` (0 to 2**63 - 1) with the car at rest on the start line."""
        if seed < 0:
            raise ValueError(f"seed must be 0 or more, got {seed}")
        # A new environment each time: Box2D's inner orders depend on what was in a world before, and an episode must
        # be a function of its seed and actions alone.
        self._env = _LazyCarRacing()
        self._env.reset(seed=int(seed))
        self._image = None
        self._frames = 0
        self._over = False
        self._velocity = self._current_velocity()
        self._acceleration = (0.0, 0.0)

    def step(self, steer: float, throttle: float, brake: float) -> StepOutcome:
        """Hold one command for a control tick; raises RuntimeError before ``reset`` and after the end."""
        if self._env is None or self._over:
            raise RuntimeError("step() needs a running episode: call reset(seed) first")
        action = np.array([steer, throttle, brake], np.float64)
        reward, terminated, lap_finished, frames = 0.0, False, False, 0
        while frames < self.frames_per_tick and self._frames < FRAME_LIMIT and not terminated:
            _, frame_reward, terminated, _, info = self._env.step(action)
            reward += frame_reward
            lap_finished = bool(info.get("lap_finished", False))
            self._frames += 1
            frames += 1
        self._image = None
        velocity, period = self._current_velocity(), frames * PHYSICS_PERIOD_S
        self._acceleration = tuple((new - old) / period for new, old in zip(velocity, self._velocity, strict=True))
        self._velocity = velocity
        truncated = self._frames >= FRAME_LIMIT and not terminated
        self._over = terminated or truncated
        return StepOutcome(float(reward), terminated, truncated, lap_finished, frames)

    def image(self) -> np.ndarray:
        """(96, 96, 3) uint8 RGB of the current frame, drawn at the first call for it."""
        if self._image is None:
            self._image = np.ascontiguousarray(self._environment().draw())
        return self._image

    def state(self) -> CarState:
        """The car now."""
        car = self._environment().car
        hull, wheels = car.hull, car.wheels
        yaw = math.remainder(hull.angle + math.pi / 2, 2 * math.pi)
        return CarState(
            x=float(hull.position[0]), y=float(hull.position[1]), yaw=yaw,
            velocity_x=self._velocity[0], velocity_y=self._velocity[1],
            acceleration_x=self._acceleration[0], acceleration_y=self._acceleration[1],
            yaw_rate=float(hull.angularVelocity),
            steering_angle=-0.5 * float(wheels[0].joint.angle + wheels[1].joint.angle),
            rear_wheel_rate=0.5 * float(wheels[2].omega + wheels[3].omega),
            wheels_off_road=sum(not wheel.tiles for wheel in wheels),
        )

    def centre_line(self) -> np.ndarray:
        """(K, 2) float64 [m]: the road's centre line in driving direction, closed (the last joins the first)."""
        return np.array([(x, y) for _, _, x, y in self._environment().track], np.float64)

    def _environment(self) -> _LazyCarRacing:
        if self._env is None:
            raise RuntimeError("there is no episode yet: call reset(seed) first")
        return self._env

    def _current_velocity(self) -> tuple[float, float]:
        hull = self._env.car.hull
        # Of the hull's origin, which is what position() reports, not of its centre of mass.
        velocity = hull.GetLinearVelocityFromLocalPoint((0.0, 0.0))
        return float(velocity[0]), float(velocity[1])


def frames_per_tick(fixed_delta_seconds: float) -> int:
    """Physics frames in a control tick; ValueError unless the period is 0.02, 0.04, 0.06 or 0.08 s."""
    frames = round(fixed_delta_seconds / PHYSICS_PERIOD_S) if math.isfinite(fixed_delta_seconds) else 0
    if not 1 <= frames <= 4 or abs(frames * PHYSICS_PERIOD_S - fixed_delta_seconds) > 1e-6:
        raise ValueError(
            f"fixed_delta_seconds must be 0.02, 0.04, 0.06 or 0.08 (physics runs at 50 Hz and CARLA needs less than "
            f"0.1), got {fixed_delta_seconds}"
        )
    return frames
