"""A command that is sent as any message, and read from it by ``convert``, is the same command."""

import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from wm_bundle.processes.parameters import ParameterError
from wm_bundle.vehicle_commands.definition import (
    BRAKE_MPS2,
    DEADBAND_MPS2,
    THROTTLE_MPS2,
    coasting_mps2,
    pedals_of_acceleration,
)
from wm_bundle.vehicle_commands.messages import AUTOWARE, OUTPUTS, CommandOutput
from wm_bundle.vehicle_commands.parameters import CommandParameters
from wm_bundle.vehicle_commands.reading import CommandReader
from wm_bundle.vehicle_commands.writing import CommandWriter

STAMP = Time(sec=3, nanosec=500)
CAR = CommandParameters(max_speed=100.0, wheelbase=2.85)
MOTIONS = [name for name, output in OUTPUTS.items() if output.fill is not None]
STEER, PEDAL, SPEED = st.floats(-1, 1), st.floats(0, 1), st.floats(0, 60)


class AutowareControl(SimpleNamespace):
    """A stand-in for a package that is not installed here: the fields of autoware_control_msgs/Control."""

    def __init__(self):
        lateral = dict.fromkeys(("steering_tire_angle", "steering_tire_rotation_rate"), 0.0)
        longitudinal = dict.fromkeys(("velocity", "acceleration", "jerk"), 0.0)
        super().__init__(
            stamp=Time(),
            lateral=SimpleNamespace(stamp=Time(), is_defined_steering_tire_rotation_rate=False, **lateral),
            longitudinal=SimpleNamespace(
                stamp=Time(), is_defined_acceleration=False, is_defined_jerk=False, **longitudinal
            ),
        )


@pytest.fixture(autouse=True)
def autoware_installed(monkeypatch):
    real = CommandOutput.message_class.fget
    stand_in = property(lambda output: AutowareControl if output.type == AUTOWARE else real(output))
    monkeypatch.setattr(CommandOutput, "message_class", stand_in)


def vehicle(output: str, **changes) -> CommandParameters:
    return dataclasses.replace(CAR, command_output=output, **changes)


def there_and_back(parameters: CommandParameters, command, speed: float | None, read_at: float | None = None):
    """What ``convert`` reads from the message that is sent for a command."""
    message = CommandWriter(parameters)(np.array(command), STAMP, speed)
    largest = parameters.max_steering_angle * parameters.steering_ratio
    reader = CommandReader(parameters.output.type, largest, parameters.wheelbase)
    return reader(message, speed if read_at is None else read_at)


def invertible(throttle: float, brake: float, speed: float) -> bool:
    """Whether a speed can tell these pedals: not where they are in the deadband of a log's noise, and not where the
    vehicle would stand within the second that the speed is reached in."""
    pressed = THROTTLE_MPS2 * throttle - BRAKE_MPS2 * brake
    stands = speed + pressed - coasting_mps2(speed) <= 1e-3
    return abs(pressed) > 1.01 * DEADBAND_MPS2 and not stands


@pytest.mark.parametrize("output", MOTIONS)
@settings(deadline=None, max_examples=200)
@given(steer=STEER, pedal=PEDAL, brakes=st.booleans(), speed=SPEED, wheelbase=st.floats(0.1, 5.0))
def test_sent_and_read_a_command_is_the_same(output, steer, pedal, brakes, speed, wheelbase):
    throttle, brake = (0.0, pedal) if brakes else (pedal, 0.0)
    assume(invertible(throttle, brake, speed))
    command = there_and_back(vehicle(output, wheelbase=wheelbase), (steer, throttle, brake), speed)
    assert command.beyond is None
    np.testing.assert_allclose(command.values, (steer, throttle, brake), rtol=0, atol=2e-5)


@settings(deadline=None)
@given(steer=STEER, pedal=PEDAL, brakes=st.booleans(), speed=SPEED)
def test_autoware_s_acceleration_tells_any_pedal_at_any_speed(steer, pedal, brakes, speed):
    throttle, brake = (0.0, pedal) if brakes else (pedal, 0.0)
    assume(abs(THROTTLE_MPS2 * throttle - BRAKE_MPS2 * brake) > 1.01 * DEADBAND_MPS2)
    command = there_and_back(vehicle("autoware"), (steer, throttle, brake), speed)
    np.testing.assert_allclose(command.values, (steer, throttle, brake), rtol=0, atol=2e-5)


@settings(deadline=None)
@given(throttle=PEDAL, brake=PEDAL, speed=SPEED)
def test_pedals_are_the_inverse_of_the_acceleration_they_mean(throttle, brake, speed):
    assume(THROTTLE_MPS2 * throttle > DEADBAND_MPS2)
    acceleration = THROTTLE_MPS2 * throttle - coasting_mps2(speed)
    assert pedals_of_acceleration(acceleration, speed) == pytest.approx((throttle, 0.0), abs=1e-9)


@settings(deadline=None)
@given(steer=STEER, throttle=PEDAL, brake=PEDAL, speed=st.none() | st.floats(0, 90), fastest=st.floats(0.1, 40))
def test_no_message_asks_for_more_than_the_vehicle_s_limits(steer, throttle, brake, speed, fastest):
    parameters = vehicle(
        "ackermann", max_speed=fastest, max_acceleration=1.5, max_deceleration=3.0, max_steering_angle=0.4
    )
    drive = CommandWriter(parameters, 0.1)((steer, throttle, brake), STAMP, speed)
    assert 0.0 <= drive.speed <= np.float32(fastest) and abs(drive.steering_angle) <= 0.4 + 1e-6
    now = speed or 0.0
    assert drive.acceleration <= 3.0 + coasting_mps2(now) + 1e-4
    assert brake == 0.0 or drive.speed <= now + 1e-6  # the brake wins over the throttle


@pytest.mark.parametrize("output", MOTIONS)
def test_a_full_brake_is_an_order_to_stand_with_straight_wheels_and_no_turn(output):
    for speed in (None, 0.0, 3.0, 50.0):
        message = CommandWriter(vehicle(output))((0.0, 0.0, 1.0), STAMP, speed)
        motion = OUTPUTS[output].read(message)
        assert motion.speed_mps == 0.0 and motion.angle_rad == 0.0 and not motion.turn_rps
        assert not OUTPUTS[output].lets_move(message)
        if output in ("ackermann", "ackermann_stamped"):
            assert motion.limit_mps2 == pytest.approx(BRAKE_MPS2 + coasting_mps2(speed or 0.0))
        if output == "autoware":
            assert motion.acceleration_mps2 == pytest.approx(-BRAKE_MPS2 - coasting_mps2(speed or 0.0))


@pytest.mark.parametrize("output", MOTIONS)
def test_an_order_that_is_not_a_number_counts_as_one_that_lets_the_vehicle_move(output):
    message = CommandWriter(vehicle(output))((0.0, 0.0, math.nan), STAMP, 3.0)
    assert OUTPUTS[output].lets_move(message)


@pytest.mark.parametrize("pedals", [(0.0, 0.5), (0.1, 1.0), (math.nan, 1.0), (0.0, math.nan), (0.0, 0.0)])
def test_anything_but_a_full_brake_on_the_pedals_lets_the_vehicle_move(pedals):
    carla = OUTPUTS["carla"]
    assert carla.lets_move(CommandWriter(CommandParameters())((0.0, *pedals), STAMP))
    assert not carla.lets_move(CommandWriter(CommandParameters())((0.3, 0.0, 1.0), STAMP))


def test_right_is_negative_and_a_twist_turns_as_the_wheels_would():
    drive = CommandWriter(vehicle("ackermann", max_steering_angle=0.4, steering_ratio=10.0))((0.5, 0, 0), STAMP, 5.0)
    assert drive.steering_angle == pytest.approx(-0.5 * 0.4 * 10.0)
    twist = CommandWriter(vehicle("twist", max_steering_angle=0.4, wheelbase=0.16, max_speed=0.26))(
        (-1.0, 1.0, 0), STAMP, 0.2
    )
    assert twist.linear.x == 0.26 and twist.angular.z == pytest.approx(0.26 * math.tan(0.4) / 0.16)


def test_a_vehicle_whose_speed_is_not_measured_is_assumed_to_follow_its_commands():
    write = CommandWriter(vehicle("twist", max_speed=2.0), period_s=0.1)
    speeds = [write((0.0, 1.0, 0.0), STAMP).linear.x for _ in range(20)]
    # 4 m/s^2 for 1 s from 0, 0.4, then with 0.15 m/s^2 of drag 0.785 m/s ...
    assert speeds[0] == 2.0 and write((0.0, 0.0, 0.0), STAMP).linear.x == pytest.approx(2.0 - 0.15, abs=0.01)
    assert write((0.0, 0.0, 1.0), STAMP).linear.x == 0.0
    assert write((0.0, 0.1, 0.0), STAMP).linear.x == pytest.approx(0.4)  # from 0 again
    assert write((0.0, 0.0, 0.5), STAMP, 9.0).linear.x == 2.0 and write((0.0, 0.5, 0.0), STAMP).linear.x == 2.0


@settings(deadline=None)
@given(throttle=PEDAL, speed=st.floats(0, 12))
def test_what_a_vehicle_is_told_in_effect_never_leads_beyond_its_largest_speed(throttle, speed):
    write = CommandWriter(vehicle("ackermann", max_speed=8.0))
    told = write.limited(np.array([0.2, throttle, 0.0], np.float32), speed)
    read = there_and_back(vehicle("ackermann", max_speed=8.0), (0.2, throttle, 0.0), speed)
    if THROTTLE_MPS2 * throttle > 1.01 * DEADBAND_MPS2 and told[1] * THROTTLE_MPS2 > 1.01 * DEADBAND_MPS2:
        np.testing.assert_allclose(told, read.values, rtol=0, atol=2e-5)
    assert told[1] <= np.float32(throttle)


@pytest.mark.parametrize(
    "values, message",
    [
        ({"command_output": "twist", "max_speed": 1.0}, "parameter wheelbase: expected the distance"),
        ({"command_output": "ackermann"}, "parameter max_speed: expected the vehicle's largest speed"),
        ({"command_output": "tank"}, "parameter command_output: expected one of carla, twist"),
        ({"max_steering_angle": 70.0}, "expected 0.01 to 1.5 rad"),
    ],
)
def test_what_a_vehicle_lacks_is_said_in_one_line(values, message):
    with pytest.raises(ParameterError, match=message) as error:
        Vehicle.from_values(values)
    assert "\n" not in str(error.value)


def test_a_message_that_is_not_installed_is_refused_in_one_line(monkeypatch):
    monkeypatch.undo()
    with pytest.raises(ParameterError, match="command_output autoware: expected the message autoware_control") as error:
        Vehicle.from_values({"command_output": "autoware", "max_speed": 3.0})
    assert "\n" not in str(error.value) and "install the package autoware_control_msgs" in str(error.value)


@dataclasses.dataclass(frozen=True)
class Vehicle(CommandParameters):
    role_name: str = "hero"


@pytest.mark.parametrize(
    "output, topic",
    [
        ("carla", "/carla/hero/vehicle_control_cmd"),
        ("ackermann", "/carla/hero/ackermann_cmd"),
        ("ackermann_stamped", "/drive"),
        ("twist", "/cmd_vel"),
        ("autoware", "/control/command/control_cmd"),
    ],
)
def test_each_message_has_its_usual_topic_and_a_given_one_wins(output, topic):
    parameters = dataclasses.replace(Vehicle(), command_output=output)
    assert parameters.topic("control_topic") == topic
    assert dataclasses.replace(parameters, control_topic="/mine").topic("control_topic") == "/mine"
