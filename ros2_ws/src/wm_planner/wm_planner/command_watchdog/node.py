"""The node ``wm_command_watchdog``: brakes when the planner's commands stop, in a separate process.

``watchdog`` decides. Needs no simulated time and no model, so that it starts at once and keeps running whatever happens
to the planner. Its own commands carry the frame ``wm_command_watchdog`` where their message has one.
"""

import collections
import contextlib
import math
import sys
import time
import traceback
from dataclasses import dataclass

import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock as ClockMessage
from wm_bundle.processes.node_start import serving, start_node
from wm_bundle.processes.parameters import declare, parameter, role_name_parameter, topic_parameter
from wm_bundle.processes.service_guard import guard_services
from wm_bundle.processes.stop_signals import note_stop_signals
from wm_bundle.times import ns_of
from wm_bundle.vehicle_commands.own_brakes import OwnBrakes
from wm_bundle.vehicle_commands.parameters import CommandParameters
from wm_bundle.vehicle_commands.writing import CommandWriter
from wm_msgs.msg import PlannerStatus, StepResult

from wm_planner.command_watchdog.simulated_time import SimulatedTime
from wm_planner.command_watchdog.watchdog import CommandWatchdog

NODE_NAME = "wm_command_watchdog"
BUNDLE_ID = "command_watchdog"  # in PlannerStatus, instead of a bundle
EXIT_FAILED = 1
_LOOKS = 5  # per timeout: it brakes at most a fifth of it late
_DIAGNOSTICS_PERIOD_S = 1.0
_MOST_FAILURES, _FAILURES_S = 10, 10.0
_ACK_TIMEOUT_S = 0.5  # for the last brake to reach its subscribers
_RELIABLE = QoSProfile(depth=10)
_LATEST = QoSProfile(depth=1)  # like the planner's commands
_BRAKES = ("braking", "resting")


@dataclass(frozen=True)
class WatchdogConfig(CommandParameters):
    role_name: str = role_name_parameter()
    planner_status_topic: str = topic_parameter("PlannerStatus", "planner/status")
    step_result_topic: str = topic_parameter("step results, which report the end of an episode", "step_result")
    diagnostics_topic: str = parameter("/diagnostics", "diagnostics")
    timeout_s: float = parameter(
        0.2, "brake when no command follows one that lets the vehicle move for this long", "s", 0.02, 60.0
    )
    lock_step: bool = parameter(
        False, "the simulator waits for a command in every tick: count simulated time (/clock), where there is any"
    )


class CommandWatchdogNode(Node):
    """Topics and timers only."""

    def __init__(self):
        """Raises ParameterError."""
        super().__init__(NODE_NAME, automatically_declare_parameters_from_overrides=True)
        self.config = config = declare(self, WatchdogConfig)
        simulated = SimulatedTime()
        self._watchdog = CommandWatchdog(config.timeout_s, simulated if config.lock_step else time.monotonic)
        self._reported = self._watchdog.state.name
        control_topic = config.topic("control_topic")
        status_topic = config.topic("planner_status_topic")
        step_topic = config.topic("step_result_topic")
        self._output, self._write = config.output, CommandWriter(config)
        self._own = OwnBrakes(self._output, NODE_NAME)
        self._control = self.create_publisher(self._write.message_class, control_topic, _LATEST)
        self._status = self.create_publisher(PlannerStatus, status_topic, _RELIABLE)
        self._diagnostics = self.create_publisher(DiagnosticArray, config.diagnostics_topic, _RELIABLE)
        self.create_subscription(self._write.message_class, control_topic, self._on_command, _RELIABLE)
        self.create_subscription(PlannerStatus, status_topic, self._on_status, _RELIABLE)
        self.create_subscription(StepResult, step_topic, self._on_step_result, _RELIABLE)
        if config.lock_step:  # last, so that commands that came before are handled before
            self.create_subscription(
                ClockMessage, "/clock", lambda message: simulated.take(ns_of(message.clock)), _RELIABLE
            )
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(config.timeout_s / _LOOKS, self._look, clock=steady)
        self.create_timer(_DIAGNOSTICS_PERIOD_S, self._publish_diagnostics, clock=steady)
        guard_services(self)

    def _on_command(self, message) -> None:
        if self._own.is_own(message):
            return
        stamp_ns = ns_of(self._output.stamp_of(message)) if self._output.has_stamp else 0
        self._watchdog.command(self._output.lets_move(message), stamp_ns)
        self._report()

    def _on_status(self, message: PlannerStatus) -> None:
        if message.bundle_id == BUNDLE_ID:
            return
        if not self._output.has_stamp:
            self._watchdog.answered(ns_of(message.header.stamp))
        if message.mode == PlannerStatus.MODE_INACTIVE:
            self._watchdog.planner_left()
            self._report()

    def _on_step_result(self, message: StepResult) -> None:
        self._watchdog.step_result(ns_of(message.header.stamp), message.terminated or message.truncated)

    def _look(self) -> None:
        reason = self._watchdog.brake_due()
        if reason is not None:
            self._brake(reason)
            self._report()

    def brake_for(self, error: Exception) -> None:
        """A callback raised ``error``: brake, then log it with its traceback. Raises nothing."""
        fault = f"internal error of the command watchdog: {type(error).__name__}: {error}"
        with contextlib.suppress(Exception):  # the first error is the one to report
            self._watchdog.failed(fault)
            self._brake(fault)
            self._report()
        self.get_logger().error("".join(traceback.format_exception(error)))

    def brake_at_end(self) -> None:
        """Leave no moving vehicle: the planner may have been stopped as well."""
        reason = self._watchdog.brake_at_end()
        if reason is not None:
            try:
                self._brake(reason)
            finally:
                self._control.wait_for_all_acked(Duration(seconds=_ACK_TIMEOUT_S))

    def _brake(self, reason: str) -> None:
        self._control.publish(self._write((0.0, 0.0, 1.0), Time(), frame=NODE_NAME))
        self._own.sent()
        self._publish_status(PlannerStatus.MODE_BRAKING, reason)

    def _report(self) -> None:
        """Report a change of state in the log and on the topics."""
        state = self._watchdog.state
        before, self._reported = self._reported, state.name
        if state.name == before:
            return
        line = f"{state.name}: {state.reason}"
        if state.name == "braking":
            self.get_logger().warning(line)
        else:
            self.get_logger().info(line)
        if before in _BRAKES and state.name not in _BRAKES:
            self._publish_status(PlannerStatus.MODE_INACTIVE, f"no longer braking: {state.reason}")
        self._publish_diagnostics()

    def _publish_status(self, mode: int, reason: str) -> None:
        nowhere = {"route_offset_m": math.nan, "route_left_m": math.nan}
        self._status.publish(PlannerStatus(bundle_id=BUNDLE_ID, mode=mode, reason=reason, **nowhere))

    def _publish_diagnostics(self) -> None:
        state = self._watchdog.state
        status = DiagnosticStatus(
            level=DiagnosticStatus.ERROR if state.name == "braking" else DiagnosticStatus.OK,
            name=f"{NODE_NAME}: commands",
            message=f"{state.name}: {state.reason}",
            hardware_id=self._control.topic_name,
            values=[KeyValue(key="timeout [s]", value=f"{self.config.timeout_s:g}")],
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)


def main(argv: list[str] | None = None) -> int:
    """Run the node until a signal; returns the exit code."""
    stop_signals = note_stop_signals()
    node = start_node("ros2 run wm_planner command_watchdog", WatchdogConfig, CommandWatchdogNode, argv)
    try:
        return guard(node, stop_signals)
    finally:
        rclpy.try_shutdown()


def guard(node: CommandWatchdogNode, stop_signals: list[int]) -> int:
    """Serve the node until a signal; returns the exit code.

    An exception in a callback brakes, and the node keeps guarding. After ``_MOST_FAILURES`` within ``_FAILURES_S`` it
    gives up, and the launch should end.
    """
    failed_s = collections.deque(maxlen=_MOST_FAILURES)
    with serving(node) as executor:
        try:
            while not stop_signals:
                try:
                    executor.spin_once(timeout_sec=0.1)
                except Exception as error:
                    node.brake_for(error)
                    failed_s.append(time.monotonic())
                    if len(failed_s) == _MOST_FAILURES and failed_s[-1] - failed_s[0] < _FAILURES_S:
                        return EXIT_FAILED
            return 0
        finally:
            node.brake_at_end()


if __name__ == "__main__":
    sys.exit(main())
