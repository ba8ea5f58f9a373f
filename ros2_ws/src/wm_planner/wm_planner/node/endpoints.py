"""The node's publishers and subscriptions, and whether their peers are compatible."""

import copy
import time
from collections.abc import Callable

from rclpy.duration import Infinite
from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    LivelinessPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)
from wm_bundle.processes.publishers import UNNAMED, full_name
from wm_bundle.processes.ros_distribution import event_callbacks

from wm_planner.command_watchdog.node import NODE_NAME as COMMAND_WATCHDOG
from wm_planner.errors import ConfigError

PublisherEventCallbacks, SubscriptionEventCallbacks = event_callbacks()


def _keep_last(depth: int, reliability=ReliabilityPolicy.RELIABLE) -> QoSProfile:
    """Volatile. Defaults are spelled out, for comparison with other endpoints."""
    return QoSProfile(
        depth=depth,
        reliability=reliability,
        deadline=Infinite,
        liveliness_lease_duration=Infinite,
        liveliness=LivelinessPolicy.AUTOMATIC,
    )


RELIABLE = _keep_last(10)
# For commands: only the newest counts, and DDS requests its acknowledgement at once, not after seconds.
LATEST = _keep_last(1)
RECENT = _keep_last(2)  # for large messages that are soon out of date
# For pictures: only the newest counts. Best effort loses large ones, but also receives from best-effort publishers.
NEWEST = {"reliable": LATEST, "best_effort": _keep_last(1, ReliabilityPolicy.BEST_EFFORT)}

_NAME_WITHIN_S = 0.8  # shorter than the period of the diagnostics


class Endpoints:
    """Creates entities, destroys them all, and finds faults in their peers.

    Faults are publishers and subscribers of another type or with an incompatible quality of service, so that nothing
    arrives, other publishers on topics reserved for this node, except the command watchdog, and several publishers of
    what should come from one vehicle.
    """

    def __init__(self, node: Node):
        self._node = node
        self._publishers: list[tuple[object, type, QoSProfile]] = []
        self._subscriptions: list[tuple[object, type, QoSProfile]] = []
        self._latched: list[object] = []
        self._kinds: dict[str, type] = {}  # by topic
        self._alone_on: list[str] = []
        self._remedies: dict[str, str] = {}  # by topic
        self._unnamed_since_s: dict[tuple, float] = {}  # by the endpoint's identifier
        self.others: Callable[[], list[str]] = list
        """Returns further faults."""
        self.faults: list[str] = []
        """The last result of ``look``."""

    def publisher(self, kind: type, topic: str, qos: QoSProfile, alone: bool = False):
        """A publisher; ``alone``: no other node may publish there. Raises InvalidTopicNameException, and ConfigError
        for a topic that also has another type."""
        self._claim(kind, topic)
        events = PublisherEventCallbacks(incompatible_qos=lambda _: self.look(), use_default_callbacks=False)
        entity = self._node.create_publisher(kind, topic, qos, event_callbacks=events)
        self._publishers.append((entity, kind, qos))
        if alone:
            self._alone_on.append(entity.topic_name)
        return entity

    def subscription(
        self, kind: type, topic: str, callback: Callable, qos: QoSProfile, remedy: str = "", raw: bool = False
    ) -> None:
        """A subscription; ``remedy``: what to do where a publisher is best effort; ``raw``: to the messages' bytes.
        Raises as ``publisher``."""
        self._claim(kind, topic)
        events = SubscriptionEventCallbacks(incompatible_qos=lambda _: self.look(), use_default_callbacks=False)
        entity = self._node.create_subscription(kind, topic, callback, qos, event_callbacks=events, raw=raw)
        self._subscriptions.append((entity, kind, qos))
        self._remedies[entity.topic_name] = remedy

    def latched(self, kind: type, topic: str, callback: Callable, qos: QoSProfile, raw: bool = False) -> None:
        """A second subscription beside the one of ``subscription``, to the last message that a publisher sent before
        this node came, if it keeps that. It does not match publishers that do not, so it is never judged. What is sent
        later comes twice."""
        latched, events = copy.copy(qos), SubscriptionEventCallbacks(use_default_callbacks=False)
        latched.durability, latched.depth = DurabilityPolicy.TRANSIENT_LOCAL, 1
        create = self._node.create_subscription
        self._latched.append(create(kind, topic, callback, latched, event_callbacks=events, raw=raw))

    def _claim(self, kind: type, topic: str) -> None:
        """The middleware knows one type of each topic in a node."""
        known = self._kinds.setdefault(self._node.resolve_topic_name(topic), kind)
        if known is not kind:
            raise ConfigError(
                f"the topic {topic} is to have two types, {type_name(known)} and {type_name(kind)}: see the "
                f"parameters of topics, and the sources of the bundle's signals"
            )

    def destroy(self) -> None:
        """Destroy all of them."""
        self._kinds.clear()
        for entity, _, _ in self._publishers:
            self._node.destroy_publisher(entity)
        for entity, _, _ in self._subscriptions:
            self._node.destroy_subscription(entity)
        for entity in self._latched:
            self._node.destroy_subscription(entity)
        self._latched.clear()
        self._publishers.clear()
        self._subscriptions.clear()
        self._alone_on.clear()
        self._unnamed_since_s.clear()
        self.others, self.faults = list, []

    def look(self) -> None:
        """Find the present faults; log new ones and those that are over."""
        self._unnamed_before_s, self._unnamed_since_s = self._unnamed_since_s, {}
        found = list(dict.fromkeys(self._misfits() + self._rivals() + self._doubles() + self.others()))
        for fault in found:
            if fault not in self.faults:
                self._node.get_logger().warning(fault)
        for fault in self.faults:
            if fault not in found:
                self._node.get_logger().info(f"no longer: {fault}")
        self.faults = found

    def _misfits(self) -> list[str]:
        found = []
        for entity, kind, qos in self._subscriptions:
            for other in self._known(self._node.get_publishers_info_by_topic(entity.topic_name)):
                misfit = _misfit(other, kind, other.qos_profile, qos)
                if misfit:
                    effort = other.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
                    remedy = self._remedies[entity.topic_name] if effort else ""
                    told = f"nothing arrives from {_name(other)}, it publishes {misfit}{remedy}"
                    found.append(f"{entity.topic_name}: {told}")
        for entity, kind, qos in self._publishers:
            for other in self._known(self._node.get_subscriptions_info_by_topic(entity.topic_name)):
                misfit = _misfit(other, kind, qos, other.qos_profile)
                if misfit:
                    found.append(f"{entity.topic_name}: nothing arrives at {_name(other)}, it subscribes {misfit}")
        return found

    def _rivals(self) -> list[str]:
        found = []
        ourselves = f"{self._node.get_namespace().rstrip('/')}/{self._node.get_name()}"
        for topic in self._alone_on:
            publishers = self._known(self._node.get_publishers_info_by_topic(topic))
            others = sorted(_name(other) for other in publishers if other.node_name != COMMAND_WATCHDOG)
            if ourselves in others:
                others.remove(ourselves)  # once: a second planner may have the same name
            if others:
                found.append(f"{topic}: {', '.join(others)} publishes commands too; only one may drive")
        return found

    def _doubles(self) -> list[str]:
        topics = {}
        for entity, _, _ in self._subscriptions:
            publishers = self._known(self._node.get_publishers_info_by_topic(entity.topic_name))
            topics.setdefault(tuple(sorted(map(_name, publishers))), []).append(entity.topic_name)
        return [
            f"{', '.join(of)}: published by {' and '.join(names)} at once; do two vehicles have the same name?"
            for names, of in topics.items()
            if len(names) > 1
        ]

    def _known(self, endpoints) -> list:
        """All but those whose node's name has not arrived yet; one that never gets a name is not a ROS node."""
        known = []
        for endpoint in endpoints:
            if endpoint.node_name == UNNAMED:
                identifier, now_s = tuple(endpoint.endpoint_gid), time.monotonic()
                since_s = self._unnamed_before_s.get(identifier, now_s)
                self._unnamed_since_s[identifier] = since_s
                if now_s - since_s < _NAME_WITHIN_S:
                    continue
            known.append(endpoint)
        return known


def _misfit(other, kind: type, offered: QoSProfile, requested: QoSProfile) -> str:
    """Why the endpoint ``other`` does not match ours; empty if it does."""
    expected = type_name(kind)
    if other.topic_type != expected:
        return f"{other.topic_type}, expected {expected}"
    compatibility, reason = qos_check_compatible(offered, requested)
    if compatibility == QoSCompatibility.ERROR:
        return f"with an incompatible quality of service: {reason.strip().rstrip(';')}"
    return ""


def type_name(kind: type) -> str:
    """The name of a message class, such as std_msgs/msg/Float32."""
    return f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"


def _name(endpoint) -> str:
    if endpoint.node_name == UNNAMED:
        return "an unnamed node"
    return full_name(endpoint)
