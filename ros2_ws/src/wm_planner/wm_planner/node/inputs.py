"""Subscriptions: cameras, the vehicle's state and step results. Wiring only."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CompressedImage, Image
from wm_bundle import BundleManifest
from wm_bundle.pictures.frames import Frame
from wm_bundle.pictures.synchroniser import CameraSynchroniser
from wm_bundle.processes.memory import keep_freed_memory
from wm_bundle.processes.ros_distribution import with_times
from wm_bundle.times import NS_PER_S, ns_of
from wm_bundle.vector_inputs import SPEED, InputTopic
from wm_msgs.msg import StepResult

from wm_planner.config import PlannerConfig
from wm_planner.node.diagnostics import Diagnostics
from wm_planner.node.endpoints import NEWEST, RELIABLE, Endpoints
from wm_planner.node.image_sources import ImageSources
from wm_planner.node.messages import raw_image_of, sample_of
from wm_planner.node.picture_loss import PictureLoss
from wm_planner.node.routes import subscribe_route
from wm_planner.pilot.pilot import Pilot
from wm_planner.pilot.preflight import check_route, image_topics, with_messages
from wm_planner.pilot.source_choice import SourceChoice

# A tick's vehicle_status is sent before its image, so it can only be a little late.
_STATUS_WAIT_S = 0.02
_LONGEST_WAIT_S = 10.0  # longest time of a message in the middleware, the longest deadline


class Inputs:
    """Joins pictures into frames, holds a frame until its tick's vehicle_status, and passes it to ``decide``."""

    def __init__(
        self,
        node: LifecycleNode,
        endpoints: Endpoints,
        config: PlannerConfig,
        manifest: BundleManifest,
        pilot: Pilot,
        diagnostics: Diagnostics,
        decide: Callable[[Frame], None],
    ):
        """Make the subscriptions. Raises ConfigError and InvalidTopicNameException."""
        keep_freed_memory()
        cameras = [camera.name for camera in manifest.image.cameras]
        self._node = node
        self._pilot = pilot
        self._diagnostics = diagnostics
        self._decide = decide
        self._synchroniser = CameraSynchroniser(
            len(cameras), config.camera_tolerance_ms / 1000.0, config.camera_deadline_ms / 1000.0
        )
        told = [entry for entry in pilot.signals.entries if entry is not SPEED and not entry.derived]
        self._vector = {
            entry.name: SourceChoice(entry, config.sources(entry), node.get_logger().info)
            for entry in with_messages([SPEED, *told])
        }
        self._listening = False
        self._timers = []
        self._waiting: Frame | None = None  # for its vehicle_status
        # In this order the executor serves what is ready at once, so an image finds its tick's status handled.
        listen = endpoints.subscription
        listen(StepResult, config.topic("step_result_topic"), self._on_step_result, RELIABLE)
        for topic in dict.fromkeys(topic for choice in self._vector.values() for topic in choice.sources):
            name = config.topic(f"{topic.kind}_topic", topic.leaf)
            listen(topic.message_class, name, partial(self._on_told, topic), RELIABLE)
        check_route(config, manifest)
        subscribe_route(endpoints, config, pilot.guide)
        kind, ending = (Image, "") if config.image_transport == "raw" else (CompressedImage, "/compressed")
        topics = [topic + ending for topic in image_topics(config, cameras, manifest.control_period_s)]
        self._sources = ImageSources(node, kind, topics)
        self._loss = PictureLoss([camera.name for camera in manifest.image.cameras])
        endpoints.others, diagnostics.missed = self._loss.faults, self._loss.missed
        for index, topic in enumerate(topics):
            listen(
                kind,
                topic,
                with_times(lambda message, info, index=index: self._on_image(index, message, info)),
                NEWEST[config.image_reliability],
                "; set the parameter image_reliability to best_effort",
            )

    @property
    def speed_mps(self) -> float | None:
        """The last reported speed [m/s], None before the first."""
        return self._vector[SPEED.name].value

    @property
    def counts(self):
        """Counts of used and dropped pictures."""
        return self._synchroniser.counts

    def where(self) -> str:
        """The cameras' topics, who publishes them, and, if no node does, the other image topics."""
        return self._sources.tell()

    @property
    def busy(self) -> bool:
        """Whether a frame is waiting to be decided."""
        return self._waiting is not None

    def hold(self, seconds: float, then: Callable[[], None]) -> None:
        """Call ``then`` in so many seconds, unless a picture comes before. Only the last one called for counts."""
        self._then = then
        self._hold_timer.timer_period_ns = int(seconds * NS_PER_S)
        self._hold_timer.reset()

    def _on_hold(self) -> None:
        self._hold_timer.cancel()
        if self._waiting is None and self._synchroniser.wait_s() is None:
            self._then()

    def start(self) -> None:
        """Handle messages from now on."""
        self._synchroniser.reset()
        self._loss.reset()
        for choice in self._vector.values():
            choice.reset()
        self._waiting = None
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._status_timer = self._node.create_timer(_STATUS_WAIT_S, self._decide_waiting, clock=steady)
        self._camera_timer = self._node.create_timer(1.0, self._on_camera_deadline, clock=steady)
        self._hold_timer = self._node.create_timer(1.0, self._on_hold, clock=steady)
        self._timers = [self._status_timer, self._camera_timer, self._hold_timer]
        for timer in self._timers:
            timer.cancel()
        self._listening = True

    def stop(self) -> None:
        """Ignore messages from now on."""
        self._listening = False
        self._waiting = None
        for timer in self._timers:
            self._node.destroy_timer(timer)
        self._timers.clear()

    def _on_step_result(self, message: StepResult) -> None:
        if self._listening:
            self._pilot.take_step_result(ns_of(message.header.stamp), message.terminated or message.truncated)

    def _on_told(self, topic: InputTopic, message: Any) -> None:
        """A topic reported one or more vector inputs."""
        if not self._listening:
            return
        for name, choice in self._vector.items():
            source = choice.sources.get(topic)
            if source is None:
                continue
            if not topic.stamped:
                choice.take_unstamped(topic.kind, source.read(message))
            elif (sample := choice.take(topic.kind, sample_of(source, message))) is not None:
                self._pilot.take(name, sample)
        if self._waiting is not None:
            self._read_unstamped(self._waiting.stamp_ns)
            self._decide_unless_to_wait()

    def _read_unstamped(self, stamp_ns: int) -> None:
        for name, choice in self._vector.items():
            sample = choice.at_image(stamp_ns)
            if sample is not None:
                self._pilot.take(name, sample)

    def _decide_unless_to_wait(self) -> None:
        if self._waiting is not None and not self._pilot.should_wait(self._waiting.stamp_ns):
            self._decide_waiting()

    def _on_image(self, camera: int, message: Image | CompressedImage, info: Mapping[str, Any]) -> None:
        if not self._listening:
            return
        self._diagnostics.take_image(camera)
        self._loss.take(camera, len(message.data), info.get("publication_sequence_number"))
        for frame in self._synchroniser.add(camera, raw_image_of(message), arrival_s(info)):
            self._take_frame(frame)
        wait_s = self._synchroniser.wait_s()
        if wait_s is None:
            self._camera_timer.cancel()
        else:
            self._camera_timer.timer_period_ns = max(1, int(wait_s * NS_PER_S))
            self._camera_timer.reset()

    def _on_camera_deadline(self) -> None:
        frame = self._synchroniser.overdue()
        if frame is not None:  # else the timer was a little early and comes again
            self._camera_timer.cancel()
            self._take_frame(frame)

    def _take_frame(self, frame: Frame) -> None:
        self._decide_waiting()  # a frame that still waits is decided with the inputs at hand
        if not self._listening:
            return
        self._read_unstamped(frame.stamp_ns)
        self._waiting = frame
        if self._pilot.should_wait(frame.stamp_ns):
            self._status_timer.reset()
        else:
            self._decide_waiting()

    def _decide_waiting(self) -> None:
        self._status_timer.cancel()
        if self._waiting is not None:
            frame, self._waiting = self._waiting, None
            self._decide(frame)


def arrival_s(info: Mapping[str, int]) -> float:
    """When a message reached this process's middleware [s of the steady clock], by ``with_times``: it may have waited
    there while the previous frame was decided. Now, if the middleware's time makes no sense: its clock was set."""
    now_s, age_s = time.monotonic(), 1e-9 * (time.time_ns() - info["received_timestamp"])
    return now_s - age_s if 0.0 <= age_s <= _LONGEST_WAIT_S else now_s
