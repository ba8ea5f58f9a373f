"""`ros2 run wm_tools live_view`: the live view's subscriptions and its server. Wiring only.

It subscribes only while a browser is connected. Large messages are received as bytes and decoded only on request.
"""

import os
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import fields

import rclpy
from carla_msgs.msg import CarlaEgoVehicleControl, CarlaEgoVehicleStatus
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.exceptions import InvalidTopicNameException
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image
from wm_bundle.processes.node_start import EXIT_REFUSED, serving, start_node
from wm_bundle.processes.parameters import declare
from wm_bundle.processes.service_guard import guard_services
from wm_bundle.processes.stop_signals import note_stop_signals
from wm_bundle.times import NS_PER_S, ns_of
from wm_msgs.msg import ImaginedRollouts, PlannerStatus, StepResult
from wm_planner.command_watchdog.node import BUNDLE_ID as COMMAND_WATCHDOG
from wm_planner.pilot.modes import Mode

from wm_tools.live_view.parameters import ViewConfig
from wm_tools.live_view.reading import picture_of, rollouts_of
from wm_tools.live_view.server import ViewError, ViewServer
from wm_tools.live_view.state import Fault, LiveState, StatusSample

NODE_NAME = "wm_live_view"
_ABOUT = "Serves a page that shows a drive as it happens. Listens to the drive only while a browser looks."
_NICENESS = 10  # the drive has priority
_LINGER_S = 2.0  # how long it still listens after the last browser has left: longer than a page takes to reload
_NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
_EVERY = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)  # best effort: no publisher waits for us
_RELIABLE = QoSProfile(depth=10)  # for messages that are counted, or sent only once
_DEADLINE_KEY = "deadline [ms]"


class LiveViewNode(Node):
    """Subscriptions that come and go with the browsers."""

    def __init__(self):
        """Raises ValueError for an unknown or invalid parameter."""
        super().__init__(NODE_NAME, automatically_declare_parameters_from_overrides=True)
        self.config = declare(self, ViewConfig)
        self.state = LiveState(self.config.role_name)
        self.on_answer: Callable[[], None] = lambda: None  # called after each of the planner's commands
        self._made = []
        self._sees_pictures = False
        guard_services(self)

    def listen(self) -> None:
        """Subscribe to everything but the pictures (see ``look``)."""
        topic = self.config.topic
        self._subscribe(PlannerStatus, topic("planner_status_topic"), self._on_status, _RELIABLE)
        self._subscribe(CarlaEgoVehicleControl, topic("control_topic"), self._on_command, _EVERY)
        self._subscribe(CarlaEgoVehicleStatus, topic("status_topic"), self._on_vehicle, _EVERY)
        self._subscribe(StepResult, topic("step_result_topic"), self._on_step, _EVERY)
        self._subscribe(DiagnosticArray, self.config.diagnostics_topic, self._on_diagnostics, _EVERY)

    def look(self) -> None:
        """Subscribe to the pictures, once another message was received: simulators treat a camera subscriber as a
        driver that is ready, and by then a real one is."""
        if self._sees_pictures or not self._made or not self.state.heard_anything():
            return
        self._sees_pictures = True
        imagined = self.config.topic("imagined_topic")
        kind = CompressedImage if self.config.image_transport == "compressed" else Image
        self._subscribe(ImaginedRollouts, imagined, self._on_imagined, _NEWEST, raw=True)
        self._subscribe(kind, self.config.camera_topic, lambda data: self._on_camera(kind, data), _NEWEST, raw=True)

    def leave(self) -> None:
        """Unsubscribe from everything and clear the state. Does nothing if not subscribed."""
        for subscription in self._made:
            self.destroy_subscription(subscription)
        self._made.clear()
        self._sees_pictures = False
        self.state.forget()

    @property
    def listens(self) -> bool:
        return bool(self._made)

    def _subscribe(self, kind, topic: str, callback, qos: QoSProfile, raw: bool = False) -> None:
        self._made.append(self.create_subscription(kind, topic, callback, qos, raw=raw))

    def _on_camera(self, kind, data: bytes) -> None:
        self.state.take_camera(_stamp_of(data), lambda: picture_of(deserialize_message(data, kind)))

    def _on_imagined(self, data: bytes) -> None:
        self.state.take_imagined(lambda: rollouts_of(deserialize_message(data, ImaginedRollouts)))

    def _on_status(self, message: PlannerStatus) -> None:
        if message.mode not in list(Mode):
            self.get_logger().warning(f"a planner status of the unknown mode {message.mode}", throttle_duration_sec=5.0)
            return
        said = {
            field.name: getattr(message, field.name) for field in fields(StatusSample) if hasattr(message, field.name)
        }
        said |= {"mode": Mode(message.mode), "stamp_ns": ns_of(message.header.stamp)}
        self.state.take_status(StatusSample(**said, by_watchdog=message.bundle_id == COMMAND_WATCHDOG))
        self.on_answer()

    def _on_command(self, message: CarlaEgoVehicleControl) -> None:
        self.state.take_command(message.steer, message.throttle, message.brake)

    def _on_vehicle(self, message: CarlaEgoVehicleStatus) -> None:
        applied = message.control
        self.state.take_vehicle(message.velocity, applied.steer, applied.throttle, applied.brake)

    def _on_step(self, message: StepResult) -> None:
        self.state.take_step(message.reward, message.terminated or message.truncated)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        if not message.status:
            return
        faults, deadline_ms = [], None
        for line in message.status:
            level = line.level[0] if isinstance(line.level, bytes) else int(line.level)
            if level:
                faults.append(Fault(line.name, level, line.message))
            for value in line.values:
                if value.key == _DEADLINE_KEY:
                    deadline_ms = _number_in(value.value)
        self.state.take_diagnostics(message.status[0].name.partition(":")[0], faults, deadline_ms)


def _number_in(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _stamp_of(data: bytes) -> int:
    """The stamp [ns] of a serialised message that begins with a header."""
    seconds, nanoseconds = struct.unpack_from("<iI" if data[1] else ">iI", data, 4)
    return seconds * NS_PER_S + nanoseconds


def main(argv: list[str] | None = None) -> int:
    """Run the node until a signal; returns the exit code: 0, or 2 with one message for invalid settings. Later errors
    leave a traceback."""
    stop_signals = note_stop_signals()
    os.nice(_NICENESS)  # before the first thread of the middleware: threads inherit it
    node, server = start_node("ros2 run wm_tools live_view", ViewConfig, _open, argv, _ABOUT)
    try:
        return _run(node, server, stop_signals)
    except (ViewError, InvalidTopicNameException) as error:  # subscriptions are created when a browser connects
        print(f"live_view: {str(error).splitlines()[0]}", file=sys.stderr)
        return EXIT_REFUSED
    finally:
        server.stop()
        rclpy.try_shutdown()


def _open() -> tuple[LiveViewNode, ViewServer]:
    node = LiveViewNode()
    server = ViewServer(node.state, node.config.address, node.config.port)
    node.on_answer = server.planner_rests
    _announce(node, server.start())
    return node, server


def _announce(node: LiveViewNode, port: int) -> None:
    address = node.config.address
    if not node.config.is_loopback:
        node.get_logger().warning(
            f"anyone who can reach {address} can watch: it is not a loopback address such as 127.0.0.1"
        )
    shown = f"[{address}]" if ":" in address else address
    node.get_logger().info(f"live view: http://{shown}:{port}/")


def _run(node: LiveViewNode, server: ViewServer, stop_signals: list[int]) -> int:
    watched_s = -_LINGER_S
    with serving(node) as executor:
        while not stop_signals:
            if not server.alive:
                raise ViewError("the server has ended")
            now_s = time.monotonic()
            if server.watchers:
                watched_s = now_s
                if not node.listens:
                    node.listen()
                node.look()
            elif node.listens and now_s - watched_s > _LINGER_S:
                node.leave()
            executor.spin_once(timeout_sec=0.1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
