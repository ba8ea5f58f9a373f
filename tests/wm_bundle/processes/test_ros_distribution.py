"""The distributions: each is told the same in its own words."""

import re
import sys
import time
import types
from pathlib import Path

import pytest
from wm_bundle.processes import ros_distribution

ROOT = Path(__file__).parents[3]
# What distributions are told apart by. A name in a message or comment decides nothing.
TELLING = re.compile(
    r"(?<!WM_)ROS_DISTRO\b|ROS_LOCALHOST_ONLY|ROS_AUTOMATIC_DISCOVERY_RANGE|ROS_STATIC_PEERS|rclpy\.qos_event|rclpy\.event_handler"
    r"|FASTRTPS_DEFAULT|FASTDDS_DEFAULT|\"humble|CallbackType"
)
ONE_PLACE = {"ros2_ws/src/wm_bundle/wm_bundle/processes/ros_distribution.py", "scripts/ros_underlay.sh"}
# Their tests, and the choice of the image and of CARLA's bridge.
ABOUT_IT = {
    "tests/carla_bridge/carla_rig.py",
    "tests/wm_bundle/processes/test_ros_distribution.py",
    "tests/tools/test_setup.py",
    "tests/tools/test_docker.py",
    "tests/tools/test_documents.py",
    "docker/Dockerfile",
    "docker/compose.yaml",
}
SUFFIXES = {".py", ".sh", ".xml", ".yaml", ".json", ".cfg", ".toml", ".txt", ".cmake", ".zsh", ".bash", ""}
FOLDERS = ("ros2_ws/src", "launch", "config", "scripts", "tools", "docker", "tests", "benchmarks", "requirements")


@pytest.mark.parametrize(
    "distribution, variable",
    [("humble", ("ROS_LOCALHOST_ONLY", "1"))]
    + [(name, ("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")) for name in ("jazzy", "kilted", "lyrical")],
)
def test_a_child_sees_its_domain_and_this_machine_only(monkeypatch, distribution, variable):
    monkeypatch.setenv("ROS_DISTRO", distribution)
    monkeypatch.setenv("ROS_STATIC_PEERS", "192.0.2.1")
    variables = ros_distribution.local_environment(17)
    assert {("ROS_DOMAIN_ID", "17"), variable, ("ROS_DISTRO", distribution)} <= set(variables.items())
    assert "ROS_STATIC_PEERS" not in variables


@pytest.mark.parametrize("distribution, can", [("humble", False), ("jazzy", True), ("kilted", True), ("lyrical", True)])
def test_only_newer_bag_play_leaves_topics_out(monkeypatch, distribution, can):
    monkeypatch.setenv("ROS_DISTRO", distribution)
    assert ros_distribution.bag_play_leaves_topics_out() == can


def test_the_callbacks_are_found_under_humbles_name_of_their_module(monkeypatch):
    humble = types.SimpleNamespace(PublisherEventCallbacks=int, SubscriptionEventCallbacks=float)
    monkeypatch.setitem(sys.modules, "rclpy.event_handler", None)  # as if it did not exist
    monkeypatch.setitem(sys.modules, "rclpy.qos_event", humble)
    assert ros_distribution.event_callbacks() == (int, float)


@pytest.mark.parametrize("folder, variable", [("fastrtps", "FASTRTPS"), ("fastdds", "FASTDDS")])
def test_the_profiles_of_fast_dds_3_are_named_by_another_variable(tmp_path, monkeypatch, folder, variable):
    (tmp_path / "ros/share" / folder).mkdir(parents=True)
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{tmp_path}/mine:{tmp_path}/ros")
    assert ros_distribution.dds_profiles_variable() == f"{variable}_DEFAULT_PROFILES_FILE"


def test_a_message_has_its_times_also_where_rclpy_does_not_tell_them(monkeypatch):
    got = []
    told = ros_distribution.with_times(lambda message, info: got.append((message, info)))
    told("picture", {"source_timestamp": 1, "received_timestamp": 2})
    assert got.pop() == ("picture", {"source_timestamp": 1, "received_timestamp": 2})
    monkeypatch.delattr("rclpy.subscription.Subscription.CallbackType")  # as in Humble
    before_ns = time.time_ns()
    ros_distribution.with_times(lambda message, info: got.append((message, info)))("picture")
    ((message, info),) = got
    assert message == "picture" and info["source_timestamp"] == info["received_timestamp"]
    assert before_ns <= info["received_timestamp"] <= time.time_ns()


def test_distributions_are_told_apart_in_one_place():
    files = [
        path
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.suffix in SUFFIXES and path.is_file() and "__pycache__" not in path.parts
    ] + [ROOT / "env.sh"]
    telling = {
        str(path.relative_to(ROOT))
        for path in files
        if TELLING.search(path.read_text(encoding="utf-8", errors="ignore").replace("ros-$ROS_DISTRO-", ""))
    }
    assert ONE_PLACE <= telling, "the search finds nothing"
    assert telling - ONE_PLACE - ABOUT_IT == set(), f"move what differs to one of {sorted(ONE_PLACE)}"
