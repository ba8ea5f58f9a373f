"""What the car runs into: other cars, houses, and the kerb.

Nothing gives way in a contact: the car stands, a little behind where it hit, so that it can be steered away, and a
moving car that it hit stands too. A kerb can be driven over, at the cost of some speed.
"""

import math

import numpy as np

from wm_sim.rectangles import Rectangles, overlapping
from wm_sim.solids import Box
from wm_sim.town.cars import Traffic
from wm_sim.town.ground import Ground
from wm_sim.town.scenery import rectangles_of
from wm_sim.traffic.car import LENGTH_M, MASS_KG, WIDTH_M, EgoCar

KERB, HOUSE = "kerb", "house"
KERB_LOSS = 1.0  # [m/s] of speed, when the first wheel hits it
REBOUND_M = 0.3
REACH_M = 6.0  # around the car
_SIZE = np.array([[LENGTH_M, WIDTH_M]])


class Contacts:
    """Of one episode: ``remember`` before a tick, ``settle`` after everybody has moved."""

    def __init__(self, ground: Ground, ego: EgoCar, traffic: Traffic, parked: list[Box], houses: list[Box]):
        self._ground, self._ego, self._traffic = ground, ego, traffic
        self._parked_ids = [box.id for box in parked]
        self._parked, self._houses = rectangles_of(parked), rectangles_of(houses)
        self.impulses: dict[object, tuple[float, float]] = {}  # of the last tick's contacts
        self.moved()

    def own(self) -> Rectangles:
        """The car's footprint."""
        return Rectangles(self._ego.position[None], np.array([self._ego.heading]), _SIZE)

    def moved(self) -> None:
        """The car was moved externally."""
        self.wheels_off_road = self._count_off_road()
        self.remember()

    def remember(self) -> None:
        """The tick begins."""
        self._before = self._ego.position, self._ego.heading

    def settle(self) -> list[object]:
        """The tick ends: what the car touches, an actor id for cars; it and they are kept apart."""
        touched, ego = self._touched(), self._ego
        self.impulses = {what: self._impulse(what) for what in touched}
        if touched:
            hit = set(touched)
            self._traffic.hold([car for car in self._traffic.cars if car.id in hit])
            ego.position, ego.heading = self._before
            ego.speed = 0.0
            self._rebound()
        before, self.wheels_off_road = self.wheels_off_road, self._count_off_road()
        if self.wheels_off_road > before == 0:
            lost = min(KERB_LOSS, ego.speed)
            self.impulses[KERB] = (-MASS_KG * lost * math.cos(ego.heading), -MASS_KG * lost * math.sin(ego.heading))
            ego.speed -= lost
            touched.append(KERB)
        return touched

    def _rebound(self) -> None:
        ego, place = self._ego, self._ego.position
        ego.position = place - REBOUND_M * np.array([math.cos(ego.heading), math.sin(ego.heading)])
        if self._touched():
            ego.position = place

    def _touched(self) -> list[object]:
        own = self.own()
        x, y = self._ego.position.tolist()
        found: list[object] = []
        for rectangles, names in (
            (self._traffic.rectangles, [car.id for car in self._traffic.cars]),
            (self._parked, self._parked_ids),
            (self._houses, [f"{HOUSE} {k}" for k in range(len(self._houses))] if len(self._houses) else []),
        ):
            near = rectangles.near(x, y, REACH_M)
            found += [names[k] for k, touches in zip(near, overlapping(own, rectangles[near]), strict=True) if touches]
        return found

    def in_house(self, x: float, y: float) -> bool:
        """Whether a place is in a house."""
        point = Rectangles(np.array([[x, y]]), np.zeros(1), np.full((1, 2), 0.1))
        return bool(overlapping(point, self._houses).any())

    def _impulse(self, what: object) -> tuple[float, float]:
        """[N s] on the car: against a moving car so that both would move on together, else so that it would stop."""
        velocity, share = self._ego.velocity, 1.0
        moving = next((k for k, car in enumerate(self._traffic.cars) if car.id == what), None)
        if moving is not None:
            velocity, share = velocity - self._traffic.velocities[moving], 0.5
        x, y = (-share * MASS_KG * velocity).tolist()
        return x, y

    def _count_off_road(self) -> int:
        return int((~self._ground.on_asphalt(self._ego.wheels())).sum())
