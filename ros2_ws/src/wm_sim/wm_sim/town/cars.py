"""The other cars of a town: each follows lanes, keeps its distance, obeys lights and gives way; they change no lane.

They move on their lanes like trains on rails. A car enters a junction only after it has claimed its way through it,
which it can if no conflicting way is claimed and nobody who goes first is near (``priority``).
"""

import math

import numpy as np

from wm_sim.rectangles import Rectangles
from wm_sim.solids import Box
from wm_sim.town.drivers import HALF_M, HARDEST, LINE_REST_M, can_stop, wanted_acceleration
from wm_sim.town.lights import Light, Lights
from wm_sim.town.network import Lane, Network
from wm_sim.town.priority import QUEUE_SPEED, Car, Ego, Priority
from wm_sim.town.route import BRAKING
from wm_sim.traffic.car import HEIGHT_M, LENGTH_M, WIDTH_M
from wm_sim.traffic.placing import COLOURS, FIRST_ID

SIGHT_M = 60.0
FREE_M, KEPT_FREE_M = 14.0, 30.0  # at the start: between two in a lane, and around the driven car in its own
TRIES = 50  # for each of them to find a place
LINE_FREE_M = 22.0  # at the start, before a junction
WANTED = (0.8, 1.0)  # share of the speed limit
CLAIM_M, CLAIM_S = 10.0, 2.0  # before the stop line, from which a car claims its way
BESIDE_M = 9.0  # from the beginning of a way: a car there is still in the way of those beside it
SHOCK_S = 2.0  # for which a car stands after a collision


class Traffic:
    """All moving cars but the driven one."""

    def __init__(
        self, network: Network, lights: Lights, rng: np.random.Generator, count: int, start: tuple[int, float]
    ):
        """``start``: lane and place [m] along it of the driven car."""
        self._network, self._lights, self._rng = network, lights, rng
        self.cars: list[Car] = []
        self._place(count, start)
        self._before: dict[int, tuple] = {}
        self.priority = Priority(network, lights)
        self._look()

    def _place(self, count: int, start: tuple[int, float]) -> None:
        taken = {start[0]: [start[1]]}
        streets = self._network.of_streets
        for _ in range(TRIES * count):
            if len(self.cars) == count:
                break
            lane = streets[int(self._rng.integers(len(streets)))]
            s = float(self._rng.uniform(HALF_M, lane.length - LINE_FREE_M))
            others, free_m = taken.setdefault(lane.number, []), KEPT_FREE_M if lane.number == start[0] else FREE_M
            if any(abs(s - at) < free_m for at in others):
                continue
            others.append(s)
            colour = COLOURS[int(self._rng.integers(len(COLOURS)))]
            wanted = float(self._rng.uniform(*WANTED))
            self.cars.append(
                Car(FIRST_ID + len(self.cars), lane.number, s, 0.5 * lane.limit, wanted, self._draw_way(lane), colour)
            )

    def _draw_way(self, lane: Lane) -> int:
        return lane.follows[int(self._rng.integers(len(lane.follows)))]

    def act(self, ego: Ego, period_s: float) -> None:
        """Choose all accelerations for a tick."""
        self.priority.look(self.cars, ego)
        for car in self.cars:
            car.shock_s = max(0.0, car.shock_s - period_s)
            car.acceleration = -HARDEST if car.shock_s else self._wanted(car, ego)

    def _wanted(self, car: Car, ego: Ego) -> float:
        lane, way = self._network.lanes[car.lane], self._network.lanes[car.way]
        line = lane.length - car.s - HALF_M
        wanted = (lane.speed if lane.through else lane.limit) * car.wanted
        if not lane.through:
            wanted = min(wanted, math.sqrt(way.speed**2 + 2 * BRAKING * max(0.0, line)))
        gap, leader = self._leader(car, ego)
        result = wanted_acceleration(car.speed, wanted, gap, leader)
        if not lane.through and line < CLAIM_M + CLAIM_S * car.speed and not self._claims(car, line, gap, leader):
            result = min(result, wanted_acceleration(car.speed, wanted, line, 0.0, LINE_REST_M))
        return result

    def _claims(self, car: Car, line: float, gap: float, leader: float) -> bool:
        """Whether a car goes into the junction ahead: it has its way, or gets it now."""
        light = self._lights.of_lane(self._network.lanes[car.lane])
        queues = gap < line and leader < QUEUE_SPEED
        stops = light is Light.RED or queues or (light is Light.YELLOW and can_stop(car.speed, line))
        if stops and (car.claims < 0 or can_stop(car.speed, line, HARDEST)):
            self.priority.release(car)
            return False
        if car.claims < 0 and self.priority.free(car.way, line, car.speed, car):
            self.priority.claim(car)
        return car.claims >= 0

    def _leader(self, car: Car, ego: Ego) -> tuple[float, float]:
        """(gap [m], speed [m/s]) of the next one ahead on its lanes."""
        lane, way = self._network.lanes[car.lane], self._network.lanes[car.way]
        pieces = [lane, way, self._network.lanes[way.follows[0]]]
        if lane.through:
            del pieces[0]
        best, speed, offset = math.inf, 0.0, -car.s
        for piece in pieces:
            for s, other in self.priority.on_lane(piece.number):
                if other is not car and offset + s > 0.0 and offset + s - LENGTH_M < best:
                    best, speed = offset + s - LENGTH_M, other.speed
            for beside in self.priority.beside(piece.number):
                for s, other in self.priority.on_lane(beside):
                    if s < BESIDE_M and offset + s > 0.5 and offset + s - LENGTH_M < best:
                        best, speed = offset + s - LENGTH_M, other.speed
            if piece.number in ego.spans:
                rear, front, along = ego.spans[piece.number]
                if offset + front > HALF_M and offset + rear - HALF_M < best:
                    best, speed = offset + rear - HALF_M, along
            offset += piece.length
            if offset > SIGHT_M or best < math.inf:
                break
        return (max(0.0, best), speed) if best < SIGHT_M else (math.inf, 0.0)

    def step(self, period_s: float) -> None:
        """Move all of them for a tick."""
        for car in self.cars:
            self._before[car.id] = car.lane, car.s, car.way, car.claims
            speed = max(0.0, car.speed + car.acceleration * period_s)
            car.s += (car.speed + speed) / 2 * period_s
            car.speed = speed
            lane = self._network.lanes[car.lane]
            if car.s >= lane.length:
                car.s -= lane.length
                if lane.through:
                    car.lane = lane.follows[0]
                    car.way = self._draw_way(self._network.lanes[car.lane])
                else:
                    car.lane = car.way
            elif car.claims >= 0 and not lane.through and car.claims != car.way and car.s - HALF_M > 0.5:
                self.priority.release(car)  # its old way is behind it
        self._look()

    def hold(self, hit: list[Car]) -> None:
        """These have run into something: they are back where they were before the tick, and stand."""
        for car in hit:
            car.lane, car.s, car.way, claims = self._before.get(car.id, (car.lane, car.s, car.way, car.claims))
            if claims >= 0 and car.claims < 0:
                self.priority.claim(car, claims)
            car.speed, car.shock_s = 0.0, SHOCK_S
        self._look()

    def _look(self) -> None:
        """Their places on the map, after they moved."""
        for car in self.cars:
            car.x, car.y, car.yaw = self._network.lanes[car.lane].at(car.s)
        self.rectangles = Rectangles(
            np.array([(car.x, car.y) for car in self.cars]),
            np.array([car.yaw for car in self.cars]),
            np.tile((LENGTH_M, WIDTH_M), (len(self.cars), 1)),
        )
        speeds = np.array([[car.speed] for car in self.cars]).reshape(-1, 1)
        self.velocities = speeds * self.rectangles.axes[:, 0]  # (n, 2) [m/s]

    def boxes(self) -> list[Box]:
        """As they are drawn."""
        size = (LENGTH_M, WIDTH_M, HEIGHT_M)
        return [Box(car.id, car.x, car.y, car.yaw, size, car.colour) for car in self.cars]
