"""The vector inputs of episodes: which columns they have, and their numbers at the rows."""

from collections.abc import Mapping

import numpy as np
from wm_bundle.routes import is_route_input
from wm_bundle.times import NS_PER_S
from wm_bundle.vector_inputs import SPEED, YAW_RATE

from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.drive import Drive
from wm_data.errors import ConversionError
from wm_data.line import usual_step_ns

Known = tuple[np.ndarray, np.ndarray]
"""Values (n, 1) at n stamps, and which of them are known (n,)."""


class VectorColumns:
    """V columns, in the order of the options' vector inputs."""

    def __init__(self, drive: Drive, options: ConvertOptions):
        """Raises ConversionError where the drive lacks one that is asked for."""
        taken = options.inputs()
        of_route = set(filter(is_route_input, taken))
        self._gaps = {*options.signal_gaps} | (of_route - options.needed())  # a route may end, or not be known
        there = drive.signals.vector.keys() | self._gaps | of_route
        for name in sorted(options.needed() - there):
            entry = taken[name]
            source = f", on {entry.definition}" if entry.definition else ""
            advice = "" if entry in (SPEED, YAW_RATE) else f"; --signal-gaps {name} leaves it open"
            raise ConversionError(f"the recording has no {name} [{entry.unit}]{source}, which is asked for{advice}")
        self._entries = [entry for name, entry in taken.items() if name in there]

    @property
    def told(self) -> list[dict]:
        """Their entries in an episode's meta."""
        return [{**one.told, "gaps": True} if one.name in self._gaps else one.told for one in self._entries]

    def of_route(self, vector: np.ndarray) -> np.ndarray:
        """The columns (n, R) of the route among all (n, V)."""
        return vector[:, [is_route_input(entry.name) for entry in self._entries]]

    def note_slow(self, drive: Drive) -> None:
        """Note signals that come more slowly than their samples hold: they are missing again and again."""
        for entry in self._entries:
            signal = drive.signals.vector.get(entry.name)
            step_s = 0.0 if signal is None else usual_step_ns(signal.stamps) / NS_PER_S
            if signal is not None and step_s > signal.max_hold_s:
                drive.report.note(
                    f"{entry.name} comes every {step_s:.3g} s, and a sample holds {signal.max_hold_s:.3g} s: it is "
                    f"missing in between"
                )

    def needed(self, told: Mapping[str, Known]) -> dict[str, np.ndarray]:
        """Which moments (n,) have each signal that rows must have, by name."""
        return {name: known for name, (_, known) in told.items() if name not in self._gaps}

    def numbers(self, told: Mapping[str, Known], count: int) -> np.ndarray:
        """(count, V) as models get them; NaN where one that may be missing is not known."""
        columns = np.full((len(self._entries), count), np.nan, np.float32)
        for column, entry in zip(columns, self._entries, strict=True):
            values, known = told.get(entry.name, (np.zeros((count, 1)), np.zeros(count, bool)))
            known = known if entry.name in self._gaps else slice(None)
            column[known] = entry.reading(values[known, 0])
        return columns.T
