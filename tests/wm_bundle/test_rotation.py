"""Quaternions."""

import math

import pytest
from wm_bundle.rotation import yaw_of


@pytest.mark.parametrize("yaw", [-3.0, -0.5, 0.0, 1.0, 3.1])
def test_the_yaw_of_a_turn_about_z_is_its_angle(yaw):
    assert yaw_of(0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2)) == pytest.approx(yaw)
