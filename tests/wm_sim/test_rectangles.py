"""When rectangles touch, against driving them on in small steps."""

import math

import numpy as np
import pytest
from highway_env.utils import are_polygons_intersecting
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from wm_sim.rectangles import Rectangles, contact_times, overlapping

SIZE = (5.0, 2.0)


def one(place=(0.0, 0.0), yaw=0.0, velocity=(0.0, 0.0), size=SIZE):
    return np.array(place, float), yaw, size, np.array(velocity, float)


def time_between(own, *others) -> float:
    place, yaw, size, velocity = own
    places, yaws, sizes, velocities = zip(*others, strict=True)
    times = contact_times(
        Rectangles([place], [yaw], [size]), velocity, Rectangles(places, yaws, sizes), np.array(velocities)
    )
    assert (times == 0.0).tolist() == overlapping(
        Rectangles([place], [yaw], [size]), Rectangles(places, yaws, sizes)
    ).tolist()
    return float(times.min())


@pytest.mark.parametrize(
    "other, seconds",
    [
        (one((25.0, 0.0)), 2.0),  # 20 m between two cars of 5 m, at 10 m/s
        (one((25.0, 0.0), velocity=(5.0, 0.0)), 4.0),
        (one((25.0, 0.0), velocity=(10.0, 0.0)), math.inf),  # as fast as we are
        (one((25.0, 2.1)), math.inf),  # in the next lane
        (one((25.0, 1.9)), 2.0),
        (one((-25.0, 0.0)), math.inf),  # behind
        (one((-25.0, 0.0), velocity=(20.0, 0.0)), 2.0),  # and faster
        (one((4.0, 0.0)), 0.0),  # touching now
        (one((20.0, 20.0), -math.pi / 2, (0.0, -10.0)), 1.65),  # from the left: its nose is 16.5 m from our side
    ],
)
def test_known_times_at_10_metres_a_second(other, seconds):
    assert time_between(one(velocity=(10.0, 0.0)), other) == pytest.approx(seconds)


def test_the_first_of_several_counts_and_none_has_no_time():
    own = one(velocity=(10.0, 0.0))
    assert time_between(own, one((45.0, 0.0)), one((25.0, 0.0)), one((25.0, 9.0))) == pytest.approx(2.0)
    alone = contact_times(Rectangles([(0, 0)], [0], [SIZE]), own[3], Rectangles([], [], []), np.zeros((0, 2)))
    assert alone.shape == (0,)


def corners(place, yaw, size, velocity, after_s):
    axes = np.array([[math.cos(yaw), math.sin(yaw)], [-math.sin(yaw), math.cos(yaw)]])
    unit = np.array([(0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5), (0.5, -0.5), (0.5, 0.5)])
    return place + velocity * after_s + unit * size @ axes


number = st.floats(-20.0, 20.0)
cars = st.builds(
    lambda x, y, yaw, vx, vy: one((x, y), yaw, (vx, vy)), number, number, st.floats(-3.1, 3.1), number, number
)


@settings(max_examples=40, deadline=None)
@given(cars, cars)
def test_cars_touch_at_that_time_and_not_before(own, other):
    seconds = time_between(own, other)

    def touch(after_s):
        shapes = (corners(*car, after_s) for car in (own, other))
        return are_polygons_intersecting(*shapes, np.zeros(2), np.zeros(2))[0]

    closing = np.linalg.norm(own[3] - other[3])
    assume(closing > 0.1)
    if seconds == 0.0:
        return
    for after_s in np.linspace(0.0, min(seconds, 5.0), 8, endpoint=False):
        assert not touch(after_s)
    # At that time a car that is 4 mm larger overlaps.
    if seconds < 5.0:
        grown = (own[0], own[1], (5.004, 2.004), own[3])
        shapes = corners(*grown, seconds), corners(*other, seconds)
        assert are_polygons_intersecting(*shapes, np.zeros(2), np.zeros(2))[0]
