"""What the node listens to: cameras, the vehicle's state and step results. Wiring only."""

import time
from collections.abc import Callable, Mapping

from carla_msgs.msg import CarlaEgoVehicleStatus
from nav_msgs.msg import Odometry
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CompressedImage, Image, Imu
from std_msgs.msg import Float32
from wm_bundle import BundleManifest
from wm_bundle.frames import Frame
from wm_bundle.ros_distribution import with_times
from wm_bundle.synchroniser import CameraSynchroniser
from wm_msgs.msg import StepResult

from wm_planner.config import PlannerConfig
from wm_planner.node.diagnostics import Diagnostics
from wm_planner.node.endpoints import NEWEST, RELIABLE, Endpoints
from wm_planner.node.image_sources import ImageSources
from wm_planner.node.messages import odometry_sample_of, raw_image_of, stamp_ns, status_sample_of, yaw_rate_sample_of
from wm_planner.pilot.pilot import Pilot
from wm_planner.pilot.preflight import image_topics
from wm_planner.pilot.speed_input import SpeedInput
from wm_planner.pilot.vector_inputs import needs_yaw_rate

# A tick's vehicle_status is sent before its image, so it can only be a little late.
_STATUS_WAIT_S = 0.02
_LONGEST_WAIT_S = 10.0  # of a message in the middleware, the longest deadline


class Inputs:
    """Brings pictures together to frames, holds a frame for its tick's vehicle_status, and gives it to ``decide``."""

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
        cameras = [camera.name for camera in manifest.image.cameras]
        self._node = node
        self._pilot = pilot
        self._diagnostics = diagnostics
        self._decide = decide
        self._synchroniser = CameraSynchroniser(
            len(cameras), config.camera_tolerance_ms / 1000.0, config.camera_deadline_ms / 1000.0
        )
        self.speed = SpeedInput(config.speed_source, node.get_logger().info)
        self._listening = False
        self._timers = []
        self._waiting: Frame | None = None  # for its vehicle_status
        # In this order the executor serves what is ready at once, so an image finds its tick's status taken in.
        listen = endpoints.subscription
        listen(StepResult, config.topic("step_result_topic", "step_result"), self._on_step_result, RELIABLE)
        if self.speed.wants("status"):
            listen(CarlaEgoVehicleStatus, config.topic("status_topic", "vehicle_status"), self._on_status, RELIABLE)
        if self.speed.wants("odometry"):
            listen(Odometry, config.topic("odometry_topic", "odometry"), self._on_odometry, RELIABLE)
        if needs_yaw_rate(manifest):
            kind = {"odometry": Odometry, "imu": Imu}[config.yaw_rate_source]
            topic = config.topic(f"{config.yaw_rate_source}_topic", config.yaw_rate_source)
            listen(kind, topic, self._on_yaw_rate, RELIABLE)
        if self.speed.wants("speedometer"):
            listen(Float32, config.topic("speedometer_topic", "speedometer"), self._on_speedometer, RELIABLE)
        kind, ending = (Image, "") if config.image_transport == "raw" else (CompressedImage, "/compressed")
        topics = [topic + ending for topic in image_topics(config, cameras, manifest.control_period_s)]
        self._sources = ImageSources(node, kind, topics)
        for index, topic in enumerate(topics):
            listen(
                kind,
                topic,
                with_times(lambda message, info, index=index: self._on_image(index, message, arrival_s(info))),
                NEWEST,
            )

    @property
    def counts(self):
        """What became of the cameras' pictures."""
        return self._synchroniser.counts

    def where(self) -> str:
        """The cameras' topics, who publishes them, and, where nobody does, which others there are."""
        return self._sources.tell()

    @property
    def busy(self) -> bool:
        """Whether a frame is waiting to be decided."""
        return self._waiting is not None

    def start(self) -> None:
        """Take in messages from now on."""
        self._synchroniser.reset()
        self.speed.reset()
        self._waiting = None
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._status_timer = self._node.create_timer(_STATUS_WAIT_S, self._decide_waiting, clock=steady)
        self._camera_timer = self._node.create_timer(1.0, self._on_camera_deadline, clock=steady)
        self._timers = [self._status_timer, self._camera_timer]
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
            self._pilot.take_step_result(stamp_ns(message.header.stamp), message.terminated or message.truncated)

    def _on_status(self, message: CarlaEgoVehicleStatus) -> None:
        self._take_sample("status", status_sample_of(message))

    def _on_odometry(self, message: Odometry) -> None:
        self._take_sample("odometry", odometry_sample_of(message))

    def _on_yaw_rate(self, message: Odometry | Imu) -> None:
        sample = yaw_rate_sample_of(message)
        if self._listening and sample is not None:
            self._pilot.take_yaw_rate(sample)

    def _on_speedometer(self, message: Float32) -> None:
        if not self._listening:
            return
        self.speed.take_speedometer(message.data)
        if self._waiting is not None:
            self._read_speedometer(self._waiting.stamp_ns)
            self._decide_unless_to_wait()

    def _take_sample(self, source: str, sample) -> None:
        if not self._listening or sample is None:
            return
        counting = self.speed.take(source, sample)
        if counting is None:
            return
        self._pilot.take_status(counting)
        self._decide_unless_to_wait()

    def _read_speedometer(self, stamp_ns: int) -> None:
        sample = self.speed.at_image(stamp_ns)
        if sample is not None:
            self._pilot.take_status(sample)

    def _decide_unless_to_wait(self) -> None:
        if self._waiting is not None and not self._pilot.should_wait(self._waiting.stamp_ns):
            self._decide_waiting()

    def _on_image(self, camera: int, message: Image | CompressedImage, received_s: float) -> None:
        if not self._listening:
            return
        self._diagnostics.take_image(camera)
        for frame in self._synchroniser.add(camera, raw_image_of(message), received_s):
            self._take_frame(frame)
        wait_s = self._synchroniser.wait_s()
        if wait_s is None:
            self._camera_timer.cancel()
        else:
            self._camera_timer.timer_period_ns = max(1, int(wait_s * 1e9))
            self._camera_timer.reset()

    def _on_camera_deadline(self) -> None:
        frame = self._synchroniser.overdue()
        if frame is not None:  # else the timer was a little early and comes again
            self._camera_timer.cancel()
            self._take_frame(frame)

    def _take_frame(self, frame: Frame) -> None:
        self._decide_waiting()  # a frame that still waits is decided with what there is
        if not self._listening:
            return
        self._read_speedometer(frame.stamp_ns)
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
    there while the frame before was decided. Now, where the middleware's time makes no sense: its clock was set."""
    now_s, age_s = time.monotonic(), 1e-9 * (time.time_ns() - info["received_timestamp"])
    return now_s - age_s if 0.0 <= age_s <= _LONGEST_WAIT_S else now_s
