"""The planner while no image comes, and the time an image waits for it: the node in the test's own process."""

import time

import graph
import pytest
import rclpy
from failsafe_rig import GOOD, picture, stamp_of
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image
from tiny_bundle import make_tiny_bundle
from wm_msgs.msg import PlannerStatus, StepResult
from wm_planner.node.diagnostics import Asked
from wm_planner.node.planner_node import PlannerNode

IMAGE, STATUS = "/carla/ego_vehicle/rgb_front/image", "/carla/ego_vehicle/planner/status"


class Pair:
    """A planner and the rest of the graph, each with an executor of its own, spun by the test."""

    def __init__(self, node, other):
        self.node, self.other = node, other
        self.statuses: list[PlannerStatus] = []
        self._executors = []
        for one, context in ((node, node.context), (other, other.context)):
            self._executors.append(SingleThreadedExecutor(context=context))
            self._executors[-1].add_node(one)
        other.create_subscription(PlannerStatus, STATUS, self.statuses.append, 10)
        self.images = other.create_publisher(Image, "/other/image", 10)

    def until(self, holds, planner: bool = True):
        deadline_s = time.monotonic() + 20.0
        while not holds():
            assert time.monotonic() < deadline_s, [status.reason for status in self.statuses[-3:]]
            for executor in self._executors[0 if planner else 1 :]:
                executor.spin_once(timeout_sec=0.005)

    def says(self, text: str):
        """Wait for a status with this in its reason; returns it."""
        self.until(lambda: any(text in status.reason for status in self.statuses))
        return next(status for status in self.statuses if text in status.reason)


@pytest.fixture
def pair(tmp_path, request):
    domain = graph.fresh_domain_id()
    given = {"bundle": make_tiny_bundle(tmp_path / "bundle"), "candidates": "16", **getattr(request, "param", {})}
    words = [word for name, value in given.items() for word in ("-p", f"{name}:={value}")]
    with graph.default_context(domain, ["planner", "--ros-args", *words]), graph.rclpy_context(domain) as context:
        node, other = PlannerNode(), rclpy.create_node("simulator", context=context)
        pair = Pair(node, other)
        node.trigger_configure()
        yield pair
        node.trigger_shutdown()
        node.destroy_node()
        other.destroy_node()


def test_without_images_it_names_the_topic_its_publishers_and_the_image_topics_there_are(pair, capfd):
    pair.until(lambda: pair.node.count_publishers("/other/image") and pair.other.count_publishers(STATUS))
    pair.node.trigger_activate()
    ready = pair.says("ready, and waits for the first image")
    told = f"nobody publishes {IMAGE}; topics of sensor_msgs/msg/Image are /other/image"
    assert ready.mode == PlannerStatus.MODE_BRAKING and told in ready.reason
    assert told in pair.says("no image since activation").reason
    camera = pair.node._diagnostics.report(pair.node._inputs.counts, Asked(1), 60.0, 0.25, (), pair.node._inputs.where)[
        0
    ]
    assert camera.message == f"rgb_front: no image yet; {told}"
    image = pair.other.create_publisher(Image, IMAGE, 10)
    pair.says(f"{IMAGE} is published by simulator")  # said again, every second
    pair.other.destroy_publisher(image)
    log = capfd.readouterr().err
    assert told in log and "[WARN]" not in log  # waiting for the first image is normal for a while


@pytest.mark.parametrize("pair", [{"deadline_frames": "0"}], indirect=True)
def test_the_latency_counts_the_time_in_the_queue_and_the_end_of_an_episode_is_no_alarm(pair, capfd):
    images = pair.other.create_publisher(Image, IMAGE, 10)
    results = pair.other.create_publisher(StepResult, "/carla/ego_vehicle/step_result", 10)
    pair.node.trigger_activate()
    pair.until(lambda: images.get_subscription_count() and results.get_subscription_count() and pair.statuses)
    begin_s, waited_s = time.monotonic(), 0.3
    images.publish(picture(GOOD, stamp_of(1), 1))
    while time.monotonic() - begin_s < waited_s:  # the planner is busy with something else
        pair.until(lambda: True, planner=False)
        time.sleep(0.02)
    pair.until(lambda: any(status.header.stamp == stamp_of(1) for status in pair.statuses))
    answer = next(status for status in pair.statuses if status.header.stamp == stamp_of(1))
    assert answer.latency_ms >= 1000.0 * waited_s * 0.9  # the way to its middleware is not counted
    assert answer.deadline_missed

    result = StepResult(terminated=True)
    result.header.stamp = stamp_of(1)
    capfd.readouterr()
    results.publish(result)
    assert pair.says("the episode is over").mode == PlannerStatus.MODE_BRAKING
    log = capfd.readouterr().err
    assert "the episode is over" in log and "[WARN]" not in log
