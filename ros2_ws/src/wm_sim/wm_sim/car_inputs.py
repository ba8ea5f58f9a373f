"""The topics that a car takes commands from."""

from collections.abc import Callable

from carla_msgs.msg import CarlaEgoVehicleControl
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription
from std_msgs.msg import Bool
from wm_bundle.times import ns_of

from wm_sim.car_control import CarControl
from wm_sim.commands import Channel, CommandDesk
from wm_sim.messages import command_from_msg
from wm_sim.sensors import LATCHED, RELIABLE
from wm_sim.simulation import Simulation
from wm_sim.spawn import CONTROL, SensorSpec


class CarInputs:
    """Subscriptions of one car; what comes goes to the ``desk``, moves of the car to the ``simulation``.

    ``create`` takes (type, topic, callback, quality of service) and returns a subscription, ``warn`` a text for the
    user. ``says_unexpected``: also about commands that no tick was waiting for.
    """

    def __init__(
        self,
        create: Callable[..., Subscription],
        warn: Callable[[str], None],
        role_name: str,
        sensors: list[SensorSpec],
        simulation: Simulation,
        desk: CommandDesk,
        says_unexpected: bool,
    ):
        self._create, self._warn, self._desk, self._says_unexpected = create, warn, desk, says_unexpected
        self.subscriptions: list[Subscription] = []
        base = f"/carla/{role_name}"
        for channel in Channel:
            self._subscribe(
                CarlaEgoVehicleControl,
                f"{base}/{channel.value}",
                lambda msg, channel=channel: self._on_command(channel, msg),
            )
        override = f"{base}/vehicle_control_manual_override"
        self._subscribe(Bool, override, lambda msg: setattr(desk, "override", msg.data), LATCHED)
        self._subscribe(Bool, f"{base}/enable_autopilot", lambda msg: setattr(desk, "autopilot", msg.data))
        for sensor in sensors:
            if sensor.type == CONTROL:
                CarControl(self._subscribe, warn, f"{base}/{sensor.id}", simulation, desk)

    def _subscribe(self, kind: type, topic: str, callback: Callable, qos: QoSProfile = RELIABLE) -> None:
        self.subscriptions.append(self._create(kind, topic, callback, qos))

    def _on_command(self, channel: Channel, msg: CarlaEgoVehicleControl) -> None:
        unexpected = self._desk.unexpected
        warning = self._desk.receive(channel, command_from_msg(msg), ns_of(msg.header.stamp))
        if warning:
            self._warn(warning)
        if self._says_unexpected and self._desk.unexpected > unexpected:
            self._warn("Unexpected vehicle control command received: it counts as the answer to the next tick")
