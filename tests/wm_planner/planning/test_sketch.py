"""The sketched paths, by hand."""

import math

import numpy as np
import pytest
from wm_planner.planning import sketch
from wm_planner.planning.sketch import sketch_paths


def commands(steer, throttle, brake, horizon) -> np.ndarray:
    return np.tile(np.array([steer, throttle, brake], np.float32), (1, horizon, 1))


def test_straight_on_at_constant_speed():
    # 10 m/s * 0.1 s * 3 steps = 3 m
    (path,) = sketch_paths(commands(0, 0, 0, 3), 10.0, 0.1)
    np.testing.assert_allclose(path, [[0, 0], [1, 0], [2, 0], [3, 0]])


def test_braking_stops_and_never_goes_backwards():
    # 8 m/s² from 4 m/s: 4² / (2 * 8) = 1 m
    (path,) = sketch_paths(commands(0, 0, 1, 20), 4.0, 0.1)
    assert path[-1, 0] == pytest.approx(1.0) and (np.diff(path[:, 0]) >= 0.0).all()


def test_steering_right_turns_to_negative_y_on_the_circle_of_the_wheelbase():
    (path,) = sketch_paths(commands(0.5, 0, 0, 200), 5.0, 0.01)
    radius = sketch.WHEELBASE_M / math.tan(0.5 * sketch.STEER_ANGLE_RAD)
    assert (path[1:, 1] < 0.0).all()
    np.testing.assert_allclose(np.hypot(path[:, 0], path[:, 1] + radius), radius, rtol=1e-3)
