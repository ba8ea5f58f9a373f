"""The wiring between the topics of a drive and its plain records: subscriptions, one publisher, one client."""

import numpy as np
from carla_msgs.msg import CarlaCollisionEvent, CarlaEgoVehicleControl, CarlaEgoVehicleStatus, CarlaLaneInvasionEvent
from nav_msgs.msg import Odometry
from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import Image
from wm_bundle import ImageError
from wm_bundle.processes.service_guard import guard_services
from wm_bundle.rotation import yaw_of
from wm_bundle.times import ns_of
from wm_evaluation.metrics.driving_score import check_step
from wm_msgs.msg import ImaginedRollouts, PlannerStatus, StepResult
from wm_msgs.srv import Reset

from wm_tools.drive.drivers import Driver
from wm_tools.drive.pictures import FrameReader, split_frames
from wm_tools.drive.records import (
    COLLISION,
    LANE_INVASION,
    EpisodeCollector,
    ImaginedSample,
    MotionSample,
    PlannerSample,
    StepSample,
    begins_episode,
)

DEEP = 50  # queue depth, so that a busy moment loses no messages


class RecorderNode(Node):
    """Fills ``collector`` from the topics of the car ``role_name`` and of its ``camera``.

    ``collector`` may be replaced. Camera frames and imagined futures are kept only if there is a ``reader``: the
    planner makes the latter only for those who listen. ``bad_message`` says why a message could not be used, None
    while all could.
    """

    def __init__(
        self, context: Context, role_name: str, camera: str, collector: EpisodeCollector, reader: FrameReader | None
    ):
        super().__init__("drive_recorder", context=context)
        self.bad_message: str | None = None
        self.collector = collector
        self._reader = reader
        self._car = f"/carla/{role_name}"
        self._images = f"{self._car}/{camera}/image"
        self._planner_heard = False
        self._driver: Driver | None = None
        self._commands = None
        self._answered_ns: int | None = None
        self._unanswered: Image | None = None
        self._expert: CarlaEgoVehicleControl | None = None
        self._reset = self.create_client(Reset, f"{self._car}/reset")
        listen = self.create_subscription
        listen(StepResult, f"{self._car}/step_result", self._on_step, DEEP)
        listen(CarlaEgoVehicleStatus, f"{self._car}/vehicle_status", self._on_status, DEEP)
        listen(CarlaEgoVehicleControl, f"{self._car}/expert_control", self._on_expert, 10)
        listen(Odometry, f"{self._car}/odometry", self._on_odometry, DEEP)
        listen(CarlaCollisionEvent, f"{self._car}/{COLLISION}", self._on_collision, DEEP)
        listen(CarlaLaneInvasionEvent, f"{self._car}/{LANE_INVASION}", self._on_lane_invasion, DEEP)
        guard_services(self)

    def sees_simulator(self) -> bool:
        """Whether every topic and service of the simulator that a drive needs is there."""
        topics = (self._images, f"{self._car}/step_result", f"{self._car}/vehicle_status")
        return all(self.count_publishers(topic) for topic in topics) and self._reset.service_is_ready()

    def hears_planner(self) -> bool:
        return self._planner_heard

    def note_events(self) -> None:
        """Note which events the simulator can tell; where a car's topics come and go with it, more than once."""
        self.collector.told |= {
            leaf for leaf in (COLLISION, LANE_INVASION) if self.count_publishers(f"{self._car}/{leaf}")
        }

    def listen_to_camera(self) -> None:
        """Receive frames. Call it last: the simulator begins when the camera has a subscriber, and discovers our
        earlier subscriptions first."""
        self.create_subscription(Image, self._images, self._on_image, 10)

    def listen_to_planner(self) -> None:
        self.create_subscription(PlannerStatus, f"{self._car}/planner/status", self._on_planner, DEEP)
        if self._reader is not None:
            self.create_subscription(ImaginedRollouts, f"{self._car}/planner/imagined", self._on_imagined, 2)

    def drive_with(self, driver: Driver) -> None:
        self._driver = driver
        self._commands = self.create_publisher(CarlaEgoVehicleControl, f"{self._car}/vehicle_control_cmd", 10)

    def ask_reset(self, seed: int):
        """Request a new episode from the simulator; returns the future of a wm_msgs/srv/Reset response."""
        return self._reset.call_async(Reset.Request(seed=seed))

    def _on_image(self, message: Image) -> None:
        if self._driver is not None:
            self._unanswered = message
            self._answer()
        if self._reader is None:
            return
        try:
            frame = self._reader.read(message.height, message.width, message.encoding, message.step, message.data)
        except ImageError as error:
            self.bad_message = f"camera image: {error}"
        else:
            self.collector.add_frame(ns_of(message.header.stamp), frame)

    def _answer(self) -> None:
        """Answer the last frame, once the expert's command for it is there if the driver needs that."""
        image, expert = self._unanswered, self._expert
        known = image is not None and expert is not None and expert.header.stamp == image.header.stamp
        if image is None or (self._driver.needs_expert and not known):
            return
        self._unanswered, image_ns = None, ns_of(image.header.stamp)
        if begins_episode(image_ns, self._answered_ns):
            self._driver.begin(self.collector.current.seed)
        self._answered_ns = image_ns
        wish = (expert.steer, expert.throttle, expert.brake) if known else None
        steer, throttle, brake = self._driver.command(wish)
        self._commands.publish(CarlaEgoVehicleControl(header=image.header, steer=steer, throttle=throttle, brake=brake))

    def _on_expert(self, message: CarlaEgoVehicleControl) -> None:
        self._expert = message
        if self._driver is not None:
            self._answer()

    def _on_step(self, message: StepResult) -> None:
        stamp, wheels, latency_ms = ns_of(message.header.stamp), message.wheels_off_road, message.command_latency_ms
        ends = message.terminated, message.truncated
        told = tuple(message.infractions), message.route_completion, message.time_to_collision_s
        try:
            check_step(*told)
            self.collector.add_step(StepSample(stamp, message.reward, wheels, latency_ms, *ends, *told))
        except ValueError as error:
            self.bad_message = f"step result: {error}"

    def _on_status(self, message: CarlaEgoVehicleStatus) -> None:
        control, linear, turn = message.control, message.acceleration.linear, message.orientation
        command, yaw = (control.steer, control.throttle, control.brake), yaw_of(turn.x, turn.y, turn.z, turn.w)
        stamp = ns_of(message.header.stamp)
        try:
            self.collector.add_motion(MotionSample(stamp, message.velocity, *command, (linear.x, linear.y), yaw))
        except ValueError as error:
            self.bad_message = f"vehicle status: {error}"

    def _on_odometry(self, message: Odometry) -> None:
        place = message.pose.pose.position
        self.collector.add_position(ns_of(message.header.stamp), place.x, place.y)

    def _on_collision(self, message: CarlaCollisionEvent) -> None:
        self.collector.add_collision(ns_of(message.header.stamp), message.other_actor_id)

    def _on_lane_invasion(self, message: CarlaLaneInvasionEvent) -> None:
        self.collector.add_lane_invasion(ns_of(message.header.stamp))

    def _on_planner(self, message: PlannerStatus) -> None:
        self._planner_heard = True
        self.collector.add_planner(
            PlannerSample(
                ns_of(message.header.stamp),
                message.latency_ms,
                message.mode in (PlannerStatus.MODE_BRAKING, PlannerStatus.MODE_INACTIVE),
                message.reason,
                message.candidates,
                message.horizon,
                message.iterations,
                message.surprise,
                message.mode == PlannerStatus.MODE_DEGRADED,
                message.plans_asked,
            )
        )

    def _on_imagined(self, message: ImaginedRollouts) -> None:
        future, horizon = message.future, message.horizon
        try:
            frames = split_frames(future.height, future.width, future.encoding, future.step, future.data, horizon)
            actions = np.asarray(message.actions, np.float32).reshape(message.candidates, horizon, 3)
        except ValueError as error:  # ImageError is one
            self.bad_message = f"imagined rollouts: {error}"
            return
        stamp, returns = ns_of(message.header.stamp), np.asarray(message.returns, np.float32)
        self.collector.add_imagined(
            ImaginedSample(stamp, message.period_s, frames, returns, actions[:, :, 0], message.best)
        )
