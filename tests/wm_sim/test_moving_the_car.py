"""Setting the car's place and velocity from outside."""

import math

import numpy as np
import pytest
from wm_sim.carracing.world import CarRacingWorld
from wm_sim.commands import Command
from wm_sim.simulation import Simulation


def started():
    world = CarRacingWorld(0.08)
    world.reset(5)
    for _ in range(8):
        world.step(0.1, 0.1, 0.0)
    return world


def test_a_placed_car_keeps_its_velocity_on_the_map_and_its_steering():
    world = started()
    before = world.state()
    world.place(20.0, -30.0, 2.5)
    after = world.state()
    assert (after.x, after.y, after.yaw) == pytest.approx((20.0, -30.0, 2.5), abs=1e-5)
    assert (after.velocity_x, after.velocity_y) == pytest.approx((before.velocity_x, before.velocity_y), abs=0.3)
    assert after.steering_angle == pytest.approx(before.steering_angle, abs=1e-5)


def test_a_placed_car_stays_whole_and_drives_on():
    world = started()
    line = world.centre_line()
    along = line[41] - line[40]
    world.push(0.0, 0.0, 0.0)
    world.place(*line[40], math.atan2(along[1], along[0]))
    for _ in range(10):
        world.step(0.0, 0.1, 0.0)
    state = world.state()
    assert state.wheels_off_road == 0 and state.forward_speed > 3.0
    ahead = (np.array([state.x, state.y]) - line[40]) @ along / np.hypot(*along)
    assert 1.0 < ahead < 40.0


def test_a_push_sets_the_velocity_in_the_cars_axes_and_lasts():
    world = started()
    world.place(0.0, 0.0, 0.7)
    world.push(15.0, 0.0, 0.0)
    pushed = world.state()
    assert (pushed.forward_speed, pushed.left_speed, pushed.yaw_rate) == pytest.approx((15.0, 0.0, 0.0), abs=1e-4)
    world.step(0.0, 0.0, 0.0)
    assert world.state().forward_speed > 12.0
    assert abs(world.state().acceleration_x) < 40.0  # the jump itself is no acceleration


def test_the_picture_follows_the_car():
    world = started()
    before = world.image().copy()
    world.place(0.0, 0.0, 0.0)
    assert not np.array_equal(before, world.image())


def test_the_expert_finds_its_line_again_after_the_car_was_set_elsewhere():
    simulation = Simulation(0.08, seed=1000)
    tick = simulation.tick(Command())
    line = simulation.world.waypoints()[:-1]  # the last one is the first
    place = len(line) // 2
    along = line[place + 1] - line[place]
    assert simulation.place_car(*line[place], math.atan2(along[1], along[0]))
    off_road = 0
    for _ in range(40):
        tick = simulation.tick(tick.expert)
        off_road += tick.state.wheels_off_road
    assert off_road <= 8 and tick.state.speed > 20.0


def test_without_an_episode_nothing_is_moved():
    simulation = Simulation(0.08, seed=0)
    assert not simulation.place_car(0.0, 0.0, 0.0) and not simulation.push_car(1.0, 0.0, 0.0)
