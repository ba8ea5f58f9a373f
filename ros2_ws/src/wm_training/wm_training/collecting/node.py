"""ROS wiring of the collector: topics in, ticks out; decisions in, commands out."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from carla_msgs.msg import CarlaCollisionEvent, CarlaEgoVehicleControl, CarlaLaneInvasionEvent
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Bool
from wm_bundle.processes.publishers import UNNAMED
from wm_bundle.processes.service_guard import guard_services
from wm_bundle.times import ns_of
from wm_bundle.vector_inputs import ODOMETRY, STATUS
from wm_msgs.msg import StepResult
from wm_msgs.srv import Reset

from wm_training.collecting.cameras import Cameras
from wm_training.collecting.drivers import Decision
from wm_training.collecting.planner_link import PlannerLink, control_array
from wm_training.collecting.recording import Tick, TickAssembler
from wm_training.collecting.routes import RouteLog
from wm_training.collecting.signals import SignalLog
from wm_training.collecting.simulated_time import SimulatedTime

if TYPE_CHECKING:
    from wm_training.collecting.collect_options import CollectOptions


class CollectNode(Node):
    """Subscribes to one vehicle's topics and passes complete ticks to ``on_tick``."""

    def __init__(self, options: "CollectOptions", cameras: Sequence[str]):
        """``cameras`` are the sensor ids."""
        super().__init__("wm_collect")
        self.on_tick: Callable[[Tick], None] = lambda tick: None
        self.failure: Exception | None = None
        self._assembler: TickAssembler | None = None
        self._events: dict[str, int] = {"collision": 0, "lane_invasion": 0}
        prefix = f"/carla/{options.role_name}"
        self.cameras = Cameras(
            self,
            prefix,
            cameras,
            options.image_size,
            options.camera_tolerance,
            options.camera_deadline,
            self._on_picture,
            self._fail,
        )
        self.signals = SignalLog(options, self, prefix)
        self.routes = None if options.route == "none" else RouteLog(options, self, prefix, self._fail)
        of_route = [ODOMETRY] if self.routes else []
        self._topics = dict.fromkeys((STATUS, *self.signals.tick_topics, *of_route))
        self._subscribe(prefix)
        self._control = self.create_publisher(CarlaEgoVehicleControl, f"{prefix}/vehicle_control_cmd", 10)
        self._autopilot = self.create_publisher(Bool, f"{prefix}/enable_autopilot", 10)
        self._tick_ns = 0  # stamp of the last complete tick
        self._reset = self.create_client(Reset, f"{prefix}/reset")
        self.time = SimulatedTime(self)
        self.planner: PlannerLink | None = None
        if options.with_planner:
            self.planner = PlannerLink(
                self,
                options.role_name,
                options.planner_node,
                lambda stamp, command: self._add("planner", stamp, command),
            )
        guard_services(self)

    def _fail(self, error: Exception) -> None:
        self.failure = error

    def _subscribe(self, prefix: str) -> None:
        def listen(kind: str, message_class: type, leaf: str):
            return self.create_subscription(
                message_class, f"{prefix}/{leaf}", lambda m: self._add(kind, ns_of(m.header.stamp), m), 10
            )

        for topic in self._topics:
            listen(topic.kind, topic.message_class, topic.leaf)
        self._steps = listen("step", StepResult, "step_result")
        self._experts = listen("expert", CarlaEgoVehicleControl, "expert_control")
        # Events may carry an earlier frame's stamp, so they are assigned to the next complete tick.
        self.create_subscription(CarlaCollisionEvent, f"{prefix}/collision", lambda m: self._event("collision", 1), 10)
        self.create_subscription(
            CarlaLaneInvasionEvent,
            f"{prefix}/lane_invasion",
            lambda m: self._event("lane_invasion", len(m.crossed_lane_markings)),
            10,
        )

    @property
    def has_step_results(self) -> bool:
        """Whether rewards are published."""
        return self.count_publishers(self._steps.topic_name) > 0

    @property
    def has_expert(self) -> bool:
        """Whether the expert's commands are published."""
        return self.count_publishers(self._experts.topic_name) > 0

    @property
    def lacks_for_route(self) -> str:
        """What is missing of a route that is to be recorded; empty if nothing is."""
        if self.routes is None:
            return ""
        (odometry,) = [one.topic_name for one in self.subscriptions if one.topic_name.endswith(f"/{ODOMETRY.leaf}")]
        if not self.count_publishers(odometry):
            return f"a publisher of {odometry}, which --route needs: add sensor.pseudo.odom to the spawn file"
        return "" if self.routes.is_there else f"a route on {self.routes.topic}"

    @property
    def can_reset(self) -> bool:
        """Whether the simulator begins episodes on request."""
        return self._reset.service_is_ready()

    def other_drivers(self) -> list[str]:
        """Names of other nodes that command the car."""
        publishers = self.get_publishers_info_by_topic(self._control.topic_name)
        return sorted({end.node_name for end in publishers} - {self.get_name(), UNNAMED})

    def start(self, with_steps: bool, with_expert: bool) -> None:
        """Begin assembling ticks from the published topics."""
        parts = {"step": with_steps, "expert": with_expert, "planner": self.planner is not None}
        told = {topic.kind for topic in self._topics}
        self._assembler = TickAssembler({"image"} | told | {kind for kind, wanted in parts.items() if wanted})

    @property
    def dropped(self) -> int:
        """Images dropped because a part of their tick never arrived."""
        return self._assembler.dropped if self._assembler else 0

    def send(self, decision: Decision) -> None:
        """Who drives until the next tick, and the command, if there is one.

        It carries the last tick's stamp, zero before the first: by it the simulator tells the answer to an episode's
        first tick from earlier commands."""
        if decision.autopilot is not None:
            self._autopilot.publish(Bool(data=decision.autopilot))
        if decision.command is not None:
            message = CarlaEgoVehicleControl()
            message.header.stamp = Time(nanoseconds=self._tick_ns).to_msg()
            message.steer, message.throttle, message.brake = (float(value) for value in decision.command)
            self._control.publish(message)

    @property
    def autopilot_heard(self) -> bool:
        """Whether somebody listens to what switches the autopilot."""
        return self._autopilot.get_subscription_count() > 0

    def request_reset(self, seed: int):
        """Ask the simulator for a new episode, where it ``can_reset``; returns the call's future."""
        if self._assembler:
            self._assembler.restart()
        self.signals.restart()
        self.cameras.restart()
        return self._reset.call_async(Reset.Request(seed=seed))

    def _on_picture(self, stamp: int, picture: np.ndarray, seen: np.ndarray) -> None:
        self.time.note_picture(stamp)
        self._add("image", stamp, (picture, seen))

    def _event(self, kind: str, count: int) -> None:
        self._events[kind] += count

    def _add(self, kind: str, stamp: int, part: object) -> None:
        if self._assembler is None:
            return
        parts = self._assembler.add(kind, stamp, part)
        numbers = None if parts is None else self.signals.at(stamp, parts)
        if numbers is None:
            return
        status, step, expert, (picture, seen) = parts["status"], parts.get("step"), parts.get("expert"), parts["image"]
        tick = Tick(
            stamp,
            picture,
            numbers,
            control_array(status.control),
            expert=None if expert is None else control_array(expert),
            planned=parts.get("planner"),
            seen=seen,
            collision=self._events["collision"] > 0,
            lane_crossings=self._events["lane_invasion"],
            reverse=status.control.reverse,
            pose=self.routes.pose_of(parts[ODOMETRY.kind]) if self.routes else None,
        )
        if step is not None:
            tick.reward, tick.terminated, tick.truncated = float(step.reward), step.terminated, step.truncated
        self._events = dict.fromkeys(self._events, 0)
        self._tick_ns = stamp
        self.on_tick(tick)
