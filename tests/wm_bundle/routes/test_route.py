"""What is a route, and what is refused with one line."""

import math

import numpy as np
import pytest
from wm_bundle.routes import Route, RouteError


def circle(radius=30.0, count=100, turns=1.0):
    angles = np.linspace(0.0, 2.0 * math.pi * turns, count)
    return radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([], "the route is empty"),
        ([[1.0, 2.0]], "two distinct points, this one has 1"),
        ([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]], "two distinct points, this one has 1"),
        ([[0.0, 0.0], [math.nan, 1.0], [2.0, 2.0]], "point 1 of 3 is no position: (nan, 1)"),
        ([[0.0, 0.0], [1.0, math.inf]], "point 1 of 2 is no position"),
        ([[0.0, 0.0], [1.0, 1e300]], "point 1 of 2 is no position"),
        ([1.0, 2.0, 3.0], "have the shape"),
        (np.zeros((4, 5)), "have the shape"),
        ([["a", "b"]], "a route is a list of points"),
        ([[0.0, 0.0], [1.0]], "a route is a list of points"),
    ],
)
def test_what_is_no_route_is_refused_with_one_line(points, said):
    with pytest.raises(RouteError) as caught:
        Route.of_points(points, "map")
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_length_and_points_along_a_route():
    route = Route.of_points([[0, 0], [0, 0], [3, 0], [3, 4]], "map")
    assert route.length == 7.0 and len(route.points) == 3 and not route.closed
    assert route.at([-1.0, 1.5, 5.0, 99.0]).tolist() == [[0, 0], [1.5, 0], [3, 2], [3, 4]]


def test_a_third_coordinate_is_height_and_ignored():
    assert Route.of_points([[0, 0, 9], [1, 0, 12]], "map").length == 1.0


@pytest.mark.parametrize(
    ("points", "closed"),
    [
        (circle(), True),
        (circle()[:-1], True),  # ends one spacing before its start
        (circle()[:-3], False),  # a gap of 5.7 m
        (circle(radius=1.5), False),  # 9 m long: too short to tell from a start beside the end
        (np.array([[0, 0], [50, 0], [50, 50], [0, 50], [0.0, 0.5]]), False),  # back at the start, at a right angle
        (np.concatenate([circle(), circle()[::-1]]), False),  # there and back
        ([[0, 0], [100, 0]], False),
    ],
)
def test_a_route_is_closed_if_it_ends_where_and_as_it_began(points, closed):
    route = Route.of_points(points, "map")
    assert route.closed == closed
    assert not closed or np.array_equal(route.points[0], route.points[-1])


def test_whether_a_route_is_closed_can_be_told():
    assert not Route.of_points(circle(), "map", closed=False).closed
    assert Route.of_points(circle()[:60], "map", closed=True).length > Route.of_points(circle()[:60], "map").length


def test_a_closed_route_goes_on_at_its_start():
    route = Route.of_points(circle(), "map")
    assert np.allclose(route.at([route.length + 5.0, -5.0]), route.at([5.0, route.length - 5.0]))


def test_a_driven_route_has_no_length_where_the_vehicle_stood():
    noise = np.random.default_rng(0).normal(0.0, 0.03, (2000, 2))
    there = np.stack([np.linspace(0, 40, 400), np.zeros(400)], axis=1)
    driven = np.concatenate([noise, there, noise + (40, 0)])
    assert abs(Route.of_driven(driven, "odom").length - 40.0) < 1.0
    assert not Route.of_driven(circle(), "odom").closed


def test_a_vehicle_that_never_moved_has_driven_no_route():
    with pytest.raises(RouteError, match="two distinct points"):
        Route.of_driven(np.random.default_rng(0).normal(0.0, 0.03, (200, 2)), "odom")


def test_the_same_route_again_is_the_same():
    route = Route.of_points([[0, 0], [3, 4]], "map")
    assert route.is_same(Route.of_points([[0, 0], [3, 4]], "map"))
    assert not route.is_same(Route.of_points([[0, 0], [3, 5]], "map")) and not route.is_same(None)
    assert not route.is_same(Route.of_points([[0, 0], [3, 4]], "odom"))
