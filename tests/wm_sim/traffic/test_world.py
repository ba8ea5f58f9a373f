"""The traffic world: its episodes, its events, and its car, without ROS."""

import hashlib
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from highway_env.vehicle.kinematics import Vehicle
from hypothesis import given, settings
from hypothesis import strategies as st
from wm_sim.commands import Command
from wm_sim.simulation import Simulation
from wm_sim.traffic.car import GRIP, MASS_KG, EgoCar, pedals_for, steer_for
from wm_sim.traffic.expert import TrafficExpert
from wm_sim.traffic.road import SPEED_LIMIT
from wm_sim.traffic.world import START_M, START_SPEED, TrafficWorld
from wm_sim.world import Marking

PERIOD_S = 0.08


def alone(seed=3):
    """A world without other cars, just begun."""
    world = TrafficWorld(PERIOD_S, cars=0)
    world.reset(seed)
    return world


def with_car_ahead(distance_m, seed=3):
    """A world where one car stands still ahead, middle to middle, in the lane of the driven one."""
    world = alone(seed)
    s, lateral = world._curve.locate(world._ego.position)
    standing = Vehicle(
        world._road, world._curve.point(s + distance_m, lateral), world._curve.heading(s + distance_m), 0.0
    )
    standing.actor_id, standing.colour = 100, (255, 255, 255)
    world._others.append(standing)
    world._road.vehicles.append(standing)
    world._road.settle()
    return world, standing


def test_the_gap_is_bumper_to_bumper_in_the_own_lane_and_at_most_a_hundred_metres():
    length_m = TrafficWorld.car.size_m[0]
    assert alone().gap() == 100.0 and alone().speed_limit() == SPEED_LIMIT and alone().command() == 4
    for ahead_m in (40.0, 104.0):
        world, standing = with_car_ahead(ahead_m)
        assert world.gap() == pytest.approx(ahead_m - length_m, abs=0.1)
    assert with_car_ahead(106.0)[0].gap() == 100.0  # a gap of 101 m
    world, standing = with_car_ahead(40.0)
    s, lateral = world._curve.locate(standing.position)
    standing.position = np.array(world._curve.point(s, lateral + 3.5))  # in the next lane
    world._curve.forget()
    world._road.settle()
    assert world.gap() == 100.0


def test_a_car_standing_ahead_is_hit_once_at_contact_with_an_impulse_against_the_approach():
    world, standing = with_car_ahead(40.0)
    blind = TrafficExpert(world._curve, [], world.state(), PERIOD_S)  # stays in its lane
    outcomes = []
    while not outcomes or not (outcomes[-1].terminated or outcomes[-1].truncated):
        before = world.state()
        outcomes.append(world.step(blind.act(before)[0], 0.2, 0.0))
    after = world.state()
    assert [len(outcome.collisions) for outcome in outcomes] == [0] * (len(outcomes) - 1) + [1]
    assert outcomes[-1].ending == "collision" and outcomes[-1].reward < -90.0
    assert outcomes[-1].infractions == ("collision_vehicle",) and not any(step.infractions for step in outcomes[:-1])
    # The time to collision runs down to it, a tick each tick, and the front was 35 m away at 18 m/s.
    times = [outcome.time_to_collision_s for outcome in outcomes]
    assert times[0] == pytest.approx(35.0 / START_SPEED, abs=0.2) and times[-1] == 0.0
    assert np.allclose(np.diff(times)[:-1], -PERIOD_S, atol=0.05)
    # Both are 5 m long: they touch when their middles are 5 m apart, and one tick earlier they did not.
    gaps = [math.hypot(standing.position[0] - state.x, standing.position[1] - state.y) for state in (before, after)]
    assert gaps[1] <= 5.0 + 0.01 and gaps[0] > 5.0 and gaps[0] - gaps[1] <= before.speed * PERIOD_S + 0.1
    (collision,) = outcomes[-1].collisions
    assert collision.other_id == 100
    # Equal masses, one at rest: half of the momentum goes over, against the motion.
    assert np.allclose(collision.impulse, (-MASS_KG / 2 * after.velocity_x, -MASS_KG / 2 * after.velocity_y))
    with pytest.raises(RuntimeError, match="reset"):
        world.step(0.0, 0.0, 0.0)


def test_without_others_nothing_is_ever_hit_and_there_is_no_route_to_complete():
    outcome = alone().step(0.0, 0.3, 0.0)
    assert outcome.time_to_collision_s == math.inf and math.isnan(outcome.route_completion)


def test_a_car_beside_is_not_touched_and_one_that_overlaps_is():
    for sideways_m, touched in ((2.1, False), (1.9, True)):  # both are 2 m wide
        world, standing = with_car_ahead(0.0)
        heading = world._ego.heading
        standing.position = world._ego.position + sideways_m * np.array([-math.sin(heading), math.cos(heading)])
        standing.heading = heading
        world.push(0.0, 0.0, 0.0)
        assert bool(world.step(0.0, 0.0, 1.0).collisions) == touched


@pytest.mark.parametrize("seed", [4000, 4001, 4002])
def test_the_expert_drives_without_collision_on_the_road_and_faster_than_the_traffic(seed):
    world = TrafficWorld(PERIOD_S, 20)
    world.reset(seed)
    expert, begin_m = world.expert(), world._along_m
    for _ in range(200):
        outcome = world.step(*expert.act(world.state()))
        assert not outcome.terminated and world.state().wheels_off_road == 0
    # 16 s; the mean wanted speed of the other cars is 16.2 m/s.
    assert (world._along_m - begin_m) / 16.0 > 16.2


def test_points_are_for_the_way_along_the_road_up_to_the_speed_limit():
    world = alone()
    expert = world.expert()
    for _ in range(60):
        outcome = world.step(*expert.act(world.state()))
        assert outcome.reward == pytest.approx(0.9 * PERIOD_S * world.state().speed, rel=0.1)
    world.push(35.0, 0.0, 0.0)
    assert world.step(0.0, 0.5, 0.0).reward == pytest.approx(0.9 * PERIOD_S * SPEED_LIMIT)


def test_leaving_the_road_ends_the_episode_after_its_markings_were_crossed():
    world = alone()
    crossed, outcome = [], None
    while outcome is None or not outcome.terminated:
        outcome = world.step(0.5, 0.1, 0.0)  # to the right
        crossed += outcome.crossed
    assert outcome.ending == "left the road" and not outcome.collisions and outcome.reward < -90.0
    assert world.state().wheels_off_road == 4
    assert crossed == [Marking.BROKEN] * world._lane + [Marking.SOLID]


def test_an_episode_without_failure_is_cut_off_after_40_s():
    world = alone()
    outcomes = [world.step(0.0, 0.0, 1.0) for _ in range(500)]  # 40 s of 0.08 s
    assert [outcome.truncated for outcome in outcomes] == [False] * 499 + [True]
    assert world.state().speed == 0.0 and outcomes[-1].ending == "time limit"


PRINTED = """
import hashlib
from wm_sim.commands import Command
from wm_sim.simulation import Simulation
simulation, digest = Simulation(0.08, 11, "traffic"), hashlib.sha256()
tick = simulation.tick(Command())
for k in range(30):
    tick = simulation.tick(Command(0.1 * (k % 7 - 3), 0.3, 0.0))
    digest.update(repr((tick, simulation.world.boxes())).encode() + simulation.world.image().tobytes())
print(digest.hexdigest())
"""


def test_the_same_seed_and_commands_give_the_same_ticks_and_pictures_in_another_process():
    simulation, digest = Simulation(PERIOD_S, 11, "traffic"), hashlib.sha256()
    simulation.tick(Command())
    for k in range(30):
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
    used, fresh = TrafficWorld(PERIOD_S, 12), TrafficWorld(PERIOD_S, 12)
    used.reset(1)
    for _ in range(20):
        used.step(0.1, 0.5, 0.0)
        used.image()
    used.reset(5)
    fresh.reset(5)
    for _ in range(30):
        assert used.step(-0.05, 0.4, 0.0) == fresh.step(-0.05, 0.4, 0.0)
        used.image()
        assert used.state() == fresh.state() and used.boxes() == fresh.boxes()


def test_other_seeds_give_other_roads_and_other_traffic():
    lines, cars = set(), set()
    for seed in range(5):
        world = TrafficWorld(PERIOD_S, 6)
        world.reset(seed)
        lines.add(world.waypoints().tobytes())
        cars.add(tuple((box.x, box.y) for box in world.boxes()))
    assert len(lines) == len(cars) == 5


def test_a_placed_car_keeps_the_velocity_along_its_nose_and_a_pushed_one_has_it_at_once():
    world = alone()
    before = world.state()
    world.place(*world.waypoints()[20], before.yaw + math.pi / 3)
    assert world.state().speed == pytest.approx(START_SPEED / 2)  # cos 60 degrees
    assert (world.state().x, world.state().y) == tuple(world.waypoints()[20])
    world.push(12.0, 3.0, 1.0)
    assert (world.state().forward_speed, world.state().left_speed) == pytest.approx((12.0, 0.0))
    world.step(0.0, 0.0, 0.0)
    assert world.state().speed > 11.5
    assert math.hypot(world.state().acceleration_x, world.state().acceleration_y) < 2.0  # the jump itself is none


@pytest.mark.parametrize("steer, sign", [(0.3, -1), (-0.3, 1)])
def test_steer_right_is_positive_and_lowers_the_yaw(steer, sign):
    world = alone()
    before = world.state()
    for _ in range(8):
        world.step(steer, 0.1, 0.0)
    after = world.state()
    assert sign * (after.yaw - before.yaw) > 0.05 and sign * after.yaw_rate > 0.05
    assert sign * after.steering_angle < 0.0


def test_the_car_accelerates_brakes_to_rest_and_stays_there():
    world = alone()
    speeds = []
    for pedals in ((0.5, 0.0), (0.0, 1.0)):
        for _ in range(45):
            world.step(world.expert().act(world.state())[0], *pedals)
            speeds.append(world.state().speed)
    assert all(after > before for before, after in zip(speeds[:44], speeds[1:45], strict=True))
    assert speeds[-1] == 0.0 and min(speeds) == 0.0


ROAD = alone()._road


def car_at(speed) -> EgoCar:
    return EgoCar(ROAD, np.array(ROAD.curve.point(100.0)), 0.0, speed)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.0, 40.0), st.floats(-1.0, 1.0))
def test_no_command_asks_the_tyres_for_more_than_their_grip(speed, steer):
    car = car_at(speed)
    for _ in range(10):
        car.drive(steer, 0.3, 0.0)
        assert abs(car.yaw_rate * car.speed) <= GRIP + 1e-6


@settings(max_examples=40, deadline=None)
@given(st.floats(0.5, 38.0), st.floats(-0.03, 0.03), st.floats(-7.0, 3.0))
def test_commands_for_a_curvature_and_an_acceleration_give_them(speed, curvature, acceleration):
    curvature = max(-GRIP / speed**2, min(GRIP / speed**2, curvature))
    acceleration = min(acceleration, 4.8 - 0.003 * speed**2)  # what full throttle gives
    car = car_at(speed)
    car.steering = -steer_for(curvature, speed)
    assert car.yaw_rate / speed == pytest.approx(curvature, abs=1e-6)
    car.drive(0.0, *pedals_for(acceleration, speed))
    assert car.speed == pytest.approx(max(0.0, speed + 0.02 * acceleration), abs=1e-6)


def test_the_start_is_in_the_middle_of_a_lane_in_the_flow_of_traffic():
    for seed in range(6):
        world = TrafficWorld(PERIOD_S, 20)
        world.reset(seed)
        state = world.state()
        assert np.hypot(*(world.waypoints()[0] - (state.x, state.y))) < 1e-6
        assert state.speed == pytest.approx(START_SPEED) and state.wheels_off_road == 0
        assert world._along_m == pytest.approx(START_M)
        gaps = [math.hypot(box.x - state.x, box.y - state.y) for box in world.boxes()]
        assert min(gaps) > 3.0
