"""A driver on the bridge's graph that keeps every message of bridge_table with the time it was sent."""

import contextlib
import importlib
import json
import time
from collections import Counter

import graph
import rclpy
from bridge_probe import parameter_words
from bridge_table import CAMERAS, EGO, OF_THE_TICK, ONCE, PUBLISHED, SENSORS, SPAWN, TF
from carla_msgs.msg import CarlaEgoVehicleControl
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from wm_msgs.msg import StepResult
from wm_msgs.srv import Reset

WAITING = {"synchronous_mode_wait_for_vehicle_control_command": True, "real_time_factor": 0, "auto_reset": False}
LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
VOLATILE = QoSProfile(depth=500, reliability=ReliabilityPolicy.RELIABLE)


def message_type(name: str) -> type:
    package, _, message = name.split("/")
    return getattr(importlib.import_module(f"{package}.msg"), message)


def stamp_ns(msg) -> int:
    """The stamp of a message that has one."""
    first = msg.transforms[0] if hasattr(msg, "transforms") else msg
    first = first.markers[0] if hasattr(first, "markers") else first
    stamp = first.clock if hasattr(first, "clock") else first.header.stamp
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def expected_order(events: set[str]) -> list[tuple[str, str]]:
    """What one tick sends: (topic, child frame for /tf), with these topics of the events among it."""
    sent = [(row.topic, "") for row in OF_THE_TICK]
    for row in SENSORS:
        if not row.event or row.topic in events:
            sent += [(TF, row.transform)] if row.transform else []
            sent.append((row.topic, "ego_vehicle" if row.topic == TF else ""))
    return sent


def check_tick(tick: list[tuple], late_events: bool = False) -> set[str]:
    """Asserts that the messages of a tick came in the bridge's order with one stamp, but for ``late_events``, of which
    one tick may have several; returns the events' topics."""
    events = {row.topic for row in SENSORS if row.event} & {topic for _, topic, _ in tick}
    order = [(topic, msg.transforms[0].child_frame_id if topic == TF else "") for _, topic, msg in tick]
    if late_events:
        of_events = {name for row in SENSORS if row.event for name in (row.topic, row.transform)}
        assert [sent for sent in order if not of_events & set(sent)] == expected_order(set())
    else:
        assert order == expected_order(events)
    others = {"/carla/status", f"{EGO}/speedometer", *(events if late_events else ())}
    stamps = {stamp_ns(msg) for _, topic, msg in tick if topic not in others}
    assert len(stamps) == 1
    return events


class Listener:
    """Keeps `log`: (time of sending [ns], topic, message). Answers each set of pictures if `throttle` is set."""

    def __init__(self, context):
        self.node = rclpy.create_node("listener", context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        self.log = []
        self.throttle = None  # of the answer to each set of images; None: no answer
        self.images = Counter()  # by stamp
        self.commands = self.node.create_publisher(CarlaEgoVehicleControl, f"{EGO}/vehicle_control_cmd", 10)
        for row in PUBLISHED:
            qos = LATCHED if row.latched else VOLATILE
            self.node.create_subscription(
                message_type(row.type),
                row.topic,
                lambda msg, info, topic=row.topic: self._on_message(topic, msg, info),
                qos,
            )

    def _on_message(self, topic, msg, info):
        self.log.append((info["source_timestamp"], topic, msg))
        if topic.endswith("/image"):
            self.images[stamp_ns(msg)] += 1
            if self.images[stamp_ns(msg)] == len(CAMERAS) and self.throttle is not None:
                self.commands.publish(CarlaEgoVehicleControl(throttle=self.throttle))

    def of(self, topic: str) -> list:
        return [msg for _, name, msg in self.log if name == topic]

    def all_ticks(self) -> list[list[tuple]]:
        """The messages of each tick that has ended, in the order of sending."""
        once = [row.topic for row in ONCE]
        sent = sorted((entry for entry in self.log if entry[1] not in once), key=lambda entry: entry[0])
        begins = [k for k, (_, topic, _) in enumerate(sent) if topic == "/carla/status"]
        return [sent[begin:end] for begin, end in zip(begins, begins[1:], strict=False)]

    def ticks(self, count: int) -> list[list[tuple]]:
        """The first of them; fails if there are fewer."""
        ticks = self.all_ticks()
        assert len(ticks) >= count
        return ticks[:count]

    def whole_ticks(self) -> list[list[tuple]]:
        """Those in which every sensor sent; not several in one, where this listener lost messages while ticks rushed
        past before there was a car."""
        every = Counter(topic for topic, _ in expected_order(set()) if topic != TF)
        ticks = ((tick, Counter(topic for _, topic, _ in tick)) for tick in self.all_ticks())
        return [tick for tick, sent in ticks if all(sent[topic] == count for topic, count in every.items())]

    def wait_for(self, condition, seconds: float = 40.0):
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < deadline, f"not within {seconds} s; {len(self.log)} messages came"
            self.executor.spin_once(timeout_sec=0.05)
        return value

    def begin(self, seed: int):
        """Wait until everything is connected, then have the first episode begin and answer its pictures."""
        client = self.node.create_client(Reset, f"{EGO}/reset")
        self.wait_for(
            lambda: (
                client.service_is_ready()
                and self.commands.get_subscription_count()
                and all(self.node.count_publishers(row.topic) for row in PUBLISHED)
            ),
            seconds=120.0,
        )  # its libraries load slowly
        self.spin(4.0)  # the other side has to know of this one too, which takes up to 3 s on a busy machine
        self.throttle = 0.3
        client.call_async(Reset.Request(seed=seed))

    def spin(self, seconds: float):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.executor.spin_once(timeout_sec=0.05)

    def has_ticks(self, count: int) -> bool:
        """Whether each message that every tick sends has come that often."""
        came = Counter(topic for _, topic, _ in self.log)
        transforms = {row.transform for row in SENSORS if not row.event}  # and "" for the car's own
        return all(
            came[row.topic] >= count * (len(transforms) if row.topic == TF else 1)
            for row in [*OF_THE_TICK, *SENSORS]
            if not row.event
        )

    def close(self):
        self.executor.shutdown()
        self.node.destroy_node()


@contextlib.contextmanager
def driven_bridge(folder, seed: int, ticks: int, results: bool = False, **parameters):
    """A Listener on a graph with the bridge, after ``ticks``; the bridge stands and waits for its next command.

    Its ``process`` is the bridge's; with ``results`` it keeps the step results in ``results`` too.
    """
    file = folder / "spawn.json"
    file.write_text(json.dumps(SPAWN))
    domain_id = graph.fresh_domain_id()
    with graph.rclpy_context(domain_id) as context:
        listener = Listener(context)
        if results:
            listener.results = []
            listener.node.create_subscription(StepResult, f"{EGO}/step_result", listener.results.append, VOLATILE)
        words = parameter_words({**WAITING, "objects_definition_file": file, **parameters})
        with graph.start("wm_sim", "bridge", *words, domain_id=domain_id) as process:
            listener.begin(seed)
            listener.wait_for(lambda: listener.has_ticks(ticks))
            listener.throttle = None
            listener.spin(0.3)  # events may be the last to come
            listener.process = process
            yield listener
        listener.close()
