"""The bridge's publishers, and the order of messages within a tick."""

from collections.abc import Callable

import numpy as np
from carla_msgs.msg import (
    CarlaEgoVehicleControl,
    CarlaEgoVehicleInfo,
    CarlaEgoVehicleStatus,
    CarlaStatus,
    CarlaWorldInfo,
)
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Path
from rclpy.duration import Duration
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from wm_msgs.msg import StepResult

from wm_sim import messages
from wm_sim.config import BridgeConfig
from wm_sim.sensors import LATCHED, MAP, RELIABLE, SENSORS, Camera, Links, header
from wm_sim.simulation import Simulation, Tick
from wm_sim.spawn import RGB_CAMERA, SensorSpec

TRANSFORMS_DEPTH = 100  # as in tf2_ros


class BridgeTopics:
    """The publishers of a CARLA bridge with one car and its ``sensors``, in sending order.

    Raises RuntimeError where there are transforms to send and tf2_msgs is not available.
    """

    def __init__(self, node: Node, config: BridgeConfig, simulation: Simulation, sensors: list[SensorSpec]):
        self._config = config
        self._role = config.role_name
        base = f"/carla/{self._role}"
        self._carla_status = node.create_publisher(CarlaStatus, "/carla/status", RELIABLE)
        self._clock = node.create_publisher(Clock, "/clock", RELIABLE)
        self._world_info = node.create_publisher(CarlaWorldInfo, "/carla/world_info", LATCHED)
        self._vehicle_info = node.create_publisher(CarlaEgoVehicleInfo, f"{base}/vehicle_info", LATCHED)
        self._waypoints = node.create_publisher(Path, f"{base}/waypoints", LATCHED)
        self._vehicle_status = node.create_publisher(CarlaEgoVehicleStatus, f"{base}/vehicle_status", RELIABLE)
        self._expert_control = node.create_publisher(CarlaEgoVehicleControl, f"{base}/expert_control", RELIABLE)
        self._step_result = node.create_publisher(StepResult, f"{base}/step_result", RELIABLE)
        # A native view is not mounted on the car: with it alone there is no transform to send.
        seen_from_the_car = config.objects_definition_file or any(spec.type == RGB_CAMERA for spec in sensors)
        send_transform = _transform_sender(node) if seen_from_the_car else lambda transform: None
        links = Links(node, self._role, simulation.world, send_transform)
        self._sensors = [SENSORS[spec.type](links, spec) for spec in sensors if spec.type in SENSORS]
        self._images = [sensor.image for sensor in self._sensors if isinstance(sensor, Camera)]
        self.image_topics = [publisher.topic_name for publisher in self._images]
        self._world_info.publish(CarlaWorldInfo(map_name=simulation.map_name))
        self._vehicle_info.publish(messages.vehicle_info_msg(self._role, simulation.world.car))

    def publish_run_state(self, frame: int, running: bool) -> None:
        """/carla/status; ``running`` is False while paused."""
        synchronous = self._config.synchronous_mode
        self._carla_status.publish(
            CarlaStatus(
                frame=frame,
                fixed_delta_seconds=self._config.fixed_delta_seconds,
                synchronous_mode=synchronous,
                synchronous_mode_running=synchronous and running,
            )
        )

    def publish_waypoints(self, tick: Tick, line: np.ndarray) -> None:
        """The line (K, 2) [m] to follow in the new episode."""
        self._waypoints.publish(messages.path_msg(header(tick, MAP), line))

    def publish_tick(self, tick: Tick, running: bool, latency_ms: float) -> None:
        """All messages of one tick, in the bridge's order; additional ones come before the first camera."""
        in_map = header(tick, MAP)
        self.publish_run_state(tick.frame, running)
        self._clock.publish(Clock(clock=in_map.stamp))
        self._vehicle_status.publish(messages.status_msg(in_map, tick))
        first_camera = next((k for k, sensor in enumerate(self._sensors) if isinstance(sensor, Camera)), None)
        for k, sensor in enumerate(self._sensors):
            if k == first_camera:
                self._publish_own(tick, latency_ms)
            sensor.update(tick)
        if first_camera is None:
            self._publish_own(tick, latency_ms)

    def _publish_own(self, tick: Tick, latency_ms: float) -> None:
        of_car = header(tick, self._role)
        self._expert_control.publish(messages.control_msg(of_car, tick.expert))
        self._step_result.publish(messages.step_result_msg(of_car, tick, latency_ms))

    def flush(self, timeout_s: float) -> None:
        """Wait until every subscriber has the last tick, or for ``timeout_s`` on each topic."""
        for publisher in (self._step_result, *self._images):
            publisher.wait_for_all_acked(Duration(seconds=timeout_s))


def _transform_sender(node: Node) -> Callable[[TransformStamped], None]:
    """A function that sends one transform on /tf."""
    try:
        from tf2_msgs.msg import TFMessage  # only here: not needed for a native view alone
    except ImportError as error:
        raise RuntimeError(
            "cameras on the car need the package tf2_msgs, which is not available: run 'make setup', "
            f"then source env.sh again ({error})"
        ) from None
    publisher = node.create_publisher(TFMessage, "/tf", TRANSFORMS_DEPTH)
    return lambda transform: publisher.publish(TFMessage(transforms=[transform]))
