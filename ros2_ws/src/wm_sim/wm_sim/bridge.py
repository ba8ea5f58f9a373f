"""`ros2 run wm_sim bridge`: a built-in world behind the CARLA bridge's topics. Wiring and the tick loop only."""

import sys
import time
from collections.abc import Callable, Sequence

import rclpy
from carla_msgs.msg import CarlaControl, CarlaEgoVehicleControl
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from std_msgs.msg import Bool
from wm_bundle.processes.node_start import start_node
from wm_bundle.processes.parameters import declare
from wm_bundle.processes.service_guard import guard_services
from wm_bundle.processes.stop_signals import note_stop_signals
from wm_bundle.times import ns_of
from wm_msgs.srv import Reset

from wm_sim.car_control import CarControl
from wm_sim.commands import Channel, CommandDesk
from wm_sim.config import BridgeConfig
from wm_sim.driver_wait import DriverWait
from wm_sim.messages import command_from_msg
from wm_sim.pacing import Pacer
from wm_sim.run_state import RunState
from wm_sim.sensors import LATCHED, RELIABLE
from wm_sim.simulation import Simulation, Tick
from wm_sim.spawn import CONTROL, SensorSpec, built_in, read_spawn_file
from wm_sim.topics import BridgeTopics

FIRST_ANSWER_SHARE = 0.5  # of command_wait, for a command with the stamp of an episode's first tick; then any counts
SPIN_SLICE_S = 0.1  # longest time between checks of the stop signals
DRAIN_S = 0.02  # to serve queued callbacks: before an episode, and at most this long after a deadline
FLUSH_S = 2.0
SETTLE_S = 0.3  # for the driver's other endpoints to connect after the first were found
WARNING_PERIOD_S = 5.0


class Bridge(Node):
    """Subscriptions, the reset service and the loop; decisions are made by Simulation, CommandDesk and Pacer."""

    def __init__(self, stop: Sequence[int]):
        """Stops as soon as ``stop`` contains a signal."""
        super().__init__("carla_ros_bridge", automatically_declare_parameters_from_overrides=True)
        self._stop = stop
        self.config = declare(self, BridgeConfig)
        self._simulation = Simulation(
            self.config.fixed_delta_seconds, self.config.seed, self.config.world, self.config.traffic_cars
        )
        self._desk = CommandDesk(self.config.autopilot)
        self._pacer = Pacer(self.config.tick_wall_s)
        sensors = self._read_sensors()
        self._topics = BridgeTopics(self, self.config, self._simulation, sensors)
        self._tick: Tick | None = None
        self._run_state = RunState(self._on_run_state)
        self._reset_requested = False
        self._episodes_done = 0
        self._served = 0  # messages handled
        self._executor = SingleThreadedExecutor(context=self.context)
        self._executor.add_node(self)
        self._connect(sensors)
        guard_services(self)

    def _read_sensors(self) -> list[SensorSpec]:
        """The built-in sensors, or the spawn file's; what is skipped is logged. Raises ValueError."""
        config = self.config
        if not config.objects_definition_file:
            return built_in(self._simulation.world.camera, config.image_width, config.image_height)
        sensors, skipped = read_spawn_file(config.objects_definition_file, config.role_name)
        for line in skipped:
            self.get_logger().warning(line)
        return sensors

    def _connect(self, sensors: list[SensorSpec]) -> None:
        base = f"/carla/{self.config.role_name}"
        self._subscribe(CarlaControl, "/carla/control", self._on_carla_control)
        self._command_topics = {channel: f"{base}/{channel.value}" for channel in Channel}
        for channel, topic in self._command_topics.items():
            self._subscribe(CarlaEgoVehicleControl, topic, lambda msg, channel=channel: self._on_command(channel, msg))
        self._subscribe(
            Bool,
            f"{base}/vehicle_control_manual_override",
            lambda msg: setattr(self._desk, "override", msg.data),
            LATCHED,
        )
        self._subscribe(Bool, f"{base}/enable_autopilot", lambda msg: setattr(self._desk, "autopilot", msg.data))
        self.create_service(Reset, f"{base}/reset", self._on_reset)
        for sensor in sensors:
            if sensor.type == CONTROL:
                topic = f"{base}/{sensor.id}"
                CarControl(self._subscribe, self._warn, topic, self._simulation, self._desk)

    def _subscribe(self, kind: type, topic: str, callback: Callable, qos: QoSProfile = RELIABLE) -> None:
        def count_and_call(msg):
            self._served += 1
            callback(msg)

        self.create_subscription(kind, topic, count_and_call, qos)

    def _warn(self, text: str) -> None:
        self.get_logger().warning(text, throttle_duration_sec=WARNING_PERIOD_S)

    def _on_command(self, channel: Channel, msg: CarlaEgoVehicleControl) -> None:
        warning = self._desk.receive(channel, command_from_msg(msg), ns_of(msg.header.stamp))
        if warning:
            self._warn(warning)

    def _on_carla_control(self, msg: CarlaControl) -> None:
        if not self.config.synchronous_mode:
            self._warn("/carla/control works in synchronous mode only")
            return
        try:
            self._run_state.order(msg.command)
        except ValueError as error:
            self._warn(f"/carla/control: {error}")

    def _on_run_state(self, running: bool) -> None:
        self._topics.publish_run_state(self._tick.frame if self._tick else 0, running)

    def _on_reset(self, request: Reset.Request, response: Reset.Response) -> Reset.Response:
        try:
            response.seed = self._simulation.request_reset(request.seed)
        except ValueError as error:
            response.success, response.message = False, str(error)
            return response
        self._reset_requested = response.success = True
        response.message = f"the next tick begins an episode on the track of seed {response.seed}"
        return response

    def run(self) -> None:
        """Tick until the episodes are done or a signal arrived."""
        self._wait_for_driver()
        while not self._stop:
            if not self._may_tick():
                self._pacer.restart()
                if not self._spin(SPIN_SLICE_S, self._may_tick):
                    continue
            begins = self._simulation.episode_over
            self._one_tick()
            if self._tick.result is not None:
                self._episodes_done += 1
                print(self._tick.result.line(self._episodes_done), flush=True)
                if self._episodes_done == self.config.episodes:
                    break
            if self.config.synchronous_mode_wait_for_vehicle_control_command:
                self._wait_for_command(begins)
            self._spin(self._pacer.next_deadline() - time.monotonic())
        if self._pacer.late:
            print(f"ticks more than a period behind real time: {self._pacer.late}", flush=True)

    def _may_tick(self) -> bool:
        running = self._run_state.may_tick()
        return running and (self.config.auto_reset or not self._simulation.episode_over or self._reset_requested)

    def _one_tick(self) -> None:
        self._run_state.ticked()
        self._reset_requested = False
        begins = self._simulation.episode_over
        self._tick = self._simulation.tick(self._desk.current)
        if begins:
            self._topics.publish_waypoints(self._tick, self._simulation.world.waypoints())
            # A driver without images brakes, and a new track takes a while: such a command would end the first wait
            # and make every later command one tick late.
            self._spin(DRAIN_S)
            self._desk.new_episode()
            self._pacer.restart()  # the time spent making the track must not shorten the first interval
        latency_ms = self._desk.begin_tick(self._tick.stamp_ns)
        self._topics.publish_tick(self._tick, self._run_state.running, latency_ms)
        self._desk.drive_by(self._tick.expert)

    def _wait_for_command(self, episode_begins: bool) -> None:
        """Wait for a command. A driver's brake for lack of images may arrive between the drain and an episode's first
        image: as an answer to it, it would make every later command one tick late, so a real one is given time."""
        wait_s = self.config.command_wait
        if episode_begins and self._spin(FIRST_ANSWER_SHARE * wait_s, self._desk.is_answered):
            self._desk.take_arrival()
        else:
            self._spin(wait_s, self._desk.take_arrival)

    def _spin(self, duration_s: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Serve callbacks for ``duration_s``, then those still queued; returns True as soon as ``until`` does."""
        deadline = time.monotonic() + duration_s
        while not self._stop:
            left, served = deadline - time.monotonic(), self._served
            self._executor.spin_once(timeout_sec=min(max(left, 0.0), SPIN_SLICE_S))
            if until():
                return True
            if left <= 0.0 and (self._served == served or left < -DRAIN_S):
                return False
        return False

    def _wait_for_driver(self) -> None:
        """Wait until a node sees a camera and sends commands, or a planner elsewhere in the graph reports that it is
        ready; meanwhile log the reason for waiting."""
        limit_s = self.config.wait_for_driver
        if not limit_s:
            return
        driver = DriverWait(
            self,
            self.config.role_name,
            self._topics.image_topics,
            lambda: None if self._desk.autopilot else self._command_topics[self._desk.active_channel],
        )
        found = self._spin(limit_s, driver.over)
        driver.close()
        if found:
            self._spin(SETTLE_S)
        elif not self._stop:
            self.get_logger().warning(f"no driver connected within wait_for_driver = {limit_s} s: continuing without")

    def close(self) -> None:
        """Deliver the sent messages and destroy the node."""
        self._topics.flush(FLUSH_S)
        self._executor.shutdown()
        self.destroy_node()


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 when the episodes are done or after SIGINT or SIGTERM, 2 for invalid arguments."""
    stop = note_stop_signals()
    bridge = start_node("ros2 run wm_sim bridge", BridgeConfig, lambda: Bridge(stop), argv)
    try:
        bridge.run()
    finally:
        bridge.close()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
