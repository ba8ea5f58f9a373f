"""A town to drive through: one episode is a route from a standstill to its goal, in whole control ticks.

Rewards, infractions and endings are the judge's (``judge``).
"""

import math

import numpy as np

from wm_sim import spawn
from wm_sim.ground_view import GroundView, Layer
from wm_sim.pinhole import Mount, Pinhole
from wm_sim.rectangles import contact_times
from wm_sim.solids import Box, picture_of
from wm_sim.spawn import SensorSpec
from wm_sim.town.cars import Traffic
from wm_sim.town.contacts import Contacts
from wm_sim.town.expert import TownExpert
from wm_sim.town.facts import TownFacts
from wm_sim.town.ground import Ground
from wm_sim.town.judge import OUTSIDE_M, WRONG_WAY, Judge, Seen, Verdict
from wm_sim.town.lights import Light, Lights
from wm_sim.town.network import Network
from wm_sim.town.plan import draw_plan
from wm_sim.town.route import draw_route, plan_route
from wm_sim.town.scenery import Signals, draw_houses, park_cars, rectangles_of
from wm_sim.town.trip import Trip
from wm_sim.town.view import View, seen_on_lanes
from wm_sim.traffic.car import BODY, LENGTH_M, WHEEL_RADIUS_M, EgoCar
from wm_sim.world import CarState, Collision, StepOutcome, World
from wm_sim.world_facts import TIME_LIMIT

SIGHT_M = 130.0  # farther boxes are not painted
NEAR_M = 40.0  # around the car, within which others are looked at for the time to a collision
OWN_COLOUR = (204, 0, 0)
GOAL_REACH_M = 4.0  # from a lane, at most, for a goal

FRONT = Mount(x=0.6, z=1.6, pitch=math.radians(4.0))
FRONT_FOV = math.radians(100.0)
# The native view: from 50 m above, 57 m along the street and to both sides, the car in the lower part.
ABOVE = Pinhole(spawn.NATIVE_SIZE, spawn.NATIVE_SIZE, math.radians(60.0), Mount(x=14.0, z=50.0, pitch=math.pi / 2))


class TownWorld(World):
    """One town with one route at a time."""

    car = BODY
    plans_routes = True
    camera = SensorSpec(
        spawn.RGB_CAMERA, "rgb_front", mount=FRONT, width=spawn.NATIVE_SIZE, height=spawn.NATIVE_SIZE, fov=FRONT_FOV
    )

    def __init__(self, fixed_delta_seconds: float = 0.08, cars: int = 0):
        super().__init__(fixed_delta_seconds, cars)
        self._ticks = math.ceil(TownFacts.episode_s / self._period_s)
        self._above = GroundView(ABOVE)
        self._ego: EgoCar | None = None

    def _begin(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        plan = draw_plan(rng)
        self._network, self._ground = Network(plan), Ground(plan)
        self._lights = Lights(self._network, rng)
        route = draw_route(self._network, rng)
        houses, self._parked = draw_houses(plan, self._ground, rng), park_cars(plan, rng)
        self._signals = Signals(self._network, self._lights)
        self._houses = houses
        x, y = route.points[0].tolist()
        self._ego = EgoCar(None, np.array([x, y]), route.heading(0.0), 0.0)
        self._traffic = Traffic(self._network, self._lights, rng, self._cars, (route.lanes[0], route.begin_m))
        self._contacts = Contacts(self._ground, self._ego, self._traffic, self._parked, houses)
        self._trip = Trip(route, x, y)
        self._view = View(self._network, self._lights, self._trip, self._traffic, rectangles_of(self._parked))
        self._judge = Judge(self._period_s)
        self._tick = 0
        self._velocity, self._acceleration = self._ego.velocity, np.zeros(2)
        self._settle()

    def _advance(self, steer: float, throttle: float, brake: float) -> StepOutcome:
        ego, tail, place = self._ego, self._tail(), self._ego.position
        lying_on = self._lying_on
        self._traffic.act(seen_on_lanes(self._network, ego, self._contacts.own()), self._period_s)
        self._contacts.remember()
        for _ in range(self.frames_per_tick):
            ego.drive(steer, throttle, brake)
        self._traffic.step(self._period_s)
        self._lights.time_s += self._period_s
        touched = self._contacts.settle()
        self._acceleration = (ego.velocity - self._velocity) / self._period_s
        self._velocity = ego.velocity
        self._settle()
        self._tick += 1
        gained_m = self._trip.move(*ego.position.tolist())
        verdict = self._judge.see(
            Seen(
                gained_m,
                float(np.hypot(*(ego.position - place))),
                self.speed_limit(),
                ego.speed,
                tuple(touched),
                self._ran_red(tail, self._tail()),
                self._outside_lanes(),
                self._trip.deviation(*ego.position.tolist()),
                self._trip.arrived,
                self._tick >= self._ticks,
            )
        )
        return self._outcome(verdict, self._lying_on - lying_on)

    def _outcome(self, verdict: Verdict, crossed: set[tuple[int, int]]) -> StepOutcome:
        truncated, impulses = verdict.ending == TIME_LIMIT, self._contacts.impulses
        return StepOutcome(
            verdict.reward,
            bool(verdict.ending) and not truncated,
            truncated,
            self.frames_per_tick,
            verdict.ending,
            tuple(Collision(what if isinstance(what, int) else 0, impulses[what]) for what in verdict.touched),
            tuple(self._ground.kind(*marking) for marking in sorted(crossed)),
            verdict.infractions,
            self._trip.completion,
            self._time_to_collision(),
        )

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
            wheels_off_road=self._contacts.wheels_off_road,
        )

    def image(self) -> np.ndarray:
        """(96, 96, 3) uint8 RGB: the town from above, the car in the lower middle, heading up."""
        state = self.state()
        if self._image is None:
            own = Box(0, state.x, state.y, state.yaw, BODY.size_m, OWN_COLOUR)
            self._image = picture_of(self._above, self.layers(), [*self.solids(), own], state.place)
        return self._image

    def layers(self) -> list[Layer]:
        self._running()
        return self._ground.layers(*self._ego.position.tolist())

    def boxes(self) -> list[Box]:
        """The cars, moving ones first."""
        self._running()
        return self._near([*self._traffic.boxes(), *self._parked])

    def solids(self) -> list[Box]:
        return [*self.boxes(), *self._near([*self._houses, *self._signals.boxes()])]

    def _near(self, boxes: list[Box]) -> list[Box]:
        x, y = self._ego.position.tolist()
        return [box for box in boxes if math.hypot(box.x - x, box.y - y) < SIGHT_M]

    def place(self, x: float, y: float, yaw: float) -> None:
        """Set the car there, ROS axes [m, rad]; of its velocity on the map, only the part along its heading remains."""
        self._running()
        self._ego.speed = max(0.0, float(self._velocity @ (math.cos(yaw), math.sin(yaw))))
        self._ego.position, self._ego.heading = np.array([x, y]), yaw
        self._trip.search(x, y)
        self._moved()

    def push(self, forward: float, left: float, yaw_rate: float) -> None:
        """Give the car this velocity along its heading [m/s]; it cannot slide, so the rest is ignored."""
        self._running()
        self._ego.speed = max(0.0, forward)
        self._moved()

    def waypoints(self) -> np.ndarray:
        """(K, 2) float64 [m]: the route, to its goal."""
        self._running()
        return self._trip.route.points

    def goal(self) -> tuple[float, float, float]:
        """x, y [m] and heading [rad] of the end of the route."""
        self._running()
        route = self._trip.route
        return *route.points[-1].tolist(), route.heading(route.length)

    def set_goal(self, x: float, y: float) -> None:
        """Plan a route to the lane at this place [m]; ValueError, without effect, where there is none."""
        self._running()
        if not (math.isfinite(x) and math.isfinite(y)):
            raise ValueError(f"the goal ({x}, {y}) is not a place")
        lane, s = self._network.closest(x, y, streets_only=True)
        apart = math.dist(self._network.lanes[lane].at(s)[:2], (x, y))
        if apart > GOAL_REACH_M:
            where = "in a house" if self._contacts.in_house(x, y) else "not on a street"
            raise ValueError(f"the goal ({x:.1f}, {y:.1f}) is {where}: the nearest lane is {apart:.1f} m away")
        beside = self._network.lanes[lane].beside
        goals = [(lane, s), *([(beside, s)] if beside >= 0 else [])]
        here = self._ego.position.tolist()
        route = plan_route(self._network, self._network.closest(*here, self._ego.heading), goals)
        if route is None:
            raise ValueError(f"no lane leads from ({here[0]:.1f}, {here[1]:.1f}) to the goal ({x:.1f}, {y:.1f})")
        self._trip.take(route, *here)

    def speed_limit(self) -> float:
        """[m/s] of the route, where the car is."""
        self._running()
        return self._trip.route.limit(self._trip.place.s)

    def gap(self) -> float:
        """[m] to the next car ahead on the route, at most the 100 m of the driver's sight."""
        self._running()
        return min(self._view.SIGHT_M, self._view.gap()[0])

    def command(self) -> int:
        """CARLA's RoadOption for the next junction on the route."""
        self._running()
        return int(self._trip.route.command(self._trip.place.s))

    def expert(self) -> TownExpert:
        return TownExpert(self._view, self._period_s)

    def _running(self) -> None:
        if self._ego is None:
            raise RuntimeError("there is no episode yet: call reset(seed) first")

    def _moved(self) -> None:
        """The car was moved externally: that does not count as driving."""
        self._velocity = self._ego.velocity
        self._judge.moved()
        self._settle()
        self._contacts.moved()

    def _settle(self) -> None:
        """The car is somewhere else."""
        self._image = None
        self._lying_on = self._ground.crossed_by(self._ego.wheels())

    def _tail(self) -> np.ndarray:
        """(2,) [m]: the middle of the rear end, which must not pass a red light."""
        ego = self._ego
        return ego.position - LENGTH_M / 2 * np.array([math.cos(ego.heading), math.sin(ego.heading)])

    def _ran_red(self, before: np.ndarray, now: np.ndarray) -> bool:
        return any(self._lights.of_lane(lane) is Light.RED for lane in self._network.stop_lines_crossed(before, now))

    def _outside_lanes(self) -> bool:
        """Whether the car is beside the asphalt, or on a lane of the opposite direction."""
        x, y = self._ego.position.tolist()
        if not self._ground.on_asphalt(self._ego.position[None], OUTSIDE_M)[0]:
            return True
        lane, s = self._network.closest(x, y)
        heading = self._network.lanes[lane].at(s)[2]
        return not self._network.lanes[lane].through and math.cos(heading - self._ego.heading) < WRONG_WAY

    def _time_to_collision(self) -> float:
        """[s] until the car touches another moving one, if both keep their velocities."""
        traffic = self._traffic
        near = traffic.rectangles.near(*self._ego.position.tolist(), NEAR_M)
        times = contact_times(
            self._contacts.own(), self._ego.velocity, traffic.rectangles[near], traffic.velocities[near]
        )
        return float(times.min(initial=math.inf))
