"""What of the messages reaches the guide."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry, Path
from rclpy.serialization import serialize_message
from wm_planner.config import PlannerConfig
from wm_planner.errors import ConfigError
from wm_planner.node.routes import subscribe_route


class FakeEndpoints:
    """Callbacks by topic; the latched subscription's too."""

    def __init__(self):
        self.heard = {}

    def subscription(self, kind, topic, callback, qos, raw=False):
        self.heard.setdefault(topic, []).append((kind, callback, raw))

    latched = subscription


class FakeGuide:
    active = True

    def __init__(self):
        self.routes, self.odometry = [], []

    def take_route(self, points, frame):
        self.routes.append((points.tolist(), frame))

    def take_odometry(self, *arguments):
        self.odometry.append(arguments)


@pytest.fixture
def guide():
    return FakeGuide()


def subscribe(guide, **parameters) -> FakeEndpoints:
    endpoints = FakeEndpoints()
    subscribe_route(endpoints, PlannerConfig(**parameters), guide)
    return endpoints


def path(*frames) -> Path:
    message = Path()
    message.header.frame_id = "map"
    for k, frame in enumerate(frames):
        pose = PoseStamped()
        pose.header.frame_id, pose.pose.position.x = frame, float(k)
        message.poses.append(pose)
    return message


def test_a_planner_that_follows_no_route_subscribes_to_nothing(guide):
    guide.active = False
    assert not subscribe(guide).heard


@pytest.mark.parametrize("frames", [("map", "map"), ("map", "a_longer_name"), ()])
def test_a_path_by_both_subscriptions_is_taken_once_and_whatever_its_layout(guide, frames):
    data = serialize_message(path(*frames))
    subscriptions = subscribe(guide).heard["/carla/ego_vehicle/waypoints"]
    assert len(subscriptions) == 2
    for kind, callback, raw in subscriptions:
        assert kind is Path and raw
        callback(data)
    assert guide.routes == [([[float(k), 0.0] for k in range(len(frames))], "map")]


def test_autowares_trajectory_where_it_is_installed(guide, monkeypatch):
    with pytest.raises(ConfigError, match="needs the package autoware_planning_msgs, which is not installed here"):
        subscribe(guide, route_source="autoware", route_topic="/planning/trajectory")
    package = ModuleType("autoware_planning_msgs.msg")
    package.Trajectory = object
    monkeypatch.setitem(sys.modules, "autoware_planning_msgs", ModuleType("autoware_planning_msgs"))
    monkeypatch.setitem(sys.modules, "autoware_planning_msgs.msg", package)
    ((kind, callback, raw), _) = subscribe(guide, route_source="autoware", route_topic="/t").heard["/t"]
    assert kind is object and not raw
    points = [SimpleNamespace(pose=SimpleNamespace(position=SimpleNamespace(x=x, y=2.0))) for x in (1.0, 5.0)]
    callback(SimpleNamespace(header=SimpleNamespace(frame_id="map"), points=points))
    assert guide.routes == [([[1.0, 2.0], [5.0, 2.0]], "map")]


@pytest.mark.parametrize(("w", "yaw"), [(1.0, 0.0), (0.0, np.nan)])
def test_an_orientation_that_nobody_set_is_none(guide, w, yaw):
    ((_, callback, _),) = subscribe(guide).heard["/carla/ego_vehicle/odometry"]
    message = Odometry()
    message.header.frame_id, message.header.stamp.sec = "map", 3
    message.pose.pose.position.x, message.pose.pose.orientation.w = 7.0, w
    message.twist.twist.linear.x, message.twist.twist.linear.y = 3.0, 4.0
    callback(message)
    assert guide.odometry == [(3_000_000_000, "map", (7.0, 0.0, pytest.approx(yaw, nan_ok=True)), 5.0)]
