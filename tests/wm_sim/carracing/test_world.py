"""CarRacingWorld is gymnasium's CarRacing-v3: same physics, score and picture, with fewer drawings."""

import math

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.box2d.car_racing import PLAYFIELD, CarRacing
from wm_sim.carracing.environment import LazyCarRacing
from wm_sim.carracing.world import CarRacingWorld
from wm_sim.ticks import frames_per_tick


def random_actions(count, seed):
    rng = np.random.default_rng(seed)
    return np.stack([rng.uniform(-0.5, 0.5, count), rng.uniform(0, 0.6, count), rng.uniform(0, 0.1, count)], 1)


@pytest.mark.parametrize("period_s, frames", [(0.08, 4), (0.04, 2)])
def test_pictures_and_rewards_equal_the_plain_environment_bit_for_bit(period_s, frames):
    plain = gymnasium.make("CarRacing-v3")
    world = CarRacingWorld(period_s)
    for seed in (7, 8):  # the second one: a used environment must not differ from a fresh one
        expected, _ = plain.reset(seed=seed)
        world.reset(seed)
        np.testing.assert_array_equal(world.image(), expected)
        for action in random_actions(25, seed):
            reward = 0.0
            for _ in range(frames):
                expected, frame_reward, *_ = plain.step(action)
                reward += frame_reward
            outcome = world.step(*action)
            assert outcome.reward == reward
            np.testing.assert_array_equal(world.image(), expected)


@pytest.mark.parametrize("from_edge_m", [0.0, 30.0, 60.0, 90.0, 130.0])
def test_near_the_fields_edge_too(from_edge_m, monkeypatch):
    world, place = CarRacingWorld(0.08), (PLAYFIELD - from_edge_m, 5.0, 0.3)
    world.reset(7)
    world.place(*place)
    ours = world.image()
    monkeypatch.setattr(LazyCarRacing, "_render_road", CarRacing._render_road)
    world.place(*place)
    np.testing.assert_array_equal(ours, world.image())


def test_an_episode_does_not_depend_on_what_was_driven_before_or_on_who_looked():
    used, fresh = CarRacingWorld(0.08), CarRacingWorld(0.08)
    used.reset(1)
    for action in random_actions(20, 1):
        used.step(*action)
        used.image()
    used.reset(5)
    fresh.reset(5)
    for action in random_actions(40, 2):
        assert used.step(*action) == fresh.step(*action)
        used.image()
        assert used.state() == fresh.state()


def test_one_picture_is_drawn_once(monkeypatch):
    world = CarRacingWorld(0.08)
    world.reset(3)
    drawings = []
    draw = world._env.draw
    monkeypatch.setattr(world._env, "draw", lambda: drawings.append(1) or draw())
    world.step(0.0, 0.1, 0.0)
    assert drawings == []
    assert world.image() is world.image()
    assert len(drawings) == 1


def test_an_idle_car_is_cut_off_after_1000_physics_frames():
    world = CarRacingWorld(0.06)  # three frames: 333 whole ticks and one frame
    world.reset(0)
    frames, score = 0, 0.0
    while True:
        outcome = world.step(0.0, 0.0, 0.0)
        frames, score = frames + outcome.frames, score + outcome.reward
        if outcome.truncated or outcome.terminated:
            break
    assert (frames, outcome.frames, outcome.terminated) == (1000, 1, False)
    # The car stands on its first tiles: at most a few of some 300 tiles, minus 1000 frames * 0.1.
    assert -100.0 <= score < -80.0
    with pytest.raises(RuntimeError, match="reset"):
        world.step(0.0, 0.0, 0.0)


def test_leaving_the_playfield_ends_the_episode_with_minus_100():
    world = CarRacingWorld(0.08)
    world.reset(0)
    for _ in range(250):
        outcome = world.step(0.0, 0.4, 0.0)  # straight on
        if outcome.terminated:
            break
    assert outcome.terminated and outcome.ending == "left the field" and not outcome.truncated
    assert -100.0 - 3 * 0.1 - 1e-9 <= outcome.reward <= -100.0 + 3 * 3.0
    state = world.state()
    assert max(abs(state.x), abs(state.y)) > 333.0


@pytest.mark.parametrize("steer, sign", [(0.3, -1), (-0.3, 1)])
def test_steer_right_is_positive_and_lowers_the_yaw(steer, sign):
    world = CarRacingWorld(0.08)
    world.reset(2)
    for _ in range(6):
        world.step(0.0, 0.1, 0.0)
    before = world.state()
    for _ in range(4):
        world.step(steer, 0.0, 0.0)
    after = world.state()
    turned = math.remainder(after.yaw - before.yaw, 2 * math.pi)
    assert sign * turned > 0.1 and sign * after.yaw_rate > 0.3
    assert after.steering_angle == pytest.approx(steer, abs=0.03)
    # The new place lies on that side of the old nose: left positive.
    left = -(after.x - before.x) * math.sin(before.yaw) + (after.y - before.y) * math.cos(before.yaw)
    assert sign * left > 0.3


def test_steering_right_moves_the_road_ahead_to_the_left_of_the_picture():
    """The picture is fixed to the car: turning right turns the world counter-clockwise in it."""

    def road_column(steer):
        world = CarRacingWorld(0.08)
        world.reset(2)
        for _ in range(12):
            world.step(0.0, 0.06, 0.0)
        for _ in range(4):
            world.step(steer, 0.0, 0.0)
        ahead = world.image()[20:50].astype(int)
        road = np.abs(ahead - ahead.mean(axis=2, keepdims=True)).max(axis=2) < 12  # grey, not green
        return np.nonzero(road)[1].mean()

    assert road_column(0.15) < road_column(0.0) - 3.0
    assert road_column(-0.15) > road_column(0.0) + 3.0


def test_speed_odometry_and_acceleration_agree():
    world = CarRacingWorld(0.08)
    world.reset(4)
    for _ in range(10):
        world.step(0.0, 0.1, 0.0)
    before = world.state()
    world.step(0.05, 0.1, 0.0)
    after = world.state()
    assert before.forward_speed > 5.0 and abs(before.left_speed) < 0.5
    assert math.hypot(before.forward_speed, before.left_speed) == pytest.approx(before.speed)
    # Mean acceleration: difference of the velocities over 0.08 s.
    assert after.acceleration_x * 0.08 == pytest.approx(after.velocity_x - before.velocity_x)
    # Position: the mean of both velocities is accurate to the second order.
    assert after.x - before.x == pytest.approx(0.04 * (before.velocity_x + after.velocity_x), abs=0.05)
    assert after.y - before.y == pytest.approx(0.04 * (before.velocity_y + after.velocity_y), abs=0.05)


def test_wheels_on_the_road_are_counted():
    world = CarRacingWorld(0.08)
    world.reset(0)
    world.step(0.0, 0.0, 0.0)
    assert world.state().wheels_off_road == 0
    seen = set()
    for _ in range(60):
        world.step(0.0, 0.3, 0.0)
        seen.add(world.state().wheels_off_road)
    assert 4 in seen


def test_the_centre_line_starts_under_the_car_and_runs_its_way():
    world = CarRacingWorld(0.08)
    world.reset(11)
    line, state = world.centre_line(), world.state()
    assert np.hypot(*(line[0] - (state.x, state.y))) < 1.0
    along = line[3] - line[0]
    assert along @ (math.cos(state.yaw), math.sin(state.yaw)) > 0.9 * np.hypot(*along)
    # Tiles are 3.5 m long, and the line closes.
    gaps = np.hypot(*(np.roll(line, -1, 0) - line).T)
    assert gaps.max() < 8.0 and np.median(gaps) == pytest.approx(3.5, abs=0.05)


@pytest.mark.parametrize("period_s", [0.0, 0.05, 0.1, 0.081, -0.08, math.nan, math.inf])
def test_other_periods_are_refused_with_the_value(period_s):
    with pytest.raises(ValueError, match=f"fixed_delta_seconds.*{period_s}"):
        frames_per_tick(period_s)


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="-3"):
        CarRacingWorld(0.08).reset(-3)


def test_the_start_line_ends_no_lap_that_skipped_a_tile_and_the_last_tile_ends_it_anywhere():
    # gymnasium's own rule (its issue 1269), which the scores depend on.
    world = CarRacingWorld(0.08)
    world.reset(7)
    line, road = world.centre_line(), world._env.road
    skipped = len(road) // 2
    assert road[0].road_visited  # the car stands on it
    for number, tile in enumerate(road):
        tile.road_visited = number != skipped
    world._env.tile_visited_count = len(road) - 1

    def drive_over(number: int):
        """Ten steps along the road from four tiles before the one of that number."""
        ahead = line[(number - 3) % len(line)] - line[number - 4]
        world.place(*line[number - 4], math.atan2(ahead[1], ahead[0]))
        world.push(30.0, 0.0, 0.0)
        outcomes = []
        while len(outcomes) < 10 and not (outcomes and outcomes[-1].terminated):
            outcomes.append(world.step(0.0, 0.0, 0.0))
        return outcomes

    over_the_line = drive_over(0)
    assert len(over_the_line) == 10 and {outcome.ending for outcome in over_the_line} == {""}
    assert drive_over(skipped)[-1].ending == "lap finished"
