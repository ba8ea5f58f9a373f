"""Boxes are painted after those that they cover, also where nearness does not tell."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from wm_sim.painting_order import painting_order

numbers = st.floats(-30.0, 30.0)
boxes = st.tuples(numbers, numbers, st.floats(-3.1, 3.1), st.floats(1.0, 16.0), st.floats(1.0, 8.0))


def order_of(placed):
    place, size = np.array([(x, y) for x, y, *_ in placed]), np.array([one[3:] for one in placed])
    yaw = np.array([one[2] for one in placed])
    turn = np.stack([np.stack([np.cos(yaw), -np.sin(yaw)], 1), np.stack([np.sin(yaw), np.cos(yaw)], 1)], 1)
    seen_from = (-place[:, None] @ turn)[:, 0]  # the eye is at the origin
    return painting_order(place, turn, size, seen_from).tolist(), place, turn, size


def reached(ray, place, turn, size):
    """(n,) where a ray from the origin enters each rectangle; infinite where it misses it."""
    begin, along = (-place[:, None] @ turn)[:, 0], (ray[None, None] @ turn)[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.stack([(-size / 2 - begin) / along, (size / 2 - begin) / along])
    low, high = np.nanmin(ends, axis=0).max(axis=1), np.nanmax(ends, axis=0).min(axis=1)
    return np.where((low < high) & (low > 0.0), low, np.inf)


def test_a_car_before_a_long_house_is_painted_after_it_though_a_corner_of_the_house_is_nearer():
    house, car = (15.0, 9.0, 0.0, 24.0, 6.0), (12.0, 4.5, 0.0, 5.0, 2.0)  # along the same street
    assert order_of([car, house])[0] == [1, 0] and order_of([house, car])[0] == [0, 1]
    hidden = (20.0, 16.0, 0.0, 5.0, 2.0)  # behind the house
    assert order_of([house, hidden, car])[0] == [1, 0, 2]


@settings(max_examples=80, deadline=None)
@given(st.lists(boxes, min_size=2, max_size=7))
def test_along_every_ray_of_a_picture_the_nearer_of_two_boxes_is_painted_later(placed):
    order, place, turn, size = order_of(placed)
    assert sorted(order) == list(range(len(placed)))
    corners = place[:, None] + (np.array([(0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5), (0.5, -0.5)]) * size[:, None]) @ (
        turn.transpose(0, 2, 1)
    )
    rank = np.argsort(order)
    # Only boxes apart from each other and before the eye, as in a picture, have an order.
    if (corners[..., 0] < 0.5).any() or _overlap(corners):
        return
    for angle in np.linspace(-1.5, 1.5, 41):
        hits = reached(np.array([math.cos(angle), math.sin(angle)]), place, turn, size)
        seen = [k for k in np.argsort(hits) if math.isfinite(hits[k])]
        assert all(rank[near] > rank[far] for near, far in zip(seen, seen[1:], strict=False))


def _overlap(corners):
    for k in range(len(corners)):
        for other in range(k):
            apart = False
            for one in (corners[k], corners[other]):
                for edge in np.diff(one[:3], axis=0):
                    a, b = corners[k] @ edge, corners[other] @ edge
                    apart |= a.max() <= b.min() or b.max() <= a.min()
            if not apart:
                return True
    return False
