"""The bridge's parameters."""

from dataclasses import dataclass

from wm_bundle.lock_step import BRIDGE_WAIT_S
from wm_bundle.processes.parameters import VehicleParameters, parameter, role_name_parameter
from wm_bundle.vehicle_commands.messages import OUTPUTS, MessageMissingError

from wm_sim.commands import Channel
from wm_sim.faults import Faults
from wm_sim.ticks import frames_per_tick
from wm_sim.weather import LEAST_LIGHT, MOST_LIGHT, WEATHERS
from wm_sim.worlds import DEFAULT_WORLD, TRAFFIC_CARS, WORLDS, worlds_described


@dataclass(frozen=True)
class BridgeConfig(VehicleParameters):
    role_name: str = role_name_parameter()
    world: str = parameter(DEFAULT_WORLD, f"what is simulated; {worlds_described()}", choices=tuple(WORLDS))
    traffic_cars: int = parameter(TRAFFIC_CARS, "moving cars, in the worlds traffic and town", "", 0, 60)
    weather: str = parameter(
        "noon", "light and weather in the pictures; random: drawn anew for each episode by its seed", choices=WEATHERS
    )
    light: float = parameter(1.0, "factor of the pictures' brightness", "", LEAST_LIGHT, MOST_LIGHT)
    seed: int = parameter(0, "track of the first episode; every further episode takes the next number", "", 0, 2**62)
    fixed_delta_seconds: float = parameter(0.08, "length of a control tick: 0.02, 0.04, 0.06 or 0.08", "s", 0.02, 0.08)
    synchronous_mode: bool = parameter(True, "whether /carla/control can pause and step, and a tick can wait")
    synchronous_mode_wait_for_vehicle_control_command: bool = parameter(
        False, "whether every tick waits for one command on the active channel"
    )
    command_wait: float = parameter(
        BRIDGE_WAIT_S, "longest wait of a tick for its command, in wall time", "s", 0.1, 60.0
    )
    real_time_factor: float = parameter(
        1.0, "simulated seconds per second of wall time; 0 means as fast as possible", "", 0.0, 1000.0
    )
    objects_definition_file: str = parameter(
        "", "JSON file of the car's sensors, in the format of CARLA's spawner; empty: the built-in ones"
    )
    image_width: int = parameter(96, "width of the built-in camera's image", "px", 8, 4096)
    image_height: int = parameter(96, "height of the built-in camera's image", "px", 8, 4096)
    command_input: str = parameter(
        "carla",
        "the message that the car takes commands as, on its usual topic: see the planner's command_output",
        choices=tuple(OUTPUTS),
    )
    autopilot: bool = parameter(False, "whether the scripted expert drives until enable_autopilot changes that")
    episodes: int = parameter(
        0, "number of episodes after which the bridge ends with code 0; 0 means endless", "", 0, 2**31
    )
    auto_reset: bool = parameter(
        True, "whether episodes begin by themselves; otherwise the world waits for the reset service"
    )
    wait_for_driver: float = parameter(
        0.0,
        "how long the first tick waits for a node that subscribes to the image and publishes commands",
        "s",
        0.0,
        3600.0,
    )

    strict: bool = parameter(
        False, "whether the car comes and is waited for as with CARLA's bridge, which is harder; see docs/simulator.md"
    )
    faults: str = parameter(
        "", "faults at given ticks of the car, such as 'stall:2.0@100 reload@300' or 'destroy@200'; empty: none"
    )

    def check(self) -> None:
        """See NodeParameters."""
        super().check()
        try:
            frames_per_tick(self.fixed_delta_seconds)
        except ValueError as error:
            raise self.refusal(f"parameter {error}") from None
        try:
            Faults(self.faults)
        except ValueError as error:
            raise self.refusal(f"parameter faults: {error}") from None
        try:
            _ = OUTPUTS[self.command_input].message_class
        except MessageMissingError as error:
            raise self.refusal(f"parameter command_input {self.command_input}: {error}") from None
        if self.strict and self.command_wait != BRIDGE_WAIT_S:
            raise self.refusal(f"parameter strict needs command_wait {BRIDGE_WAIT_S:g}, as in the bridge")
        if not self.synchronous_mode and self.synchronous_mode_wait_for_vehicle_control_command:
            raise self.refusal(
                "parameter synchronous_mode_wait_for_vehicle_control_command needs synchronous_mode to be true"
            )
        if not self.synchronous_mode and self.real_time_factor == 0.0:
            raise self.refusal("parameter real_time_factor 0 (as fast as possible) needs synchronous_mode to be true")

    def command_topic(self, channel: Channel) -> str:
        """The topic of a channel's commands."""
        if channel is Channel.NORMAL:
            return OUTPUTS[self.command_input].topic.replace("{role_name}", self.role_name)
        return f"/carla/{self.role_name}/{channel.value}"

    @property
    def tick_wall_s(self) -> float:
        """Wall time of a tick [s], 0 for as fast as possible."""
        return self.fixed_delta_seconds / self.real_time_factor if self.real_time_factor else 0.0
