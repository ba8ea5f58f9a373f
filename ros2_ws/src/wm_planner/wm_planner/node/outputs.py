"""Publishers: commands, status, imagined futures and diagnostics. Wiring only."""

import math
import time
from collections.abc import Sequence

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.duration import Duration
from rclpy.exceptions import InvalidTopicNameException
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray
from wm_bundle import BundleManifest
from wm_msgs.msg import ImaginedRollouts, PlannerStatus

from wm_planner.config import PlannerConfig
from wm_planner.errors import PlannerError
from wm_planner.node.diagnostics import CommandRecord, Diagnosis, Level, asked_of_search
from wm_planner.node.endpoints import LATEST, RECENT, RELIABLE, Endpoints
from wm_planner.node.messages import (
    diagnostics_message,
    future_message,
    markers_message,
    rollouts_message,
    tell_signals,
)
from wm_planner.pilot.decision import Decision
from wm_planner.pilot.pilot import Pilot
from wm_planner.planning.plan import Plan
from wm_planner.planning.planner import Planner
from wm_planner.planning.sketch import sketch_paths

_RECEIPT_S = 0.5  # for the last message to reach its subscribers
_DISCOVERY_S = 0.3  # to discover the subscribers of a refusal; the node itself is known by then


class Outputs:
    """Publishers; large messages are made only for subscribers."""

    def __init__(
        self,
        node: LifecycleNode,
        endpoints: Endpoints,
        config: PlannerConfig,
        manifest: BundleManifest,
        planner: Planner,
        pilot: Pilot,
        has_ensemble: bool,
    ):
        """Make the publishers. Raises InvalidTopicNameException."""
        self._node = node
        self._manifest = manifest
        self._has_ensemble = has_ensemble
        self.retune(config)
        self._planner = planner
        self._guide = pilot.guide
        self._next_imagined_s = 0.0
        self._write = pilot.writer
        publisher = endpoints.publisher
        self._control = publisher(pilot.writer.message_class, config.topic("control_topic"), LATEST, alone=True)
        self._status = publisher(PlannerStatus, config.topic("planner_status_topic"), RELIABLE)
        self._imagined = publisher(ImaginedRollouts, config.topic("imagined_topic"), RECENT)
        self._future = publisher(Image, config.topic("future_topic"), RECENT)
        self._candidates = publisher(MarkerArray, config.topic("candidates_topic"), RECENT)
        self._diagnostics = publisher(DiagnosticArray, config.diagnostics_topic, RELIABLE)

    def retune(self, config: PlannerConfig) -> None:
        """Apply parameters that changed while driving."""
        self._config = config
        self._plans_asked = asked_of_search(config, self._has_ensemble).plans

    def command(
        self, decision: Decision, stamp: Time, received_s: float, speed_mps: float | None = None
    ) -> CommandRecord:
        """Send a command, at the measured speed, and then its status; returns what was sent, for the diagnostics."""
        self._control.publish(self._write(decision.command, stamp, speed_mps))
        latency_ms = 1000.0 * (time.monotonic() - received_s)
        missed = latency_ms > self._config.deadline_ms
        status = self._status_of(decision, latency_ms=latency_ms, deadline_missed=missed)
        status.header.stamp = stamp
        plan = decision.plan
        if plan is None:
            self._status.publish(status)
            return CommandRecord(decision.mode, decision.reason, latency_ms, missed, expected=decision.expected)
        status.candidates, status.horizon = (int(size) for size in plan.candidates.shape[:2])
        status.iterations, status.plans_asked = plan.iterations, self._plans_asked
        status.best_return, status.mean_return = plan.best_return, plan.mean_return
        status.surprise, status.in_flight = plan.surprise, plan.in_flight
        self._status.publish(status)
        return CommandRecord(
            decision.mode, decision.reason, latency_ms, missed, plan.surprise, status.candidates, plan.iterations
        )

    def waits(self, decision: Decision) -> None:
        """Report that there is no image. Sends no command: a simulator that waits would take it for an answer."""
        self._status.publish(self._status_of(decision))

    def _status_of(self, decision: Decision, **values) -> PlannerStatus:
        view = self._guide.view
        return PlannerStatus(
            bundle_id=self._manifest.model_id,
            mode=int(decision.mode),
            reason=decision.reason,
            surprise_threshold=self._manifest.surprise_threshold,
            route_offset_m=math.nan if view is None else view.offset,
            route_left_m=math.nan if view is None else view.left,
            **values,
        )

    def imagination(self, plan: Plan, stamp: Time, speed_mps: float) -> None:
        """Publish the plan's candidates, if subscribed to, at most at the parameter's rate."""
        pictured = self._imagined.get_subscription_count() + self._future.get_subscription_count() > 0
        marked = self._candidates.get_subscription_count() > 0
        now_s = time.monotonic()
        if not (pictured or marked) or now_s < self._next_imagined_s:
            return
        self._next_imagined_s = now_s + 1.0 / self._config.imagined_rate_hz
        period_s = self._manifest.control_period_s
        if marked:
            paths = sketch_paths(plan.candidates, speed_mps, period_s)
            self._candidates.publish(markers_message(paths, plan.returns, plan.best, self._config.vehicle_frame, stamp))
        if not pictured:
            return
        try:
            pictures, signals = self._planner.imagine_future(np.ascontiguousarray(plan.candidates[plan.best]))
        except PlannerError as error:  # the command is already sent: only the picture is lost
            self._node.get_logger().warning(f"no imagined pictures: {error}", throttle_duration_sec=1.0)
            return
        future = future_message(pictures, stamp)
        if self._future.get_subscription_count() > 0:
            self._future.publish(future)
        if self._imagined.get_subscription_count() > 0:
            message = rollouts_message(plan, future, period_s, stamp)
            if signals is not None:
                tell_signals(message, signals, self._manifest.vector)
            self._imagined.publish(message)

    def diagnostics(self, lines: Sequence[Diagnosis]) -> None:
        """Publish diagnostics, stamped with the node's clock."""
        stamp = self._node.get_clock().now().to_msg()
        self._diagnostics.publish(diagnostics_message(lines, self._manifest.model_id, stamp))

    def wait_until_received(self) -> None:
        """Wait until every subscriber has the last command, which the vehicle keeps indefinitely."""
        if not self._control.wait_for_all_acked(Duration(seconds=_RECEIPT_S)):
            self._node.get_logger().warning(
                f"{self._control.topic_name}: no receipt for the last brake command within {_RECEIPT_S} s"
            )


def tell_refusal(node: LifecycleNode, topic: str, reason: str) -> None:
    """Publish once on ``topic`` why a planner, which then has no publishers, could not be configured."""
    try:
        publisher = node.create_publisher(DiagnosticArray, topic, RELIABLE)
    except InvalidTopicNameException:
        return  # the log has the reason
    deadline_s = time.monotonic() + _DISCOVERY_S
    while publisher.get_subscription_count() == 0 and time.monotonic() < deadline_s:
        time.sleep(0.02)
    line = Diagnosis(f"{node.get_name()}: engine", Level.ERROR, f"not configured: {reason}")
    publisher.publish(diagnostics_message([line], "", node.get_clock().now().to_msg()))
    publisher.wait_for_all_acked(Duration(seconds=_RECEIPT_S))
    node.destroy_publisher(publisher)
