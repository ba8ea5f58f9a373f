"""A vehicle and its camera in the test's own process, so that a fault and the brake are timed by one clock.

Ticks come in real time, each a vehicle_status and an image. What the camera and the vehicle do wrong is set on the
rig between two calls of ``run_for`` or ``until``.
"""

from __future__ import annotations

import array
import time
from dataclasses import dataclass, replace

import graph
import rclpy
from builtin_interfaces.msg import Time
from carla_msgs.msg import CarlaEgoVehicleStatus
from lifecycle_msgs.srv import ChangeState
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from wm_bundle.vehicle_commands.messages import OUTPUT_OF_TYPE, OUTPUTS
from wm_msgs.msg import PlannerStatus, StepResult

PERIOD_S = 0.08
START_S = 40.0  # for a process to come up on a busy machine
NORMAL_RED = 100
WATCHDOG = "command_watchdog"  # its bundle_id
WATCHDOG_NODE = "wm_command_watchdog"
SETTLE_S = 0.3  # from one side's discovery of the other to the other's of the first
ROOT = "/carla/ego_vehicle"


@dataclass(frozen=True)
class World:
    """What the rig sends in a tick."""

    images: bool = True
    statuses: bool = True
    red: int = NORMAL_RED  # of every pixel; a faulty bundle acts on it
    changing: bool = True  # whether a picture differs from the one before
    stamps_advance: bool = True
    stamp_step: int = 1  # periods between two stamps
    height: int = 96
    width: int = 96
    encoding: str = "bgra8"
    speed_mps: float = 5.0


GOOD = World()


class Rig:
    """Publishes ticks, records commands and statuses as (arrival [s of time.monotonic], message)."""

    def __init__(self, context, output: str = "carla"):
        """``output``: the message of the commands."""
        self.control_topic = OUTPUTS[output].topic.format(role_name="ego_vehicle")
        self.node = rclpy.create_node("rig", context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.world = GOOD
        self.tick = 1
        self.sent_s = 0.0  # when the last tick went out
        self._changed_at = (0.0, 0)  # when the world was changed [s], and its first tick
        self._due_s = time.monotonic()
        self.commands: list[tuple[float, object]] = []
        self.statuses: list[tuple[float, PlannerStatus]] = []
        deep = QoSProfile(depth=1000)
        self.images = self.node.create_publisher(Image, f"{ROOT}/rgb_front/image", QoSProfile(depth=10))
        self.step_results = self.node.create_publisher(StepResult, f"{ROOT}/step_result", QoSProfile(depth=10))
        self.vehicle = self.node.create_publisher(CarlaEgoVehicleStatus, f"{ROOT}/vehicle_status", QoSProfile(depth=10))
        self.node.create_subscription(
            OUTPUTS[output].message_class,
            self.control_topic,
            lambda message: self.commands.append((time.monotonic(), message)),
            deep,
        )
        self.node.create_subscription(
            PlannerStatus,
            f"{ROOT}/planner/status",
            lambda message: self.statuses.append((time.monotonic(), message)),
            deep,
        )

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()

    def status_of_best_effort(self, best_effort: bool) -> None:
        """Send vehicle_status with another reliability from now on."""
        self.node.destroy_publisher(self.vehicle)
        reliability = ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE
        self.vehicle = self.node.create_publisher(
            CarlaEgoVehicleStatus, f"{ROOT}/vehicle_status", QoSProfile(depth=10, reliability=reliability)
        )

    # Running

    def change(self, **changes) -> float:
        """The world is GOOD but for ``changes`` from now on; returns when the first tick of it goes out [s]."""
        self.world = replace(GOOD, **changes)
        self._due_s = max(self._due_s, time.monotonic())
        self._changed_at = (self._due_s, self.tick + self.world.stamp_step * self.world.stamps_advance)
        return self._due_s

    def run_for(self, seconds: float) -> None:
        """Tick and receive for some time."""
        end_s = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= end_s, seconds + 1.0)

    def until(self, holds, timeout_s: float = 20.0) -> None:
        """Tick and receive until ``holds``; fails after ``timeout_s`` with what was received last."""
        deadline_s = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < deadline_s, f"not within {timeout_s} s; the last statuses were {self.last(5)}"
            self._tick_if_due()
            self.executor.spin_once(timeout_sec=min(max(self._due_s - time.monotonic(), 0.0), 0.02))

    def _tick_if_due(self) -> None:
        now_s = time.monotonic()
        if now_s < self._due_s:
            return
        self._due_s = max(self._due_s + PERIOD_S, now_s)  # what was lost is not made up
        world = self.world
        if world.stamps_advance:
            self.tick += world.stamp_step
        stamp = stamp_of(self.tick)
        if world.statuses:
            status = CarlaEgoVehicleStatus(velocity=world.speed_mps)
            status.header.stamp = stamp
            self.vehicle.publish(status)
        if world.images:
            self.images.publish(picture(world, stamp, self.tick if world.changing else 0))
        self.sent_s = now_s

    def hears(self, node: str, topic: str) -> bool:
        """Whether the rig has found that node's publisher on a topic."""
        return any(other.node_name == node for other in self.node.get_publishers_info_by_topic(topic))

    # What was received

    def last(self, count: int) -> list[tuple[int, str]]:
        """Mode and reason of the last statuses."""
        return [(message.mode, message.reason) for _, message in self.statuses[-count:]]

    def until_driving(self, timeout_s: float = START_S, count: int = 4) -> None:
        """Run until the planner has driven for a few images in a row."""
        begin = len(self.statuses)

        def drives() -> bool:
            planned = [m for _, m in self.statuses[begin:] if m.bundle_id != WATCHDOG][-count:]
            return len(planned) == count and all(m.mode == PlannerStatus.MODE_DRIVING for m in planned)

        self.until(drives, timeout_s)

    def images_answered_before_brake(self) -> int:
        """How many images of the changed world the planner answered without a brake."""
        changed_s, first = self._changed_at
        modes = [
            message.mode
            for arrival_s, message in self.statuses
            if message.bundle_id != WATCHDOG
            and arrival_s > changed_s
            and message.header.stamp != Time()
            and tick_of(message.header.stamp) >= first
        ]
        return modes.index(PlannerStatus.MODE_BRAKING)

    def brake_after(
        self, fault_s: float, reason: str, mode: int = PlannerStatus.MODE_BRAKING, timeout_s: float = 10.0
    ) -> tuple[float, float]:
        """Seconds from ``fault_s`` to the first brake after it, and to the first status of ``mode`` and ``reason``."""

        def braked() -> list[float]:
            return [arrival_s for arrival_s, message in self.commands if arrival_s > fault_s and is_brake(message)]

        def said() -> list[float]:
            return [
                arrival_s
                for arrival_s, message in self.statuses
                if arrival_s > fault_s and reason in message.reason and message.mode == mode
            ]

        self.until(lambda: braked() and said(), timeout_s)
        return braked()[0] - fault_s, said()[0] - fault_s

    def moved_since(self, since_s: float) -> list[str]:
        """Commands other than a full brake since then, as text."""
        return [
            f"{arrival_s - since_s:.3f} s: {message}"
            for arrival_s, message in self.commands
            if arrival_s > since_s and not is_brake(message)
        ]

    def call_change_state(self, transition: int) -> bool:
        """Ask the planner for a life cycle transition, while ticks go on."""
        client = self.node.create_client(ChangeState, "/wm_planner/change_state")
        try:
            self.until(client.service_is_ready, START_S)
            request = ChangeState.Request()
            request.transition.id = transition
            future = client.call_async(request)
            self.until(future.done, START_S)
            return future.result().success
        finally:
            self.node.destroy_client(client)


def stamp_of(tick: int) -> Time:
    nanoseconds = round(tick * PERIOD_S * 1e9)
    return Time(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)


def tick_of(stamp: Time) -> int:
    return round((stamp.sec + stamp.nanosec * 1e-9) / PERIOD_S)


def picture(world: World, stamp: Time, blue: int) -> Image:
    """A picture of one colour."""
    pixels = array.array("B", bytes((blue % 256, 100, world.red, 255)) * (world.height * world.width))
    image = Image(height=world.height, width=world.width, encoding=world.encoding, step=4 * world.width, data=pixels)
    image.header.stamp = stamp
    return image


def is_brake(message) -> bool:
    output = OUTPUT_OF_TYPE[f"{type(message).__module__.split('.')[0]}/msg/{type(message).__name__}"]
    return not output.lets_move(message)


def start_planner(domain: int, bundle, *parameters: str) -> graph.GraphProcess:
    """An active planner, or one that will be."""
    given = (f"bundle:={bundle}", "candidates:=16", "autostart:=true", *parameters)
    words = [word for parameter in given for word in ("-p", parameter)]
    return graph.start("wm_planner", "planner", "--ros-args", *words, domain_id=domain)


def start_watchdog(domain: int, *parameters: str) -> graph.GraphProcess:
    words = [word for parameter in parameters for word in ("-p", parameter)]
    return graph.start("wm_planner", "command_watchdog", "--ros-args", *words, domain_id=domain)


def until_watching(rig: Rig, watchdog: graph.GraphProcess) -> None:
    """Run until the command watchdog has found the planner's commands, and the rig the watchdog's.

    Discovery takes its time, each way its own. The watchdog says only once that it watches: before this planner it must
    have watched no other one, or have said since that it brakes.
    """
    rig.until(lambda: "watching: " in watchdog.output().rstrip().rpartition("\n")[2], START_S)
    rig.until(
        lambda: all(rig.hears(WATCHDOG_NODE, topic) for topic in (rig.control_topic, f"{ROOT}/planner/status")), START_S
    )
    rig.run_for(SETTLE_S)
