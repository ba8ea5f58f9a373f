"""A bag recorded beside the collector converts to the rows that the collector wrote."""

import time

import graph
import numpy as np
import pytest
import rclpy
from carla_msgs.msg import CarlaEgoVehicleControl, CarlaEgoVehicleStatus
from nav_msgs.msg import Odometry
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from rosbags.rosbag2 import StoragePlugin, Writer
from sensor_msgs.msg import Image
from wm_data.conversion.api import convert_rosbag
from wm_data.conversion.message_types import jazzy_typestore
from wm_data.episodes import read_episode
from wm_msgs.msg import StepResult

VEHICLE = "/carla/ego_vehicle"
TOPICS = {
    f"{VEHICLE}/rgb_front/image": Image,
    f"{VEHICLE}/vehicle_status": CarlaEgoVehicleStatus,
    f"{VEHICLE}/odometry": Odometry,
    f"{VEHICLE}/step_result": StepResult,
    f"{VEHICLE}/expert_control": CarlaEgoVehicleControl,
}
ROWS = 40


class Recorder:
    """Keeps what is published, as `ros2 bag record` does."""

    def __init__(self, domain_id: int):
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain_id)
        self._node = rclpy.create_node("recorder", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self.messages: list[tuple[str, int, bytes]] = []
        for topic, kind in TOPICS.items():
            self._node.create_subscription(kind, topic, self._keeper(topic), QoSProfile(depth=1000), raw=True)

    def _keeper(self, topic: str):
        return lambda raw: self.messages.append((topic, time.time_ns(), bytes(raw)))

    def wait_for_publishers(self, timeout_s: float) -> None:
        """Wait until every topic is announced; discovery delivers them one by one."""
        deadline = time.monotonic() + timeout_s
        while not all(self._node.count_publishers(topic) for topic in TOPICS):
            assert time.monotonic() < deadline, "the simulator's topics were not announced in time"
            self._executor.spin_once(timeout_sec=0.1)

    def record_while(self, process, timeout_s: float) -> None:
        """Record until a process ends."""
        deadline = time.monotonic() + timeout_s
        while process.process.poll() is None and time.monotonic() < deadline:
            self._executor.spin_once(timeout_sec=0.1)

    def close(self) -> None:
        self._executor.shutdown()
        self._node.destroy_node()
        self._context.try_shutdown()

    def write(self, folder):
        """All messages as a bag."""
        store = jazzy_typestore()
        with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            connections = {
                topic: writer.add_connection(topic, _type_name(kind), typestore=store) for topic, kind in TOPICS.items()
            }
            for topic, log_ns, raw in self.messages:
                writer.write(connections[topic], log_ns, raw)
        return folder


def _type_name(kind) -> str:
    return f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """(the collector's episode, those of the bag)."""
    folder, domain_id = tmp_path_factory.mktemp("recorded"), graph.fresh_domain_id()
    flags = ["-p", "real_time_factor:=0.0", "-p", "synchronous_mode_wait_for_vehicle_control_command:=true"]
    recorder = Recorder(domain_id)
    try:
        with graph.start("wm_sim", "bridge", "--ros-args", *flags, "-p", "wait_for_driver:=30.0", domain_id=domain_id):
            arguments = ["--episodes", "1", "--episode-length", str(ROWS), "--output-dir", str(folder / "collected"),
                         "--driver", "noisy-autopilot", "--noise-every", "0.5", "--seed", "30"]  # fmt: skip
            recorder.wait_for_publishers(30)
            with graph.start("wm_training", "collect", *arguments, domain_id=domain_id) as process:
                recorder.record_while(process, 90)
                assert process.wait(5) == 0, process.output()
    finally:
        recorder.close()
    collected = read_episode(folder / "collected" / "episode_000000.npz")
    return collected, list(convert_rosbag(recorder.write(folder / "bag"), min_rows=1))


def test_a_recorded_bag_gives_the_rows_that_were_collected(both):
    collected, converted = both
    rows = {int(stamp): (episode, t) for episode in converted for t, stamp in enumerate(episode.stamps_ns)}
    shared = [int(stamp) for stamp in collected.stamps_ns if int(stamp) in rows]
    assert len(shared) >= 0.8 * ROWS  # a recorder may lose messages
    for t, stamp in enumerate(collected.stamps_ns):
        if int(stamp) in rows:
            episode, row = rows[int(stamp)]
            for name in ("observations", "actions", "rewards", "vector", "expert_actions"):
                np.testing.assert_array_equal(getattr(episode, name)[row], getattr(collected, name)[t], err_msg=name)


def test_a_recorded_bag_has_the_meta_that_was_collected(both):
    collected, converted = both
    for key in ("cameras", "rate_hz", "vector", "reward", "action_convention"):
        assert all(episode.meta[key] == collected.meta[key] for episode in converted), key
