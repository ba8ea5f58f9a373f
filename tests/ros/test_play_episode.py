"""An episode, written back to a bag, drives the planner as the camera did that it was recorded from."""

import importlib
import time
from pathlib import Path

import graph
import pytest
from make_episodes import make_episode
from mcap.reader import make_reader
from rclpy.qos import QoSProfile
from test_planner import START_S, Observer, planner, stamp_s
from tiny_bundle import make_tiny_bundle
from wm_msgs.msg import PlannerStatus
from wm_training import write_episode
from wm_training.to_bag import main as to_bag

ROWS = 60


@pytest.fixture(scope="module")
def bag(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("play")
    write_episode(folder / "episode.npz", make_episode(rows=ROWS, size=64))
    assert to_bag([str(folder / "episode.npz"), str(folder / "episode.mcap")]) == 0
    return folder / "episode.mcap"


def play(observer: Observer, bag: Path) -> None:
    """Publish the messages as they are, at the pace of their times."""
    publishers = {}
    with open(bag, "rb") as stream:
        found = make_reader(stream).iter_messages()
        messages = [(schema.name, channel.topic, message) for schema, channel, message in found]
    for name, topic, _ in messages:
        if topic not in publishers:
            package, _, kind = name.split("/")
            message_type = getattr(importlib.import_module(f"{package}.msg"), kind)
            publishers[topic] = observer.node.create_publisher(message_type, topic, QoSProfile(depth=10))
    image = publishers["/carla/ego_vehicle/rgb_front/image"]
    observer.until(lambda: image.get_subscription_count() > 0, START_S)
    began_s, first_ns = time.monotonic(), messages[0][2].log_time
    for _, topic, message in messages:
        while (left_s := began_s + (message.log_time - first_ns) * 1e-9 - time.monotonic()) > 0:
            observer.executor.spin_once(timeout_sec=left_s)
        publishers[topic].publish(message.data)


def test_the_planner_drives_by_the_bag_of_an_episode_when_told_that_its_images_are_preprocessed(bag, tmp_path):
    bundle = make_tiny_bundle(tmp_path / "bundle")
    domain = graph.fresh_domain_id()
    with graph.rclpy_context(domain) as context:
        observer = Observer(context)
        with planner(domain, bundle, "autostart:=true", "preprocessed_images:=true", "deadline_ms:=1000.0") as node:
            observer.until_known()
            play(observer, bag)
            observer.spin_for(0.5)
            answers = [message for _, message in observer.statuses if stamp_s(message) > 0.0]
            driving = [message for message in answers if message.mode == PlannerStatus.MODE_DRIVING]
            # Discovery may lose the first ones, and an untrained model may be surprised: then the mode says so.
            assert len(driving) > ROWS // 2, node.output()
            assert not any("expected" in message.reason for message in answers)
        observer.executor.shutdown()
        observer.node.destroy_node()
