"""`ros2 run wm_sim bridge`: a built-in world behind the CARLA bridge's topics. Wiring and the tick loop only."""

import sys
import time
from collections.abc import Sequence
from itertools import count

import cv2
import rclpy
from carla_msgs.msg import CarlaControl
from rclpy.node import Node
from wm_bundle.processes.memory import keep_freed_memory
from wm_bundle.processes.node_start import start_node
from wm_bundle.processes.parameters import declare
from wm_bundle.processes.service_guard import guard_services
from wm_bundle.processes.stop_signals import note_stop_signals
from wm_msgs.srv import Reset

from wm_sim.car_inputs import CarInputs
from wm_sim.commands import CommandDesk
from wm_sim.config import BridgeConfig
from wm_sim.driver_wait import DriverWait
from wm_sim.faults import Faults
from wm_sim.pacing import Pacer
from wm_sim.run_state import RunState
from wm_sim.serving import SLICE_S, Callbacks
from wm_sim.simulation import Simulation
from wm_sim.spawn import CAMERAS, SensorSpec, built_in, read_spawn_file
from wm_sim.topics import BridgeTopics

FIRST_ANSWER_SHARE = 0.5  # of command_wait, for a command with the stamp of an episode's first tick; then any counts
EMPTY_TICKS, EMPTY_TICK_S = 1000, 0.001  # of a strict world before its car comes, and the wall time of one
ASK_TICKS = 50  # of these between two looks for a driver
DRAIN_S = 0.02  # to serve queued callbacks before an episode
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
            self.config.fixed_delta_seconds,
            self.config.seed,
            self.config.world,
            self.config.traffic_cars,
            self.config.weather,
            self.config.light,
        )
        self._desk = CommandDesk(self.config.autopilot)
        self._pacer = Pacer(self.config.tick_wall_s)
        self._sensors = self._read_sensors()
        self._topics = BridgeTopics(self, self.config, self._simulation, self._sensors)
        self._run_state = RunState(self._topics.publish_run_state)
        self._faults = Faults(self.config.faults)
        self._ticks = 0  # of a car
        self._reset_requested = False
        self._episodes_done = 0
        self._warned_s: dict[str, float] = {}
        self._callbacks = Callbacks(self, stop)
        self._spin = self._callbacks.spin
        self._callbacks.subscribe(CarlaControl, "/carla/control", self._on_carla_control)
        self.create_service(Reset, f"/carla/{self.config.role_name}/reset", self._on_reset)
        self._inputs: CarInputs | None = None
        if not self.config.strict:
            self._spawn_car()
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

    def _spawn_car(self) -> None:
        """Now there is a car, and the topics that it takes commands from."""
        self._topics.spawn_car(self._simulation.car_id)
        self._inputs = CarInputs(
            self._callbacks.subscribe,
            self._warn,
            self.config,
            self._sensors,
            self._simulation,
            self._desk,
            says_unexpected=self.config.strict and self._waits,
            topics=self._topics.car,
        )

    def _destroy_car(self) -> None:
        self._topics.destroy_car()
        for subscription in self._inputs.subscriptions:
            self.destroy_subscription(subscription)
        self._desk.override = False

    def _warn(self, text: str) -> None:
        """Log a warning, if there was none lately that begins like this one up to its first colon."""
        now_s, what = time.monotonic(), text.partition(":")[0]
        if now_s - self._warned_s.get(what, -WARNING_PERIOD_S) >= WARNING_PERIOD_S:
            self._warned_s[what] = now_s
            self.get_logger().warning(text)

    def _on_carla_control(self, msg: CarlaControl) -> None:
        if not self.config.synchronous_mode:
            self._warn("/carla/control works in synchronous mode only")
            return
        try:
            self._run_state.order(msg.command)
        except ValueError as error:
            self._warn(f"/carla/control: {error}")

    def _on_reset(self, request: Reset.Request, response: Reset.Response) -> Reset.Response:
        try:
            response.seed = self._simulation.request_reset(request.seed)
        except ValueError as error:
            response.success, response.message = False, str(error)
            return response
        self._reset_requested = response.success = True
        response.message = f"the next tick begins an episode on the track of seed {response.seed}"
        return response

    @property
    def _waits(self) -> bool:
        return self.config.synchronous_mode_wait_for_vehicle_control_command

    def run(self) -> None:
        """Tick until the episodes are done or a signal arrived."""
        self._wait_for_driver()
        while not self._stop:
            if not self._may_tick():
                self._pacer.restart()
                if not self._stand():
                    continue
            begins = self._simulation.episode_over
            if begins and self.config.strict and self._empty_world():
                self._spin(EMPTY_TICK_S)
                continue
            self._ticks += 1
            if self._faults.ends(self._ticks):
                self._let_it_end()
                break
            self._one_tick(begins)
            if self._tick.result is not None:
                self._episodes_done += 1
                print(self._tick.result.line(self._episodes_done), flush=True)
                if self._episodes_done == self.config.episodes:
                    break
            if self._waits:
                self._wait_for_command(begins)
            self._spin(self._pacer.next_deadline() - time.monotonic())
        if self._pacer.late:
            print(f"ticks more than a period behind real time: {self._pacer.late}", flush=True)

    def _may_tick(self) -> bool:
        running = self._run_state.may_tick()
        return running and (self.config.auto_reset or not self._simulation.episode_over or self._reset_requested)

    def _stand(self) -> bool:
        """Let a moment pass in which the car may not tick; returns whether it may now."""
        emptied = self.config.strict and self._simulation.episode_over and self._run_state.may_tick()
        if emptied:
            self._empty_world()
        return self._spin(EMPTY_TICK_S if emptied else SLICE_S, self._may_tick)

    def _empty_world(self) -> bool:
        """A tick without a car, if there were too few since the last one went; returns whether it was made.

        As with another server: time begins anew, and the next car has another id."""
        if self._topics.car:
            self._destroy_car()
            self._simulation.restart_clock()
            self._simulation.new_car()
        if self._simulation.frame >= EMPTY_TICKS and self._may_tick():
            return False
        self._empty_tick()
        return True

    def _empty_tick(self) -> None:
        """A tick of a world without a car."""
        self._run_state.ticked()
        self._simulation.pass_time()
        self._topics.publish_tick(self._run_state.running)

    def _one_tick(self, begins: bool) -> None:
        self._run_state.ticked()
        self._reset_requested = False
        answers, strict = self._desk.answers, self.config.strict
        # As in the bridge: what is expected is noted before the tick, and a car that comes with it not yet known.
        answers.begin_tick(car=not (begins and strict))
        if stall_s := self._faults.stall_s(self._ticks):
            self._spin(stall_s)
        if begins and strict:
            self._spawn_car()
        self._tick = self._simulation.tick(self._desk.current)
        if begins:
            self._topics.car.publish_route(self._simulation)
            self._desk.new_episode()
            if not strict:
                # A driver without images brakes, and a new track takes a while: such a command would end the first
                # wait and make every later command one tick late.
                self._spin(DRAIN_S)
                self._desk.new_episode()
                answers.waited()
            self._pacer.restart()  # the time spent making the track must not shorten the first interval
        if strict:
            self._spin(0.0)  # commands that came during the tick; the bridge has further threads for them
        latency_ms = self._desk.begin_tick(self._tick.stamp_ns)
        self._topics.publish_tick(self._run_state.running, self._tick, latency_ms)
        self._desk.drive_by(self._tick.expert)

    def _wait_for_command(self, begins: bool) -> None:
        """Wait for a command. A driver's brake for lack of images may arrive between the drain and an episode's first
        image: as an answer to it, it would make every later command one tick late, so a real one is given time."""
        answers, wait_s = self._desk.answers, self.config.command_wait
        if self.config.strict:
            if not answers.missing:
                return
            if not answers.came and not self._spin(wait_s, lambda: answers.came):
                self._warn(f"Timeout ({wait_s}s) while waiting for vehicle control commands")
        elif not begins or not self._spin(FIRST_ANSWER_SHARE * wait_s, self._desk.is_answered):
            self._spin(wait_s, lambda: answers.came)
        answers.waited()

    def _let_it_end(self) -> None:
        """No tick of the car comes any more, until a signal arrives: the process lives on, as the bridge's does."""
        self.get_logger().error(f"before tick {self._ticks} of the car: {self._faults.text}")
        destroyed = self._faults.destroys
        if destroyed:
            self._destroy_car()
        while not self._stop:
            if destroyed and self._run_state.may_tick():
                self._empty_tick()
            self._spin(self.config.fixed_delta_seconds)

    def _wait_for_driver(self) -> None:
        """Wait until a node sees a camera and sends commands, or a planner elsewhere in the graph reports that it is
        ready; meanwhile log the reason for waiting."""
        limit_s, base, strict = self.config.wait_for_driver, f"/carla/{self.config.role_name}", self.config.strict
        if not limit_s:
            return
        cameras = [f"{base}/{sensor.id}/image" for sensor in self._sensors if sensor.type in CAMERAS]
        driver = DriverWait(
            self,
            self.config.role_name,
            cameras,
            lambda: None if self._desk.autopilot else self.config.command_topic(self._desk.active_channel),
        )

        asked = count()

        def over() -> bool:
            if strict and self._run_state.may_tick():  # CARLA's world does not wait
                self._empty_tick()
            return next(asked) % (ASK_TICKS if strict else 1) == 0 and driver.over()

        found = self._spin(limit_s, over, EMPTY_TICK_S if strict else SLICE_S)
        driver.close()
        if found:
            self._spin(SETTLE_S)
        elif not self._stop:
            self.get_logger().warning(f"no driver connected within wait_for_driver = {limit_s} s: continuing without")

    def close(self) -> None:
        """Deliver the sent messages and destroy the node."""
        if self._topics.car:
            self._topics.car.flush(FLUSH_S)
        self._callbacks.close()
        self.destroy_node()


def main(argv: list[str] | None = None) -> int:
    """Exit code 0 when the episodes are done or after SIGINT or SIGTERM, 2 for invalid arguments."""
    stop = note_stop_signals()
    keep_freed_memory()
    cv2.setNumThreads(1)  # the driver needs the other cores
    bridge = start_node("ros2 run wm_sim bridge", BridgeConfig, lambda: Bridge(stop), argv)
    try:
        bridge.run()
    finally:
        bridge.close()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
