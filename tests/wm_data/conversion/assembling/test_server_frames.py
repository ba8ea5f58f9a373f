"""Recordings of a simulator that runs free: the pictures' gaps alternate, their rate does not."""

import numpy as np
import pytest
from fixtures_rosbag import CAMERA, VEHICLE, Recording, control, image, stamped, write_bag
from rosbag_conversion import converted
from server_frames import camera_stamps


@pytest.mark.parametrize("rate", [None, 12.5])
@pytest.mark.parametrize(("frames_per_s", "jitter"), [(20, 0.0), (30, 0.1), (60, 0.0)])
def test_every_picture_is_a_row_of_one_episode_at_the_cameras_rate(tmp_path, frames_per_s, jitter, rate):
    recording = Recording()
    for stamp_s in camera_stamps(frames_per_s, jitter, 200)[0]:
        stamp = round((stamp_s + 1.0) * 1e9)
        status = {"header": stamped(stamp), "velocity": 5.0, "control": control(0.1, stamp_ns=stamp)}
        recording.add(f"{VEHICLE}/vehicle_status", "carla_msgs/msg/CarlaEgoVehicleStatus", stamp, **status)
        recording.add(CAMERA, "sensor_msgs/msg/Image", stamp, **image(stamp, np.full((8, 8, 4), 9, np.uint8)))
    (episode,), report = converted(write_bag(tmp_path / "bag", recording), rate=rate)
    assert len(episode) == 199 and not report.skipped
    assert episode.meta["rate_hz"] == pytest.approx(12.5, rel=0.02)
