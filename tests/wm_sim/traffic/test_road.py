"""The road of the traffic world: its coordinates, and what highway-env is told about who is where."""

import math

import numpy as np
from highway_env.road.road import Road
from highway_env.vehicle.kinematics import Vehicle
from hypothesis import given, settings
from hypothesis import strategies as st
from wm_sim.traffic.road import BEGIN, END, LANES, LENGTH_M, SPEED_LIMIT, Curve, CurvedRoad

seeds = st.integers(0, 2**32)
along, across = st.floats(0.0, LENGTH_M), st.floats(-30.0, 30.0)


@settings(max_examples=60, deadline=None)
@given(seeds, along, across)
def test_a_place_is_located_where_it_was_taken_from(seed, s, lateral):
    curve = Curve(np.random.default_rng(seed))
    found = curve.locate(np.array(curve.point(s, lateral)))
    assert math.dist(found, (s, lateral)) < 0.02  # a chord of the curve is up to 0.2 mm beside it


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_every_bend_can_be_driven_at_the_speed_limit_and_the_road_never_turns_back(seed):
    curve = Curve(np.random.default_rng(seed))
    headings = np.array([curve.heading(s) for s in np.arange(0.0, LENGTH_M, 1.0)])
    assert np.abs(np.diff(headings)).max() * SPEED_LIMIT**2 < 5.0  # [m/s^2]
    assert np.abs(headings).max() < math.radians(25.0)


@settings(max_examples=30, deadline=None)
@given(seeds, st.lists(st.tuples(st.floats(100.0, 500.0), st.floats(-7.5, 7.5)), min_size=2, max_size=8, unique=True))
def test_neighbours_and_lanes_are_those_that_highway_env_finds_by_itself(seed, places):
    road = CurvedRoad(Curve(np.random.default_rng(seed)), [], np.random.default_rng(0))
    cars = [Vehicle(road, road.curve.point(*place), road.curve.heading(place[0])) for place in places]
    road.vehicles = cars
    road.settle()
    for car in cars:
        own = road.network.get_closest_lane_index(car.position, car.heading)
        plain = super(type(road.network), road.network).get_closest_lane_index(car.position, car.heading)
        assert own == plain
        for lane in range(LANES):
            index = (BEGIN, END, lane)
            assert road.neighbour_vehicles(car, index) == Road.neighbour_vehicles(road, car, index)
