"""The lifecycle node ``wm_planner``: exactly one command for every camera image, and the brake when anything fails.

Only wiring: what to command is decided in ``pilot``, when images have stopped in ``watchdog``. A command that no
image asked for (the watchdog's, and the one at deactivation) carries the stamp zero.
"""

import gc
import signal
import sys
import time

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from carla_msgs.msg import CarlaEgoVehicleControl, CarlaEgoVehicleStatus
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.exceptions import InvalidTopicNameException
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import Image
from wm_msgs.msg import ImaginedRollouts, PlannerStatus, StepResult

from wm_planner.assembly import Parts, build
from wm_planner.errors import ConfigError, PlannerError
from wm_planner.messages import control_message, frame_of, rollouts_message, stamp_ns, status_sample_of
from wm_planner.parameters import NodeParameters, help_text
from wm_planner.pilot import BRAKE, Decision, Frame
from wm_planner.watchdog import Watchdog

EXIT_REFUSED = 2
_STATUS_WAIT_S = 0.02  # a tick's vehicle_status is sent before its image, so it can only be a little late
_WATCH_PERIOD_S = 0.05  # how often the watchdog looks
_WITHOUT_DIGITS = str.maketrans("", "", "0123456789")
_ACK_TIMEOUT_S = 0.5  # for the last brake command to reach its subscribers


class PlannerNode(LifecycleNode):
    """Entities are made in configure, timers in activate, all destroyed in cleanup."""

    def __init__(self):
        """Declare the parameters. Raises ConfigError for unknown ones and bad values."""
        super().__init__("wm_planner", automatically_declare_parameters_from_overrides=True)
        self.exit_code: int | None = None  # set when something was found that no later image can cure
        self.finalized = False  # by the transition shutdown, there is no way back from it
        self._parts: Parts | None = None
        self._active = False
        self._entities: list[tuple] = []  # (destroy function, entity)
        self._timers_made = []
        self._pending: tuple[Frame, Time] | None = None  # an image that waits for its vehicle_status
        self._next_imagined_s = 0.0
        self._reported: tuple[int, str] | None = None
        self._parameters_guard = NodeParameters(self, may_change=lambda: self._parts is None)

    @property
    def config(self):
        """The checked parameters."""
        return self._parameters_guard.config

    # Life cycle

    def on_configure(self, state) -> TransitionCallbackReturn:
        """Load the bundle, warm the engine up, make publishers and subscriptions."""
        try:
            self._parts = build(self.config, self.get_logger().info)
        except PlannerError as error:
            self.get_logger().error(str(error))
            return TransitionCallbackReturn.FAILURE
        self._watchdog = Watchdog(self.config.image_timeout_s)
        try:
            self._make_entities()
        except InvalidTopicNameException as error:
            self._destroy_entities()
            self.get_logger().error(f"parameter role_name or one of the topics: {str(error).splitlines()[0]}")
            return TransitionCallbackReturn.FAILURE
        return super().on_configure(state)

    def on_activate(self, state) -> TransitionCallbackReturn:
        """Start to drive: from now on the vehicle gets a command for every image, or the brake."""
        self._parts.pilot.reset()
        self._pending = None
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._status_timer = self.create_timer(_STATUS_WAIT_S, self._decide_pending, clock=steady)
        self._status_timer.cancel()
        self._timers_made = [self._status_timer,
                             self.create_timer(_WATCH_PERIOD_S, self._on_watchdog, clock=steady)]
        # What lives now lives until cleanup: keep the garbage collector from walking through it between two frames.
        gc.collect()
        gc.freeze()
        self._watchdog.start()
        self._active = True
        return super().on_activate(state)

    def on_deactivate(self, state) -> TransitionCallbackReturn:
        """Brake and stop listening."""
        self._stop("deactivated")
        return super().on_deactivate(state)

    def on_cleanup(self, state) -> TransitionCallbackReturn:
        """Destroy everything that configure made."""
        self._destroy_entities()
        return super().on_cleanup(state)

    def on_shutdown(self, state) -> TransitionCallbackReturn:
        """Brake if active, destroy everything, and end the process."""
        self._stop("shut down")
        self._destroy_entities()
        self.finalized = True
        return super().on_shutdown(state)

    def on_error(self, state) -> TransitionCallbackReturn:
        """Brake if active, and destroy everything; the node can be configured again."""
        self._stop("error in a transition")
        self._destroy_entities()
        return TransitionCallbackReturn.SUCCESS

    def _make_entities(self) -> None:
        config, camera = self.config, self._parts.bundle.manifest.image.cameras[0].name
        reliable, newest = QoSProfile(depth=10), QoSProfile(depth=1)  # reliable, volatile, keep last

        def publisher(kind, topic, qos):
            entity = self.create_publisher(kind, topic, qos)
            self._entities.append((self.destroy_publisher, entity))
            return entity

        def subscription(kind, topic, callback, qos):
            self._entities.append((self.destroy_subscription, self.create_subscription(kind, topic, callback, qos)))

        root = f"/carla/{config.role_name}"
        self._control = publisher(
            CarlaEgoVehicleControl, config.topic("control_topic", "vehicle_control_cmd"), reliable)
        self._status = publisher(PlannerStatus, f"{root}/planner/status", reliable)
        self._imagined = publisher(ImaginedRollouts, f"{root}/planner/imagined", QoSProfile(depth=2))
        # In this order the executor serves what is ready at once, so an image finds its tick's status taken in.
        subscription(StepResult, config.topic("step_result_topic", "step_result"), self._on_step_result, reliable)
        subscription(CarlaEgoVehicleStatus, config.topic("status_topic", "vehicle_status"), self._on_status, reliable)
        subscription(Image, config.topic("image_topic", f"{camera}/image"), self._on_image, newest)

    def _destroy_entities(self) -> None:
        for destroy, entity in self._entities:
            destroy(entity)
        self._entities.clear()
        self._parts = None
        gc.unfreeze()

    def _stop(self, reason: str) -> None:
        if not self._active:
            return
        self._active = False
        self._watchdog.stop()
        self._pending = None
        for timer in self._timers_made:
            self.destroy_timer(timer)
        self._timers_made.clear()
        self._publish(Decision(BRAKE, reason), Time(), time.monotonic(), PlannerStatus.MODE_INACTIVE)
        # The vehicle keeps its last command for ever, so this one has to arrive before the publisher goes.
        if not self._control.wait_for_all_acked(Duration(seconds=_ACK_TIMEOUT_S)):
            self.get_logger().warning(f"{self._control.topic_name}: no receipt for the last brake command within "
                                      f"{_ACK_TIMEOUT_S} s")

    # Messages

    def _on_step_result(self, message: StepResult) -> None:
        if self._active:
            ended = message.terminated or message.truncated
            self._parts.pilot.take_step_result(stamp_ns(message.header.stamp), ended)

    def _on_status(self, message: CarlaEgoVehicleStatus) -> None:
        sample = status_sample_of(message) if self._active else None
        if sample is None:
            return
        self._parts.pilot.take_status(sample)
        if self._pending is not None and not self._parts.pilot.should_wait(self._pending[0].stamp_ns):
            self._decide_pending()

    def _on_image(self, message: Image) -> None:
        received_s = time.monotonic()
        if not self._active:
            return
        self._watchdog.feed()
        self._decide_pending()  # an image that still waits is decided with what there is
        frame = frame_of(message, received_s)
        self._pending = (frame, message.header.stamp)
        if self._parts.pilot.should_wait(frame.stamp_ns):
            self._status_timer.reset()
        else:
            self._decide_pending()

    def _decide_pending(self) -> None:
        self._status_timer.cancel()
        if self._pending is None:
            return
        (frame, stamp), self._pending = self._pending, None
        decision = self._parts.pilot.decide(frame)
        driving = decision.plan is not None
        self._publish(decision, stamp, frame.received_s,
                      PlannerStatus.MODE_DRIVING if driving else PlannerStatus.MODE_BRAKING)
        if driving and self._imagined.get_subscription_count() > 0:
            self._publish_imagined(decision.plan, stamp)
        self._watchdog.feed()
        if decision.fatal:
            self.get_logger().error(decision.reason)
            self.exit_code = EXIT_REFUSED

    def _on_watchdog(self) -> None:
        fault = self._watchdog.brake_due() if self._pending is None else None
        if fault is not None:
            self._parts.pilot.note_command(BRAKE)
            self._publish(Decision(BRAKE, fault), Time(), time.monotonic(), PlannerStatus.MODE_BRAKING)

    def _publish(self, decision: Decision, stamp: Time, received_s: float, mode: int) -> None:
        self._control.publish(control_message(decision.command, stamp))
        latency_s = time.monotonic() - received_s
        status = PlannerStatus()
        status.header.stamp = stamp
        status.bundle_id = self._parts.bundle.manifest.model_id
        status.mode = mode
        status.reason = decision.reason
        status.latency_ms = 1000.0 * latency_s
        status.deadline_missed = 1000.0 * latency_s > self.config.deadline_ms
        plan = decision.plan
        if plan is not None:
            status.candidates, status.horizon = (int(size) for size in plan.candidates.shape[:2])
            status.iterations = plan.iterations
            status.best_return, status.mean_return = plan.best_return, plan.mean_return
            status.surprise = plan.surprise
        self._status.publish(status)
        self._report(mode, decision.reason)

    def _report(self, mode: int, reason: str) -> None:
        """Log every change of mode and reason; where only a number changed, it is the same reason."""
        kind = (mode, reason.translate(_WITHOUT_DIGITS))
        if kind == self._reported:
            return
        self._reported = kind
        if mode == PlannerStatus.MODE_DRIVING:
            self.get_logger().info("driving")
        else:
            self.get_logger().warning(f"braking: {reason}")

    def _publish_imagined(self, plan, stamp: Time) -> None:
        now_s = time.monotonic()
        if now_s < self._next_imagined_s:
            return
        self._next_imagined_s = now_s + 1.0 / self.config.imagined_rate_hz
        try:
            pictures = self._parts.planner.imagine_pictures(np.ascontiguousarray(plan.candidates[plan.best]))
        except PlannerError as error:  # the command has left already: only the picture is lost
            self.get_logger().warning(f"no imagined pictures: {error}", throttle_duration_sec=1.0)
            return
        period_s = self._parts.bundle.manifest.control_period_s
        self._imagined.publish(rollouts_message(plan, pictures, period_s, stamp))


def main(argv: list[str] | None = None) -> int:
    """Run the node until a signal; returns the exit code: 0, or 2 with one message when something was refused."""
    argv = sys.argv if argv is None else argv
    stop_signals: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _: stop_signals.append(received))
    node = None
    try:
        words = remove_ros_args(argv)[1:]
        if words in (["--help"], ["-h"]):
            print(help_text())
            return 0
        if words:
            return _refuse(f"unknown argument {' '.join(words)}: parameters are given as "
                           f"--ros-args -p NAME:=VALUE, see --help")
        # Our own handlers, because rclpy's would close the context before the last brake command is sent.
        rclpy.init(args=argv, signal_handler_options=SignalHandlerOptions.NO)
        node = PlannerNode()
        return _run(node, stop_signals)
    except ConfigError as error:
        return _refuse(str(error))
    except Exception as error:  # rclpy refuses bad --ros-args with exceptions of several modules
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return _refuse(reason.split(", at /")[0])  # without the places in rcl's sources
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()


def _run(node: PlannerNode, stop_signals: list[int]) -> int:
    success = TransitionCallbackReturn.SUCCESS
    if node.config.autostart and not (node.trigger_configure() == success and node.trigger_activate() == success):
        return EXIT_REFUSED
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while not (stop_signals or node.finalized or node.exit_code is not None):
            executor.spin_once(timeout_sec=0.1)
    finally:
        if not node.finalized:
            node.trigger_shutdown()  # brakes when active
        executor.shutdown(timeout_sec=1.0)
    return node.exit_code or 0


def _refuse(message: str) -> int:
    print(f"planner: {message}", file=sys.stderr)
    return EXIT_REFUSED


if __name__ == "__main__":
    sys.exit(main())
