"""The topics that a car takes commands from."""

from collections.abc import Callable
from typing import Any

from carla_msgs.msg import CarlaEgoVehicleControl
from geometry_msgs.msg import PoseStamped
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from std_msgs.msg import Bool
from wm_bundle.times import ns_of
from wm_bundle.vehicle_commands.messages import OUTPUTS

from wm_sim.car_control import CarControl
from wm_sim.commands import Channel, CommandDesk
from wm_sim.config import BridgeConfig
from wm_sim.messages import command_from_msg
from wm_sim.motions import MotionInput
from wm_sim.sensors import LATCHED, RELIABLE
from wm_sim.simulation import Simulation
from wm_sim.spawn import CONTROL, SensorSpec
from wm_sim.topics import CarTopics
from wm_sim.worlds import WORLDS


class CarInputs:
    """Subscriptions of one car; what comes goes to the ``desk``, moves of the car to the ``simulation``.

    ``create`` takes (type, topic, callback, quality of service) and returns a subscription, ``warn`` a text for the
    user. ``says_unexpected``: also about commands that no tick was waiting for. ``topics``: the car's, for a new route.
    """

    def __init__(
        self,
        create: Callable[..., Subscription],
        warn: Callable[[str], None],
        config: BridgeConfig,
        sensors: list[SensorSpec],
        simulation: Simulation,
        desk: CommandDesk,
        says_unexpected: bool,
        topics: CarTopics,
    ):
        self._create, self._warn, self._desk, self._says_unexpected = create, warn, desk, says_unexpected
        self.subscriptions: list[Subscription] = []
        self._simulation = simulation
        base, output = f"/carla/{config.role_name}", OUTPUTS[config.command_input]
        for channel in Channel:
            self._subscribe(
                CarlaEgoVehicleControl if channel is Channel.MANUAL else output.message_class,
                config.command_topic(channel),
                lambda msg, channel=channel: self._on_command(channel, msg),
            )
        if output.read is not None:
            self._output, self._motions = output, MotionInput(output, WORLDS[config.world])
        override = f"{base}/vehicle_control_manual_override"
        self._subscribe(Bool, override, lambda msg: setattr(desk, "override", msg.data), LATCHED)
        self._subscribe(Bool, f"{base}/enable_autopilot", lambda msg: setattr(desk, "autopilot", msg.data))
        if simulation.world.plans_routes:
            self._subscribe(PoseStamped, f"{base}/goal", lambda msg: self._on_goal(msg, simulation, topics))
        for sensor in sensors:
            if sensor.type == CONTROL:
                CarControl(self._subscribe, warn, f"{base}/{sensor.id}", simulation, desk)

    def _subscribe(self, kind: type, topic: str, callback: Callable, qos: QoSProfile = RELIABLE) -> None:
        self.subscriptions.append(self._create(kind, topic, callback, qos))

    def _on_goal(self, msg: PoseStamped, simulation: Simulation, topics: CarTopics) -> None:
        try:
            topics.take_goal(msg, simulation)
        except ValueError as error:
            self._warn(f"the route stays as it is: {error}")

    def _on_command(self, channel: Channel, msg: Any) -> None:
        unexpected = self._desk.unexpected
        if isinstance(msg, CarlaEgoVehicleControl):
            command, stamp_ns = command_from_msg(msg), ns_of(msg.header.stamp)
        else:
            command, beyond = self._motions.command(msg, self._simulation.speed)
            stamp_ns = ns_of(self._output.stamp_of(msg)) if self._output.has_stamp else None
            if beyond:
                self._warn(f"a command asks to drive {beyond}: this car cannot")
        warning = self._desk.receive(channel, command, stamp_ns)
        if warning:
            self._warn(warning)
        if self._says_unexpected and self._desk.unexpected > unexpected:
            self._warn("Unexpected vehicle control command received: it counts as the answer to the next tick")
