"""The car's sensors on their topics: what each sends in a tick, under the CARLA bridge's names and frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from carla_msgs.msg import CarlaCollisionEvent, CarlaLaneInvasionEvent
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, Imu
from std_msgs.msg import Float32, Header
from visualization_msgs.msg import MarkerArray

from wm_sim import messages, spawn
from wm_sim.ground_view import GroundView
from wm_sim.pinhole import Pinhole
from wm_sim.simulation import NS_PER_S, Simulation, Tick
from wm_sim.solids import visible_faces
from wm_sim.spawn import SensorSpec

RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
MAP = "map"
TICK_SLACK_NS = 1_000_000  # so that a sensor_tick of three ticks is not missed by a rounding


@dataclass(frozen=True)
class Links:
    """What sensors need from the node."""

    node: Node
    role_name: str
    simulation: Simulation
    send_transform: Callable[[TransformStamped], None]


class Sensor:
    """One sensor; ``update`` sends what a tick has for it."""

    def __init__(self, links: Links, spec: SensorSpec):
        self._links = links
        self._spec = spec
        self.frame = f"{links.role_name}/{spec.id}" if spec.on_car else spec.id
        self.topic = f"/carla/{self.frame}"
        self._rotation = spec.mount.quaternion()
        self._due_ns = 0

    def update(self, tick: Tick) -> None:
        """Send this tick's messages if ``sensor_tick`` has passed since the last ones."""
        if tick.stamp_ns < self._due_ns or not self._has_news(tick):
            return
        self._due_ns = tick.stamp_ns + round(self._spec.sensor_tick_s * NS_PER_S) - TICK_SLACK_NS
        self._send(tick)

    def _has_news(self, tick: Tick) -> bool:
        return True

    def _send(self, tick: Tick) -> None:
        raise NotImplementedError

    def _publisher(self, kind: type, suffix: str = "", qos: QoSProfile = RELIABLE) -> Publisher:
        return self._links.node.create_publisher(kind, self.topic + suffix, qos)

    def _send_own_transform(self, tick: Tick) -> None:
        """CARLA's own sensors send where they sit before what they measured."""
        self._links.send_transform(
            messages.sensor_transform(header(tick, self._links.role_name), self.frame, self._spec.mount, self._rotation)
        )


class OdometrySensor(Sensor):
    def __init__(self, links: Links, spec: SensorSpec):
        super().__init__(links, spec)
        self._odometry = self._publisher(Odometry)

    def _send(self, tick: Tick) -> None:
        self._odometry.publish(messages.odometry_msg(header(tick, MAP), tick.state, self._links.role_name))


class Speedometer(Sensor):
    def __init__(self, links: Links, spec: SensorSpec):
        super().__init__(links, spec)
        self._speed = self._publisher(Float32)

    def _send(self, tick: Tick) -> None:
        self._speed.publish(Float32(data=tick.state.forward_speed))


class ImuSensor(Sensor):
    def __init__(self, links: Links, spec: SensorSpec):
        super().__init__(links, spec)
        self._imu = self._publisher(Imu)

    def _send(self, tick: Tick) -> None:
        self._send_own_transform(tick)
        self._imu.publish(messages.imu_msg(header(tick, self.frame), tick.state))


class CollisionSensor(Sensor):
    """One event for each thing hit."""

    def __init__(self, links: Links, spec: SensorSpec):
        super().__init__(links, spec)
        self._collision = self._publisher(CarlaCollisionEvent)

    def _has_news(self, tick: Tick) -> bool:
        return bool(tick.collisions)

    def _send(self, tick: Tick) -> None:
        self._send_own_transform(tick)
        for collision in tick.collisions:
            self._collision.publish(messages.collision_msg(header(tick, self.frame), collision))


class LaneInvasionSensor(Sensor):
    """One event for all markings crossed in a tick."""

    def __init__(self, links: Links, spec: SensorSpec):
        super().__init__(links, spec)
        self._invasion = self._publisher(CarlaLaneInvasionEvent)

    def _has_news(self, tick: Tick) -> bool:
        return bool(tick.crossed)

    def _send(self, tick: Tick) -> None:
        self._send_own_transform(tick)
        self._invasion.publish(messages.lane_invasion_msg(header(tick, self.frame), tick.crossed))


class TransformSensor(Sensor):
    def _send(self, tick: Tick) -> None:
        self._links.send_transform(messages.car_transform(header(tick, MAP), tick.state, self._links.role_name))


class MarkerSensor(Sensor):
    def __init__(self, links: Links, spec: SensorSpec):
        super().__init__(links, spec)
        self._markers = self._publisher(MarkerArray)
        self._publisher(MarkerArray, "/static", LATCHED).publish(MarkerArray())  # no world has such objects

    def _send(self, tick: Tick) -> None:
        simulation = self._links.simulation
        self._markers.publish(messages.markers_msg(header(tick, MAP), tick.state, simulation.car, simulation.boxes()))


class Camera(Sensor):
    """camera_info, then the picture, which is drawn only if somebody subscribes to it."""

    def __init__(self, links: Links, spec: SensorSpec):
        super().__init__(links, spec)
        self._info = self._publisher(CameraInfo, "/camera_info")
        self.image = self._publisher(Image, "/image")

    def _send_picture(self, tick: Tick, fov: float, draw: Callable) -> None:
        size = self._spec.width, self._spec.height
        own = header(tick, self.frame)
        self._info.publish(messages.camera_info_msg(own, *size, fov))
        if self.image.get_subscription_count() > 0:
            self.image.publish(messages.image_msg(own, draw(), *size))


class NativeView(Camera):
    """The world's own picture from above; it has no place on the car, so it sends no transform."""

    def _send(self, tick: Tick) -> None:
        self._send_picture(tick, messages.NATIVE_FOV, self._links.simulation.image)


class PinholeCamera(Camera):
    def __init__(self, links: Links, spec: SensorSpec):
        super().__init__(links, spec)
        camera = Pinhole(spec.width, spec.height, spec.fov, spec.mount)
        self._rotation = camera.optical_quaternion()
        self._view = GroundView(camera)

    def _send(self, tick: Tick) -> None:
        self._send_own_transform(tick)
        self._send_picture(tick, self._spec.fov, lambda: self._picture(tick))

    def _picture(self, tick: Tick) -> np.ndarray:
        state, simulation = tick.state, self._links.simulation
        eye = self._view.camera.eye(state.x, state.y, state.yaw)
        layers = [*simulation.layers(), *visible_faces(simulation.boxes(), eye)]
        return self._view.picture(layers, state.x, state.y, state.yaw)


SENSORS = {
    spawn.ODOMETRY: OdometrySensor,
    spawn.SPEEDOMETER: Speedometer,
    spawn.IMU: ImuSensor,
    spawn.COLLISION: CollisionSensor,
    spawn.LANE_INVASION: LaneInvasionSensor,
    spawn.TRANSFORM: TransformSensor,
    spawn.MARKERS: MarkerSensor,
    spawn.NATIVE_VIEW: NativeView,
    spawn.CAMERA: PinholeCamera,
}


def header(tick: Tick, frame_id: str) -> Header:
    """A header with the tick's stamp."""
    return Header(stamp=messages.time_from_ns(tick.stamp_ns), frame_id=frame_id)
