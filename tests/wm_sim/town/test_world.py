"""The town world: its episodes, made situations for its events, goals, and its determinism, without ROS."""

import hashlib
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from wm_sim.commands import Command
from wm_sim.simulation import Simulation
from wm_sim.town.lights import CYCLE_S, Light
from wm_sim.town.world import TownWorld
from wm_sim.traffic.car import MASS_KG
from wm_sim.world import Marking

PERIOD_S = 0.08


def begun(seed=3, cars=0):
    world = TownWorld(PERIOD_S, cars)
    world.reset(seed)
    return world


def driven(world, condition, ticks=400):
    """Outcomes under the expert until one meets the condition."""
    expert, outcomes = world.expert(), []
    for _ in range(ticks):
        outcomes.append(world.step(*expert.act(world.state())))
        if condition(outcomes[-1]):
            return outcomes
    raise AssertionError(f"not within {ticks} ticks")


def placed_on(world, lane, s, offset=0.0, turn=0.0):
    """Set the car on a lane, to the left of its middle by an offset [m] and turned from it by an angle."""
    x, y, heading = lane.at(s)
    world.place(x - offset * math.sin(heading), y + offset * math.cos(heading), heading + turn)


def first_lane(world):
    return world._network.lanes[world._trip.route.lanes[0]]


@pytest.mark.parametrize("seed", [0, 6])
def test_the_expert_drives_among_20_cars_without_infraction_within_the_limit_and_smoothly(seed):
    world = begun(seed, 20)
    expert = world.expert()
    speeds = [0.0]
    for _ in range(350):
        outcome = world.step(*expert.act(world.state()))
        assert not outcome.infractions and not outcome.terminated and not outcome.crossed
        assert world.state().wheels_off_road == 0 and world.state().speed <= 1.01 * world.speed_limit()
        speeds.append(world.state().speed)
    assert outcome.route_completion > 0.1
    accelerations = np.diff(speeds) / PERIOD_S
    assert accelerations.min() > -6.0 and accelerations.max() < 3.0
    assert np.percentile(np.abs(np.diff(accelerations)) / PERIOD_S, 90) < 8.0


def test_an_episode_ends_at_its_goal_with_the_whole_route_driven():
    world = begun(1)
    x, y, yaw = world.goal()
    assert np.hypot(*(world.waypoints()[-1] - (x, y))) < 1e-6
    world.place(x - 12.0 * math.cos(yaw), y - 12.0 * math.sin(yaw), yaw)
    outcomes = driven(world, lambda outcome: outcome.terminated)
    assert outcomes[-1].ending == "goal reached" and outcomes[-1].route_completion == 1.0
    assert outcomes[-1].reward > 40.0 and not outcomes[-1].infractions
    assert world.state().x == pytest.approx(x, abs=4.5) and world.state().y == pytest.approx(y, abs=4.5)


def test_running_into_a_house_is_a_layout_collision_once_and_the_drive_goes_on():
    world = begun()
    house = world._houses[0]
    heading = house.yaw + math.pi / 2
    world.place(house.x - 12.0 * math.cos(heading), house.y - 12.0 * math.sin(heading), heading)
    world.push(6.0, 0.0, 0.0)
    found, events = [], []
    for _ in range(60):
        outcome = world.step(0.0, 0.5, 0.0)
        found += outcome.infractions
        events += outcome.collisions
        assert not outcome.terminated
    assert found.count("collision_layout") == 1 and "outside_route_lanes" in found
    assert [event.other_id for event in events] == [0]
    assert np.dot(events[0].impulse, (math.cos(heading), math.sin(heading))) < -MASS_KG * 5.0
    assert world.state().speed < 1.0


def test_a_parked_car_is_a_vehicle_that_is_hit_at_contact_and_can_be_driven_away_from():
    world = begun()
    car = world._parked[0]
    world.place(car.x - 8.0 * math.cos(car.yaw), car.y - 8.0 * math.sin(car.yaw), car.yaw)
    world.push(5.0, 0.0, 0.0)
    outcomes = [world.step(0.0, 0.2, 0.0) for _ in range(20)]
    assert [outcome.infractions for outcome in outcomes if outcome.infractions] == [("collision_vehicle",)]
    (event,) = [event for outcome in outcomes for event in outcome.collisions]
    assert event.other_id == car.id
    assert 5.0 <= math.hypot(world.state().x - car.x, world.state().y - car.y) < 6.0  # both are 5 m long
    for _ in range(150):
        world.step(-1.0, 0.4, 0.0)  # to the left, out of the parking place
    assert math.hypot(world.state().x - car.x, world.state().y - car.y) > 6.0


def test_a_car_at_the_kerb_hits_it_and_loses_some_speed():
    world = begun()
    lanes = [world._network.lanes[number] for number in world._trip.route.lanes]
    lane = next(lane for lane in lanes if not (lane.through or lane.beside >= 0 or parked_beside(world, lane)))
    offset = (
        -2.4 - 1.75 + 1.2
    )  # the right wheels are 0.8 m from the middle, those ahead 0.14 m more: 0.26 m to the kerb
    placed_on(world, lane, 25.0, offset, -0.1)
    world.push(8.0, 0.0, 0.0)
    outcomes = [world.step(0.0, 0.0, 0.0) for _ in range(8)]
    assert [outcome.infractions for outcome in outcomes if outcome.infractions] == [("collision_layout",)]
    assert world.state().wheels_off_road > 0 and 6.0 < world.state().speed < 7.1


def parked_beside(world, lane):
    """Whether cars are parked near 30 m along a lane."""
    x, y, _ = lane.at(30.0)
    return any(math.hypot(car.x - x, car.y - y) < 15.0 for car in world._parked)


@pytest.mark.parametrize("light, found", [(Light.RED, ["red_light"]), (Light.GREEN, []), (Light.YELLOW, [])])
def test_the_rear_over_the_stop_line_at_red_is_an_infraction(light, found):
    world = begun()
    lane = next(lane for lane in world._network.of_streets if world._lights.of_lane(lane))
    x, y, heading = lane.at(lane.length)
    world.place(x + 1.0 * math.cos(heading), y + 1.0 * math.sin(heading), heading)
    while world._lights.of_lane(lane) is not light:
        world._lights.time_s += 0.5
    world.push(5.0, 0.0, 0.0)
    names = [name for _ in range(5) for name in world.step(0.0, 0.0, 0.0).infractions]
    assert [name for name in names if name == "red_light"] == found


def test_the_opposite_lane_is_outside_of_the_lanes_and_the_marking_on_the_way_an_event():
    world = begun()
    placed_on(world, first_lane(world), 25.0, 0.0, 0.3)
    world.push(8.0, 0.0, 0.0)
    outcomes = [world.step(0.0, 0.0, 0.0) for _ in range(12)]
    found = [outcome.infractions for outcome in outcomes]
    assert (
        found == [()] * found.count(()) + [("outside_route_lanes",)] * (12 - found.count(())) and len(set(found)) == 2
    )
    assert [marking for outcome in outcomes for marking in outcome.crossed] == [Marking.BROKEN]
    assert outcomes[-1].reward < outcomes[0].reward


def test_a_car_30_m_from_its_route_has_left_it():
    world = begun()
    route = world._trip.route
    far = max(world._network.of_streets, key=lambda lane: route.locate(*lane.at(lane.length / 2)[:2]).distance)
    placed_on(world, far, far.length / 2)
    outcome = world.step(0.0, 0.3, 0.0)
    assert outcome.terminated and outcome.ending == "left the route" and outcome.infractions == ("route_dev",)


def test_the_time_to_a_collision_is_that_of_unchanged_velocities():
    world = begun(3, 1)
    (car,) = world._traffic.cars
    x, y, yaw = car.x, car.y, car.yaw
    car.speed = 4.0
    world.place(x - 25.0 * math.cos(yaw), y - 25.0 * math.sin(yaw), yaw)
    world.push(8.0, 0.0, 0.0)
    outcome = world.step(0.0, 0.0, 0.0)
    gap = math.hypot(world._traffic.cars[0].x - world.state().x, world._traffic.cars[0].y - world.state().y) - 5.0
    closing = world.state().speed - world._traffic.cars[0].speed
    assert outcome.time_to_collision_s == pytest.approx(gap / closing, rel=0.02)
    assert begun().step(0.0, 0.0, 1.0).time_to_collision_s == math.inf


def test_a_goal_plans_a_route_there_and_one_in_a_wall_changes_nothing():
    world = begun()
    before = world.waypoints()
    house = world._houses[0]
    for place, message in (
        ((house.x, house.y), "in a house: the nearest lane is"),
        ((1e4, 0.0), "not on a street"),
        ((math.nan, 0.0), "not a place"),
    ):
        with pytest.raises(ValueError, match=message):
            world.set_goal(*place)
    assert world.waypoints() is before
    lane = world._network.of_streets[-1]
    x, y, _ = lane.at(30.0)
    world.set_goal(x + 0.5, y)
    assert world.goal()[:2] == pytest.approx((x, y), abs=1.0)
    assert np.hypot(*(world.waypoints()[0] - (world.state().x, world.state().y))) < 1.0
    assert world.step(0.0, 0.0, 0.0).route_completion < 0.05


def test_signals_of_the_driver_are_the_routes():
    world = begun(3, 20)
    commands, limits = set(), set()
    expert = world.expert()
    for _ in range(500):
        world.step(*expert.act(world.state()))
        commands.add(world.command())
        limits.add(round(3.6 * world.speed_limit()))
        assert 0.0 <= world.gap() <= 100.0
    assert commands <= {1, 2, 3, 4} and len(commands) > 1 and limits <= {30, 50}


def test_lights_turn_from_green_to_yellow_to_red_and_never_are_green_for_both_streets():
    world = begun()
    lanes = [lane for lane in world._network.of_streets if world._lights.of_lane(lane)]
    junction = [lane for lane in lanes if lane.junction == lanes[0].junction]
    shown = {True: [], False: []}
    for _ in range(round(2 * CYCLE_S / 0.5)):
        states = {}
        for lane in junction:
            states.setdefault(world._network.plan.streets[lane.street].vertical, set()).add(world._lights.of_lane(lane))
        assert all(len(state) == 1 for state in states.values())
        (one,), (other,) = states[True], states[False]
        assert Light.RED in (one, other)
        for vertical, state in ((True, one), (False, other)):
            if not shown[vertical] or shown[vertical][-1] is not state:
                shown[vertical].append(state)
        world._lights.time_s += 0.5
    ahead = {Light.GREEN: Light.YELLOW, Light.YELLOW: Light.RED, Light.RED: Light.GREEN}
    for states in shown.values():
        assert len(states) >= 6 and all(ahead[a] is b for a, b in zip(states, states[1:], strict=False))


PRINTED = """
import hashlib
from wm_sim.commands import Command
from wm_sim.simulation import Simulation
simulation, digest = Simulation(0.08, 11, "town"), hashlib.sha256()
tick = simulation.tick(Command())
for k in range(40):
    tick = simulation.tick(Command(0.1 * (k % 7 - 3), 0.3, 0.0))
    digest.update(repr((tick, simulation.world.boxes())).encode() + simulation.world.image().tobytes())
print(digest.hexdigest())
"""


def test_the_same_seed_and_commands_give_the_same_ticks_and_pictures_in_another_process():
    simulation, digest = Simulation(PERIOD_S, 11, "town"), hashlib.sha256()
    simulation.tick(Command())
    for k in range(40):
        tick = simulation.tick(Command(0.1 * (k % 7 - 3), 0.3, 0.0))
        digest.update(repr((tick, simulation.world.boxes())).encode() + simulation.world.image().tobytes())
    other = subprocess.run(
        [sys.executable, "-c", PRINTED],
        env={**os.environ, "PYTHONHASHSEED": "17"},
        capture_output=True,
        text=True,
        timeout=120.0,
        check=True,
    )
    assert other.stdout.strip() == digest.hexdigest()


def test_an_episode_does_not_depend_on_what_was_driven_before_or_on_who_looked():
    used, fresh = TownWorld(PERIOD_S, 12), TownWorld(PERIOD_S, 12)
    used.reset(1)
    for _ in range(20):
        used.step(0.1, 0.5, 0.0)
    used.reset(5)
    fresh.reset(5)
    expert = used.expert()
    for _ in range(30):
        assert used.step(-0.05, 0.4, 0.0) == fresh.step(-0.05, 0.4, 0.0)
        used.image(), used.gap(), used.solids(), expert.act(used.state())
        assert used.state() == fresh.state() and used.boxes() == fresh.boxes()


def test_other_seeds_give_other_towns_routes_and_cars():
    worlds = [begun(seed, 6) for seed in range(3)]
    assert len({world.waypoints().tobytes() for world in worlds}) == 3
    assert len({tuple((box.x, box.y) for box in world._houses) for world in worlds}) == 3
    assert len({tuple((car.x, car.y) for car in world._traffic.cars) for world in worlds}) == 3
