"""Converts the numbers in a bag's messages to the drive's signals."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from wm_bundle.free_signals import SignalError
from wm_bundle.vector_inputs import SPEED, Source, VectorInput
from wm_bundle.vehicle_commands.reading import Command, CommandReader, of_carla

from wm_data.conversion.drive import Signal, Signals
from wm_data.conversion.report import DriveReport
from wm_data.conversion.sources.rosbag.topics import Selection


class Telemetry:
    """Reads messages of the selected topics, except pictures, and fills ``signals``.

    ``beyond`` is the vehicle's present motion that no action can express, by the messages so far, as "in reverse gear";
    None without one.
    """

    def __init__(
        self,
        selection: Selection,
        commands: CommandReader | None,
        report: DriveReport,
        inputs: Mapping[str, VectorInput],
    ):
        """``commands`` reads the topic of the kind "control"; ``inputs`` are those of ``selection``, by name."""
        self.beyond: str | None = None
        self._report = report
        self._commands = commands
        self._applied = selection.actions == "applied"
        self._speed_mps: float | None = None
        self._place = 0
        kinds = selection.kinds
        self._inputs = [(name, source, kinds[source.topic.kind]) for name, source in selection.inputs.items()]
        self.signals = Signals(
            {name: Signal(1, max_hold_s=inputs[name].hold_s) for name in selection.inputs},
            control=None if selection.actions == "derived" else Signal(3, "before" if self._applied else "after"),
            collision=Signal(1, "before") if "collision" in kinds else None,
            lane_invasion=Signal(1, "before") if "lane_invasion" in kinds else None,
            step=Signal(3, "before") if "step_result" in kinds else None,
            expert=Signal(3) if "expert" in kinds else None,
        )
        self._signals = self.signals.named()
        self._take: dict[str, Callable[[Any, int], None]] = {
            topic: getattr(self, f"_take_{kind}") for kind, topic in kinds.items() if hasattr(self, f"_take_{kind}")
        }

    def take(self, topic: str, message, stamp_ns: int, place: int) -> None:
        """Add a message, with its place in the order of recording. Raises AttributeError, TypeError or ValueError where
        it lacks a field of its type, SignalError where a free signal expects another one."""
        self._place = place
        for name, source, told_on in self._inputs:
            if told_on == topic:
                self._add(name, stamp_ns, self._read(name, source, message))
        if topic in self._take:
            self._take[topic](message, stamp_ns)

    @staticmethod
    def _read(name: str, source: Source, message) -> float:
        try:
            return source.read(message)
        except SignalError as error:
            raise SignalError(f"signal {name}: {error}") from None

    def _take_status(self, message, stamp_ns: int) -> None:
        applied = of_carla(message.control)
        if self._applied:
            self._add_command(applied, stamp_ns)
        elif self.signals.control is None:  # derived: a speed without a sign does not show it
            self.beyond = applied.beyond

    def _take_control(self, message, stamp_ns: int) -> None:
        if self._commands.needs_speed and self._speed_mps is None:
            self._report.skipped["command before the speed was known"] += 1
            return
        self._add_command(self._commands(message, self._speed_mps or 0.0), stamp_ns)

    def _take_collision(self, message, stamp_ns: int) -> None:
        self._add("collision", stamp_ns, 1.0)

    def _take_lane_invasion(self, message, stamp_ns: int) -> None:
        self._add("lane_invasion", stamp_ns, float(len(message.crossed_lane_markings)))

    def _take_step_result(self, message, stamp_ns: int) -> None:
        self._add("step", stamp_ns, float(message.reward), float(message.terminated), float(message.truncated))

    def _take_expert(self, message, stamp_ns: int) -> None:
        command = of_carla(message)
        if command.beyond:
            self._report.skipped[f"expert's command {command.beyond}"] += 1
        else:
            self._add("expert", stamp_ns, *command.values)

    def _add_command(self, command: Command, stamp_ns: int) -> None:
        self.beyond = command.beyond
        if command.beyond:
            self._report.skipped[f"command {command.beyond}"] += 1
        else:
            self._add("control", stamp_ns, *command.values)

    def _add(self, name: str, stamp_ns: int, *values: float) -> None:
        if not all(map(math.isfinite, values)):
            self._report.skipped[f"{name} that is not a number"] += 1
            return
        self._signals[name].add(stamp_ns, *values, place=self._place)
        if name == SPEED.name:
            self._speed_mps = values[0]
