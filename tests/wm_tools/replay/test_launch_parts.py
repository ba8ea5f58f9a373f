"""What bag_replay.launch.py gives to the planner and to either player."""

import pytest
from ament_index_python.packages import PackageNotFoundError
from wm_tools.replay import launch
from wm_tools.replay.play_bag_options import parse_options

RENAMED = ["/carla/ego_vehicle/vehicle_control_cmd:=/recorded/carla/ego_vehicle/vehicle_control_cmd"]


def test_the_planners_patience_grows_where_the_bag_is_played_slowly():
    assert launch.planner_parameters("", 1.0) == {"image_timeout_s": 0.25}
    assert launch.planner_parameters("", 5.0) == {"image_timeout_s": 0.25}
    assert launch.planner_parameters("", 0.5) == {"image_timeout_s": 0.5}
    given = launch.planner_parameters("image_timeout_s=2.0 preprocessed_images=true candidates=32", 0.5)
    assert given == {"image_timeout_s": 2.0, "preprocessed_images": True, "candidates": 32}


@pytest.mark.parametrize(
    "text, rate, message",
    [
        ("", 0.1, "rate:=0.1: expected 0.2 to 20"),
        ("", float("nan"), "rate:=nan"),
        ("speed=2", 1.0, "NAME=VALUE"),
        ("candidates=many", 1.0, "candidates: expected a value of type int"),
    ],
)
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
    options = parse_options(launch.own_arguments("drive.mcap", 5.0, RENAMED, 100.0, False, 30.0))
    assert options.max_gap_s == 30.0
    assert (options.rate, options.clock_hz, options.subscribers) == (5.0, 100.0, 2)
    assert list(options.remap) == ["/carla/ego_vehicle/vehicle_control_cmd"]
    assert parse_options(launch.own_arguments("drive.mcap", 1.0, RENAMED, 0.0, False, 60.0)).clock_hz == 0.0
    assert [
        parse_options(launch.own_arguments("drive.mcap", 1.0, RENAMED, 0.0, recover, 60.0)).recover
        for recover in (False, True)
    ] == [False, True]


def test_rosbag2_is_told_the_same_and_never_plays_two_clocks():
    command = launch.rosbag2_command("drive.mcap", 5.0, RENAMED, 100.0)
    assert command[:6] == ["ros2", "bag", "play", "drive.mcap", "--rate", "5"]
    assert command[-4:] == ["--clock", "100", "--exclude-topics", "/clock"]
    assert "--clock" not in launch.rosbag2_command("drive.mcap", 5.0, RENAMED, 0.0)


def test_rosbag2_is_given_what_it_can_read(monkeypatch, tmp_path):
    installed = {"ros2bag", "rosbag2_transport", "rosbag2_storage_mcap"}

    def prefix(package):
        if package not in installed:
            raise PackageNotFoundError(package)
        return "/opt/ros"

    monkeypatch.setattr(launch, "get_package_prefix", prefix)
    (tmp_path / "recorded").mkdir()
    (tmp_path / "recorded/recorded_0.mcap").touch()
    mcap = ["drive.mcap", str(tmp_path / "recorded")]
    assert all(launch.has_rosbag2(bag, 0.0) for bag in (*mcap, "drive.db3"))
    for name in ("drive.bag", "drive.bag.active", "drive.mcap.part", "drive.db3.zstd"):  # ROS 1, and what convert reads
        assert not launch.has_rosbag2(name, 0.0)
    installed.remove("rosbag2_storage_mcap")  # it comes as a package of its own
    assert [launch.has_rosbag2(bag, 0.0) for bag in (*mcap, "drive.db3")] == [False, False, True]
    installed.remove("ros2bag")
    assert not launch.has_rosbag2("drive.db3", 0.0)


def test_where_bag_play_cannot_leave_the_clock_out_our_own_player_gives_one(monkeypatch):
    monkeypatch.setattr(launch, "get_package_prefix", lambda package: "/opt/ros")
    monkeypatch.setattr(launch, "bag_play_leaves_topics_out", lambda: False)
    assert launch.has_rosbag2("drive.db3", 0.0) and not launch.has_rosbag2("drive.db3", 100.0)
    with pytest.raises(RuntimeError, match="use player:=own"):
        launch.rosbag2_command("drive.db3", 1.0, RENAMED, 100.0)
    assert "--exclude-topics" not in launch.rosbag2_command("drive.db3", 1.0, RENAMED, 0.0)
