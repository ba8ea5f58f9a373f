"""What stands beside the streets of a town: houses, parked cars, traffic lights."""

import math

import numpy as np

from wm_sim.looks import Look
from wm_sim.rectangles import Rectangles, overlapping
from wm_sim.solids import Box
from wm_sim.town.ground import Ground
from wm_sim.town.lights import Light, Lights
from wm_sim.town.network import Lane, Network
from wm_sim.town.plan import PARKING_M, PAVEMENT_M, Plan, Street
from wm_sim.traffic.car import HEIGHT_M, LENGTH_M, WIDTH_M
from wm_sim.traffic.placing import COLOURS

FIRST_PARKED_ID = 1000  # actor ids of parked cars
LIGHT_M = (0.4, 1.3, 4.6)  # length, width, height of a traffic light
_WALLS = ((186, 150, 122), (206, 192, 160), (168, 108, 92), (150, 156, 166), (212, 206, 196), (140, 128, 104))
_FRONT_M, _DEPTH_M, _HEIGHT_M, _GARDEN_M, _GAP_M = (8.0, 14.0), (7.0, 11.0), (4.5, 12.0), (0.5, 3.0), (0.5, 4.0)
_CORNER_M = 24.0  # along y, from a junction's street to the first house
_PARKED_SHARE = 0.25
_SLOT_M, _KEPT_FREE_M = 7.0, 9.0
SHOWN = {Light.GREEN: (0, 230, 60), Light.YELLOW: (255, 200, 0), Light.RED: (255, 0, 0)}
_POLE_M = 0.9  # from the kerb


def draw_houses(plan: Plan, ground: Ground, rng: np.random.Generator) -> list[Box]:
    """Rows of houses along both sides of all streets."""
    houses: list[Box] = []
    rows = sorted(range(len(plan.streets)), key=lambda k: plan.streets[k].vertical)  # those along x get the corners
    for street in (plan.streets[k] for k in rows):
        for side in (1, -1):
            begin, end = street.span
            if street.vertical:
                length = begin + end  # nearly that of the street between its junctions
                begin, end = _CORNER_M, length - _CORNER_M
            at = begin
            while True:
                front, depth, height = (float(rng.uniform(*span)) for span in (_FRONT_M, _DEPTH_M, _HEIGHT_M))
                lateral = side * (street.half_width + PAVEMENT_M + float(rng.uniform(*_GARDEN_M)) + depth / 2)
                colour = _WALLS[int(rng.integers(len(_WALLS)))]
                gap = float(rng.uniform(*_GAP_M))
                if at + front > end:
                    break
                x, y = street.point(at + front / 2, lateral).tolist()
                heading = math.atan2(street.along[1], street.along[0])
                house = Box(0, x, y, heading, (front, depth, height), colour, Look.HOUSE)
                if _fits(house, houses, ground):
                    houses.append(house)
                at += front + gap
    return houses


def _fits(house: Box, houses: list[Box], ground: Ground) -> bool:
    own, built = rectangles_of([house]), rectangles_of(houses)
    near = built[built.near(house.x, house.y, 12.0)]
    corners = own.corners()[0]
    outline = np.concatenate([corners, (corners + np.roll(corners, 1, axis=0)) / 2])
    return not overlapping(own, near).any() and not ground.on_asphalt(outline, PAVEMENT_M).any()


def park_cars(plan: Plan, rng: np.random.Generator) -> list[Box]:
    """Cars in some of the places along the kerbs."""
    cars: list[Box] = []
    for street in plan.streets:
        heading = math.atan2(street.along[1], street.along[0])
        for side in (1, -1):
            slots = np.arange(street.span[0] + _KEPT_FREE_M, street.span[1] - _KEPT_FREE_M - LENGTH_M, _SLOT_M)
            for at in slots:
                taken, moved, colour = rng.random(), float(rng.uniform(0.0, 1.5)), int(rng.integers(len(COLOURS)))
                if taken > _PARKED_SHARE:
                    continue
                middle = street.point(at + moved + LENGTH_M / 2, side * (street.half_width - PARKING_M / 2 + 0.1))
                yaw = heading + (math.pi if side > 0 else 0.0)
                size = (LENGTH_M, WIDTH_M, HEIGHT_M)
                cars.append(Box(FIRST_PARKED_ID + len(cars), *middle.tolist(), yaw, size, COLOURS[colour]))
    return cars


class Signals:
    """The traffic lights as boxes: for each arm of a junction one at the stop line, and one beyond the junction."""

    def __init__(self, network: Network, lights: Lights):
        self._lights = lights
        self._places: list[tuple[Lane, float, float, float]] = []  # lane, x, y, yaw
        plan = network.plan
        for lane in network.of_streets:
            if not plan.junctions[lane.junction].has_lights or (lane.beside >= 0 and lane.beside < lane.number):
                continue
            street = plan.streets[lane.street]
            yaw = float(lane.headings[-1])
            arms = [plan.streets[arm.street] for arm in plan.junctions[lane.junction].arms if arm.street != lane.street]
            ahead = next((arm for arm in arms if arm.vertical == street.vertical), None)
            own_end = street.span[1 if lane.junction == street.end else 0]
            self._places.append((lane, *_beside(street, own_end, yaw), yaw))
            if ahead is not None:
                far_end = ahead.span[0 if ahead.begin == lane.junction else 1]
                self._places.append((lane, *_beside(ahead, far_end, yaw), yaw))

    def boxes(self) -> list[Box]:
        """As they show now."""
        return [
            Box(0, x, y, yaw, LIGHT_M, SHOWN[self._lights.of_lane(lane)], Look.LIGHT)
            for lane, x, y, yaw in self._places
        ]


def _beside(street: Street, s: float, yaw: float) -> tuple[float, float]:
    """(x, y) on the pavement at the right of somebody who looks along ``yaw``."""
    forward = street.along @ (math.cos(yaw), math.sin(yaw)) > 0.0
    return tuple(street.point(s, (-1 if forward else 1) * (street.half_width + _POLE_M)).tolist())


def rectangles_of(boxes: list[Box]) -> Rectangles:
    """Their footprints."""
    return Rectangles(
        np.array([(box.x, box.y) for box in boxes]),
        np.array([box.yaw for box in boxes]),
        np.array([box.size_m[:2] for box in boxes]),
    )
