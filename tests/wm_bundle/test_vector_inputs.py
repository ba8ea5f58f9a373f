"""The registry of vector inputs: what each entry reads out of messages, and where a vector has it."""

import math
from types import SimpleNamespace as Message

import pytest
from wm_bundle.vector_inputs import (
    ROUTE,
    SPEED,
    VECTOR_INPUTS,
    YAW_RATE,
    InputTopic,
    Source,
    converted_inputs,
    known_input,
    usual_inputs,
)


def twist(x=0.0, y=0.0, z=0.0, turn=0.0) -> Message:
    return Message(linear=Message(x=x, y=y, z=z), angular=Message(z=turn))


def test_every_entry_is_found_by_its_name_and_a_kind_is_one_topic():
    assert all(name == entry.name for name, entry in VECTOR_INPUTS.items())
    topics = {source.topic for entry in VECTOR_INPUTS.values() for source in entry.sources}
    assert len({topic.kind for topic in topics}) == len(topics)


def test_a_speed_is_the_length_of_the_velocity_backwards_below_zero_and_models_get_it_without_a_sign():
    status, odometry, speedometer = SPEED.sources
    assert status.read(Message(velocity=3)) == 3.0 and speedometer.read(Message(data=-2.0)) == -2.0
    message = Message(twist=Message(twist=twist(-3.0, 0.0, 4.0)))
    assert odometry.read(message) == -5.0 and SPEED.reading(odometry.read(message)) == 5.0
    assert odometry.read(Message(twist=twist(3.0))) == 3.0  # a TwistStamped has no covariance around it
    assert not math.isfinite(odometry.read(Message(twist=twist(1.0, math.nan))))


def test_a_yaw_rate_keeps_its_sign():
    odometry, imu = YAW_RATE.sources
    assert odometry.read(Message(twist=Message(twist=twist(turn=-0.5)))) == -0.5
    assert YAW_RATE.reading(imu.read(Message(angular_velocity=Message(z=-0.25)))) == -0.25


def test_a_field_that_a_message_lacks_is_an_attribute_error():
    with pytest.raises(AttributeError):
        Source(InputTopic("imu", "imu", "sensor_msgs/msg/Imu"), "linear_acceleration.x").read(Message())


@pytest.mark.parametrize(
    ("told", "place"),
    [
        ([{"name": "yaw_rate"}, {"name": "speed"}], 1),
        ([{"name": "yaw_rate"}], None),
        (["speed", None, {"name": "speed"}], 2),
        ("speed", None),
        (None, None),
    ],
)
def test_the_column_of_an_input_is_told_by_name(told, place):
    assert SPEED.place(told) == place


def read(name: str, message: Message) -> float:
    (source,) = VECTOR_INPUTS[name].sources
    return source.read(message)


def test_what_is_recorded_and_converted_without_being_asked_stays_so_that_old_and_new_data_agree():
    assert [entry.name for entry in usual_inputs()] == ["speed"]
    assert [entry.name for entry in converted_inputs()] == ["speed", "yaw_rate"]
    assert SPEED.longest_age_s(0.1) == 0.25 and VECTOR_INPUTS["speed_limit"].longest_age_s(0.1) == 10.0


@pytest.mark.parametrize(
    ("message", "angle"),
    [
        (Message(data=0.1), 0.1),
        (Message(steering_tire_angle=-0.2), -0.2),
        (Message(drive=Message(steering_angle=0.3)), 0.3),
        (Message(steering_angle=0.4), 0.4),
    ],
)
def test_a_steering_angle_comes_from_reports_and_commands_as_from_a_number(message, angle):
    assert read("steering_angle", message) == angle


def test_no_car_ahead_is_the_longest_gap_and_an_unknown_gap_is_no_number():
    gaps = [read("gap", Message(data=told)) for told in (12.5, 250.0, math.inf, -0.1)]
    assert gaps == [12.5, 100.0, 100.0, 0.0] and math.isnan(read("gap", Message(data=math.nan)))


@pytest.mark.parametrize(
    ("option", "numbers"), [(1, [1, 0, 0]), (2, [0, 1, 0]), (3, [0, 0, 1]), (4, [0, 0, 0]), (5, [0, 0, 0])]
)
def test_a_command_is_three_numbers_none_of_them_set_to_follow_the_road(option, numbers):
    names = ("command_left", "command_right", "command_straight")
    assert [read(name, Message(data=option)) for name in names] == numbers


def test_a_command_that_carla_does_not_know_is_no_number():
    assert all(math.isnan(read("command_left", Message(data=option))) for option in (-1, 0, 7))


def test_a_routes_numbers_are_derived_and_its_points_may_lie_at_any_distance():
    assert VECTOR_INPUTS["route_5m_x"].derived and not SPEED.derived
    assert known_input("route_80m_y") is VECTOR_INPUTS["route_80m_y"]
    made = known_input("route_15m_y")
    assert (made.name, made.unit, made.sources[0].topic) == ("route_15m_y", "m", ROUTE)
    assert known_input("route_0.5m_x").name == "route_0.5m_x" and known_input("route_12.25m_y") is not None
    for twice in ("route_0.50m_x", "route_5.0m_x", "route_0.0m_x", "route_.5m_x"):  # one name for one distance
        assert known_input(twice) is None
    assert known_input("route_05m_y") is known_input("route_5m_z") is known_input("battery") is None
