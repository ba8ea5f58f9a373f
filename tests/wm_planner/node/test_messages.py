"""Messages of the planner: what is in them, and that odd ones do no harm."""

import array
import math
from types import SimpleNamespace

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from carla_msgs.msg import CarlaEgoVehicleStatus
from nav_msgs.msg import Odometry
from sensor_msgs.msg import CompressedImage, Image
from wm_bundle import VectorSpec
from wm_bundle.times import ns_of
from wm_bundle.vector_inputs import SPEED
from wm_planner.node.diagnostics import Diagnosis, Level
from wm_planner.node.messages import (
    MOST_MARKED,
    diagnostics_message,
    future_message,
    markers_message,
    raw_image_of,
    rollouts_message,
    sample_of,
    tell_signals,
    time_message,
)

STAMP = Time(sec=3, nanosec=5)


@pytest.mark.parametrize("nanoseconds", [0, 1, 80_000_000, 3_000_000_005, -5])
def test_stamps_survive_the_way_there_and_back(nanoseconds):
    assert ns_of(time_message(nanoseconds)) == nanoseconds


def test_the_largest_stamp_of_a_message_does_not_overflow():
    assert time_message(ns_of(Time(sec=2**31 - 1, nanosec=2**32 - 1))).sec == 2**31 - 1


def test_a_compressed_image_keeps_its_format_for_who_decodes_it():
    image = raw_image_of(CompressedImage(format="rgb8; jpeg compressed bgr8", data=array.array("B", [1, 2])))
    assert (image.encoding, image.height, bytes(image.data)) == ("rgb8; jpeg compressed bgr8", 0, b"\1\2")
    assert image.compressed


def test_a_raw_image_is_not_copied():
    message = Image(height=1, width=2, encoding="mono8", step=2, data=array.array("B", [1, 2]))
    assert np.shares_memory(np.frombuffer(raw_image_of(message).data, np.uint8), np.frombuffer(message.data, np.uint8))


def test_the_speed_of_an_odometry_is_the_length_of_its_velocity():
    message = Odometry()
    message.twist.twist.linear.x, message.twist.twist.linear.y = -3.0, 4.0
    _, odometry, _ = SPEED.sources
    assert SPEED.reading(sample_of(odometry, message).value) == 5.0


@pytest.mark.parametrize(("steer", "command"), [(-3.0, (-1.0, 0.5, 0.0)), (math.nan, None)])
def test_a_status_tells_the_command_within_its_limits_and_nothing_where_that_is_no_number(steer, command):
    message = CarlaEgoVehicleStatus(velocity=4.0)
    message.control.steer, message.control.throttle = steer, 0.5
    sample = sample_of(SPEED.sources[0], message)
    assert sample.command == command and (sample.value == 4.0) == (command is not None)


def test_the_imagined_future_stands_side_by_side():
    pictures = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
    future = future_message(pictures, STAMP)
    assert (future.height, future.width, future.step, future.encoding) == (4, 10, 30, "rgb8")
    strip = np.frombuffer(future.data, np.uint8).reshape(4, 10, 3)
    np.testing.assert_array_equal(strip[:, 5:], pictures[1].transpose(1, 2, 0))
    plan = SimpleNamespace(
        candidates=np.ones((6, 2, 3), np.float32), returns=np.arange(6, dtype=np.float32), best=5, in_flight=1
    )
    rollouts = rollouts_message(plan, future, 0.08, STAMP)
    assert (rollouts.candidates, rollouts.horizon, rollouts.best, rollouts.header.stamp) == (6, 2, 5, STAMP)
    assert len(rollouts.actions) == 36 and list(rollouts.returns) == [0, 1, 2, 3, 4, 5] and rollouts.in_flight == 1
    assert list(rollouts.signals) == [] and len(rollouts.signal_values) == 0
    specs = (VectorSpec("speed", "m/s", 0.0, 1.0), VectorSpec("yaw_rate", "rad/s", 0.0, 1.0))
    tell_signals(rollouts, np.arange(6.0).reshape(3, 2), specs)
    assert rollouts.signals == ["speed", "yaw_rate"] and rollouts.signal_units == ["m/s", "rad/s"]
    assert list(rollouts.signal_values) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("returns", [np.arange(100.0), np.full(100, np.nan)])
def test_markers_are_few_in_the_frame_asked_for_and_disappear_by_themselves(returns):
    lines, best = markers_message(np.ones((100, 4, 2)), returns, 99, "base_link", STAMP).markers
    assert len(lines.points) == len(lines.colors) == MOST_MARKED * 2 * 3  # 3 stretches of 2 ends each
    assert len(best.points) == 4
    for marker in (lines, best):
        assert marker.header.frame_id == "base_link" and marker.header.stamp == STAMP
        assert marker.lifetime.sec > 0 and marker.pose.orientation.w == 1.0 and marker.scale.x > 0.0
    assert (lines.colors[-1].g, lines.colors[-1].r) == (1.0, 0.0)  # the largest return is drawn last and green


def test_diagnostics_bear_names_levels_and_values():
    line = Diagnosis("wm_planner: camera", Level.WARN, "slow", {"rate [Hz]": "9"})
    message = diagnostics_message([line], "model", STAMP)
    (status,) = message.status
    assert (status.level, status.name, status.message, status.hardware_id) == (b"\1", line.name, "slow", "model")
    assert [(value.key, value.value) for value in status.values] == [("rate [Hz]", "9")]
