import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wm_bundle.vehicle_commands.definition import pedals_of_acceleration, steer_of_angle
from wm_data.conversion.controls import STEADY_SPEED_MPS, angle_of_yaw_rate, derived_controls
from wm_data.rewards import TERMS, driving_reward

SPEEDS = st.lists(st.floats(0, 40), min_size=3, max_size=40)


def test_steer_is_the_angle_as_a_share_of_the_largest_and_turned_round():
    assert steer_of_angle(math.radians(35), math.radians(70)) == pytest.approx(-0.5)
    assert steer_of_angle(-2.0, math.radians(70)) == 1.0


@settings(deadline=None)
@given(angle=st.floats(-1.2, 1.2), speed=st.floats(STEADY_SPEED_MPS, 40), wheelbase=st.floats(1.0, 5.0))
def test_the_bicycle_turned_back_gives_its_angle(angle, speed, wheelbase):
    yaw_rate = speed * math.tan(angle) / wheelbase
    assert angle_of_yaw_rate([yaw_rate], [speed], wheelbase)[0] == pytest.approx(angle, abs=1e-9)


def test_the_noise_of_a_standing_vehicle_turns_no_wheel():
    speed = np.array([0.0, 5.0, 5.0, 0.3, 0.0, 0.0, 5.0])
    angle = angle_of_yaw_rate(np.array([0.5, 0.1, 0.2, 0.5, -0.5, 0.5, 0.0]), speed, 2.7)
    assert angle[0] == 0.0 and angle[2] == angle[3] == angle[4] == angle[5] and angle[6] == 0.0


@settings(deadline=None)
@given(acceleration=st.floats(-15, 15), speed=st.floats(0, 40))
def test_pedals_are_in_their_limits_and_never_both_pressed(acceleration, speed):
    throttle, brake = pedals_of_acceleration(acceleration, speed)
    assert 0 <= throttle <= 1 and 0 <= brake <= 1 and throttle * brake == 0
    assert brake == 0 or acceleration < 0


def test_a_constant_speed_needs_some_throttle_and_standing_none():
    assert pedals_of_acceleration(0.0, 20.0)[0] > 0.05
    assert pedals_of_acceleration(0.0, 0.0) == (0.0, 0.0)


@settings(deadline=None)
@given(speeds=SPEEDS, later=st.floats(0, 40), where=st.integers(0, 37))
def test_no_motion_from_after_an_interval_leaks_into_its_action(speeds, later, where):
    cut = min(where, len(speeds) - 3)
    speed = np.array(speeds)
    other = speed.copy()
    other[cut + 2 :] = later
    seconds, yaw_rate = np.full(len(speed) - 1, 0.1), np.zeros(len(speed) - 1)
    one, two = (derived_controls((v[:-1], v[1:]), yaw_rate, seconds, 2.7)[0] for v in (speed, other))
    np.testing.assert_array_equal(one[: cut + 1], two[: cut + 1])


def test_the_reward_of_a_steady_drive_at_the_target_speed_is_one_and_of_an_emergency_stop_below():
    stamps = np.arange(5) * 0.1
    steady = driving_reward(stamps, np.full(5, 8.0), np.zeros(5), np.zeros(4), np.zeros(4))
    np.testing.assert_allclose(steady.rewards, 1.0)
    braking = driving_reward(stamps, np.array([8.0, 8.0, 7.0, 6.0, 5.0]), np.full(5, 1.0), np.zeros(4), np.zeros(4))
    jerk, lateral = (braking.terms[:, TERMS.index(name)] for name in ("jerk", "lateral_acceleration"))
    assert np.isnan(jerk[0]) and jerk[1] == pytest.approx(-0.1) and jerk[2] == pytest.approx(0.0, abs=1e-6)
    assert lateral[0] == pytest.approx(-0.1)  # 8 m/s^2, more than counts


@settings(deadline=None)
@given(speeds=SPEEDS, seed=st.integers(0, 1000))
def test_a_reward_is_finite_and_the_sum_of_the_terms_that_are_known(speeds, seed):
    random = np.random.default_rng(seed)
    count = len(speeds) - 1
    known = random.random(3) < 0.5
    reward = driving_reward(
        np.cumsum(random.uniform(0.02, 0.2, count + 1)),
        np.array(speeds),
        random.normal(size=count + 1) if known[0] else None,
        random.integers(0, 3, count) if known[1] else None,
        random.integers(0, 2, count) if known[2] else None,
    )
    assert np.isfinite(reward.rewards).all() and -15 < reward.rewards.min() and reward.rewards.max() <= 1.0
    np.testing.assert_allclose(reward.rewards, np.nansum(reward.terms, axis=1), atol=1e-5)
    unknown = np.isnan(reward.terms).all(axis=0)
    assert unknown.tolist()[2:] == [not known[0], not known[1], not known[2]]
