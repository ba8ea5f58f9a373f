"""The other cars at the start of an episode: positions, target speeds and colours."""

import numpy as np
from highway_env.road.road import Road
from highway_env.vehicle.behavior import IDMVehicle

from wm_sim.traffic.road import BEGIN, END, LANES

FIRST_ID = 100  # actor id of the first of them
FIRST_M = -120.0  # behind the car, the rearmost position
LANES_M = 2200.0  # lane length shared by the cars, all lanes together: 730 m of road
SPACING = (6 / 11, 16 / 11)  # between cars in a lane, as shares of their mean distance
FREE_M = (-35.0, 45.0)  # around the car, kept free in its lane
WANTED_SPEEDS = ((11.0, 15.0), (14.0, 18.0), (17.0, 22.0))  # [m/s] by lane, from right to left
COLOURS = ((190, 190, 195), (45, 70, 140), (225, 225, 225), (60, 60, 66), (150, 40, 40), (205, 160, 60))


def place_cars(road: Road, count: int, ego_s: float, ego_lane: int, rng: np.random.Generator) -> list[IDMVehicle]:
    """``count`` cars, distributed evenly over the lanes, some behind the car and most ahead; not yet on the road."""
    cars, mean_m = [], LANES_M / max(count, 1)
    for lane in range(LANES):
        index = (BEGIN, END, lane)
        at = FIRST_M
        for _ in range(count // LANES + (lane < count % LANES)):
            at += mean_m * rng.uniform(*SPACING)
            if lane == ego_lane and FREE_M[0] < at < FREE_M[1]:
                at = FREE_M[1]
            speed = rng.uniform(*WANTED_SPEEDS[lane])
            car = IDMVehicle.make_on_lane(road, index, ego_s + at, speed)
            car.randomize_behavior()
            car.actor_id = FIRST_ID + len(cars)
            car.colour = COLOURS[int(rng.integers(len(COLOURS)))]
            cars.append(car)
    return cars
