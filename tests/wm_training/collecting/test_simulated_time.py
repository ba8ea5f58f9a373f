"""What the recorder knows of the simulator's time."""

import numpy as np
import pytest
import rclpy
from carla_msgs.msg import CarlaStatus
from server_frames import camera_stamps
from wm_training.collecting.simulated_time import SimulatedTime


@pytest.fixture
def time_of():
    rclpy.init()
    node = rclpy.create_node("recorder")

    def make(**status):
        time = SimulatedTime(node)
        (heard,) = [one for one in node.subscriptions if one.topic_name == "/carla/status"]

        def tell(**changes):
            heard.callback(CarlaStatus(**{**status, **changes}))

        tell()
        return time, tell

    yield make
    node.destroy_node()
    rclpy.try_shutdown()


def test_a_synchronous_servers_period_is_its_own(time_of):
    time, _ = time_of(synchronous_mode=True, fixed_delta_seconds=float(np.float32(0.08)))
    assert time.synchronous and time.period_ns == 79_999_998


def test_pictures_tell_the_period_of_a_server_that_keeps_its_own_time(time_of):
    time, _ = time_of(synchronous_mode=False, synchronous_mode_running=True)
    stamp_ns, step_ns = 5, 22_000_000
    for i in range(26):  # the camera takes part in a step when 0.08 s have passed: in every third, fourth or fifth
        assert time.period_ns is None
        time.note_picture(stamp_ns + -(-i * 80_000_000 // step_ns) * step_ns + (80_000_000 if i > 20 else 0))
    assert abs(time.period_ns / 80_000_000 - 1) < 0.02  # also though one picture was lost
    assert time.stands_still() is True and not time.synchronous


@pytest.mark.parametrize("frames_per_s", [20, 25, 30, 40, 60])
def test_the_period_is_known_at_any_frame_rate_of_the_server(time_of, frames_per_s):
    time, _ = time_of(synchronous_mode=False, synchronous_mode_running=True)
    for stamp_s in camera_stamps(frames_per_s, 0.1, 26)[0]:
        time.note_picture(round(stamp_s * 1e9))
    assert abs(time.period_ns / 80_000_000 - 1) < 0.03


def test_only_what_was_said_since_a_simulator_was_let_go_counts(time_of):
    time, tell = time_of(synchronous_mode=True, synchronous_mode_running=False)
    assert time.stands_still() and not time.stands_still(for_s=5.0)
    time.step()
    assert not time.stands_still() and not time.runs
    tell(synchronous_mode_running=True)
    assert time.runs
    tell(synchronous_mode_running=False)
    assert time.stands_still() and not time.runs
