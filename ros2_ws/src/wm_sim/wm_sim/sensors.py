"""The car's sensors on their topics: the messages of a tick, under the CARLA bridge's names and frames."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from carla_msgs.msg import CarlaCollisionEvent, CarlaLaneInvasionEvent
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, Imu
from std_msgs.msg import Float32, Header
from visualization_msgs.msg import MarkerArray
from wm_bundle.times import NS_PER_S

from wm_sim import messages, spawn
from wm_sim.air import air_of
from wm_sim.ground_view import GroundView
from wm_sim.lens import Lens
from wm_sim.messages import MAP
from wm_sim.pinhole import Pinhole, quaternion
from wm_sim.simulation import Tick
from wm_sim.solids import picture_of
from wm_sim.spawn import SensorSpec
from wm_sim.weather import NOON
from wm_sim.world import World

RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
TICK_SLACK_NS = 1_000_000  # so that rounding does not miss a sensor_tick of three ticks


@dataclass(frozen=True)
class Links:
    """What sensors use."""

    create_publisher: Callable[[type, str, QoSProfile], Publisher]
    role_name: str
    world: World
    new_transforms: Callable[[], Callable[[TransformStamped], None]]  # a sender on /tf of one's own, as in the bridge


class Sensor:
    """One sensor; ``update`` sends its messages of a tick."""

    def __init__(self, links: Links, spec: SensorSpec, on_tf: bool = False):
        """``on_tf``: it sends transforms."""
        self._links = links
        self._spec = spec
        self.frame = f"{links.role_name}/{spec.id}" if spec.on_car else spec.id
        self.topic = f"/carla/{self.frame}"
        self._rotation = quaternion(spec.mount.rotation())
        self._due_ns = 0
        self._send_transform = links.new_transforms() if on_tf else None

    def update(self, tick: Tick) -> None:
        """Send this tick's messages if ``sensor_tick`` has passed since the last ones."""
        if tick.stamp_ns >= self._due_ns:
            self._due_ns = tick.stamp_ns + round(self._spec.sensor_tick_s * NS_PER_S) - TICK_SLACK_NS
            self._send(tick)

    def _send(self, tick: Tick) -> None:
        raise NotImplementedError

    def _publisher(self, kind: type, suffix: str = "", qos: QoSProfile = RELIABLE) -> Publisher:
        return self._links.create_publisher(kind, self.topic + suffix, qos)

    def _send_own_transform(self, tick: Tick) -> None:
        """CARLA's own sensors send their transform before their data."""
        self._send_transform(
            messages.sensor_transform(header(tick, self._links.role_name), self.frame, self._spec.mount, self._rotation)
        )


class PlainSensor(Sensor):
    """Messages of one type, made by ``build`` from the links, the tick and a header in the sensor's frame; where
    ``of_carla``, its transform comes before them."""

    def __init__(self, links: Links, spec: SensorSpec, kind: type, build: Callable, of_carla: bool):
        super().__init__(links, spec, on_tf=of_carla)
        self._messages = self._publisher(kind)
        self._build = build
        self._of_carla = of_carla

    def _send(self, tick: Tick) -> None:
        built = self._build(self._links, tick, header(tick, self.frame))
        if built and self._of_carla:
            self._send_own_transform(tick)
        for message in built:
            self._messages.publish(message)


def _plain(kind: type, build: Callable, of_carla: bool = False) -> Callable[[Links, SensorSpec], Sensor]:
    return lambda links, spec: PlainSensor(links, spec, kind, build, of_carla)


def _odometry(links: Links, tick: Tick, _: Header) -> list[Odometry]:
    return [messages.odometry_msg(header(tick, MAP), tick.state, links.role_name)]


def _collisions(_: Links, tick: Tick, own: Header) -> list[CarlaCollisionEvent]:
    return [messages.collision_msg(own, collision) for collision in tick.outcome.collisions]


def _lane_invasions(_: Links, tick: Tick, own: Header) -> list[CarlaLaneInvasionEvent]:
    """One event for all markings crossed in a tick."""
    return [messages.lane_invasion_msg(own, tick.outcome.crossed)] if tick.outcome.crossed else []


class TransformSensor(Sensor):
    def __init__(self, links: Links, spec: SensorSpec):
        super().__init__(links, spec, on_tf=True)

    def _send(self, tick: Tick) -> None:
        self._send_transform(messages.car_transform(header(tick, MAP), tick.state, self._links.role_name))


class MarkerSensor(Sensor):
    def __init__(self, links: Links, spec: SensorSpec):
        super().__init__(links, spec)
        self._markers = self._publisher(MarkerArray)
        self._publisher(MarkerArray, "/static", LATCHED).publish(MarkerArray())  # no world has such objects

    def send_none(self) -> None:
        """A tick without any car."""
        self._markers.publish(MarkerArray())

    def _send(self, tick: Tick) -> None:
        world = self._links.world
        self._markers.publish(messages.markers_msg(header(tick, MAP), tick, world.car, world.boxes()))


class Camera(Sensor):
    """camera_info, then the picture, drawn only if it has subscribers, in the weather of the episode."""

    _overhead = True  # its pictures know no distances

    def __init__(self, links: Links, spec: SensorSpec, on_tf: bool = False):
        super().__init__(links, spec, on_tf)
        self._info = self._publisher(CameraInfo, "/camera_info")
        self.image = self._publisher(Image, "/image")
        self._lens: Lens | None = None

    def _send_picture(self, tick: Tick, fov: float, draw: Callable) -> None:
        size = self._spec.width, self._spec.height
        own = header(tick, self.frame)
        self._info.publish(messages.camera_info_msg(own, *size, fov))
        if self.image.get_subscription_count() > 0:
            picture = self._through_the_lens(draw(), tick)
            self.image.publish(messages.image_msg(own, picture, *size))

    def _through_the_lens(self, picture: np.ndarray, tick: Tick) -> np.ndarray:
        if tick.weather == NOON:
            return picture
        height, width, _ = picture.shape
        if self._lens is None or not self._lens.fits(tick.weather, tick.seed):
            self._lens = Lens(tick.weather, width, height, tick.seed, self._overhead)
        return self._lens.seen(picture, tick.step)


class NativeView(Camera):
    """The world's own picture from above; it is not mounted on the car, so it sends no transform."""

    def _send(self, tick: Tick) -> None:
        self._send_picture(tick, messages.NATIVE_FOV, self._links.world.image)


class PinholeCamera(Camera):
    _overhead = False

    def __init__(self, links: Links, spec: SensorSpec):
        super().__init__(links, spec, on_tf=True)
        camera = Pinhole(spec.width, spec.height, spec.fov, spec.mount)
        self._rotation = quaternion(camera.optical_rotation)
        self._view = GroundView(camera)
        self._weather, self._air = NOON, None

    def _send(self, tick: Tick) -> None:
        self._send_own_transform(tick)
        self._send_picture(tick, self._spec.fov, lambda: self._draw(tick))

    def _draw(self, tick: Tick) -> np.ndarray:
        world = self._links.world
        if tick.weather != self._weather:
            self._weather, self._air = tick.weather, air_of(self._view, tick.weather)
        return picture_of(self._view, world.layers(), world.solids(), tick.state.place, self._air)


SENSORS: dict[str, Callable[[Links, SensorSpec], Sensor]] = {
    spawn.ODOMETRY: _plain(Odometry, _odometry),
    spawn.SPEEDOMETER: _plain(Float32, lambda _, tick, own: [Float32(data=tick.state.forward_speed)]),
    spawn.IMU: _plain(Imu, lambda _, tick, own: [messages.imu_msg(own, tick.state)], of_carla=True),
    spawn.COLLISION: _plain(CarlaCollisionEvent, _collisions, of_carla=True),
    spawn.LANE_INVASION: _plain(CarlaLaneInvasionEvent, _lane_invasions, of_carla=True),
    spawn.TRANSFORM: TransformSensor,
    spawn.MARKERS: MarkerSensor,
    spawn.NATIVE_VIEW: NativeView,
    spawn.RGB_CAMERA: PinholeCamera,
}


def header(tick: Tick, frame_id: str) -> Header:
    """A header with the tick's stamp."""
    return Header(stamp=messages.time_from_ns(tick.stamp_ns), frame_id=frame_id)
