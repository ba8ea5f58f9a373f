"""Where a vehicle is along a route: geometry that holds for every route, and the ones that confuse."""

import math
import time

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from wm_bundle.routes import DISTANCES_M, Route, RouteError, RouteFollower

coordinate = st.floats(-200.0, 200.0)
angle = st.floats(-math.pi, math.pi)


@st.composite
def polylines(draw):
    """Roads of 2 to 12 pieces that turn by less than 100 degrees at each point."""
    count = draw(st.integers(1, 11))
    turns = np.cumsum([draw(angle)] + [draw(st.floats(-1.7, 1.7)) for _ in range(count - 1)])
    lengths = [draw(st.floats(3.0, 40.0)) for _ in range(count)]
    steps = [[length * math.cos(turn), length * math.sin(turn)] for turn, length in zip(turns, lengths, strict=True)]
    return np.concatenate([[[0.0, 0.0]], np.cumsum(steps, axis=0)])


def eight(radius=30.0, count=400):
    t = np.linspace(0.0, 2.0 * math.pi, count)
    return radius * np.stack([np.sin(t), np.sin(t) * np.cos(t)], axis=1)


def circle(radius=30.0, count=200):
    t = np.linspace(0.0, 2.0 * math.pi, count)
    return radius * np.stack([np.cos(t), np.sin(t)], axis=1)


def dense(points, spacing=0.5):
    route = Route.of_points(points, "map", closed=False)
    return route.at(np.unique(np.concatenate([np.arange(0.0, route.length, spacing), route.arc])))


def drive(follower, step=1.0, until=None, offset=0.0, noise=0.0, start=0.0):
    """The views of a vehicle along the follower's route; the true places with them."""
    route, random = follower.route, np.random.default_rng(0)
    places = np.arange(start, route.length if until is None else until, step)
    for place in places:
        (bx, by), (x, y), (cx, cy) = route.at([place - 0.01, place, place + 0.01])
        yaw = math.atan2(cy - by, cx - bx)
        x, y = np.array([x - offset * math.sin(yaw), y + offset * math.cos(yaw)]) + random.normal(0.0, noise + 1e-12, 2)
        yield place, follower.update(x, y, yaw + random.normal(0.0, noise / 5 + 1e-12))


def same(one, other, tolerance=1e-6):
    assert np.allclose(one.points, other.points, atol=tolerance)
    for name in ("offset", "left", "place", "progress", "completion", "distance"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=tolerance)
    assert math.cos(one.heading - other.heading) == pytest.approx(1.0)


def test_a_vehicle_left_of_a_straight_route():
    view = RouteFollower(Route.of_points([[0, 0], [100, 0]], "map")).update(30.0, 2.0, 0.1)
    assert view.offset == 2.0 and view.heading == pytest.approx(0.1) and view.left == 70.0 and view.place == 30.0
    assert view.completion == 0.3 and not view.off_route and not view.facing_away
    # 5 m ahead on the route: (5, -2) in the map's axes, turned by -0.1 rad into the vehicle's.
    assert view.points[0] == pytest.approx(
        [5 * math.cos(0.1) - 2 * math.sin(0.1), -5 * math.sin(0.1) - 2 * math.cos(0.1)]
    )
    assert view.points[-1] == pytest.approx(
        [70 * math.cos(0.1) - 2 * math.sin(0.1), -70 * math.sin(0.1) - 2 * math.cos(0.1)]
    )


def test_the_signals_have_the_names_of_the_models_inputs():
    signals = RouteFollower(Route.of_points([[0, 0], [500, 0]], "map")).update(30.0, 2.0, 0.0).signals()
    names = [f"route_{d}m_{axis}" for d in (5, 10, 20, 40, 80) for axis in "xy"]
    assert sorted(signals) == sorted([*names, "route_offset", "route_heading", "route_left"])
    assert signals["route_40m_x"] == 40.0 and signals["route_40m_y"] == -2.0 and signals["route_left"] == 100.0


@settings(max_examples=60, deadline=None)
@given(polylines(), coordinate, coordinate, angle, coordinate, coordinate, angle)
def test_a_rigid_motion_of_everything_changes_nothing(points, x, y, yaw, dx, dy, turn):
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    one = RouteFollower(Route.of_points(points, "map", closed=False)).update(x, y, yaw)
    moved = points @ rotation.T + (dx, dy)
    mx, my = rotation @ (x, y) + (dx, dy)
    other = RouteFollower(Route.of_points(moved, "map", closed=False)).update(mx, my, yaw + turn)
    assume(abs(one.place - other.place) < 1.0)  # two places that are as near as each other
    same(one, other, 1e-5)


@settings(max_examples=40, deadline=None)
@given(polylines(), st.sampled_from([0.5, 0.1, 0.02]), st.floats(0.0, 4.0))
def test_in_a_small_world_a_small_robot_is_followed_as_a_car_is_in_a_large_one(points, scale, offset):
    """Its points ahead are as much nearer as everything is smaller: all lengths become smaller by that."""
    small = [scale * distance for distance in DISTANCES_M]
    car = RouteFollower(Route.of_points(points, "map", closed=False))
    robot = RouteFollower(Route.of_points(scale * points, "map", closed=False), small)
    for place in np.arange(0.0, car.route.length, 2.0):
        (bx, by), (x, y), (cx, cy) = car.route.at([place - 0.01, place, place + 0.01])
        yaw = math.atan2(cy - by, cx - bx)
        x, y = x - offset * math.sin(yaw), y + offset * math.cos(yaw)
        one, other = car.update(x, y, yaw), robot.update(scale * x, scale * y, yaw)
        assume(abs(one.place - other.place / scale) < 0.5)  # two places that are as near as each other
        assert np.allclose(one.points, other.points / scale, atol=1e-3)
        assert one.offset == pytest.approx(other.offset / scale, abs=1e-3)


def test_a_robot_in_a_room_is_not_taken_for_being_on_the_next_lane():
    """Lanes 0.8 m apart, driven to and fro: with the lengths of a car it would be found anywhere among them."""
    lanes = np.concatenate([[[0.0, 0.8 * k], [4.0, 0.8 * k]][:: 1 if k % 2 == 0 else -1] for k in range(5)])
    follower = RouteFollower(Route.of_points(lanes, "map", closed=False), [0.2, 0.4, 0.8, 1.6])
    for place, view in drive(follower, 0.05, noise=0.01):
        assert view.place == pytest.approx(place, abs=0.1) and abs(view.offset) < 0.06


@settings(max_examples=40, deadline=None)
@given(polylines(), st.floats(0.2, 3.0))
def test_more_points_on_the_same_lines_change_nothing(points, spacing):
    few = RouteFollower(Route.of_points(points, "map", closed=False))
    many = RouteFollower(Route.of_points(dense(points, spacing), "map", closed=False))
    for (_, one), (_, other) in zip(drive(few, 2.0), drive(many, 2.0), strict=False):
        same(one, other, 1e-5)


@settings(max_examples=60, deadline=None)
@given(polylines(), st.floats(0.1, 5.0))
def test_a_vehicle_on_any_route_is_where_it_is(points, step):
    """Roads may cross and lie on one another: what was driven decides."""
    route = Route.of_points(points, "map", closed=False)
    follower = RouteFollower(route)
    for place, view in drive(follower, step):
        assert view.place == pytest.approx(place, abs=1e-6) and view.left == pytest.approx(
            route.length - place, abs=1e-6
        )
        assert view.distance < 1e-6 and not view.off_route
        ahead = np.linalg.norm(view.points[0]) if place + 5.0 < route.length else 0.0
        assert ahead <= 5.0 + 1e-6


@settings(max_examples=40, deadline=None)
@given(st.floats(0.0, 0.95), st.floats(0.2, 8.0))
def test_a_vehicle_may_start_anywhere_on_an_eight(start, step):
    follower = RouteFollower(Route.of_points(eight(), "map"))
    length = follower.route.length
    for place, view in drive(follower, step, start=start * length, until=(start + 1.5) * length):
        assert abs((view.place - place + length / 2) % length - length / 2) < 0.2
        assert view.progress == pytest.approx(place - start * length, abs=0.3)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.05, 0.5), st.floats(0.2, 8.0), st.floats(-3.0, 3.0))
def test_noisy_odometry_at_any_rate_beside_an_eight(noise, step, offset):
    follower = RouteFollower(Route.of_points(eight(), "map"))
    length = follower.route.length
    for place, view in drive(follower, step, offset=offset, noise=noise, until=2.5 * length):
        apart = (view.place - place + length / 2) % length - length / 2
        assert abs(apart) < 3.0 + 4 * noise, place
        assert view.progress == pytest.approx(place, abs=3.0 + 5 * noise)
    assert view.completion == 1.0 and view.left == math.inf


@pytest.mark.parametrize("step", [0.2, 2.0, 12.0])
def test_laps_of_a_race_track_go_on(step):
    follower = RouteFollower(Route.of_points(circle(), "map"))
    assert follower.route.closed
    for place, view in drive(follower, step, until=5 * follower.route.length):
        assert view.progress == pytest.approx(place, abs=0.1) and abs(view.heading) < 0.05
        assert np.linalg.norm(view.points[3]) > 30.0  # 40 m along a circle of 30 m: a chord of 37 m


def test_three_driven_laps_are_followed_lap_by_lap():
    laps = np.concatenate([circle()[:-1]] * 3)[20:]
    route = Route.of_driven(laps, "odom")
    follower = RouteFollower(route)
    for place, view in drive(follower):
        assert view.place == pytest.approx(place, abs=0.1)


def test_the_other_arm_of_a_crossing_is_not_taken():
    follower = RouteFollower(Route.of_points(eight(), "map"))
    half = follower.route.length / 2
    for place, view in drive(follower, 0.5, until=2 * half - 1):
        assert abs(view.place - place) < 0.2
    # Starting at the crossing, the way the vehicle faces tells which arm.
    for place in (0.0, half):
        (bx, by), (x, y) = follower.route.at([place - 0.01, place + 0.01])
        view = RouteFollower(follower.route).update(x, y, math.atan2(y - by, x - bx))
        assert abs((view.place - place + half) % (2 * half) - half) < 0.5


def test_the_opposite_lane_of_a_turning_route_is_not_taken():
    """Out and back 4 m apart: at 2.5 m from the own lane, the other one is nearer."""
    points = dense([[0, 0], [100, 0], [100, 4], [0, 4]])
    follower = RouteFollower(Route.of_points(points, "map"))
    for x in np.arange(0.0, 90.0, 0.5):
        view = follower.update(x, 2.5, 0.0)
        assert view.place == pytest.approx(x, abs=1e-6) and view.offset == pytest.approx(2.5)
    assert RouteFollower(follower.route).update(50.0, 2.5, 0.0).place == pytest.approx(50.0)


def test_a_vehicle_that_takes_a_shortcut_is_found_again_after_a_few_metres():
    points = dense([[0, 0], [100, 0], [100, 60], [0, 60]])
    follower = RouteFollower(Route.of_points(points, "map"), off_route_m=10.0)
    for x in np.arange(0.0, 50.0):
        follower.update(x, 0.0, 0.0)
    views = [follower.update(50.0, y, math.pi / 2) for y in np.arange(0.0, 60.0)]
    assert views[30].off_route and views[30].place == pytest.approx(50.0)
    views = [follower.update(x, 60.0, math.pi) for x in np.arange(50.0, 30.0, -1.0)]
    assert views[1].off_route  # crossing it is no evidence
    assert views[-1].place == pytest.approx(100 + 60 + 69) and not views[-1].off_route


def test_crossing_a_later_part_of_the_route_is_no_evidence():
    points = dense([[0, 0], [100, 0], [100, 100], [50, 100], [50, -100]])
    follower = RouteFollower(Route.of_points(points, "map"))
    follower.update(0.0, 8.0, 0.0)
    for x in np.arange(0.0, 70.0, 0.5):  # 8 m beside the first part, so it counts as lost
        assert follower.update(x, 8.0, 0.0).place == pytest.approx(x, abs=1.0)


def test_a_position_that_jumps_is_sought_on_the_whole_route():
    follower = RouteFollower(Route.of_points(dense([[0, 0], [300, 0]]), "map"))
    follower.update(10.0, 0.0, 0.0)
    view = follower.update(250.0, 0.0, 0.0)
    assert view.place == 250.0 and view.progress == 0.0 and view.completion == pytest.approx(250 / 300)


def test_driving_the_reversed_route_is_the_mirror_of_driving_the_route():
    route = Route.of_points(eight(), "map", closed=False)
    one, other = RouteFollower(route), RouteFollower(Route.of_points(route.points[::-1], "map", closed=False))
    there = [view for _, view in drive(one, 1.0, offset=1.0)]
    places = [place for place, _ in drive(one, 1.0)]
    for place, view in reversed(list(zip(places, there, strict=True))):
        (bx, by), (cx, cy) = route.at([place - 0.01, place + 0.01])
        yaw = math.atan2(cy - by, cx - bx)
        x, y = route.at([place])[0] + (-math.sin(yaw), math.cos(yaw))
        back = other.update(x, y, yaw + math.pi)
        assert back.place == pytest.approx(route.length - view.place, abs=1e-6)
        assert back.offset == pytest.approx(-view.offset) and back.distance == pytest.approx(view.distance)


def test_a_route_behind_the_vehicle():
    follower = RouteFollower(Route.of_points([[0, 0], [100, 0]], "map"))
    view = follower.update(50.0, 1.0, math.pi)
    assert view.facing_away and view.offset == 1.0 and view.heading == math.pi
    assert view.points[0] == pytest.approx([-5.0, 1.0])


def test_before_the_start_and_beyond_the_end():
    follower = RouteFollower(Route.of_points([[0, 0], [100, 0]], "map"), off_route_m=5.0)
    view = follower.update(-8.0, 1.0, 0.0)
    assert view.place == 0.0 and view.left == 100.0 and view.offset == 1.0 and view.off_route
    view = RouteFollower(follower.route).update(103.0, -1.0, 0.0)
    assert view.left == 0.0 and view.completion == 1.0 and view.offset == -1.0
    assert (view.points == view.points[0]).all()  # the end, repeated


def test_a_route_that_is_sent_again_with_more_at_its_end_loses_nothing():
    follower = RouteFollower(Route.of_points(dense(eight(), 0.5)[:-40], "map"))
    view = list(drive(follower, 1.0, until=120.0))[-1][1]
    follower.take(Route.of_points(dense(eight(), 0.5)[:-20], "map"))
    (bx, by), (x, y) = follower.route.at([119.9, 120.0])
    again = follower.update(x, y, math.atan2(y - by, x - bx))
    assert again.place == pytest.approx(120.0, abs=0.1) and again.progress == pytest.approx(120.0, abs=0.2)
    assert again.completion >= view.completion * 0.9


def test_a_new_route_from_the_vehicle_is_followed_from_its_start():
    follower = RouteFollower(Route.of_points([[0, 0], [100, 0]], "map"))
    follower.update(0.0, 0.0, 0.0)
    follower.update(30.0, 0.0, 0.0)
    follower.take(Route.of_points([[30, 0], [100, 5]], "map"))
    view = follower.update(31.0, 0.0, 0.0)
    assert view.place == pytest.approx(1.0, abs=0.01) and view.completion < 0.02


@pytest.mark.parametrize("bad", [(math.nan, 0.0, 0.0), (0.0, math.inf, 0.0), (0.0, 0.0, math.nan)])
def test_a_position_that_is_no_number_is_refused_and_changes_nothing(bad):
    follower = RouteFollower(Route.of_points([[0, 0], [100, 0]], "map"))
    follower.update(10.0, 0.0, 0.0)
    with pytest.raises(RouteError, match="not finite"):
        follower.update(*bad)
    assert follower.update(11.0, 0.0, 0.0).progress == pytest.approx(1.0)


@pytest.mark.parametrize("distances", [(0.0, 5.0), (10.0, 5.0), (5.0, math.nan), (5.0, math.inf), (-1.0,)])
def test_distances_ahead_are_positive_and_ascending(distances):
    with pytest.raises(RouteError, match="positive and ascending"):
        RouteFollower(Route.of_points([[0, 0], [100, 0]], "map"), distances)


def test_a_turn_on_the_spot_has_a_direction():
    """There and back on one line: the direction at the turn is that of one of the two."""
    follower = RouteFollower(Route.of_points([[0, 0], [50, 0], [0, 0]], "map", closed=False))
    for x in np.arange(0.0, 50.0, 0.5):
        view = follower.update(x, 0.0, 0.0)
    assert view.place == pytest.approx(49.5) and abs(view.heading) < 0.1
    for x in np.arange(49.5, 10.0, -0.5):
        view = follower.update(x, 0.0, math.pi)
    assert view.place == pytest.approx(100 - 10.5) and abs(view.heading) < 0.1


def test_an_update_takes_microseconds():
    """Measured: 25 us of a core of an AMD EPYC, 5,000 points; twenty times that is a fault on any machine."""
    follower = RouteFollower(Route.of_points(circle(1000.0, 5000), "map"), DISTANCES_M)
    places = [(1000 * math.cos(a), 1000 * math.sin(a), a + math.pi / 2) for a in np.arange(0.0, 3.0, 0.001)]
    follower.update(*places[0])
    began_s = time.perf_counter()
    for place in places:
        follower.update(*place)
    assert (time.perf_counter() - began_s) / len(places) < 500e-6
