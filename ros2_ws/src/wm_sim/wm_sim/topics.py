"""The bridge's publishers, and the order of messages within a tick."""

from collections import deque
from collections.abc import Callable

from carla_msgs.msg import (
    CarlaEgoVehicleControl,
    CarlaEgoVehicleInfo,
    CarlaEgoVehicleStatus,
    CarlaStatus,
    CarlaWorldInfo,
)
from geometry_msgs.msg import PoseStamped, TransformStamped
from nav_msgs.msg import Path
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Header
from wm_msgs.msg import StepResult

from wm_sim import messages
from wm_sim.config import BridgeConfig
from wm_sim.sensors import LATCHED, MAP, RELIABLE, SENSORS, Camera, Links, MarkerSensor, Sensor, header
from wm_sim.signals import SignalTopics
from wm_sim.simulation import Simulation, Tick
from wm_sim.spawn import RGB_CAMERA, SensorSpec

TRANSFORMS_DEPTH = 100  # as in tf2_ros
_GOALS_KEPT = 16
FIRST_SENSORS = (0, 1)  # how many of them send in a strict car's first ticks: CARLA's spawner adds them one by one


class BridgeTopics:
    """The publishers of a CARLA bridge: those of the world, and those of its ``car`` while there is one.

    Raises RuntimeError where there are transforms to send and tf2_msgs is not available.
    """

    def __init__(self, node: Node, config: BridgeConfig, simulation: Simulation, sensors: list[SensorSpec]):
        self._node, self._config, self._simulation = node, config, simulation
        self._status = node.create_publisher(CarlaStatus, "/carla/status", RELIABLE)
        self._clock = node.create_publisher(Clock, "/clock", RELIABLE)
        world_info = node.create_publisher(CarlaWorldInfo, "/carla/world_info", LATCHED)
        # A native view is not mounted on the car: with it alone there is no transform to send.
        self._on_tf = bool(config.objects_definition_file) or any(spec.type == RGB_CAMERA for spec in sensors)
        links = self._links(node.create_publisher)
        self._of_the_world = [MarkerSensor(links, spec) for spec in sensors if not spec.on_car]
        self._of_the_car = [spec for spec in sensors if spec.on_car and spec.type in SENSORS]
        self.car: CarTopics | None = None
        world_info.publish(CarlaWorldInfo(map_name=simulation.map_name))

    def _links(self, create_publisher: Callable[[type, str, QoSProfile], Publisher]) -> Links:
        return Links(
            create_publisher,
            self._config.role_name,
            self._simulation.world,
            lambda: _transform_sender(create_publisher) if self._on_tf else lambda transform: None,
        )

    def spawn_car(self, car_id: int) -> None:
        """From now on there is a car; its topics appear."""
        publishers = Publishers(self._node)
        self.car = CarTopics(publishers, self._links(publishers.create), self._of_the_car, self._config.strict, car_id)

    def destroy_car(self) -> None:
        """From now on there is none; its topics vanish."""
        if self.car:
            self.car.close()
        self.car = None

    def publish_run_state(self, running: bool) -> None:
        """/carla/status; ``running`` is False while paused."""
        synchronous = self._config.synchronous_mode
        self._status.publish(
            CarlaStatus(
                frame=self._simulation.frame,
                fixed_delta_seconds=self._config.fixed_delta_seconds,
                synchronous_mode=synchronous,
                synchronous_mode_running=synchronous and running,
            )
        )

    def publish_tick(self, running: bool, tick: Tick | None = None, latency_ms: float = 0.0) -> None:
        """All messages of one tick, in the bridge's order; without a ``tick`` of a car, those of the world alone."""
        self.publish_run_state(running)
        self._clock.publish(Clock(clock=messages.time_from_ns(self._simulation.stamp_ns)))
        for sensor in self._of_the_world:
            sensor.update(tick) if tick else sensor.send_none()
        if tick:
            self.car.publish(tick, latency_ms)


class CarTopics:
    """The publishers of one car with sensors, in sending order; additional ones come before the first camera."""

    def __init__(self, publishers: "Publishers", links: Links, specs: list[SensorSpec], strict: bool, car_id: int):
        """``strict``: the first ticks lack sensors, as with CARLA; ``car_id``: its actor id."""
        base, create = f"/carla/{links.role_name}", publishers.create
        self._publishers, self._role = publishers, links.role_name
        info = create(CarlaEgoVehicleInfo, f"{base}/vehicle_info", LATCHED)
        self._waypoints = create(Path, f"{base}/waypoints", LATCHED)
        self._goal = create(PoseStamped, f"{base}/goal", LATCHED) if links.world.plans_routes else None
        self._sent_goals: deque[PoseStamped] = deque(maxlen=_GOALS_KEPT)  # they come back, perhaps after a next one
        self._status = create(CarlaEgoVehicleStatus, f"{base}/vehicle_status", RELIABLE)
        self._expert_control = create(CarlaEgoVehicleControl, f"{base}/expert_control", RELIABLE)
        self._step_result = create(StepResult, f"{base}/step_result", RELIABLE)
        self._signals = SignalTopics(create, base, links.world)
        self._sensors: list[Sensor] = [SENSORS[spec.type](links, spec) for spec in specs]
        self._cameras = [sensor for sensor in self._sensors if isinstance(sensor, Camera)]
        self._first_ticks = list(FIRST_SENSORS) if strict else []
        info.publish(messages.vehicle_info_msg(car_id, links.role_name, links.world.car))

    def publish_route(self, simulation: Simulation) -> None:
        """The line to follow from now on, and its end where the world plans routes."""
        world, own = simulation.world, Header(stamp=messages.time_from_ns(simulation.stamp_ns), frame_id=MAP)
        self._waypoints.publish(messages.path_msg(own, world.waypoints()))
        if self._goal:
            self._sent_goals.append(messages.pose_msg(own, *world.goal()))
            self._goal.publish(self._sent_goals[-1])

    def take_goal(self, msg: PoseStamped, simulation: Simulation) -> None:
        """A goal came, perhaps an own one: plan a route there and publish it; ValueError if that is not possible."""
        if msg not in self._sent_goals:
            simulation.set_goal(*messages.goal_of(msg))
            self.publish_route(simulation)

    def publish(self, tick: Tick, latency_ms: float) -> None:
        """The car's messages of a tick."""
        self._status.publish(messages.status_msg(header(tick, MAP), tick))
        present = self._sensors[: self._first_ticks.pop(0)] if self._first_ticks else self._sensors
        first_camera = self._cameras[0] if self._cameras else None
        if first_camera not in present:
            self._publish_own(tick, latency_ms)
        for sensor in present:
            if sensor is first_camera:
                self._publish_own(tick, latency_ms)
            sensor.update(tick)

    def _publish_own(self, tick: Tick, latency_ms: float) -> None:
        of_car = header(tick, self._role)
        self._signals.publish()
        self._expert_control.publish(messages.control_msg(of_car, tick.expert))
        self._step_result.publish(messages.step_result_msg(of_car, tick, latency_ms))

    def flush(self, timeout_s: float) -> None:
        """Wait until every subscriber has the last tick, or for ``timeout_s`` on each topic."""
        for publisher in (self._step_result, *(camera.image for camera in self._cameras)):
            publisher.wait_for_all_acked(Duration(seconds=timeout_s))

    def close(self) -> None:
        """The topics vanish."""
        self._publishers.close()


class Publishers:
    """Publishers that go together."""

    def __init__(self, node: Node):
        self._node = node
        self._created: list[Publisher] = []

    def create(self, kind: type, topic: str, qos: QoSProfile | int) -> Publisher:
        self._created.append(self._node.create_publisher(kind, topic, qos))
        return self._created[-1]

    def close(self) -> None:
        for publisher in self._created:
            self._node.destroy_publisher(publisher)


def _transform_sender(create_publisher: Callable) -> Callable[[TransformStamped], None]:
    """A function that sends one transform on /tf; each sensor of the bridge has a publisher of its own."""
    try:
        from tf2_msgs.msg import TFMessage  # only here: not needed for a native view alone
    except ImportError as error:
        raise RuntimeError(
            "cameras on the car need the package tf2_msgs, which is not available: run 'make setup', "
            f"then source env.sh again ({error})"
        ) from None
    publisher = create_publisher(TFMessage, "/tf", TRANSFORMS_DEPTH)
    return lambda transform: publisher.publish(TFMessage(transforms=[transform]))
