"""The lifecycle node ``wm_planner``: exactly one command for every frame of the cameras, and a brake on any fault.

Only wiring: ``pilot`` decides what to command, and ``watchdog`` when images have stopped. A command that answers no
image (the watchdog's, and the one at deactivation) carries the stamp zero. In lock-step only the latter is sent.
"""

import functools
import gc
import sys
import time
import traceback

import rclpy
from builtin_interfaces.msg import Time
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import InvalidTopicNameException
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from wm_bundle.pictures.frames import Frame
from wm_bundle.processes.node_start import EXIT_REFUSED, start_node
from wm_bundle.processes.parameters import ChangingParameters
from wm_bundle.processes.service_guard import guard_services
from wm_bundle.processes.stop_signals import note_stop_signals

from wm_planner.assembly import Parts, build, retune
from wm_planner.config import PlannerConfig
from wm_planner.engine.self_check import NONE
from wm_planner.errors import PlannerError
from wm_planner.node.diagnostics import Diagnostics, EngineFacts, asked_of_search
from wm_planner.node.endpoints import Endpoints
from wm_planner.node.inputs import Inputs
from wm_planner.node.messages import time_message
from wm_planner.node.outputs import Outputs, tell_refusal
from wm_planner.pilot.answers import Answers
from wm_planner.pilot.decision import BRAKE, Decision
from wm_planner.pilot.modes import Mode
from wm_planner.pilot.phase import Phase
from wm_planner.pilot.watchdog import Watchdog

EXIT_CRASHED = 1
_WATCH_PERIOD_S = 0.05  # how often the watchdog looks
_DIAGNOSTICS_PERIOD_S = 1.0
_EXPECTED_S = {"first": 15.0, "next": 30.0}  # how long the first image of an episode may take
_WAITS = "; in lock-step the vehicle waits too, or the command watchdog brakes"
_WITHOUT_DIGITS = str.maketrans("", "", "0123456789")


def _told(transition):
    """Log a transition callback's exceptions with their traceback: rclpy only turns them into an error state."""

    @functools.wraps(transition)
    def tell(node, state):
        try:
            return transition(node, state)
        except Exception:
            node.get_logger().error(f"{transition.__name__} failed:\n{traceback.format_exc()}")
            raise

    return tell


class PlannerNode(LifecycleNode):
    """Entities are made in configure, timers in activate, all destroyed in cleanup."""

    def __init__(self):
        """Declare the parameters. Raises ConfigError for unknown ones and bad values."""
        super().__init__("wm_planner", automatically_declare_parameters_from_overrides=True)
        self.exit_code: int | None = None  # set by a fault that no later image can cure
        self.finalized = False  # by the transition shutdown, which is final
        self._parts: Parts | None = None
        self._active = False
        self._endpoints = Endpoints(self)
        self._timers_made = []
        self._reported: tuple[Mode, bool, str] | None = None
        self._turns_fault = None
        self._parameters_guard = ChangingParameters(
            self, PlannerConfig, configured=lambda: self._parts is not None, apply=self._retune
        )
        guard_services(self)

    @property
    def config(self) -> PlannerConfig:
        """The checked parameters."""
        return self._parameters_guard.config

    # Life cycle

    @_told
    def on_configure(self, state) -> TransitionCallbackReturn:
        """Load the bundle, warm up the engine, create publishers and subscriptions."""
        try:
            self._parts = build(self.config, self.get_logger().info)
            self._make_entities()
        except (PlannerError, InvalidTopicNameException) as error:
            self._destroy_entities()
            about = "" if isinstance(error, PlannerError) else "parameter role_name or one of the topics: "
            reason = about + str(error).splitlines()[0]
            self.get_logger().error(reason)
            tell_refusal(self, self.config.diagnostics_topic, reason)
            return TransitionCallbackReturn.FAILURE
        return super().on_configure(state)

    def _make_entities(self) -> None:
        config, parts = self.config, self._parts
        manifest = parts.bundle.manifest
        self._watchdog = Watchdog(config.image_timeout_s)
        facts = EngineFacts(
            bundle_id=manifest.model_id,
            provider=parts.engine.provider,
            threads=config.threads,
            horizon=manifest.horizon,
            surprise_threshold=manifest.surprise_threshold,
            policy_id="none" if parts.policy is None else parts.policy.manifest.policy_id,
            self_check=str(parts.engine.self_check or NONE),
            unsound=tuple(parts.engine.unsound),
        )
        self._diagnostics = Diagnostics(self.get_name(), [camera.name for camera in manifest.image.cameras], facts)
        self._outputs = Outputs(self, self._endpoints, config, manifest, parts.planner, parts.pilot, parts.has_ensemble)
        self._inputs = Inputs(self, self._endpoints, config, manifest, parts.pilot, self._diagnostics, self._decide)

    @_told
    def on_activate(self, state) -> TransitionCallbackReturn:
        """Start driving: from now on every image gets a command, or the brake."""
        config, pilot = self.config, self._parts.pilot
        pilot.reset()
        self._diagnostics.reset()
        period_s, say = self._parts.bundle.manifest.control_period_s, self.get_logger().warning
        phase = Phase(period_s, config.answer_s, say) if config.lock_step else None
        self._answers = Answers(pilot, phase, self._answer, self._inputs.hold)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timers_made = [
            self.create_timer(_WATCH_PERIOD_S, self._on_watchdog, clock=steady),
            self.create_timer(_DIAGNOSTICS_PERIOD_S, self._on_diagnostics, clock=steady),
        ]
        # Existing objects stay until cleanup: keep the garbage collector from scanning them between frames.
        gc.collect()
        gc.freeze()
        self._watchdog.start()
        self._inputs.start()
        self._tell_readiness()
        self._active = True
        return super().on_activate(state)

    @_told
    def on_deactivate(self, state) -> TransitionCallbackReturn:
        """Brake and stop listening."""
        self._stop("deactivated")
        return super().on_deactivate(state)

    @_told
    def on_cleanup(self, state) -> TransitionCallbackReturn:
        """Destroy everything that configure created."""
        self._destroy_entities()
        return super().on_cleanup(state)

    @_told
    def on_shutdown(self, state) -> TransitionCallbackReturn:
        """Brake if active, destroy everything, and end the process."""
        self._stop("shut down")
        self._destroy_entities()
        self.finalized = True
        return super().on_shutdown(state)

    @_told
    def on_error(self, state) -> TransitionCallbackReturn:
        """Brake if active, and destroy everything; the node can be configured again."""
        self._stop("error in a transition")
        self._destroy_entities()
        return TransitionCallbackReturn.SUCCESS

    def _destroy_entities(self) -> None:
        self._endpoints.destroy()
        self._parts = self._inputs = self._outputs = self._diagnostics = self._watchdog = None
        gc.unfreeze()
        gc.collect()

    def _stop(self, reason: str) -> None:
        if not self._active:
            return
        self._active = False
        try:  # the brake first, whatever else fails
            self._send(Decision(BRAKE, reason, mode=Mode.INACTIVE), Time(), time.monotonic())
        finally:
            self._watchdog.stop()
            self._inputs.stop()
            for timer in self._timers_made:
                self.destroy_timer(timer)
            self._timers_made.clear()
            self._outputs.wait_until_received()
        self._on_diagnostics()

    def _retune(self, config: PlannerConfig) -> None:
        retune(self._parts, config)
        self._outputs.retune(config)

    # Driving

    def _decide(self, frame: Frame) -> None:
        self._answers.decide(frame)

    def _answer(self, decision: Decision, frame: Frame) -> None:
        stamp = time_message(frame.stamp_ns)
        self._send(decision, stamp, frame.received_s, self._parts.pilot.speed_at(frame.stamp_ns))
        if decision.plan is not None:
            self._outputs.imagination(decision.plan, stamp, self._inputs.speed_mps or 0.0)
        self._watchdog.feed()
        if decision.fatal:
            self.get_logger().error(decision.reason)
            self.exit_code = EXIT_REFUSED

    def _on_watchdog(self) -> None:
        fault = self._watchdog.brake_due() if not self._inputs.busy else None
        if fault is None:
            return
        decision = self._silence(fault)
        if self.config.lock_step:  # any command would be taken for an answer
            self._outputs.waits(decision)
            self._report(decision)
        else:
            self._parts.pilot.note_command(BRAKE)
            self._send(decision, Time(), time.monotonic())

    def _silence(self, fault: str) -> Decision:
        """The brake for lack of images, which is normal for a while before the first one and between episodes."""
        seen_any, silent_s = self._watchdog.seen_any, self._watchdog.silent_s
        if seen_any and self._parts.pilot.between_episodes:
            reason = f"the episode is over, the next one has not begun: {fault}"
            return Decision(BRAKE, reason, expected=silent_s < _EXPECTED_S["next"])
        reason = f"{fault}; {self._inputs.where()}{_WAITS if self.config.lock_step else ''}"
        return Decision(BRAKE, reason, expected=not seen_any and silent_s < _EXPECTED_S["first"])

    def _tell_readiness(self) -> None:
        reason = f"ready, and waits for the first image; {self._inputs.where()}"
        self._outputs.waits(Decision(BRAKE, reason))

    def _send(self, decision: Decision, stamp: Time, received_s: float, speed_mps: float | None = None) -> None:
        record = self._outputs.command(decision, stamp, received_s, speed_mps)
        self._diagnostics.take_command(record, answers_image=stamp != Time())
        self._report(decision)

    def _report(self, decision: Decision) -> None:
        """Log every change of mode and reason; one that differs only in numbers is the same reason."""
        kind = (decision.mode, decision.expected, decision.reason.translate(_WITHOUT_DIGITS))
        if kind == self._reported:
            return
        self._reported = kind
        text = decision.mode.name.lower() + (f": {decision.reason}" if decision.reason else "")
        if decision.mode in (Mode.DRIVING, Mode.INACTIVE, Mode.ARRIVED) or decision.expected:
            self.get_logger().info(text)
        else:
            self.get_logger().warning(text)

    def _on_diagnostics(self) -> None:
        self._endpoints.look()
        if self._active and not self._watchdog.seen_any:
            self._tell_readiness()  # again, for late subscribers
        inputs, config, parts, faults = self._inputs, self.config, self._parts, self._endpoints.faults
        asked, pilot = asked_of_search(config, parts.has_ensemble, parts.afforded(config)), parts.pilot
        lines = self._diagnostics.report(
            inputs.counts, asked, config.deadline_ms, config.image_timeout_s, faults, inputs.where, pilot
        )
        self._outputs.diagnostics(lines)
        if (turns := pilot.turns) is not None and turns.fault is not self._turns_fault:
            self._turns_fault = turns.fault
            self.get_logger().warning(turns.fault_told or f"the yaw rate agrees with the steering: {turns.told}")


def main(argv: list[str] | None = None) -> int:
    """Run the node until a signal; returns the exit code: 0, 2 with one message when something was refused, or 1 with a
    traceback when it crashed, after a brake."""
    stop_signals = note_stop_signals()
    node = start_node("ros2 run wm_planner planner", PlannerConfig, PlannerNode, argv)
    try:
        return _run(node, stop_signals)
    except Exception:
        node.get_logger().fatal(f"crashed:\n{traceback.format_exc()}")
        return EXIT_CRASHED
    finally:
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


if __name__ == "__main__":
    sys.exit(main())
