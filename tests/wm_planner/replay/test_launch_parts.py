"""What bag_replay.launch.py gives to the planner and to either player."""

import pytest
from wm_planner.replay import launch
from wm_planner.replay.options import parse_options

RENAMED = ["/carla/ego_vehicle/vehicle_control_cmd:=/recorded/carla/ego_vehicle/vehicle_control_cmd"]


def test_the_planners_patience_grows_where_the_bag_is_played_slowly():
    assert launch.planner_parameters("", 1.0) == {"image_timeout_s": 0.25}
    assert launch.planner_parameters("", 5.0) == {"image_timeout_s": 0.25}
    assert launch.planner_parameters("", 0.5) == {"image_timeout_s": 0.5}
    given = launch.planner_parameters("image_timeout_s=2.0 preprocessed_images=true candidates=32", 0.5)
    assert given == {"image_timeout_s": 2.0, "preprocessed_images": True, "candidates": 32}


@pytest.mark.parametrize("text, rate, message", [
    ("", 0.1, "rate:=0.1: expected 0.2 to 20"), ("", float("nan"), "rate:=nan"),
    ("speed=2", 1.0, "NAME=VALUE"), ("candidates=many", 1.0, "candidates: expected a value of type int"),
])  # fmt: skip
def test_what_the_planner_does_not_know_is_refused_before_anything_starts(text, rate, message):
    with pytest.raises(RuntimeError, match=message):
        launch.planner_parameters(text, rate)


def test_every_topic_that_the_planner_publishes_on_is_played_elsewhere():
    renamed = launch.remaps("hero", {"control_topic": "/drive"})
    assert "/drive:=/recorded/drive" in renamed
    assert "/carla/hero/planner/status:=/recorded/carla/hero/planner/status" in renamed
    assert "/diagnostics:=/recorded/diagnostics" in renamed
    assert len(renamed) == 6


def test_our_player_understands_what_the_launch_file_tells_it():
    options = parse_options(launch.own_arguments("drive.mcap", 5.0, RENAMED, 100.0))
    assert (options.rate, options.clock_hz, options.subscribers) == (5.0, 100.0, 2)
    assert list(options.remap) == ["/carla/ego_vehicle/vehicle_control_cmd"]
    assert parse_options(launch.own_arguments("drive.mcap", 1.0, RENAMED, 0.0)).clock_hz == 0.0


@pytest.mark.parametrize("distribution, excluding", [
    ("jazzy", ["--exclude-topics", "/clock"]), ("humble", ["--exclude", "^/clock$"])])
def test_rosbag2_is_told_the_same_and_never_plays_two_clocks(monkeypatch, distribution, excluding):
    monkeypatch.setenv("ROS_DISTRO", distribution)
    command = launch.rosbag2_command("drive.mcap", 5.0, RENAMED, 100.0)
    assert command[:6] == ["ros2", "bag", "play", "drive.mcap", "--rate", "5"]
    assert command[-4:] == ["--clock", "100", *excluding]
    assert "--clock" not in launch.rosbag2_command("drive.mcap", 5.0, RENAMED, 0.0)


def test_a_ros_1_bag_is_never_given_to_rosbag2(monkeypatch):
    monkeypatch.setattr(launch, "get_package_prefix", lambda package: "/opt/ros/jazzy")
    assert launch.has_rosbag2("drive.mcap")
    assert not launch.has_rosbag2("drive.bag")
