"""The other cars of the town: they never touch each other, obey lights, and wait for whoever is in their way."""

import math

import numpy as np
import pytest
from wm_sim.ground_view import GroundView
from wm_sim.looks import HOUSING, Look
from wm_sim.pinhole import Mount, Pinhole
from wm_sim.rectangles import Rectangles, contact_times, overlapping
from wm_sim.solids import Box, picture_of
from wm_sim.town.lights import Light
from wm_sim.town.network import Turn
from wm_sim.town.priority import Car, Ego
from wm_sim.town.scenery import LIGHT_M, SHOWN
from wm_sim.town.world import TownWorld

PERIOD_S = 0.08


def begun(seed, cars):
    world = TownWorld(PERIOD_S, cars)
    world.reset(seed)
    return world


@pytest.mark.parametrize("seed, cars", [(0, 40), (1, 60)])
def test_the_other_cars_never_touch_each_other_and_never_pass_a_red_light_and_keep_moving(seed, cars):
    world = begun(seed, cars)
    assert len(world._traffic.cars) == cars
    traffic, network = world._traffic, world._network
    far = Ego()  # nobody on the lanes
    driven_m = np.zeros(len(traffic.cars))
    for tick in range(500):
        before = [(car.lane, car.s) for car in traffic.cars]
        traffic.act(far, PERIOD_S)
        traffic.step(PERIOD_S)
        world._lights.time_s += PERIOD_S
        driven_m += PERIOD_S * np.array([car.speed for car in traffic.cars])
        for k in range(tick % 3, len(traffic.cars), 3):
            near = traffic.rectangles.near(*traffic.rectangles.middles[k].tolist(), 4.0)
            near = near[near != k]
            assert not overlapping(traffic.rectangles[[k]], traffic.rectangles[near]).any()
        for car, (lane, s) in zip(traffic.cars, before, strict=True):
            line = network.lanes[lane].length - 2.5  # of the middle, when the front reaches the line
            passed = s <= line and (car.lane != lane or car.s > line)
            if passed and world._lights.of_lane(network.lanes[lane]):
                assert world._lights.of_lane(network.lanes[lane]) is not Light.RED
    assert np.median(driven_m) > 70.0 and driven_m.min() > 5.0  # in 40 s


def test_cars_stop_behind_the_driven_car_and_go_on_when_it_is_gone():
    world = begun(3, 1)
    (car,) = world._traffic.cars
    lane = world._network.lanes[car.lane]
    car.s, car.speed = 5.0, 7.0
    x, y, yaw = lane.at(35.0)
    world.place(x, y, yaw)
    for _ in range(120):
        outcome = world.step(0.0, 0.0, 1.0)
        assert not outcome.collisions
    assert car.speed < 0.1 and 2.0 < 35.0 - car.s - 5.0 < 4.0  # bumper to bumper
    world.place(x + 200.0, y + 200.0, yaw)
    world._traffic.act(Ego(), PERIOD_S)
    assert car.acceleration > 1.0


def test_a_left_turn_waits_for_what_comes_towards_it_and_for_nobody_far_away():
    world = begun(2, 0)
    network, priority = world._network, world._traffic.priority
    way = next(lane for lane in network.lanes if lane.turn is Turn.LEFT and lane.rank == 1 and lane.conflicts)
    other = next(number for number, _, _ in way.conflicts if network.lanes[number].rank == 0)
    from_lane = next(lane for lane in network.of_streets if other in lane.follows)
    while world._lights.of_lane(from_lane) not in (None, Light.GREEN):
        world._lights.time_s += 0.5
    for before_m, free in ((12.0, False), (54.0, True)):
        front = from_lane.length - before_m
        priority.look([], Ego({from_lane.number: (front - 5.0, front, 8.0)}))
        assert priority.free(way.number, 3.0, 5.0, who=None) == free


def test_a_left_turn_does_not_wait_for_those_who_queue_behind_a_standing_car():
    world = begun(2, 0)
    network, priority = world._network, world._traffic.priority
    way = next(lane for lane in network.lanes if lane.turn is Turn.LEFT and lane.rank == 1 and lane.conflicts)
    straight = next(number for number, _, _ in way.conflicts if network.lanes[number].rank == 0)
    from_lane = next(lane for lane in network.of_streets if straight in lane.follows)
    turns = next((n for n in from_lane.follows if n not in {number for number, _, _ in way.conflicts}), straight)
    while world._lights.of_lane(from_lane) not in (None, Light.GREEN):
        world._lights.time_s += 0.5
    first = Car(100, from_lane.number, from_lane.length - 3.5, 0.0, 1.0, turns, (0, 0, 0))
    behind = Car(101, from_lane.number, from_lane.length - 11.0, 0.0, 1.0, straight, (0, 0, 0))
    for cars, free in (([behind], False), ([first, behind], turns != straight)):
        priority.look(cars, Ego())
        assert priority.free(way.number, 3.0, 5.0) == free


def test_contact_times_are_those_of_straight_motion():
    own = Rectangles(np.array([[0.0, 0.0]]), np.zeros(1), np.array([[5.0, 2.0]]))
    others = Rectangles(
        np.array([[15.0, 0.0], [15.0, 2.1], [4.0, 0.5], [10.0, 10.0], [-15.0, 0.0]]),
        np.array([0.0, 0.0, 0.3, math.pi / 2, 0.0]),
        np.tile((5.0, 2.0), (5, 1)),
    )
    velocities = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, -5.0], [0.0, 0.0]])
    times = contact_times(own, np.array([5.0, 0.0]), others, velocities)
    # 10 m at 5 m/s; beside it; overlapping; its front is 6.5 m above the other's top when they meet; behind.
    assert times == pytest.approx([2.0, math.inf, 0.0, 1.3, math.inf])
    assert overlapping(own, others).tolist() == [False, False, True, False, False]


@pytest.mark.parametrize("light", list(Light))
@pytest.mark.parametrize("size, distance_m", [((160, 120), 14.0), ((160, 120), 25.0), ((800, 600), 60.0)])
def test_the_colour_of_a_light_shows_in_small_pictures_to_those_it_is_for(light, size, distance_m):
    view = GroundView(Pinhole(*size, math.radians(100.0), Mount(z=1.6)))
    ahead = Box(0, distance_m, -4.0, 0.0, LIGHT_M, SHOWN[light], Look.LIGHT)
    across = Box(0, distance_m, -4.0, math.pi / 2, LIGHT_M, SHOWN[light], Look.LIGHT)

    def coloured(box):
        return int((np.abs(picture_of(view, [], [box], (0.0, 0.0, 0.0)).astype(int) - box.colour).max(2) < 40).sum())

    assert coloured(ahead) >= 2 and coloured(across) == 0
    assert (picture_of(view, [], [across], (0.0, 0.0, 0.0)) == HOUSING).all(axis=2).any()  # it is there, and dark
