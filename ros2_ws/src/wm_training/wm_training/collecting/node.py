"""ROS wiring of the collector: topics in, ticks out; decisions in, commands out."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from carla_msgs.msg import (
    CarlaCollisionEvent,
    CarlaControl,
    CarlaEgoVehicleControl,
    CarlaLaneInvasionEvent,
    CarlaStatus,
)
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from std_msgs.msg import Bool
from wm_bundle.processes.service_guard import guard_services
from wm_bundle.times import NS_PER_S, ns_of
from wm_bundle.vector_inputs import STATUS, usual_inputs
from wm_msgs.msg import StepResult
from wm_msgs.srv import Reset

from wm_training.collecting.cameras import Cameras
from wm_training.collecting.drivers import Decision
from wm_training.collecting.planner_link import PlannerLink, control_array
from wm_training.collecting.recording import Tick, TickAssembler

if TYPE_CHECKING:
    from wm_training.collecting.collect_options import CollectOptions

_UNNAMED = "_NODE_NAME_UNKNOWN_"  # ROS's name for an undiscovered node


class CollectNode(Node):
    """Subscribes to one vehicle's topics and passes complete ticks to ``on_tick``."""

    def __init__(self, options: "CollectOptions", cameras: Sequence[str]):
        """``cameras`` are the sensor ids."""
        super().__init__("wm_collect")
        self.on_tick: Callable[[Tick], None] = lambda tick: None
        self.failure: Exception | None = None
        self.period_ns: int | None = None
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
            lambda stamp, picture, seen: self._add("image", stamp, (picture, seen)),
            self._fail,
        )
        self._vector = [(entry, entry.sources[0]) for entry in usual_inputs()]
        self._topics = dict.fromkeys((STATUS, *(source.topic for _, source in self._vector)))
        self._subscribe(prefix)
        latched = QoSProfile(
            depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
        )
        self._control = self.create_publisher(CarlaEgoVehicleControl, f"{prefix}/vehicle_control_cmd", 10)
        self._manual = self.create_publisher(CarlaEgoVehicleControl, f"{prefix}/vehicle_control_cmd_manual", 10)
        self._override = self.create_publisher(Bool, f"{prefix}/vehicle_control_manual_override", latched)
        self._autopilot = self.create_publisher(Bool, f"{prefix}/enable_autopilot", 10)
        self._override_on = False
        self._tick_ns = 0  # stamp of the last complete tick
        self._reset = self.create_client(Reset, f"{prefix}/reset")
        self._simulation = self.create_publisher(CarlaControl, "/carla/control", 10)
        self._status: CarlaStatus | None = None
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
        self.create_subscription(CarlaStatus, "/carla/status", self._on_status, 10)

    @property
    def has_step_results(self) -> bool:
        """Whether rewards are published."""
        return self.count_publishers(self._steps.topic_name) > 0

    @property
    def has_expert(self) -> bool:
        """Whether the expert's commands are published."""
        return self.count_publishers(self._experts.topic_name) > 0

    @property
    def can_reset(self) -> bool:
        """Whether the simulator begins episodes on request."""
        return self._reset.service_is_ready()

    def other_drivers(self) -> list[str]:
        """Names of other nodes that command the car."""
        publishers = self.get_publishers_info_by_topic(self._control.topic_name)
        return sorted({end.node_name for end in publishers} - {self.get_name(), _UNNAMED})

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
        """Exactly one command for a tick, on the channel in force. A hand-over answers on both: the bridge ignores
        the channel that is not in force, and which one that is depends on which message it sees first.

        It carries the last tick's stamp, zero before the first."""
        message = CarlaEgoVehicleControl()
        # The tick's, by which the simulator tells the answer to an episode's first one from earlier commands.
        message.header.stamp = Time(nanoseconds=self._tick_ns).to_msg()
        message.steer, message.throttle, message.brake = (float(value) for value in decision.command)
        handover = decision.manual != self._override_on
        if handover:
            self._override_on = decision.manual
            self._override.publish(Bool(data=decision.manual))
        if decision.manual or handover:
            self._manual.publish(message)
        if not decision.manual or handover:
            self._control.publish(message)

    def enable_autopilot(self, on: bool) -> None:
        """Switch the bridge's autopilot."""
        self._autopilot.publish(Bool(data=on))

    def pause(self) -> None:
        """Ask the simulator to pause between two ticks, see ``stands_still``."""
        self._simulation.publish(CarlaControl(command=CarlaControl.PAUSE))

    def play(self) -> None:
        """Let the simulator continue."""
        self._status = None
        self._simulation.publish(CarlaControl(command=CarlaControl.PLAY))

    def stands_still(self) -> bool:
        """Whether the simulator has paused since it was last let go, or is not synchronous and cannot."""
        status = self._status
        return status is not None and not status.synchronous_mode_running

    def request_reset(self, seed: int):
        """Ask the simulator for a new episode, where it ``can_reset``; returns the call's future."""
        if self._assembler:
            self._assembler.restart()
        self.cameras.restart()
        return self._reset.call_async(Reset.Request(seed=seed))

    def _on_status(self, message: CarlaStatus) -> None:
        self._status = message
        if 0.0 < message.fixed_delta_seconds < math.inf:
            self.period_ns = round(message.fixed_delta_seconds * NS_PER_S)

    def _event(self, kind: str, count: int) -> None:
        self._events[kind] += count

    def _add(self, kind: str, stamp: int, part: object) -> None:
        if self._assembler is None:
            return
        parts = self._assembler.add(kind, stamp, part)
        if parts is None:
            return
        status, step, expert, (picture, seen) = parts["status"], parts.get("step"), parts.get("expert"), parts["image"]
        tick = Tick(
            stamp,
            picture,
            {entry.name: entry.reading(source.read(parts[source.topic.kind])) for entry, source in self._vector},
            control_array(status.control),
            expert=None if expert is None else control_array(expert),
            planned=parts.get("planner"),
            seen=seen,
            collision=self._events["collision"] > 0,
            lane_crossings=self._events["lane_invasion"],
            reverse=status.control.reverse,
        )
        if step is not None:
            tick.reward, tick.terminated, tick.truncated = float(step.reward), step.terminated, step.truncated
        self._events = dict.fromkeys(self._events, 0)
        self._tick_ns = stamp
        self.on_tick(tick)
