"""Routes made of driven paths: geometry, ends, and what a path must not be joined across."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wm_bundle.routes import RouteError
from wm_data.routes.driven import DrivenPath, PathError, integrated
from wm_data.routes.following import ROUTE_INPUTS, follow
from wm_data.routes.hindsight import hindsight_legs, hindsight_route

PERIOD_NS = 100_000_000


def drive(speeds, turn_rates) -> tuple[np.ndarray, np.ndarray]:
    """Stamps and poses of a vehicle with these speeds [m/s] and yaw rates [rad/s], a period each."""
    stamps = np.arange(len(speeds)) * PERIOD_NS
    return stamps, integrated(stamps, np.asarray(speeds, float), np.asarray(turn_rates, float)[1:])


def columns(stamps, poses, rows=None, **noise):
    legs = hindsight_legs(DrivenPath(stamps, poses), stamps if rows is None else rows, None, **noise)
    return follow(legs[1], legs[0])


def moved(poses, x, y, turn):
    cos, sin = math.cos(turn), math.sin(turn)
    where = poses[:, :2] @ np.array([[cos, sin], [-sin, cos]]) + (x, y)
    return np.column_stack([where, poses[:, 2] + turn])


@pytest.mark.parametrize("radius", [-60.0, -15.0, 12.0, 30.0])
def test_the_points_of_a_circle_are_its_own_and_left_is_positive(radius):
    # 6 m/s for 40 s: 240 m, of which the first rows have 100 m ahead.
    found = columns(*drive([6.0] * 400, [6.0 / radius] * 400)).values
    for distance in (5.0, 10.0, 20.0):
        turned = distance / radius
        x, y = radius * math.sin(turned), radius * (1.0 - math.cos(turned))
        part = slice(20, 150)
        # A circle of 12 m is 0.17 m smaller when smoothed over 2 m; its points ahead are off by as much.
        np.testing.assert_allclose(found[f"route_{distance:g}m_x"][part], x, atol=0.45)
        np.testing.assert_allclose(found[f"route_{distance:g}m_y"][part], y, atol=0.45)
        assert (np.sign(found[f"route_{distance:g}m_y"][part]) == np.sign(radius)).all()
    assert np.abs(found["route_heading"][20:150]).max() < 0.1
    # Smoothed inwards, to the circle's centre: on a left turn the vehicle is right of it, and so negative.
    assert (found["route_offset"][20:150] * np.sign(radius) < 0.0).all() and np.abs(found["route_offset"]).max() < 0.25


@settings(max_examples=25, deadline=None)
@given(x=st.floats(-1e4, 1e4), y=st.floats(-1e4, 1e4), turn=st.floats(-math.pi, math.pi), seed=st.integers(0, 2**31))
def test_where_a_drive_took_place_does_not_matter(x, y, turn, seed):
    random = np.random.default_rng(seed)
    stamps, poses = drive(np.abs(random.normal(8.0, 3.0, 150)), random.normal(0.0, 0.15, 150))
    here = columns(stamps, poses, noise_m=0.5, seed=seed)
    there = columns(stamps, moved(poses, x, y, turn), noise_m=0.5, seed=seed)
    for name, values in here.values.items():
        np.testing.assert_allclose(there.values[name], values, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(there.progress_m, here.progress_m, atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_mirrored_drives_have_mirrored_routes(seed):
    random = np.random.default_rng(seed)
    speeds, turns = np.abs(random.normal(8.0, 3.0, 120)), random.normal(0.0, 0.15, 120)
    one, other = columns(*drive(speeds, turns)).values, columns(*drive(speeds, -turns)).values
    for name, values in one.items():
        odd = name.endswith("_y") or name in ("route_offset", "route_heading")
        np.testing.assert_allclose(other[name], -values if odd else values, atol=1e-6, err_msg=name)


def test_what_comes_after_a_drive_that_goes_on_is_unknown():
    # 200 m at 10 m/s, straight ahead.
    found = columns(*drive([10.0] * 201, [0.0] * 201)).values
    for row, ahead in ((0, 200.0), (140, 60.0), (185, 15.0)):
        for distance in (5, 10, 20, 40, 80):
            x = found[f"route_{distance}m_x"][row]
            assert x == pytest.approx(distance, abs=0.1) if distance <= ahead else math.isnan(x)
    assert found["route_left"][0] == 100.0 and math.isnan(found["route_left"][150])


def test_a_drive_that_ends_standing_has_its_goal_there():
    # 100 m at 10 m/s, from 10 to 0 m/s in 5 s, which are 25 m, and 3 s of standing.
    speeds = [10.0] * 100 + np.linspace(10.0, 0.0, 50).tolist() + [0.0] * 30
    found = columns(*drive(speeds, [0.0] * 180)).values
    assert np.isfinite(found["route_80m_x"]).all()
    assert found["route_left"][90] == pytest.approx(35.0, abs=1.0)
    assert found["route_left"][-1] == pytest.approx(0.0, abs=0.3) and found["route_80m_x"][-1] == pytest.approx(
        0, abs=0.3
    )


def test_the_wheels_jitter_is_no_part_of_the_route():
    t = np.arange(300) * 0.1
    x, y = 8.0 * t, 0.15 * np.sin(2.0 * math.pi * 8.0 * t / 4.0)  # waves of 4 m
    route = hindsight_route(np.column_stack([x, y]))
    assert np.abs(route.points[5:-5, 1]).max() < 0.03
    # And where it turns, it turns as driven.
    turn = np.column_stack([20.0 * np.sin(t / 20.0), 20.0 * (1.0 - np.cos(t / 20.0))])
    assert np.abs(np.hypot(*(hindsight_route(turn).points - (0.0, 20.0)).T) - 20.0).max() < 0.15


def test_noise_puts_the_vehicle_beside_its_route_and_the_numbers_stay_true():
    stamps, poses = drive([8.0] * 600, 0.1 * np.sin(np.arange(600) / 40.0))
    plain, noisy = (columns(stamps, poses, noise_m=noise, seed=3) for noise in (0.0, 0.5))
    known = np.isfinite(noisy.values["route_left"])
    assert np.abs(plain.values["route_offset"]).max() < 0.1
    offset = noisy.values["route_offset"]
    assert 0.2 < offset[known].std() < 0.8 and np.abs(offset[known]).max() < 1.2
    # By how much the offset changes, is what the vehicle drives across the route.
    across = 0.8 * np.sin(noisy.values["route_heading"])
    np.testing.assert_allclose(np.diff(offset)[30:400], across[30:400], atol=0.05)
    again = columns(stamps, poses, noise_m=0.5, seed=3)
    np.testing.assert_array_equal(again.values["route_offset"], offset)
    assert not np.array_equal(columns(stamps, poses, noise_m=0.5, seed=4).values["route_offset"], offset)


def test_progress_is_what_was_driven_along_and_laps_do_not_confuse_it():
    # Three laps of a circle of 100 m, and a row only now and then.
    stamps, poses = drive([5.0] * 600, [2.0 * math.pi * 5.0 / 100.0] * 600)
    rows = stamps[3::4]
    found = columns(stamps, poses, rows, noise_m=0.4, seed=1)
    np.testing.assert_allclose(np.nan_to_num(found.progress_m, nan=99.0)[3:-8], 2.0, atol=0.15)
    assert np.nanmin(found.values["route_left"][:100]) == 100.0


def test_a_figure_of_eight_is_followed_through_its_crossing():
    turns = np.concatenate([np.full(100, 2 * math.pi / 10.0), np.full(100, -2 * math.pi / 10.0)])
    found = columns(*drive([6.0] * 200, turns))
    np.testing.assert_allclose(found.progress_m[3:150], 0.6, atol=0.1)


@pytest.mark.parametrize("what", ["gap", "jump", "reverse"])
def test_no_route_leads_across_a_gap_a_jump_or_a_drive_backwards(what):
    stamps, poses = drive([8.0] * 100 + [-2.0 if what == "reverse" else 8.0] * 50 + [8.0] * 100, [0.0] * 250)
    if what == "gap":
        stamps = stamps + (np.arange(250) >= 150) * 5_000_000_000
    if what == "jump":
        poses = poses + np.outer(np.arange(250) >= 150, (300.0, 50.0, 0.0))
    found = columns(stamps, poses).values
    x = found["route_40m_x"]
    if what == "reverse":
        assert np.isnan(x[105:145]).all()
        assert np.isnan(x[98])  # it did not stop there, so what comes after is unknown
    else:
        assert np.isnan(x[120:149]).all()
    # The second part is known on its own.
    assert np.isfinite(x[155:195]).all() and np.abs(found["route_offset"][155:240]).max() < 0.1


def test_a_restarted_clock_begins_another_path_and_an_odd_stamp_none():
    stamps, poses = drive([8.0] * 200, [0.0] * 200)
    odd = stamps.copy()
    odd[50] += 3_600_000_000_000
    assert np.isfinite(columns(odd, poses, stamps[:90]).values["route_20m_x"]).all()
    twice, places = np.concatenate([stamps, stamps]), np.arange(400)
    other = poses + (0.0, 1000.0, 0.0)
    path = DrivenPath(twice, np.concatenate([poses, other]), places)
    for place, beginning in ((10, 0.0), (250, 1000.0)):
        found, pieces = path.at(stamps[:100], place)
        assert (found[:, 1] == beginning).all() and len(set(pieces.tolist())) == 1


def test_a_vehicle_that_stands_has_no_route():
    random = np.random.default_rng(0)
    stamps = np.arange(100) * PERIOD_NS
    poses = np.column_stack([random.normal(0.0, 0.02, (100, 2)), np.zeros(100)])
    assert all(np.isnan(values).all() for values in columns(stamps, poses).values.values())
    with pytest.raises(RouteError, match="drove 0.0 m|two distinct"):
        hindsight_route(poses[:, :2])


def test_poses_whose_yaw_is_not_where_they_go_are_refused():
    stamps, poses = drive([8.0] * 100, [0.0] * 100)
    with pytest.raises(PathError, match="the yaws of the poses are not the directions of motion: 100% .* 60 degrees"):
        DrivenPath(stamps, poses + (0.0, 0.0, math.pi / 2))


def test_a_path_of_no_or_one_pose_is_known_nowhere():
    for count in (0, 1):
        path = DrivenPath(np.arange(count), np.zeros((count, 3)))
        assert np.isnan(path.at(np.arange(5))[0]).all()


def test_the_columns_are_those_of_the_registry_in_its_order():
    found = columns(*drive([8.0] * 50, [0.0] * 50)).values
    assert list(found) == list(ROUTE_INPUTS) and len(found) == 13


def test_points_at_other_distances_are_there_if_named():
    stamps, poses = drive([8.0] * 500, [0.0] * 500)
    poses_of_rows, legs = hindsight_legs(DrivenPath(stamps, poses), stamps[:50], None, ahead_m=300.0)
    found = follow(legs, poses_of_rows, ["route_15m_x", "route_300m_x", "route_offset"]).values
    assert list(found) == ["route_15m_x", "route_300m_x", "route_offset"]
    np.testing.assert_allclose(found["route_15m_x"], 15.0, atol=0.05)
    np.testing.assert_allclose(found["route_300m_x"], 300.0, atol=0.05)


def test_a_small_robots_path_is_smoothed_as_little_as_it_is_small():
    """A circle of 1 m radius: smoothed like a car's it would shrink to a fraction of that."""
    angles = np.linspace(0.0, 4.0 * math.pi, 800)
    path = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    radii = np.hypot(*hindsight_route(path, scale=0.1).points[10:-10].T)
    assert radii.min() > 0.95
    assert np.hypot(*hindsight_route(path).points[3:-3].T).min() < 0.6
