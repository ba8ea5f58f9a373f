"""Parameters of the bridge: what is refused, and that the message names it."""

import pytest
from wm_sim.config import BridgeConfig


@pytest.mark.parametrize(
    "values, words",
    [
        ({"sead": 1}, "unknown parameter sead; did you mean seed[?]"),
        ({"world": "city"}, "world: expected one of carracing, traffic, town, found 'city'"),
        ({"weather": "hail"}, "weather: expected one of noon, .*, random, found 'hail'"),
        ({"light": 0.0}, "light: expected 0.05 to 3.0, found 0.0"),
        ({"traffic_cars": -1}, "traffic_cars: expected 0 to 60, found -1"),
        ({"seed": -1}, "seed: expected 0 to .*, found -1"),
        ({"seed": "one"}, "seed: expected int, found str .'one'"),
        ({"fixed_delta_seconds": 0.05}, "fixed_delta_seconds must be 0.02, 0.04, 0.06 or 0.08.*0.05"),
        ({"fixed_delta_seconds": 0.1}, "fixed_delta_seconds: expected 0.02 to 0.08 s, found 0.1"),
        ({"real_time_factor": -1.0}, "real_time_factor: expected 0.0 to .*, found -1.0"),
        ({"real_time_factor": float("nan")}, "real_time_factor.*nan"),
        ({"image_width": 96.5}, "image_width: expected int, found float .96.5"),
        ({"image_height": 0}, "image_height: expected 8 to 4096 px, found 0"),
        ({"autopilot": 1}, "autopilot: expected bool, found int .1"),
        ({"episodes": -2}, "episodes: expected 0 to .*, found -2"),
        ({"role_name": "ego vehicle"}, "role_name: expected a ROS name.*'ego vehicle'"),
        ({"role_name": ""}, "role_name: expected a ROS name"),
        (
            {"synchronous_mode": False, "synchronous_mode_wait_for_vehicle_control_command": True},
            "needs synchronous_mode",
        ),
        ({"faults": "stall"}, "faults: expected stall:SECONDS@TICK.*'stall'"),
        ({"strict": True, "command_wait": 10.0}, "strict needs command_wait 1"),
        ({"synchronous_mode": False, "real_time_factor": 0.0}, "real_time_factor 0 .* needs synchronous_mode"),
    ],
)
def test_values_that_cannot_be_used_are_refused_by_name(values, words):
    with pytest.raises(ValueError, match=words):
        BridgeConfig.from_values(values)


def test_a_whole_number_is_accepted_for_a_float():
    config = BridgeConfig.from_values({"real_time_factor": 2, "wait_for_driver": 3})
    assert config.tick_wall_s == pytest.approx(0.04)  # 0.08 s / 2
    assert isinstance(config.wait_for_driver, float)


def test_factor_zero_means_no_waiting():
    assert BridgeConfig(real_time_factor=0.0).tick_wall_s == 0.0
