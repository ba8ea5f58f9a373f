"""The registry of vector inputs: what each entry reads out of messages, and where a vector has it."""

import math
from types import SimpleNamespace as Message

import pytest
from wm_bundle.vector_inputs import SPEED, VECTOR_INPUTS, YAW_RATE, InputTopic, Source


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
