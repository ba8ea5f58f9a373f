"""A node on the bridge's graph that records every message in order of arrival and sends commands."""

from __future__ import annotations

import time
from contextlib import contextmanager

import graph
import rclpy
from carla_msgs.msg import (
    CarlaCollisionEvent,
    CarlaControl,
    CarlaEgoVehicleControl,
    CarlaEgoVehicleInfo,
    CarlaEgoVehicleStatus,
    CarlaLaneInvasionEvent,
    CarlaStatus,
    CarlaWorldInfo,
)
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Bool, Float32
from wm_msgs.msg import StepResult
from wm_msgs.srv import Reset

EGO = "/carla/ego_vehicle/"
RELIABLE = QoSProfile(depth=200, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
TOPICS = {
    "/carla/status": CarlaStatus,
    "/clock": Clock,
    "/carla/world_info": CarlaWorldInfo,
    EGO + "vehicle_info": CarlaEgoVehicleInfo,
    EGO + "vehicle_status": CarlaEgoVehicleStatus,
    EGO + "odometry": Odometry,
    EGO + "speedometer": Float32,
    EGO + "collision": CarlaCollisionEvent,
    EGO + "lane_invasion": CarlaLaneInvasionEvent,
    EGO + "expert_control": CarlaEgoVehicleControl,
    EGO + "step_result": StepResult,
    EGO + "rgb_front/camera_info": CameraInfo,
    EGO + "rgb_front/image": Image,
}
LATCHED_TOPICS = ("/carla/world_info", EGO + "vehicle_info")


def stamp_ns(msg) -> int:
    """The stamp of a message's header (or of a Clock) in nanoseconds."""
    stamp = msg.clock if isinstance(msg, Clock) else msg.header.stamp
    return stamp.sec * 1_000_000_000 + stamp.nanosec


class Probe:
    """Records `log`: (topic, message) in order of arrival. `answer`, if set, is called with every image."""

    def __init__(self, context):
        self.node = rclpy.create_node("probe", context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.log = []
        self.answer = None
        for topic, kind in TOPICS.items():
            qos = LATCHED if topic in LATCHED_TOPICS else RELIABLE
            self.node.create_subscription(kind, topic, lambda msg, topic=topic: self._on_message(topic, msg), qos)
        self.command_publisher = self.node.create_publisher(CarlaEgoVehicleControl, EGO + "vehicle_control_cmd", 10)
        self.manual_publisher = self.node.create_publisher(
            CarlaEgoVehicleControl, EGO + "vehicle_control_cmd_manual", 10
        )
        self.override_publisher = self.node.create_publisher(Bool, EGO + "vehicle_control_manual_override", LATCHED)
        self.autopilot_publisher = self.node.create_publisher(Bool, EGO + "enable_autopilot", 10)
        self.control_publisher = self.node.create_publisher(CarlaControl, "/carla/control", 10)
        self.reset_client = self.node.create_client(Reset, EGO + "reset")

    def _on_message(self, topic, msg):
        self.log.append((topic, msg))
        if self.answer and topic == EGO + "rgb_front/image":
            self.answer(msg)

    def of(self, name: str) -> list:
        """All messages of a topic so far, named in full or below /carla/ego_vehicle/."""
        topic = name if name.startswith("/") else EGO + name
        return [msg for kind, msg in self.log if kind == topic]

    def images(self) -> list:
        """All images so far."""
        return self.of("rgb_front/image")

    def spin(self, seconds: float) -> None:
        """Take in messages for that long."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.executor.spin_once(timeout_sec=left)

    def wait_for(self, condition, seconds: float = 20.0):
        """Take in messages until `condition()` is true; fails after that many seconds."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < deadline, f"not within {seconds} s; last: {[topic for topic, _ in self.log[-9:]]}"
            self.executor.spin_once(timeout_sec=0.05)
        return value

    def send(self, publisher=None, **fields) -> None:
        """Publish one control command."""
        (publisher or self.command_publisher).publish(CarlaEgoVehicleControl(**fields))

    def carla_control(self, command: int) -> None:
        """Play, pause or step once."""
        self.control_publisher.publish(CarlaControl(command=command))

    def reset(self, seed: int):
        """Call the reset service and return its answer."""
        self.wait_for(self.reset_client.service_is_ready)
        future = self.reset_client.call_async(Reset.Request(seed=seed))
        self.wait_for(future.done)
        return future.result()

    def wait_until_connected(self) -> None:
        """Wait until the bridge is there and takes commands."""
        self.wait_for(
            lambda: all(
                publisher.get_subscription_count() > 0
                for publisher in (
                    self.command_publisher,
                    self.manual_publisher,
                    self.override_publisher,
                    self.autopilot_publisher,
                    self.control_publisher,
                )
            )
        )
        self.spin(0.3)  # discovery takes its time, each way its own

    def close(self) -> None:
        """Take the node down."""
        self.executor.shutdown()
        self.node.destroy_node()


@contextmanager
def bridge_and_probe(**parameters):
    """Start `bridge` with these parameters in a domain of its own and yield (its process, a Probe)."""
    domain_id = graph.fresh_domain_id()
    with graph.rclpy_context(domain_id) as context:
        probe = Probe(context)
        try:
            with graph.start("wm_sim", "bridge", *parameter_words(parameters), domain_id=domain_id) as process:
                yield process, probe
        finally:
            probe.close()


def parameter_words(parameters: dict) -> list[str]:
    """Command line words that set the parameters."""
    words = ["--ros-args"]
    for name, value in parameters.items():
        words += ["-p", f"{name}:={str(value).lower() if isinstance(value, bool) else value}"]
    return words
