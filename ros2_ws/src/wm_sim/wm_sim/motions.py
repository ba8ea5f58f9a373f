"""Commands that ask for a motion, as Twist and Ackermann do: a speed controller and a steering on the built-in car."""

from dataclasses import dataclass
from typing import Any

from wm_bundle.vehicle_commands.messages import CommandOutput
from wm_bundle.vehicle_commands.reading import CommandReader

from wm_sim.commands import Command
from wm_sim.world_facts import WorldFacts


@dataclass(frozen=True)
class MotionCommand(Command):
    """Its pedals are those of the speed at which it arrived; ``at`` gives those of another speed."""

    message: Any = None
    reader: CommandReader | None = None

    def at(self, speed: float) -> Command:
        """See Command."""
        return Command(*self.reader(self.message, speed).values)


class MotionInput:
    """Turns messages of one type into commands for the car of a world: as ``convert`` reads them, except that an order
    to stand is a full brake, or one with the told deceleration, as of vehicles' own controllers."""

    def __init__(self, output: CommandOutput, world: WorldFacts):
        car = world.vehicle
        self._reader = CommandReader(
            output.type,
            car["max_steering_angle"],
            car["wheelbase"],
            car["speed_reach_s"],
            (car["full_throttle"], car["full_brake"]),
            stops=True,
        )

    def command(self, message: Any, speed: float) -> tuple[MotionCommand, str | None]:
        """A message's command at a measured speed [m/s]; also what it asks beyond the car's abilities."""
        read = self._reader(message, speed)
        return MotionCommand(*read.values, message=message, reader=self._reader), read.beyond
