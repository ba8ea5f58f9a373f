"""The town's streets: every lane leads on, ways join without a kink, and those that cross are known."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wm_sim.town.ground import Ground
from wm_sim.town.network import CLEARANCE_M, Network, Turn
from wm_sim.town.plan import SIZE, draw_plan

seeds = st.integers(0, 2**32)


def town(seed) -> Network:
    return Network(draw_plan(np.random.default_rng(seed)))


@settings(max_examples=8, deadline=None)
@given(seeds)
def test_from_every_lane_every_other_can_be_reached(seed):
    network = town(seed)
    for start in (0, len(network.of_streets) - 1):
        reached, waiting = set(), [start]
        while waiting:
            lane = waiting.pop()
            if lane not in reached:
                reached.add(lane)
                waiting += network.lanes[lane].follows
        assert reached == set(range(len(network.lanes)))


@settings(max_examples=8, deadline=None)
@given(seeds)
def test_a_lane_begins_where_the_one_before_it_ends_in_the_same_direction_on_asphalt(seed):
    network = town(seed)
    ground = Ground(network.plan)
    for lane in network.lanes:
        assert ground.on_asphalt(lane.points).all()
        assert np.diff(lane.s).max() <= 1.0 + 1e-6
        for number in lane.follows:
            ahead = network.lanes[number]
            assert np.hypot(*(ahead.points[0] - lane.points[-1])) < 1e-6
            assert abs(math.remainder(ahead.headings[0] - lane.headings[-1], 2 * math.pi)) < math.radians(8.0)


@settings(max_examples=8, deadline=None)
@given(seeds)
def test_every_town_has_avenues_lights_priorities_and_all_turns(seed):
    network = town(seed)
    streets, junctions = network.plan.streets, network.plan.junctions
    assert {street.lanes for street in streets} == {1, 2} and len(junctions) == SIZE**2
    assert sum(junction.has_lights for junction in junctions) == 3
    assert sum(junction.is_bend for junction in junctions) == 4
    assert {lane.turn for lane in network.lanes if lane.through} == set(Turn)
    for lane in network.lanes:
        if lane.through and not junctions[lane.junction].is_bend:
            turned = math.remainder(lane.headings[-1] - lane.headings[0], 2 * math.pi)
            expected = {Turn.LEFT: turned > 0.7, Turn.RIGHT: turned < -0.7, Turn.STRAIGHT: abs(turned) < 0.7}
            assert expected[lane.turn]


def test_ways_from_different_lanes_conflict_exactly_where_they_come_close():
    network = town(1)
    begins = {way: lane.number for lane in network.of_streets for way in lane.follows}
    for way in (lane for lane in network.lanes if lane.through):
        known = {other for other, _, _ in way.conflicts}
        for other in (lane for lane in network.lanes if lane.through and lane.junction == way.junction):
            apart = np.hypot(*(way.points[:, None] - other.points[None]).transpose(2, 0, 1)).min()
            close = apart < CLEARANCE_M and begins[way.number] != begins[other.number]
            assert (other.number in known) == close
            assert (way.number in {one for one, _, _ in other.conflicts}) == close


def test_left_turns_give_way_to_what_comes_towards_them_and_side_streets_to_all():
    network = town(2)
    for way in (lane for lane in network.lanes if lane.through):
        assert (way.rank % 2 == 1) == (way.turn is Turn.LEFT)
    junction = next(k for k, one in enumerate(network.plan.junctions) if len(one.arms) == 3)
    ranks = {}
    for lane in network.of_streets:
        for number in lane.follows:
            if network.lanes[number].junction == junction:
                ranks.setdefault(lane.street, []).append(network.lanes[number].rank)
    assert sorted(max(of_arm) >= 2 for of_arm in ranks.values()) == [False, False, True]


@pytest.mark.parametrize("along_m, side_m, asphalt", [(30.0, 5.8, True), (30.0, 6.0, False), (-2.0, 0.0, True)])
def test_asphalt_ends_at_the_kerb(along_m, side_m, asphalt):
    network = town(3)
    street = next(street for street in network.plan.streets if street.lanes == 1)  # 3.5 m + 2.4 m to the kerb
    place = street.point(along_m, side_m)[None]
    ground = Ground(network.plan)
    assert ground.on_asphalt(place)[0] == asphalt and ground.on_asphalt(place, 1.3)[0]
