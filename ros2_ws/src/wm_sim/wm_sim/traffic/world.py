"""A road with other cars, advanced by whole control ticks.

An episode begins in the flow of traffic and lasts 40 s, unless the car hits something or leaves the road with all four
wheels. The others drive by highway-env's models (IDM for the distance, MOBIL for lane changes) and react to the car.
The reward is for distance along the road, at most at the speed limit: 0.9 per metre, which makes 900 in an episode at
the limit, and -100 for a collision or for leaving the road.
"""

import math

import numpy as np
from highway_env.utils import are_polygons_intersecting
from wm_bundle.vector_inputs import LONGEST_GAP_M

from wm_sim import spawn
from wm_sim.ground_view import GroundView, Layer
from wm_sim.pinhole import Mount, Pinhole
from wm_sim.rectangles import Rectangles, contact_times
from wm_sim.solids import Box, picture_of
from wm_sim.spawn import SensorSpec
from wm_sim.traffic.car import BODY, MASS_KG, WHEEL_RADIUS_M, EgoCar
from wm_sim.traffic.expert import TrafficExpert
from wm_sim.traffic.facts import ALL_WHEELS, COLLISION, LEFT_ROAD, TrafficFacts
from wm_sim.traffic.placing import place_cars
from wm_sim.traffic.road import (
    LANE_WIDTH_M,
    LANES,
    MARKINGS,
    ROAD_HALF_WIDTH_M,
    SPEED_LIMIT,
    Curve,
    CurvedRoad,
    Surface,
    lane_offset,
)
from wm_sim.world import CarState, Collision, StepOutcome, World
from wm_sim.world_facts import TIME_LIMIT

POINTS_PER_M = 0.9
FAILURE_POINTS = -100.0

START_M = 200.0  # along the road
START_SPEED = 18.0  # [m/s]
SIGHT_M = 250.0  # farther cars are not painted
NEAR_M = 8.0  # along the road; cars farther apart do not touch
OWN_COLOUR = (204, 0, 0)

FRONT = Mount(x=0.6, z=1.6, pitch=math.radians(8.0))
FRONT_FOV = math.radians(100.0)
# The native view: from 50 m above, 57 m along the road and to both sides, the car in the lower part.
ABOVE = Pinhole(spawn.NATIVE_SIZE, spawn.NATIVE_SIZE, math.radians(60.0), Mount(x=14.0, z=50.0, pitch=math.pi / 2))


class TrafficWorld(World):
    """One road with its cars at a time."""

    car = BODY
    camera = SensorSpec(
        spawn.RGB_CAMERA, "rgb_front", mount=FRONT, width=spawn.NATIVE_SIZE, height=spawn.NATIVE_SIZE, fov=FRONT_FOV
    )

    def __init__(self, fixed_delta_seconds: float = 0.08, cars: int = 0):
        super().__init__(fixed_delta_seconds, cars)
        self._ticks = math.ceil(TrafficFacts.episode_s / self._period_s)
        self._above = GroundView(ABOVE)
        self._road: CurvedRoad | None = None

    def _begin(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._curve = Curve(rng)
        self._surface = Surface(self._curve)
        self._road = CurvedRoad(self._curve, [], rng)
        self._lane = int(rng.integers(LANES))
        place = np.array(self._curve.point(START_M, lane_offset(self._lane)))
        self._ego = EgoCar(self._road, place, self._curve.heading(START_M), START_SPEED)
        self._others = place_cars(self._road, self._cars, START_M, self._lane, rng)
        self._road.vehicles = [self._ego, *self._others]
        self._tick, self._image = 0, None
        self._velocity, self._acceleration = self._ego.velocity, np.zeros(2)
        self._settle()

    def _advance(self, steer: float, throttle: float, brake: float) -> StepOutcome:
        before_m, lying_on = self._along_m, self._lying_on
        for vehicle in self._others:
            vehicle.act()
        self._curve.forget()
        for _ in range(self.frames_per_tick):
            self._ego.drive(steer, throttle, brake)
        for vehicle in self._others:
            vehicle.step(self._period_s)
        self._ego.on_state_update()
        self._acceleration = (self._ego.velocity - self._velocity) / self._period_s
        self._velocity = self._ego.velocity
        self._settle()
        self._stop_crashed()
        collisions = self._collisions()
        self._tick += 1
        return self._outcome(self._along_m - before_m, collisions, self._lying_on - lying_on)

    def state(self) -> CarState:
        self._running()
        ego = self._ego
        return CarState(
            x=float(ego.position[0]),
            y=float(ego.position[1]),
            yaw=math.remainder(ego.heading, 2 * math.pi),
            velocity_x=float(self._velocity[0]),
            velocity_y=float(self._velocity[1]),
            acceleration_x=float(self._acceleration[0]),
            acceleration_y=float(self._acceleration[1]),
            yaw_rate=ego.yaw_rate,
            steering_angle=-ego.steering_angle,
            rear_wheel_rate=ego.speed / WHEEL_RADIUS_M,
            wheels_off_road=self._wheels_off_road,
        )

    def image(self) -> np.ndarray:
        """(96, 96, 3) uint8 RGB: the road from above, the car in the lower middle, heading up."""
        state = self.state()
        if self._image is None:
            own = Box(0, state.x, state.y, state.yaw, BODY.size_m, OWN_COLOUR)
            self._image = picture_of(self._above, self.layers(), [*self.boxes(), own], state.place)
        return self._image

    def layers(self) -> list[Layer]:
        self._running()
        return self._surface.layers(self._along_m)

    def boxes(self) -> list[Box]:
        self._running()
        return [
            Box(car.actor_id, float(car.position[0]), float(car.position[1]), car.heading, BODY.size_m, car.colour)
            for car in self._road.near(self._ego, SIGHT_M)
        ]

    def place(self, x: float, y: float, yaw: float) -> None:
        """Set the car there, ROS axes [m, rad]; of its velocity on the map, only the part along its heading remains."""
        self._running()
        self._ego.speed = max(0.0, float(self._velocity @ (math.cos(yaw), math.sin(yaw))))
        self._ego.position, self._ego.heading = np.array([x, y]), yaw
        self._moved()

    def push(self, forward: float, left: float, yaw_rate: float) -> None:
        """Give the car this velocity along its heading [m/s]; it cannot slide, so the rest is ignored."""
        self._running()
        self._ego.speed = max(0.0, forward)
        self._moved()

    def waypoints(self) -> np.ndarray:
        """(K, 2) float64 [m]: the middle of the lane that the car begins in, to the end of the road."""
        self._running()
        return self._curve.line(START_M, lane_offset(self._lane))

    def speed_limit(self) -> float:
        return SPEED_LIMIT

    def gap(self) -> float:
        """[m] along the road to the next car whose middle is within half a lane to the side."""
        self._running()
        along_m, aside_m = self._curve.locate(self._ego.position)
        gaps = [LONGEST_GAP_M]
        for car in self._road.near(self._ego, LONGEST_GAP_M + BODY.size_m[0]):
            at_m, lateral_m = self._curve.locate(car.position)
            if at_m > along_m and abs(lateral_m - aside_m) < LANE_WIDTH_M / 2:
                gaps.append(max(at_m - along_m - BODY.size_m[0], 0.0))
        return min(gaps)

    def expert(self) -> TrafficExpert:
        return TrafficExpert(self._curve, self._others, self.state(), self._period_s)

    def _running(self) -> None:
        if self._road is None:
            raise RuntimeError("there is no episode yet: call reset(seed) first")

    def _moved(self) -> None:
        """The car was moved externally: that does not count as driving."""
        self._ego.on_state_update()
        self._image, self._velocity = None, self._ego.velocity
        self._settle()

    def _settle(self) -> None:
        """Locate the car on the road."""
        self._image = None
        self._road.settle()
        self._along_m = self._curve.locate(self._ego.position)[0]
        sideways = [self._curve.locate(wheel)[1] for wheel in self._ego.wheels()]
        self._wheels_off_road = sum(abs(lateral) > ROAD_HALF_WIDTH_M for lateral in sideways)
        self._lying_on = {number for number, (at, _) in enumerate(MARKINGS) if min(sideways) < at < max(sideways)}

    def _stop_crashed(self) -> None:
        """Others that have collided stop for good."""
        for car in self._others:
            for other in self._road.near(car, NEAR_M):
                if other is not self._ego:
                    car.handle_collisions(other)

    def _collisions(self) -> tuple[Collision, ...]:
        """What the car touches, each with the impulse after which both would move together."""
        own, velocity = self._ego.polygon(), self._ego.velocity
        found = []
        for car in self._road.near(self._ego, NEAR_M):
            if are_polygons_intersecting(own, car.polygon(), np.zeros(2), np.zeros(2))[0]:
                impulse = -MASS_KG / 2 * (velocity - car.velocity)
                found.append(Collision(car.actor_id, (float(impulse[0]), float(impulse[1]))))
        return tuple(found)

    def _outcome(self, progress_m: float, collisions: tuple[Collision, ...], crossed: set[int]) -> StepOutcome:
        left_road = self._wheels_off_road == ALL_WHEELS
        failed = left_road or bool(collisions)
        truncated = self._tick >= self._ticks and not failed
        reward = POINTS_PER_M * min(progress_m, SPEED_LIMIT * self._period_s) + (FAILURE_POINTS if failed else 0.0)
        ending = COLLISION if collisions else LEFT_ROAD if left_road else TIME_LIMIT if truncated else ""
        markings = tuple(MARKINGS[number][1] for number in sorted(crossed))
        return StepOutcome(
            reward,
            failed,
            truncated,
            self.frames_per_tick,
            ending,
            collisions,
            markings,
            infractions=("collision_vehicle",) * len(collisions),
            time_to_collision_s=self._time_to_collision(),
        )

    def _time_to_collision(self) -> float:
        """[s] at the end of the tick; touching others count too, also from behind."""
        others, size = self._road.near(self._ego, SIGHT_M), BODY.size_m[:2]
        times = contact_times(
            Rectangles([self._ego.position], [self._ego.heading], [size]),
            self._ego.velocity,
            Rectangles([car.position for car in others], [car.heading for car in others], [size] * len(others)),
            np.array([car.velocity for car in others]).reshape(-1, 2),
        )
        return float(times.min(initial=math.inf))
