"""Which of a bag's cameras are read."""

import numpy as np
import pytest
from fixtures_rosbag import CAMERA, VEHICLE, Recording, write_bag
from rosbag_conversion import converted, error_of, ordered, pictures, status, tick_ns


def cameras(*names: str) -> Recording:
    return ordered(status(), *(pictures(f"{VEHICLE}/{name}/image") for name in names))


@pytest.mark.parametrize("names", [("rgb_left", "rgb_front"), ("rgb_front", "depth_front"), ("a", "CAM_FRONT", "b")])
def test_of_several_cameras_the_one_in_front_is_taken(tmp_path, names):
    _, report = converted(write_bag(tmp_path / "bag", cameras(*names)))
    expected = next(name for name in names if name in ("rgb_front", "CAM_FRONT"))
    assert f"camera {expected}: {VEHICLE}/{expected}/image" in report.notes


@pytest.mark.parametrize("names", [("left", "right"), ("front_left", "front_right")])
def test_cameras_of_which_none_alone_is_in_front_are_listed(tmp_path, names):
    message = error_of(tmp_path, cameras(*names))
    assert "--cameras" in message and all(f"{VEHICLE}/{name}/image" in message for name in names)


def test_cameras_are_stacked_in_the_order_in_which_they_are_named(tmp_path):
    right = pictures(f"{VEHICLE}/right/image").changed(
        f"{VEHICLE}/right/image", lambda f, log: (f | {"data": np.full(256, 77, np.uint8)}, log)
    )
    bag = write_bag(tmp_path / "bag", ordered(status(), pictures(), right))
    (episode,), _ = converted(bag, cameras=("right", "rgb_front"))
    assert episode.observations.shape[1] == 6
    assert (episode.observations[:, 0] == 77).all() and (episode.observations[2, 3] == 40).all()
    (episode,), _ = converted(bag, topics=(f"ahead={CAMERA}",))
    assert [camera["name"] for camera in episode.meta["cameras"]] == ["ahead"]


def test_a_compressed_copy_of_a_camera_is_no_second_camera(tmp_path):
    copy = Recording()
    copy.add(f"{CAMERA}/compressed", "sensor_msgs/msg/CompressedImage", tick_ns(0), format="jpeg", data=[1, 2])
    _, report = converted(write_bag(tmp_path / "bag", ordered(status(), pictures(), copy)))
    assert f"camera rgb_front: {CAMERA}" in report.notes
