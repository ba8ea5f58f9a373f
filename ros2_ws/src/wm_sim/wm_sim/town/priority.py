"""Who goes first in a junction.

Ways through a junction that conflict are driven one after the other. Who wants to enter has to give way to everybody
who has claimed a conflicting way, and to those whose conflicting way has a lower rank and who would be there before one
has passed. Ranks are the network's: the street with priority before the other, left turns after the rest. Nobody
enters who could not leave, so that junctions stay free.
"""

import math
from collections import defaultdict
from dataclasses import dataclass, field

from wm_sim.town.drivers import ACCELERATION, HALF_M, HARDEST, can_stop
from wm_sim.town.lights import Light, Lights
from wm_sim.town.network import Network

MARGIN_S = 1.5  # between one's own passing and the other's arrival
LEAST_SPEED = 4.0  # [m/s] at which the others come, at least
SLOW = 2.0  # [m/s] below which somebody ahead counts as standing
ROOM_M = 2 * HALF_M + 3.0  # that a car needs beyond a junction
NEAR_M = 60.0  # before a junction: those farther away do not matter


@dataclass(eq=False)
class Car:
    """A moving car; ``way`` is the one that it takes through the next junction, or is on."""

    id: int
    lane: int
    s: float  # [m] of its middle along the lane
    speed: float  # [m/s]
    wanted: float  # share of the speed limit
    way: int
    colour: tuple[int, int, int]
    claims: int = -1  # a way
    acceleration: float = 0.0
    shock_s: float = 0.0  # for which it still stands after a collision
    x: float = 0.0
    y: float = 0.0
    yaw: float = 0.0


@dataclass
class Ego:
    """The driven car, as the others see it: where it is on lanes, whatever it means to do there."""

    spans: dict[int, tuple[float, float, float]] = field(default_factory=dict)  # rear, front [m]; speed along [m/s]


EGO = "ego"
NOWHERE = (-math.inf, -math.inf, 0.0)  # as a span
QUEUE_SPEED = 1.0  # [m/s] of a car before a stop line, below which those behind it do not come


class Priority:
    """Of one town; ``look`` at the cars first in each tick."""

    def __init__(self, network: Network, lights: Lights):
        self._network, self._lights = network, lights
        self._claimed: dict[int, list[Car]] = defaultdict(list)
        self._from = {way: lane for lane in network.of_streets for way in lane.follows}
        self._on: dict[int, list[tuple[float, Car]]] = {}
        self._coming: dict[int, list[tuple]] = {}
        self._ego = Ego()
        self._ego_ways: set[int] = set()

    def look(self, cars: list[Car], ego: Ego) -> None:
        """Where everybody is now."""
        self._on, self._coming, self._ego = defaultdict(list), defaultdict(list), ego
        for car in cars:
            self._on[car.lane].append((car.s, car))
        for number, cars_there in self._on.items():
            cars_there.sort(key=lambda one: one[0])
            # Whoever stands keeps those behind it from coming: two who turn left would else wait for the queues behind
            # each other.
            _, front, along = ego.spans.get(number, NOWHERE)
            standing_at = front if along < QUEUE_SPEED else -math.inf
            for s, car in reversed(cars_there):
                if s > standing_at or car.speed > QUEUE_SPEED:
                    self._comes(number, s + HALF_M, car.speed, (car.way,), car)
                if car.speed < QUEUE_SPEED and car.claims < 0:
                    standing_at = max(standing_at, s)
        self._ego_ways = set()
        for number, (_, front, along) in ego.spans.items():
            lane = self._network.lanes[number]
            if lane.through:
                self._ego_ways.add(number)
                continue
            self._comes(number, front, along, tuple(lane.follows), EGO)
            if along > 0.5 and not can_stop(along, lane.length - front - 1.5, HARDEST):
                self._ego_ways.update(lane.follows)

    def _comes(self, number: int, front: float, speed: float, ways: tuple[int, ...], who: Car | str) -> None:
        lane = self._network.lanes[number]
        if not lane.through and lane.length - front < NEAR_M:
            self._coming[number].append((max(0.0, lane.length - front), speed, ways, who))

    def on_lane(self, number: int) -> list[tuple[float, Car]]:
        """(s [m], car) of the others on a lane, in order."""
        return self._on.get(number, [])

    def beside(self, number: int) -> list[int]:
        """Of a way: the other ways from the same lane."""
        if number not in self._from:
            return []
        return [way for way in self._from[number].follows if way != number]

    def claim(self, car: Car, way: int | None = None) -> None:
        """The way is a car's, its next one by default."""
        car.claims = car.way if way is None else way
        self._claimed[car.claims].append(car)

    def release(self, car: Car) -> None:
        if car.claims >= 0:
            self._claimed[car.claims].remove(car)
            car.claims = -1

    def free(self, number: int, line: float, speed: float, who: Car | str = EGO) -> bool:
        """Whether somebody may go this way, ``line`` [m] before its beginning with this speed [m/s]."""
        way = self._network.lanes[number]
        for other, own_end, their_begin in way.conflicts:
            if any(car is not who for car in self._claimed[other]) or (who is not EGO and other in self._ego_ways):
                return False
            if self._network.lanes[other].rank < way.rank:
                passed_s = _time(line + own_end + 2 * HALF_M, speed, way.speed)
                if any(arrival < passed_s + MARGIN_S for arrival in self._arrivals(other, their_begin, who)):
                    return False
        return self._has_room(number, who)

    def _arrivals(self, number: int, begin: float, who: Car | str):
        """When [s] those who come, or may come, this way are ``begin`` [m] along it."""
        lane = self._from[number]
        light = self._lights.of_lane(lane)
        for line, speed, ways, other in self._coming.get(lane.number, ()):
            halted = light is Light.RED or (light is Light.YELLOW and can_stop(speed, line))
            if other is not who and number in ways and not halted:
                yield (line + max(0.0, begin - 1.0)) / max(speed, LEAST_SPEED)

    def _has_room(self, number: int, who: Car | str) -> bool:
        exit_lane = self._network.lanes[number].follows[0]
        before = sum(car is not who and car.lane != exit_lane for car in self._claimed[number])
        needed = ROOM_M * (1 + before)
        for s, car in self.on_lane(exit_lane)[:1]:
            if car.speed < SLOW and s - HALF_M < needed:
                return False
        if who is not EGO and exit_lane in self._ego.spans:
            rear, _, along = self._ego.spans[exit_lane]
            return along >= SLOW or rear >= needed
        return True


def _time(distance: float, speed: float, top: float) -> float:
    """[s] for a distance [m] from a speed, accelerating to another [m/s]."""
    top = max(top, speed, 1.0)
    reached_m = (top**2 - speed**2) / (2 * ACCELERATION)
    if reached_m >= distance:
        return (math.sqrt(speed**2 + 2 * ACCELERATION * distance) - speed) / ACCELERATION
    return (top - speed) / ACCELERATION + (distance - reached_m) / top
