"""The recorder's node: receives a drive's topics as bytes and passes them to the file. Wiring only."""

import time

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from wm_bundle.processes.ros_distribution import event_callbacks, with_times
from wm_bundle.processes.service_guard import guard_services

from wm_tools.common.errors import RecordError
from wm_tools.record.definitions import definition, message_class, qos_text
from wm_tools.record.losses import Losses
from wm_tools.record.mcap_file import McapRecording, RecordedMessage, RecordedTopic
from wm_tools.record.record_options import RecordOptions
from wm_tools.record.topics import is_source, is_wanted, matching_qos

_LOOK_PERIOD_S = 0.1  # period of the search for new topics
_CHECK_PERIOD_S = 1.0  # period of the check of known topics' publishers
_GONE_S = 3.0  # after this long without any publisher of the vehicle's topics, the drive is over
_SEQUENCES = 2**32  # an mcap's numbers have 32 bits


class RecorderNode(Node):
    """Subscribes to the wanted topics as soon as they are published."""

    def __init__(self, options: RecordOptions, recording: McapRecording):
        super().__init__("wm_recorder")
        self.taken = 0
        """Messages so far."""
        self.losses = Losses()
        self.over = ""
        """Why the recording ends; empty until then."""
        self._options = options
        self._recording = recording
        self._heard: dict[str, Subscription] = {}
        self._refused: set[str] = set()
        self._began_s: float | None = None
        self._seen_s: float | None = None
        self._dropped = 0
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(_LOOK_PERIOD_S, self._look, clock=steady)
        self.create_timer(_CHECK_PERIOD_S, self._check, clock=steady)
        self._look()
        guard_services(self)

    def _look(self) -> None:
        """Subscribe to new topics, and check the time limit."""
        for topic, kinds in self.get_topic_names_and_types():
            if (
                topic not in self._heard
                and topic not in self._refused
                and is_wanted(topic, kinds[0], self._options.role_name, self._options.topics, self._options.also)
            ):
                self._hear(topic, kinds)
        limit_s = self._options.max_seconds
        if limit_s is not None and self._began_s is not None and time.monotonic() - self._began_s >= limit_s:
            self.over = f"the limit of {limit_s:g} s is reached"

    def _check(self) -> None:
        """Adapt to changed publishers, check whether the drive is over, and report what was dropped."""
        now_s = time.monotonic()
        for topic, subscription in list(self._heard.items()):
            offered = [publisher.qos_profile for publisher in self.get_publishers_info_by_topic(topic)]
            if offered and is_source(topic, self._options.role_name):
                self._seen_s = now_s
            wanted, ours = matching_qos(offered), subscription.qos_profile
            if offered and (ours.reliability, ours.durability) != (wanted.reliability, wanted.durability):
                self.destroy_subscription(subscription)  # a publisher's QoS would not match
                self._heard[topic] = self._subscribe(topic, subscription.msg_type, wanted)
        if self._began_s is not None and self._seen_s is not None and now_s - self._seen_s > _GONE_S:
            self.over = "the vehicle's topics are no longer published"
        self._tell_drops()

    def _hear(self, topic: str, kinds: list[str]) -> None:
        offered = [publisher.qos_profile for publisher in self.get_publishers_info_by_topic(topic)]
        if not offered:
            return
        try:
            if len(kinds) > 1:
                raise RecordError(f"it has several types: {', '.join(kinds)}")
            message_type = message_class(kinds[0])
            text, type_hash = definition(kinds[0])
        except RecordError as error:
            self._refused.add(topic)
            self.get_logger().warning(f"{topic} is not recorded: {error}")
            return
        self._recording.add_topic(RecordedTopic(topic, kinds[0], text, type_hash, qos_text(offered)))
        self._heard[topic] = self._subscribe(topic, message_type, matching_qos(offered))
        self.get_logger().info(f"recording {topic}")

    def _subscribe(self, topic: str, message_type: type, qos: QoSProfile) -> Subscription:
        def take(data: bytes, info: dict) -> None:
            self.taken += 1
            self._began_s = self._began_s or time.monotonic()
            number = info.get("publication_sequence_number")
            self.losses.take(topic, number)
            self._recording.add(
                RecordedMessage(
                    topic,
                    info["received_timestamp"] or time.time_ns(),
                    info["source_timestamp"],
                    (number or 0) % _SEQUENCES,
                    data,
                )
            )

        _, subscription_events = event_callbacks()
        return self.create_subscription(
            message_type,
            topic,
            with_times(take),
            qos,
            raw=True,
            event_callbacks=subscription_events(
                message_lost=lambda event: self.losses.report(topic, event.total_count_change)
            ),
        )

    def _tell_drops(self) -> None:
        dropped = self._recording.dropped
        if dropped > self._dropped:
            self.get_logger().warning(
                f"the disk is too slow: {dropped - self._dropped} messages were dropped, {dropped} in all"
            )
            self._dropped = dropped
