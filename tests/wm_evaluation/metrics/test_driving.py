"""Figures of a drive against values by hand, and against SciPy's independent formulas."""

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.spatial.transform import Rotation
from wm_evaluation.metrics import driving

RANDOM = np.random.default_rng(0)


def test_a_distance_is_the_length_of_the_way():
    # Three sides of a rectangle of 3 m and 4 m, and its diagonal.
    corners = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0], [0.0, 4.0], [3.0, 0.0]])
    assert driving.distance(corners) == pytest.approx(3.0 + 4.0 + 3.0 + 5.0)
    assert driving.distance(corners[:1]) == 0.0


def test_a_distance_from_the_speed_is_scipys_integral():
    stamps, speeds = np.cumsum(RANDOM.random(50)), 10.0 * RANDOM.random(50)
    assert driving.distance_from_speed(speeds, stamps) == pytest.approx(trapezoid(speeds, stamps))
    assert driving.distance_from_speed(speeds[:1], stamps[:1]) == 0.0


def test_vectors_in_the_vehicle_frame_are_scipys_rotation():
    vectors, yaw = RANDOM.normal(size=(20, 2)), RANDOM.uniform(-4.0, 4.0, 20)
    in_space = np.hstack([vectors, np.zeros((20, 1))])
    expected = Rotation.from_euler("z", -yaw[:, None]).apply(in_space)[:, :2]
    assert driving.in_vehicle_frame(vectors, yaw) == pytest.approx(expected)
    # Heading along y, what points to x points to the right.
    assert driving.in_vehicle_frame(np.array([[2.0, 0.0]]), np.array([np.pi / 2]))[0] == pytest.approx([0.0, -2.0])


def test_the_jerk_of_a_known_motion_is_its_third_derivative():
    # On a circle of radius r at w rad/s the jerk is r w³ all the time: 10 · 0.5³ = 1.25 m/s³.
    stamps = np.arange(0.0, 10.0, 0.001)
    acceleration = -10.0 * 0.5**2 * np.stack([np.cos(0.5 * stamps), np.sin(0.5 * stamps)], 1)
    jerks = np.linalg.norm(driving.jerk(acceleration, np.diff(stamps)), axis=1)
    assert jerks == pytest.approx(1.25, rel=1e-3)
    # By 1 m/s² in 0.5 s, then by -3 m/s² in 1 s.
    assert driving.jerk(np.array([0.0, 1.0, -2.0]), np.array([0.5, 1.0])) == pytest.approx([2.0, -3.0])


def test_means_and_rates_of_known_values():
    assert driving.root_mean_square(np.array([3.0, -4.0])) == pytest.approx(np.sqrt(12.5))
    assert driving.mean_change(np.array([0.1, -0.1, 0.3])) == pytest.approx((0.2 + 0.4) / 2)
    assert driving.per_minute(3, 20.0) == pytest.approx(9.0)
    assert driving.per_kilometre(3, 500.0) == pytest.approx(6.0)


def test_figures_of_nothing_are_nan():
    found = [
        driving.root_mean_square(np.array([])),
        driving.mean_change(np.array([0.5])),
        driving.per_minute(0, 0.0),
        driving.per_kilometre(2, 0.0),
    ]
    assert np.isnan(found).all()
