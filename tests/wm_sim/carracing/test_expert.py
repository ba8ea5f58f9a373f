"""The scripted expert drives well, and finds back after a push. Seeds other than those reported in the README."""

import numpy as np
import pytest
from wm_sim.carracing.expert import Expert
from wm_sim.carracing.racing_line import curvature, resample, smooth_line, speed_profile
from wm_sim.carracing.world import CarRacingWorld
from wm_sim.evaluate_expert import drive_expert, parse_seeds, summary
from wm_sim.simulation import EpisodeResult


@pytest.mark.parametrize("period_s", [0.08, 0.04])
def test_the_expert_finishes_clean_laps(period_s):
    results = [drive_expert(seed, period_s) for seed in (4000, 4001, 4002)]
    assert all(result.ending == "lap finished" for result in results)
    assert np.mean([result.score for result in results]) > 900.0
    assert max(result.off_road_share for result in results) < 0.02


@pytest.mark.parametrize("push", [(0.6, 0.3, 0.0), (-0.6, 0.3, 0.0), (1.0, 1.0, 0.0), (-1.0, 0.0, 0.1)])
def test_the_expert_returns_to_its_line_after_a_push(push):
    world, expert = CarRacingWorld(0.08), Expert(0.08)
    for seed in (4100, 4101):
        world.reset(seed)
        expert.reset(world.centre_line())
        farthest = 0.0
        for step in range(110):
            command = expert.act(world.state())
            assert not world.step(*(push if 40 <= step < 45 else command)).terminated
            farthest = max(farthest, expert.distance_to_line(world.state()))
        assert farthest > 5.0, "the push must have pushed"
        # 65 steps (5.2 s) later: on the road, near the line and moving.
        state = world.state()
        assert state.wheels_off_road == 0
        assert expert.distance_to_line(state) < 4.0
        assert state.forward_speed > 25.0


def test_commands_are_in_range_and_never_throttle_and_brake_together():
    world, expert = CarRacingWorld(0.08), Expert(0.08)
    rng = np.random.default_rng(0)
    world.reset(4200)
    expert.reset(world.centre_line())
    for _ in range(100):  # driven at random: states the expert itself would avoid
        steer, throttle, brake = expert.act(world.state())
        assert -0.4 <= steer <= 0.4 and 0.0 <= throttle <= 1.0 and 0.0 <= brake <= 1.0
        assert throttle == 0.0 or brake == 0.0
        if world.step(rng.uniform(-1, 1), rng.uniform(0, 1), rng.uniform(0, 0.2)).terminated:
            break


def circle(radius_m, count=200):
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return radius_m * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def test_a_circle_has_the_curvature_of_its_radius():
    line, spacing_m = resample(circle(50.0))
    assert spacing_m * len(line) == pytest.approx(2 * np.pi * 50.0, rel=1e-3)
    np.testing.assert_allclose(curvature(line), 1 / 50.0, rtol=0.02)
    np.testing.assert_allclose(curvature(line[::-1]), -1 / 50.0, rtol=0.02)


def test_the_line_stays_in_its_corridor_and_bends_less():
    world = CarRacingWorld(0.08)
    world.reset(4300)
    centre = world.centre_line()
    line = smooth_line(centre, 1.67, 0.01)
    assert np.hypot(*(line - centre).T).max() <= 1.67 + 1e-9
    bend = [np.square(np.roll(x, -1, 0) - 2 * x + np.roll(x, 1, 0)).sum() for x in (line, centre)]
    assert bend[0] < bend[1]


def test_speed_holds_bends_and_brakes_in_time():
    bends = np.full(100, 1e-9)
    bends[50] = 0.1
    speeds = speed_profile(bends, 1.0, lateral_grip=160.0, braking_grip=50.0, speed_limit=80.0)
    # v^2 = 160 / 0.1 = 1600 in the bend; 10 points before it v^2 = 1600 + 2 * 50 * 10 = 2600.
    assert speeds[50] == pytest.approx(40.0)
    assert speeds[40] == pytest.approx(2600**0.5)
    assert speeds[51] == pytest.approx(80.0)
    bends = np.roll(bends, 55)  # now the bend is at index 5: braking for it begins before the lap's end
    speeds = speed_profile(bends, 1.0, lateral_grip=160.0, braking_grip=50.0, speed_limit=80.0)
    assert speeds[95] == pytest.approx(2600**0.5)


def test_summary_states_mean_interval_and_worst():
    scores = {1: 900.0, 2: 910.0, 3: 890.0}
    results = [EpisodeResult(seed, score, 200, 0.0, "lap finished") for seed, score in scores.items()]
    outcome = summary(results)
    # Standard deviation 10, 3 episodes: 1.96 * 10 / sqrt(3) = 11.32.
    assert outcome["mean_score"] == pytest.approx(900.0) and outcome["ci95"] == pytest.approx(11.32, abs=0.01)
    assert (outcome["worst_seed"], outcome["worst_score"], outcome["endings"]) == (3, 890.0, {"lap finished": 3})
    assert outcome["infractions"] == {}
    seen = [EpisodeResult(seed, 1.0, 9, 0.0, "blocked", ("red_light",) * seed) for seed in (1, 2)]
    assert summary(seen)["infractions"] == {"red_light": 3}


def test_seeds_are_a_range_or_one():
    assert parse_seeds("1000:1003") == range(1000, 1003) and parse_seeds("7") == range(7, 8)


@pytest.mark.parametrize("text", ["", "5:5", "9:3", "a:b", "-4:2", "1:2:3"])
def test_seeds_that_are_no_range_are_refused(text):
    with pytest.raises(ValueError, match="FIRST:END"):
        parse_seeds(text)
