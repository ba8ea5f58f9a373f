"""Routes through the town: drawn ones, planned ones, and where a car is on them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wm_sim.town.network import Network, Turn
from wm_sim.town.plan import draw_plan
from wm_sim.town.route import BRAKING, COMMAND_M, draw_route, plan_route
from wm_sim.town.trip import Trip

NETWORK = Network(draw_plan(np.random.default_rng(0)))
seeds = st.integers(0, 2**32)


def drawn(seed):
    return draw_route(NETWORK, np.random.default_rng(seed))


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_a_drawn_route_turns_left_and_right_goes_straight_on_and_can_be_driven(seed):
    route = drawn(seed)
    assert set(route.turns) == {Turn.LEFT, Turn.RIGHT, Turn.STRAIGHT} and len(route.turns) == 4
    for lane, ahead in zip(route.lanes, route.lanes[1:], strict=False):
        assert ahead in NETWORK.lanes[lane].follows
    passed = [NETWORK.lanes[way].junction for _, _, way in route.ways]
    assert len(set(passed)) == len(passed)
    assert 0.0 < np.diff(route.s).min() and np.diff(route.s).max() <= 1.0 + 1e-6
    # No bend is tighter than the car's steering allows, and speeds ahead can be reached by gentle braking.
    headings = np.unwrap(np.arctan2(*np.diff(route.points, axis=0).T[::-1]))
    assert (np.abs(np.diff(headings)) / np.diff(route.s)[1:]).max() < 1 / 5.5
    assert (np.diff(route.speeds**2) >= -2 * BRAKING * np.diff(route.s) - 1e-6).all()


@settings(max_examples=30, deadline=None)
@given(seeds, st.floats(0.0, 1.0), st.floats(-1.5, 1.5))
def test_a_car_beside_the_route_is_found_there(seed, share, offset):
    route = drawn(seed)
    s = share * route.length
    x, y = route.point(s)
    heading = route.heading(s)
    place = route.locate(x - offset * math.sin(heading), y + offset * math.cos(heading), s + 3.0)
    assert place.s == pytest.approx(s, abs=0.6) and place.offset == pytest.approx(offset, abs=0.1)
    assert place.distance == pytest.approx(abs(offset), abs=0.1)


def test_the_command_is_the_next_junctions_from_40_m_before_it_to_its_end():
    route = drawn(5)
    (begin, end, way) = next(one for one in route.ways if NETWORK.lanes[one[2]].turn != Turn.FOLLOW)
    turn = NETWORK.lanes[way].turn
    assert [route.command(s) for s in (begin - COMMAND_M + 0.1, begin, end)] == [turn] * 3
    assert route.command(begin - COMMAND_M - 0.1) == Turn.FOLLOW == route.command(route.length)


def test_a_planned_route_is_the_shortest_and_may_lead_round_the_block_to_a_place_behind():
    lane = NETWORK.of_streets[0]
    ahead = plan_route(NETWORK, (lane.number, 10.0), [(lane.number, 30.0)])
    assert ahead.length == pytest.approx(20.0) and ahead.lanes == [lane.number]
    behind = plan_route(NETWORK, (lane.number, 30.0), [(lane.number, 10.0)])
    assert behind.lanes[0] == behind.lanes[-1] == lane.number and len(behind.lanes) > 6
    assert np.hypot(*(behind.points[-1] - lane.at(10.0)[:2])) < 1e-6
    here = plan_route(NETWORK, (lane.number, 10.0), [(lane.number, 10.3)])  # 0.3 m would be no route
    assert len(here.lanes) > 6
    both = plan_route(NETWORK, (lane.number, 10.0), [(lane.number, 5.0), (lane.number, 30.0)])
    assert both.length == pytest.approx(20.0)


def test_a_trip_counts_the_furthest_place_and_arrives_at_the_end():
    route = drawn(6)
    trip = Trip(route, *route.points[0])
    assert trip.completion == 0.0 and not trip.arrived
    gained = [trip.move(*route.point(s)) for s in (10.0, 5.0, 12.0)]
    assert gained == pytest.approx([10.0, 0.0, 2.0], abs=1e-6) and trip.completion == pytest.approx(12 / route.length)
    for s in np.arange(12.0, route.length - 5.0, 5.0):
        trip.move(*route.point(float(s)))
    assert not trip.arrived
    trip.move(*route.point(route.length - 3.0))
    assert trip.arrived and trip.completion == 1.0


def test_a_trip_does_not_jump_to_another_part_of_the_route():
    route = drawn(7)
    trip = Trip(route, *route.points[0])
    assert trip.move(*route.point(route.length - 5.0)) < 31.0
    assert trip.deviation(*route.point(route.length - 5.0)) < 1e-6
    trip.search(*route.point(route.length - 5.0))
    assert trip.place.s == pytest.approx(route.length - 5.0)
