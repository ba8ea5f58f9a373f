"""Parameters of the bridge: what is refused, and that the message names it."""

import pytest
from wm_sim.config import BridgeConfig


@pytest.mark.parametrize(
    "values, words",
    [
        ({"sead": 1}, "no parameter 'sead'.*seed"),
        ({"world": "town"}, "world must be one of carracing, traffic, got 'town'"),
        ({"traffic_cars": -1}, "traffic_cars must be from 0.*-1"),
        ({"seed": -1}, "seed must be from 0.*-1"),
        ({"seed": "one"}, "seed must be of type int.*'one'"),
        ({"fixed_delta_seconds": 0.05}, "fixed_delta_seconds must be 0.02, 0.04, 0.06 or 0.08.*0.05"),
        ({"fixed_delta_seconds": 0.1}, "fixed_delta_seconds must be from 0.02 to 0.08.*0.1"),
        ({"real_time_factor": -1.0}, "real_time_factor must be from 0.0.*-1.0"),
        ({"real_time_factor": float("nan")}, "real_time_factor.*nan"),
        ({"image_width": 96.5}, "image_width must be of type int.*96.5"),
        ({"image_height": 0}, "image_height must be from 8.*got 0"),
        ({"autopilot": 1}, "autopilot must be of type bool.*1"),
        ({"episodes": -2}, "episodes must be from 0.*-2"),
        ({"role_name": "ego vehicle"}, "role_name must be a ROS name.*'ego vehicle'"),
        ({"role_name": ""}, "role_name must be a ROS name"),
        (
            {"synchronous_mode": False, "synchronous_mode_wait_for_vehicle_control_command": True},
            "needs synchronous_mode",
        ),
        ({"synchronous_mode": False, "real_time_factor": 0.0}, "real_time_factor 0 .* needs synchronous_mode"),
    ],
)
def test_values_that_cannot_be_used_are_refused_by_name(values, words):
    with pytest.raises(ValueError, match=words):
        BridgeConfig.from_parameters(values)


def test_a_whole_number_is_accepted_for_a_float():
    config = BridgeConfig.from_parameters({"real_time_factor": 2, "wait_for_driver": 3})
    assert config.tick_wall_s == pytest.approx(0.04)  # 0.08 s / 2
    assert isinstance(config.wait_for_driver, float)


def test_factor_zero_means_no_waiting():
    assert BridgeConfig(real_time_factor=0.0).tick_wall_s == 0.0
