"""CarRacing-v3 advanced by whole control ticks, drawn on demand.

Box2D computes in metres, kilograms and seconds, and one Box2D unit is **one metre** here. The car is then 5.0 m
long and 2.4 m wide (wheelbase 3.24 m), the road 13.3 m wide, a lap about 1 km, and the car laps at 60 to 80 m/s: a race
car with the grip of one. The hull points along its own +y axis in Box2D, so ``yaw = hull.angle + pi/2``.
"""

import math

import numpy as np

from wm_sim import spawn
from wm_sim.carracing.car import CAR
from wm_sim.carracing.environment import LazyCarRacing
from wm_sim.carracing.expert import Expert
from wm_sim.carracing.facts import FRAME_LIMIT, LAP_FINISHED, LEFT_FIELD
from wm_sim.ground_view import Layer
from wm_sim.spawn import SensorSpec
from wm_sim.ticks import PHYSICS_PERIOD_S
from wm_sim.world import CarState, Collision, Marking, StepOutcome, World
from wm_sim.world_facts import TIME_LIMIT


class CarRacingWorld(World):
    """One CarRacing-v3 track and car at a time."""

    car = CAR
    camera = SensorSpec(spawn.NATIVE_VIEW, "rgb_front", width=spawn.NATIVE_SIZE, height=spawn.NATIVE_SIZE)

    _env: LazyCarRacing | None = None

    def _begin(self, seed: int) -> None:
        # A new environment each time: Box2D's order depends on a world's earlier contents, and an episode must
        # be a function of its seed and actions alone.
        self._env = LazyCarRacing()
        self._env.reset(seed=seed)
        self._image = None
        self._frames = 0
        self._velocity = self._current_velocity()
        self._acceleration = (0.0, 0.0)
        self._wheels_off = self._wheels_off_road()

    def _advance(self, steer: float, throttle: float, brake: float) -> StepOutcome:
        """A lap is finished with the last tile of the road, not at the start line (gymnasium's rule). It is
        ``terminated``, as in gymnasium, since no reward follows it. The field's edge is what the car can collide with,
        and the road's edge the marking that it can cross."""
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
        before, self._wheels_off = self._wheels_off, self._wheels_off_road()
        left_field = terminated and not lap_finished
        return StepOutcome(
            float(reward),
            terminated,
            truncated,
            frames,
            ending=LAP_FINISHED if lap_finished else LEFT_FIELD if left_field else TIME_LIMIT if truncated else "",
            collisions=(self._stopping_collision(),) if left_field else (),
            crossed=(Marking.SOLID,) if self._wheels_off > before else (),
        )

    def image(self) -> np.ndarray:
        if self._image is None:
            self._image = np.ascontiguousarray(self._environment().draw())
        return self._image

    def state(self) -> CarState:
        car = self._environment().car
        hull, wheels = car.hull, car.wheels
        yaw = math.remainder(hull.angle + math.pi / 2, 2 * math.pi)
        return CarState(
            x=float(hull.position[0]),
            y=float(hull.position[1]),
            yaw=yaw,
            velocity_x=self._velocity[0],
            velocity_y=self._velocity[1],
            acceleration_x=self._acceleration[0],
            acceleration_y=self._acceleration[1],
            yaw_rate=float(hull.angularVelocity),
            steering_angle=-0.5 * float(wheels[0].joint.angle + wheels[1].joint.angle),
            rear_wheel_rate=0.5 * float(wheels[2].omega + wheels[3].omega),
            wheels_off_road=self._wheels_off_road(),
        )

    def layers(self) -> list[Layer]:
        return self._environment().layers()

    def place(self, x: float, y: float, yaw: float) -> None:
        """Set the car there, ROS axes [m, rad]; its velocity on the map and its steering angle stay."""
        car = self._environment().car
        turn = yaw - math.pi / 2 - car.hull.angle
        cosine, sine, origin = math.cos(turn), math.sin(turn), tuple(car.hull.position)
        for body in (car.hull, *car.wheels):
            left, ahead = body.position[0] - origin[0], body.position[1] - origin[1]
            body.position = (x + cosine * left - sine * ahead, y + sine * left + cosine * ahead)
            body.angle += turn
            body.awake = True
        self._image = None
        self._velocity = self._current_velocity()

    def push(self, forward: float, left: float, yaw_rate: float) -> None:
        """Give the car this velocity in its own axes [m/s] and this yaw rate [rad/s], regardless of its tyres."""
        car = self._environment().car
        hull, yaw = car.hull, car.hull.angle + math.pi / 2
        velocity = np.array(
            [forward * math.cos(yaw) - left * math.sin(yaw), forward * math.sin(yaw) + left * math.cos(yaw)]
        )
        for body in (hull, *car.wheels):
            offset = np.array(body.worldCenter) - np.array(hull.position)
            turning = yaw_rate * np.array([-offset[1], offset[0]])
            body.linearVelocity = tuple((velocity + turning).tolist())
            body.angularVelocity = yaw_rate
            body.awake = True
        for wheel in car.wheels:
            wheel.omega = forward / wheel.wheel_rad  # rolling: a wheel at rest would brake it at once
        self._image = None
        self._velocity = self._current_velocity()

    def centre_line(self) -> np.ndarray:
        """(K, 2) float64 [m]: the road's centre line in driving direction, closed (the last joins the first)."""
        return np.array([(x, y) for _, _, x, y in self._environment().track], np.float64)

    def waypoints(self) -> np.ndarray:
        """(K, 2) float64 [m]: the centre line from the start line around to it."""
        line = self.centre_line()
        return np.vstack([line, line[:1]])

    def expert(self) -> Expert:
        expert = Expert(self._period_s)
        expert.reset(self.centre_line())
        return expert

    def _wheels_off_road(self) -> int:
        return sum(not wheel.tiles for wheel in self._env.car.wheels)

    def _stopping_collision(self) -> Collision:
        """A collision with the edge of the field, with the impulse that would stop the car."""
        return Collision(0, (-CAR.mass_kg * self._velocity[0], -CAR.mass_kg * self._velocity[1]))

    def _environment(self) -> LazyCarRacing:
        if self._env is None:
            raise RuntimeError("there is no episode yet: call reset(seed) first")
        return self._env

    def _current_velocity(self) -> tuple[float, float]:
        hull = self._env.car.hull
        # Of the hull's origin, which is what position() reports, not of its centre of mass.
        velocity = hull.GetLinearVelocityFromLocalPoint((0.0, 0.0))
        return float(velocity[0]), float(velocity[1])
