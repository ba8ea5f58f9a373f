"""Pictures of CARLA's sizes, from another process over DDS as launch files start it: none is lost on its way."""

import sys
import time
from pathlib import Path

import graph
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from test_planner import camera, planner
from test_planner_topics import bundle, domain, observer, statuses  # noqa: F401
from wm_bundle.processes.ros_distribution import dds_profiles_variable
from wm_msgs.msg import PlannerStatus
from wm_planner.config import PlannerConfig
from wm_planner.launching.transport import SEGMENT_BYTES, picture_transport
from wm_planner.node.endpoints import NEWEST

PROCESS = Path(__file__).with_name("picture_process.py")
TICKS = 40
LONGEST_S = 60.0


class Viewer:
    """Subscribes as the planner does by default, and answers a tick once it has the pictures of all cameras."""

    def __init__(self, context, cameras: int):
        self.node = rclpy.create_node("viewer", context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self._answers = self.node.create_publisher(Header, "/answer", QoSProfile(depth=1))
        self._seen: dict[int, int] = {}
        qos = NEWEST[PlannerConfig().image_reliability]
        for index in range(cameras):
            self.node.create_subscription(Image, f"/camera{index}", lambda message: self._on(message, cameras), qos)

    def _on(self, message: Image, cameras: int) -> None:
        tick = message.header.stamp.sec
        self._seen[tick] = self._seen.get(tick, 0) + 1
        if self._seen[tick] == cameras:
            self._answers.publish(message.header)

    def look(self, process: graph.GraphProcess) -> list[int]:
        """Until the process has told its result; returns the numbers in that."""
        deadline_s = time.monotonic() + LONGEST_S
        while "answered" not in process.output():
            assert process.process.poll() is None and time.monotonic() < deadline_s, process.output()
            self.executor.spin_once(timeout_sec=0.1)
        return [int(word) for word in process.output().replace(",", "").split() if word.isdigit()]


@pytest.fixture
def view(domain):  # noqa: F811
    """Looks at so many cameras of a size, whose process has these variables more. Returns how many ticks were answered,
    of how many, and the bytes of the process's segment of shared memory."""

    def look(cameras: int, width: int, height: int, variables: dict) -> list[int]:
        with graph.rclpy_context(domain) as context:
            viewer = Viewer(context, cameras)
            words = [sys.executable, str(PROCESS), *map(str, (TICKS, cameras, width, height))]
            with graph.GraphProcess(words, domain_id=domain, env=variables) as process:
                told = viewer.look(process)
            viewer.executor.shutdown()
            viewer.node.destroy_node()
        return told

    return look


@pytest.mark.skipif(not picture_transport(), reason="another transport was chosen, or shared memory has no room")
@pytest.mark.parametrize("cameras, width, height", [(1, 800, 600), (6, 480, 270)])
def test_every_picture_arrives_with_the_variables_of_the_launch_files(view, cameras, width, height):
    answered, ticks, segment = view(cameras, width, height, picture_transport())
    assert answered == ticks == TICKS
    assert segment >= SEGMENT_BYTES  # by which the planner knows that its pictures fit


def test_the_segment_of_a_publisher_without_them_is_seen_to_be_small(view):
    *_, segment = view(1, 96, 96, {dds_profiles_variable(): ""})
    assert 96 * 96 * 4 < segment < 800 * 600 * 4


def test_the_planner_drives_by_pictures_of_a_best_effort_driver_if_its_parameter_says_so(domain, observer, bundle):  # noqa: F811
    with planner(domain, bundle, "autostart:=true", "image_reliability:=best_effort", "deadline_ms:=1000.0"):
        observer.until_known()
        with camera(domain, "--ticks", "100000", "--best-effort-images"):
            statuses(observer, PlannerStatus.MODE_DRIVING)
