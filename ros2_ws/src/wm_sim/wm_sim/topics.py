"""What the bridge sends: its publishers, and the order of messages within a tick."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from carla_msgs.msg import (
    CarlaCollisionEvent,
    CarlaEgoVehicleControl,
    CarlaEgoVehicleInfo,
    CarlaEgoVehicleStatus,
    CarlaLaneInvasionEvent,
    CarlaStatus,
    CarlaWorldInfo,
)
from nav_msgs.msg import Odometry
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Float32, Header
from wm_msgs.msg import StepResult

from wm_sim import messages
from wm_sim.config import BridgeConfig
from wm_sim.simulation import Tick

RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
CAMERA = "rgb_front"


class BridgeTopics:
    """The publishers of a CARLA bridge with one car, one camera and the usual pseudo sensors."""

    def __init__(self, node: Node, config: BridgeConfig):
        self._config = config
        self._role = config.role_name
        base = f"/carla/{self._role}"

        def publisher(kind, topic, qos=RELIABLE):
            return node.create_publisher(kind, topic, qos)

        self._carla_status = publisher(CarlaStatus, "/carla/status")
        self._clock = publisher(Clock, "/clock")
        self._world_info = publisher(CarlaWorldInfo, "/carla/world_info", LATCHED)
        self._vehicle_info = publisher(CarlaEgoVehicleInfo, f"{base}/vehicle_info", LATCHED)
        self._vehicle_status = publisher(CarlaEgoVehicleStatus, f"{base}/vehicle_status")
        self._odometry = publisher(Odometry, f"{base}/odometry")
        self._speedometer = publisher(Float32, f"{base}/speedometer")
        self._collision = publisher(CarlaCollisionEvent, f"{base}/collision")
        self._lane_invasion = publisher(CarlaLaneInvasionEvent, f"{base}/lane_invasion")
        self._expert_control = publisher(CarlaEgoVehicleControl, f"{base}/expert_control")
        self._step_result = publisher(StepResult, f"{base}/step_result")
        self._camera_info = publisher(CameraInfo, f"{base}/{CAMERA}/camera_info")
        self.image = publisher(Image, f"{base}/{CAMERA}/image")
        self._world_info.publish(CarlaWorldInfo(map_name="CarRacing-v3"))
        self._vehicle_info.publish(messages.vehicle_info_msg(self._role))

    def publish_run_state(self, frame: int, running: bool) -> None:
        """/carla/status; ``running`` is False while paused."""
        synchronous = self._config.synchronous_mode
        self._carla_status.publish(CarlaStatus(
            frame=frame, fixed_delta_seconds=self._config.fixed_delta_seconds, synchronous_mode=synchronous,
            synchronous_mode_running=synchronous and running))

    def publish_tick(self, tick: Tick, running: bool, latency_ms: float, draw: Callable[[], np.ndarray]) -> None:
        """Everything of one tick, in the bridge's order; the picture comes last, drawn if anybody looks."""
        in_map, of_car = self._header(tick, "map"), self._header(tick, self._role)
        of_camera = self._header(tick, f"{self._role}/{CAMERA}")
        width, height = self._config.image_width, self._config.image_height
        self.publish_run_state(tick.frame, running)
        self._clock.publish(Clock(clock=in_map.stamp))
        self._vehicle_status.publish(messages.status_msg(in_map, tick))
        self._odometry.publish(messages.odometry_msg(in_map, tick.state, self._role))
        self._speedometer.publish(Float32(data=tick.state.forward_speed))
        if tick.left_field:
            header = self._header(tick, f"{self._role}/collision")
            self._collision.publish(messages.collision_msg(header, tick.state))
        if tick.left_road:
            header = self._header(tick, f"{self._role}/lane_invasion")
            self._lane_invasion.publish(messages.lane_invasion_msg(header))
        self._expert_control.publish(messages.control_msg(of_car, tick.expert))
        self._step_result.publish(messages.step_result_msg(of_car, tick, latency_ms))
        self._camera_info.publish(messages.camera_info_msg(of_camera, width, height))
        if self.image.get_subscription_count() > 0:
            self.image.publish(messages.image_msg(of_camera, draw(), width, height))

    def flush(self, timeout_s: float) -> None:
        """Wait until every subscriber has the last tick, or for ``timeout_s``."""
        for publisher in (self._step_result, self.image):
            publisher.wait_for_all_acked(Duration(seconds=timeout_s))

    @staticmethod
    def _header(tick: Tick, frame_id: str) -> Header:
        return Header(stamp=messages.time_from_ns(tick.stamp_ns), frame_id=frame_id)
