"""The wiring between the topics of any simulator and an episode."""

from carla_msgs.msg import CarlaWorldInfo
from nav_msgs.msg import Path
from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import GetParameters
from rclpy.context import Context
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.task import Future
from wm_bundle.lock_step import WAITS
from wm_bundle.processes.publishers import full_name
from wm_bundle.routes import Route, RouteError

from wm_tools.drive.recorder_node import RecorderNode
from wm_tools.drive.records import EpisodeCollector

_LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class EventRecorderNode(RecorderNode):
    """Also knows the ways of simulators that are not ours. ``map_name`` is the simulator's and ``route`` what it
    publishes as waypoints, None until they are known."""

    def __init__(self, context: Context, role_name: str, camera: str, collector: EpisodeCollector):
        super().__init__(context, role_name, camera, collector, reader=None)
        self.map_name: str | None = None
        self._told_waits: Future | None = None
        self._parameter_clients = {}  # clients by the node's name
        self.route: Route | None = None
        self.create_subscription(Path, f"{self._car}/waypoints", self._on_waypoints, _LATCHED)
        self.create_subscription(CarlaWorldInfo, "/carla/world_info", self._on_world_info, _LATCHED)

    def sees_car(self) -> bool:
        """Whether the minimum that an episode needs is there: the car's status and its camera."""
        return all(self.count_publishers(topic) for topic in (self._images, f"{self._car}/vehicle_status"))

    def sees_step_results(self) -> bool:
        """Whether step results (rewards and ends of episodes) are published."""
        return self.count_publishers(f"{self._car}/step_result") > 0

    def sees_expert(self) -> bool:
        return self.count_publishers(f"{self._car}/expert_control") > 0

    def can_reset(self) -> bool:
        return self._reset.service_is_ready()

    def waits(self) -> bool | None:
        """Whether the simulator's ticks wait for commands, by its node's parameter; None until that has answered."""
        if self._told_waits is None:
            self._ask_simulator()
        if self._told_waits is None or not self._told_waits.done():
            return None
        values = self._told_waits.result().values
        return bool(values) and values[0].type == ParameterType.PARAMETER_BOOL and values[0].bool_value

    def _ask_simulator(self) -> None:
        """Ask the node that publishes the car's status, once it is discovered."""
        for entry in self.get_publishers_info_by_topic(f"{self._car}/vehicle_status"):
            name = full_name(entry)
            if name not in self._parameter_clients:
                self._parameter_clients[name] = self.create_client(GetParameters, f"{name}/get_parameters")
            if self._parameter_clients[name].service_is_ready():
                self._told_waits = self._parameter_clients[name].call_async(GetParameters.Request(names=[WAITS]))

    def other_drivers(self) -> list[str]:
        publishers = self.get_publishers_info_by_topic(f"{self._car}/vehicle_control_cmd")
        return sorted({entry.node_name for entry in publishers} - {self.get_name()})

    def _on_waypoints(self, message: Path) -> None:
        points = [(place.pose.position.x, place.pose.position.y) for place in message.poses]
        try:
            self.route = Route.of_points(points, message.header.frame_id)
        except RouteError as error:
            self.route = None
            self.get_logger().warning(f"no route completion from {self._car}/waypoints: {error}")

    def _on_world_info(self, message: CarlaWorldInfo) -> None:
        self.map_name = message.map_name
