"""The parameters of every node that commands a vehicle: the message, and what the vehicle is like."""

import math
from dataclasses import dataclass, fields

from wm_bundle.processes.parameters import VehicleParameters, parameter
from wm_bundle.vehicle_commands.definition import BRAKE_MPS2, DEFAULT_MAX_STEER_DEG, REACH_S, THROTTLE_MPS2
from wm_bundle.vehicle_commands.messages import OUTPUTS, CommandOutput, MessageMissingError

_TOPICS = ", ".join(
    f"{output.topic.replace('{role_name}', '<role_name>')} ({name})" for name, output in OUTPUTS.items()
)


@dataclass(frozen=True)
class CommandParameters(VehicleParameters):
    """All but ``command_output`` and ``control_topic`` are for outputs other than carla."""

    command_output: str = parameter(
        "carla", "the message that commands are sent as; docs/vehicle.md describes each", choices=tuple(OUTPUTS)
    )
    control_topic: str = parameter("", f"commands; empty: by command_output: {_TOPICS}")
    max_speed: float = parameter(0.0, "no command asks for more; outputs other than carla need it", "m/s", 0.0, 150.0)
    wheelbase: float = parameter(
        0.0, "distance of the axles, as --wheelbase of convert; twist and twist_stamped need it", "m", 0.0, 20.0
    )
    max_steering_angle: float = parameter(
        math.radians(DEFAULT_MAX_STEER_DEG),
        "of the road wheels at steer 1, as --max-steer-deg of convert, in radians",
        "rad",
        0.01,
        1.5,
    )
    steering_ratio: float = parameter(
        1.0, "angle in ackermann and autoware messages per angle of the road wheels", "", 0.1, 100.0
    )
    steering_rate: float = parameter(
        0.0,
        "largest change of the road wheels' angle, kept by plans and told in ackermann and autoware messages; 0: none",
        "rad/s",
        0.0,
        100.0,
    )
    full_throttle: float = parameter(
        THROTTLE_MPS2, f"acceleration that full throttle means; {THROTTLE_MPS2:g} to convert", "m/s^2", 0.01, 200.0
    )
    full_brake: float = parameter(
        BRAKE_MPS2, f"deceleration that a full brake means; {BRAKE_MPS2:g} to convert", "m/s^2", 0.01, 200.0
    )
    max_acceleration: float = parameter(THROTTLE_MPS2, "largest acceleration asked for", "m/s^2", 0.01, 200.0)
    max_deceleration: float = parameter(BRAKE_MPS2, "largest deceleration asked for", "m/s^2", 0.01, 200.0)
    speed_reach_s: float = parameter(
        REACH_S, "a speed is commanded as the one to reach within this time; convert reads 1", "s", 0.01, 10.0
    )

    def check(self) -> None:
        """See NodeParameters; also refuses a message that is not installed."""
        super().check()
        if self.command_output == "carla":
            return
        needs = {"max_speed": "the vehicle's largest speed [m/s]"}
        if self.output.turns:
            needs["wheelbase"] = "the distance of the vehicle's axles [m]: a turn depends on it"
        for name, what in needs.items():
            if not getattr(self, name):
                raise self.refusal(f"parameter {name}: expected {what} with command_output {self.command_output}")
        try:
            _ = self.output.message_class
        except MessageMissingError as error:
            raise self.refusal(f"parameter command_output {self.command_output}: {error}") from None

    @property
    def output(self) -> CommandOutput:
        """The message of ``command_output``."""
        return OUTPUTS[self.command_output]

    def topic(self, name: str, leaf: str = "") -> str:
        """See VehicleParameters."""
        if name == "control_topic" and not self.control_topic:
            return self.output.topic.replace("{role_name}", self.role_name)
        return super().topic(name, leaf)

    def followed_slew(self, period_s: float) -> float:
        """The largest change of steer in one period that the steering can follow."""
        told = self.command_output != "carla" and self.steering_rate
        return self.steering_rate * period_s / self.max_steering_angle if told else math.inf

    @property
    def largest_throttle(self) -> float:
        """The throttle that means ``max_acceleration``."""
        return 1.0 if self.command_output == "carla" else min(1.0, self.max_acceleration / self.full_throttle)


COMMAND_PARAMETERS = tuple(entry.name for entry in fields(CommandParameters))
"""Their names: both the planner and the command watchdog have them, with the same values."""
