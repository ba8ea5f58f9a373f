"""`ros2 run wm_tools play_bag`: plays a bag without `ros2 bag play`; see docs/replay.md and --help."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import islice

import rclpy
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from wm_bundle.processes.stop_signals import note_stop_signals
from wm_bundle.times import NS_PER_S
from wm_data.bags.bag import Message
from wm_planner.node.messages import time_message

from wm_tools.common.errors import ReplayError
from wm_tools.common.ros_words import start_ros
from wm_tools.record.topics import IMAGES, OF_THE_PLANNER
from wm_tools.replay.bag import ReplayBag, open_replay
from wm_tools.replay.controls import HELP, Controls, has_keyboard, listening_to_keys, offer_services
from wm_tools.replay.pace import Pace, read_ahead
from wm_tools.replay.play_bag_options import CLOCK_TOPIC, PlayOptions, parse_options, split_arguments
from wm_tools.replay.recorded_time import RecordedTime

_EXIT_FAILED = 1
_LOOK_S = 0.05
_SETTLE_S = 0.5  # discovery takes time, in each direction and for each topic
_ACK_TIMEOUT_S = 1.0
_NO_TIME_NS = 2**31 * NS_PER_S  # the limit of builtin_interfaces/Time
_FIRST_PICTURES = 20  # pictures per camera, within which all cameras should appear


@dataclass
class Played:
    """What was played: messages, duration [s], and the worst lateness [s]."""

    messages: int = 0
    took_s: float = 0.0
    worst_s: float = 0.0


class Player:
    """Publishes a bag's messages at their times. ``controls`` pauses it, ``stop`` ends it, both from another thread or
    a signal."""

    def __init__(self, node: Node, bag: ReplayBag, options: PlayOptions, controls: Controls, stop: threading.Event):
        """Create the publishers. Raises ReplayError if nothing can be played."""
        self._options = options
        self._bag = bag
        self._controls = controls
        self._stop = stop
        self._chosen = options.chosen(bag.topics)
        self._publishers: dict[str, Publisher] = {}
        for name in self._chosen:
            topic = bag.topics[name]
            self._publishers[name] = node.create_publisher(
                topic.message_class, options.remap.get(name, name), topic.qos
            )
        self._clock = node.create_publisher(Clock, CLOCK_TOPIC, QoSProfile(depth=1)) if options.clock_hz else None
        self._step_topic = self._find_step_topic()

    @property
    def topics(self) -> int:
        """Number of topics played."""
        return len(self._chosen)

    def wait_for_subscribers(self) -> None:
        """Wait for the requested number of subscribers. Raises ReplayError on a timeout."""
        wanted = self._options.subscribers
        if not wanted:
            return
        # Not all of a bag's cameras need a subscriber: one with subscribers shows that they are up.
        topics = [name for name in self._chosen if self._bag.topics[name].kind in IMAGES] or self._chosen
        deadline_s = time.monotonic() + self._options.wait_s
        while not self._stop.wait(_LOOK_S):
            counts = {name: self._publishers[name].get_subscription_count() for name in topics}
            if max(counts.values()) >= wanted:
                self._stop.wait(_SETTLE_S)
                return
            if time.monotonic() > deadline_s:
                found = ", ".join(f"{name} has {count}" for name, count in counts.items())
                raise ReplayError(
                    f"--wait-for-subscribers {wanted}: not there within {self._options.wait_s:g} s: {found}"
                )

    def play(self) -> Played:
        """Play once, or with --loop until stopped. Raises ReplayError for a bag that breaks off."""
        played = Played()
        began_s = time.monotonic()
        while not self._stop.wait(self._options.delay_s):
            self._play_once(played)
            if not self._options.loop:
                break
        played.took_s = time.monotonic() - began_s
        for publisher in self._publishers.values():
            if not self._stop.is_set():
                publisher.wait_for_all_acked(Duration(seconds=_ACK_TIMEOUT_S))
        return played

    def _play_once(self, played: Played) -> None:
        pace, tick_ns = None, 0
        before = played.messages
        for message, at_ns, note in read_ahead(self._selected(), self._stop):
            if pace is None:
                # Time before the first message of the played topics is kept as silence.
                tick_ns = round(self._options.start_offset_s * NS_PER_S)
                pace = Pace(tick_ns, self._options.rate, time.monotonic)
            if note:
                print(f"play_bag: {note}", flush=True)
            tick_ns = self._tick_until(at_ns, message.log_ns, tick_ns, pace)
            if not self._wait_until(at_ns, pace):
                return
            pace.sent(pace.due_s(at_ns))
            self._publishers[message.topic].publish(message.raw)
            played.messages += 1
            played.worst_s = max(played.worst_s, pace.worst_s)
            if self._controls.stepping and self._step_topic in (None, message.topic):
                self._controls.stepped()
                self._tell("stepped to", at_ns)
        if played.messages == before and not self._stop.is_set():
            raise ReplayError("there is no message in the part of the bag to play")

    def _find_step_topic(self) -> str | None:
        """The camera whose picture comes last in a tick: with it, the tick is complete. None without a camera: then
        every message is a step."""
        own = tuple(f"/{leaf}" for leaf in OF_THE_PLANNER)
        cameras = [name for name in self._chosen if self._bag.topics[name].kind in IMAGES and not name.endswith(own)]
        seen: list[str] = []
        for message in islice(self._bag.messages(cameras), _FIRST_PICTURES * len(cameras)):
            if message.topic not in seen:
                seen.append(message.topic)
            if len(seen) == len(cameras):
                break
        return seen[-1] if seen else None

    def _selected(self) -> Iterator[tuple[Message, int, str | None]]:
        """The messages of the chosen topics and time: each with its play time, counted from the start of the bag [ns],
        and with a remark to print before."""
        first = next(iter(self._bag.messages(list(self._bag.topics))), None)
        if first is None:
            return
        recorded = RecordedTime(first.log_ns, self._options.max_gap_s)
        start_ns = round(self._options.start_offset_s * NS_PER_S)
        duration_s = self._options.duration_s
        end_ns = None if duration_s is None else start_ns + round(duration_s * NS_PER_S)
        for message in self._bag.messages(self._chosen):
            recorded.go_to(message.log_ns)
            if end_ns is not None and recorded.at_ns > end_ns:
                return
            if recorded.at_ns >= start_ns:
                yield message, recorded.at_ns, recorded.note

    def _tick_until(self, at_ns: int, recorded_ns: int, tick_ns: int, pace: Pace) -> int:
        """Publish /clock until ``at_ns``, which was recorded at ``recorded_ns``; returns when the next one is due."""
        if self._clock is None:
            return tick_ns
        while tick_ns <= at_ns and self._wait_until(tick_ns, pace):
            told_ns = recorded_ns - (at_ns - tick_ns)
            if 0 <= told_ns < _NO_TIME_NS:
                self._clock.publish(Clock(clock=time_message(told_ns)))
            tick_ns += round(NS_PER_S * self._options.rate / self._options.clock_hz)
        return tick_ns

    def _wait_until(self, at_ns: int, pace: Pace) -> bool:
        """Wait until a message is due, or requested by a step; returns False if stopped."""
        while not self._stop.is_set():
            if self._controls.paused:
                if pace.halt():
                    self._tell("paused at", pace.recorded_ns)
                if self._controls.stepping:
                    pace.jump(at_ns)
                    return True
                self._stop.wait(_LOOK_S)
                continue
            if pace.go():
                self._tell("resumed at", pace.recorded_ns)
            left_s = pace.due_s(at_ns) - time.monotonic()
            if left_s <= 0.0:
                return True
            self._stop.wait(min(left_s, _LOOK_S))
        return False

    @staticmethod
    def _tell(what: str, at_ns: int) -> None:
        print(f"play_bag: {what} {at_ns / NS_PER_S:.2f} s", flush=True)


def main(argv: list[str] | None = None) -> int:
    """Play; returns the exit code: 0 at the end, 1 with a message, 2 for bad arguments, 128 + a signal's number."""
    argv = sys.argv if argv is None else argv
    stop = threading.Event()
    signals = note_stop_signals(stop.set)
    words, for_ros = split_arguments(argv[1:])
    options = parse_options(words)
    start_ros("play_bag", [argv[0], *for_ros])
    try:
        with open_replay(options.bag, options.recover) as bag:
            _play(bag, options, stop)
    except (ReplayError, OSError) as error:
        print(f"play_bag: {error}", file=sys.stderr)
        return _EXIT_FAILED
    finally:
        rclpy.try_shutdown()
    return 128 + signals[0] if signals else 0


def _play(bag: ReplayBag, options: PlayOptions, stop: threading.Event) -> None:
    for topic, reason in bag.left_out.items():
        print(f"play_bag: {topic} is skipped: {reason}", flush=True)
    for note in bag.news():
        print(f"play_bag: {note}", flush=True)
    controls = Controls(options.start_paused)
    node = rclpy.create_node("play_bag")
    try:
        player = Player(node, bag, options, controls, stop)
        player.wait_for_subscribers()
        print(f"play_bag: playing {player.topics} topics of {options.bag} at rate {options.rate:g}", flush=True)
        with _controlled(node, controls, has_keyboard() and not options.disable_keyboard_controls):
            played = player.play()
        for note in bag.news():
            print(f"play_bag: {note}", flush=True)
        print(
            f"play_bag: {played.messages} messages in {played.took_s:.2f} s, at most {1000 * played.worst_s:.1f} ms "
            f"late",
            flush=True,
        )
    finally:
        node.destroy_node()


@contextmanager
def _controlled(node: Node, controls: Controls, by_keys: bool) -> Iterator[None]:
    """Services, in a separate thread, and keys that pause and step."""
    offer_services(node, controls)
    executor = SingleThreadedExecutor()
    executor.add_node(node)

    def serve() -> None:
        with suppress(ExternalShutdownException):
            executor.spin()

    thread = threading.Thread(target=serve, name="services", daemon=True)
    thread.start()
    if by_keys:
        print(f"play_bag: {HELP}", flush=True)
    try:
        with listening_to_keys(controls) if by_keys else nullcontext():
            yield
    finally:
        executor.shutdown()
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
