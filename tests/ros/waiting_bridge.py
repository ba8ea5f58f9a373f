"""The loop of CARLA's bridge in lock-step, on a real graph: a list of vehicles whose command is expected is filled, the
world ticks, its messages go out, and if the list is not empty an event is waited for, 1 s at most, and cleared. Any
command empties the list and sets the event, so that one too many ends the next wait before it begins."""

from __future__ import annotations

import threading
import time

from carla_msgs.msg import CarlaEgoVehicleControl, CarlaEgoVehicleStatus
from failsafe_rig import GOOD, ROOT, WATCHDOG, WATCHDOG_NODE, is_brake, picture, stamp_of, tick_of
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from wm_msgs.msg import PlannerStatus

WAIT_S = 1.0
DRAWING_S = 0.02


class WaitingBridge:
    """Ticks in its own thread, from ``start`` on. What it does wrong is set on it."""

    def __init__(self, context):
        self.stall_s = 0.0  # of the next tick
        self.pictures = True
        self.tick = 100
        self.acted: dict[int, CarlaEgoVehicleControl] = {}  # by tick
        self.came: dict[int, list[CarlaEgoVehicleControl]] = {self.tick: []}  # by tick whose answer they may be
        self.reasons: list[str] = []  # of statuses that say that the planner brakes or waits
        self._command = CarlaEgoVehicleControl()
        self._expected = False
        self._event, self._end, self._lock = threading.Event(), threading.Event(), threading.Lock()
        self._node = Node("waiting_bridge", context=context)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self._node)
        qos = QoSProfile(depth=10)
        self._clock = self._node.create_publisher(Clock, "/clock", qos)
        self._status = self._node.create_publisher(CarlaEgoVehicleStatus, f"{ROOT}/vehicle_status", qos)
        self._images = self._node.create_publisher(Image, f"{ROOT}/rgb_front/image", qos)
        self._rival = self._node.create_publisher(CarlaEgoVehicleControl, f"{ROOT}/vehicle_control_cmd", qos)
        self._node.create_subscription(CarlaEgoVehicleControl, f"{ROOT}/vehicle_control_cmd", self._on_command, qos)
        self._node.create_subscription(PlannerStatus, f"{ROOT}/planner/status", self._on_planner, qos)
        self._threads = [threading.Thread(target=call, daemon=True) for call in (self._spin, self._loop)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(5.0)
        self._executor.shutdown()
        self._node.destroy_node()

    def _spin(self) -> None:
        while not self._end.is_set():
            self._executor.spin_once(timeout_sec=0.1)

    def _on_command(self, message: CarlaEgoVehicleControl) -> None:
        with self._lock:
            self._command = message
            self.came[self.tick].append(message)
            self._expected = False
            self._event.set()

    def _on_planner(self, message: PlannerStatus) -> None:
        if message.mode == PlannerStatus.MODE_BRAKING:
            self.reasons.append(f"{message.bundle_id}: {message.reason}")

    def _loop(self) -> None:
        while not self._end.is_set():
            with self._lock:
                self._expected = bool(self.acted)  # in the first tick the vehicle is not known yet
            stall_s, self.stall_s = self.stall_s, 0.0
            time.sleep(stall_s)
            tick, acted = self.tick + 1, self._command
            time.sleep(DRAWING_S)
            with self._lock:
                self.tick, self.came[tick], self.acted[tick] = tick, [], acted
            self._publish(tick, acted)
            if self._expected:
                self._event.wait(WAIT_S)
                self._event.clear()

    def _publish(self, tick: int, acted: CarlaEgoVehicleControl) -> None:
        stamp = stamp_of(tick)
        self._clock.publish(Clock(clock=stamp))
        status = CarlaEgoVehicleStatus(velocity=5.0, control=acted)
        status.header.stamp = stamp
        self._status.publish(status)
        if self.pictures:
            self._images.publish(picture(GOOD, stamp, tick))

    def send_extra(self) -> None:
        """A command of somebody else."""
        self._rival.publish(CarlaEgoVehicleControl(brake=1.0))

    # What happened

    def until(self, holds, timeout_s: float = 20.0) -> None:
        """Wait until ``holds``; fails after ``timeout_s``."""
        deadline_s = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < deadline_s, f"not within {timeout_s} s: {self.told(self.tick - 12)}"
            time.sleep(0.02)

    def go_on(self, ticks: int) -> None:
        last = self.tick + ticks
        self.until(lambda: self.tick >= last)

    def in_phase(self, ticks: int = 15) -> bool:
        """Whether each of the last ticks got one command, the answer to its picture, and acted on it in the next."""
        now = self.tick
        if any(len(self.came.get(tick, ())) != 1 for tick in range(now - ticks, now)):
            return False
        return all(tick_of(self.acted[tick].header.stamp) == tick - 1 for tick in range(now - ticks + 1, now))

    def hears_watchdog(self) -> bool:
        publishers = self._node.get_publishers_info_by_topic(f"{ROOT}/vehicle_control_cmd")
        return any(other.node_name == WATCHDOG_NODE for other in publishers)

    def watchdogs_brakes(self, since: int) -> list[int]:
        """Ticks in which the command watchdog braked."""
        return [
            tick
            for tick, messages in sorted(self.came.items())
            for message in messages
            if tick >= since and is_brake(message) and message.header.frame_id == WATCHDOG_NODE
        ]

    def planner_said(self, words: str) -> bool:
        return any(words in reason for reason in self.reasons if not reason.startswith(WATCHDOG))

    def told(self, since: int) -> list[tuple[int, list[str]]]:
        """Ticks and what came in them."""
        return [
            (tick, [f"{tick_of(m.header.stamp)} {m.header.frame_id}{m.brake:.2f}" for m in messages])
            for tick, messages in sorted(self.came.items())
            if tick >= since
        ]
