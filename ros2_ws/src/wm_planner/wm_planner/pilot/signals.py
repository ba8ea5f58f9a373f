"""The vector inputs at an image's stamp, and what is missing of them; without ROS."""

from collections.abc import Callable, Sequence

import numpy as np
from wm_bundle import BundleManifest
from wm_bundle.times import NS_PER_S
from wm_bundle.vector_inputs import SPEED, VectorInput

from wm_planner.config import PlannerConfig
from wm_planner.errors import PlannerError
from wm_planner.pilot.continuity import Sample, SampleBuffer

_QUIET_NS = 5 * NS_PER_S  # between two lines in the log: a source that is too slow is missing again and again


class Signals:
    """What arrived of each vector input, looked up by stamp. The speed is kept also if the bundle lacks it."""

    def __init__(
        self,
        manifest: BundleManifest,
        entries: Sequence[VectorInput],
        config: PlannerConfig,
        log: Callable[[str], None],
    ):
        """``entries``: the bundle's inputs, in its order; ``log`` gets a line when others are missing than before."""
        self.entries = tuple(entries)
        self._may_lack = {entry for entry, spec in zip(entries, manifest.vector, strict=True) if spec.gaps}
        self._period_s = manifest.control_period_s
        self._config = config
        self._log = log
        self.reset()

    def reset(self) -> None:
        """Forget everything received: the node is being activated."""
        self.speeds = SampleBuffer()  # and the commands that were applied
        self._samples = {entry.name: SampleBuffer() for entry in self.entries} | {SPEED.name: self.speeds}
        self.masked: tuple[str, ...] | None = () if self._may_lack else None
        """What the model did without at the last image; None for a bundle that needs everything."""
        self._told, self._told_ns = (), None

    def take(self, name: str, sample: Sample) -> None:
        """One arrived."""
        if name in self._samples:
            self._samples[name].add(sample)

    def newest(self, entry: VectorInput, stamp_ns: int) -> Sample | None:
        """The newest sample at an image's stamp, if still valid."""
        oldest_ns = int(entry.longest_age_s(self._period_s) * NS_PER_S)
        return self._samples[entry.name].latest_before(stamp_ns, oldest_ns)

    def at(self, stamp_ns: int) -> dict[VectorInput, float]:
        """The numbers at an image's stamp, in the bundle's order; NaN for one that the model can do without. Raises
        PlannerError where another is missing."""
        samples = {entry: self.newest(entry, stamp_ns) for entry in self.entries}
        missing = [entry for entry, sample in samples.items() if sample is None]
        if needed := [entry for entry in missing if entry not in self._may_lack]:
            raise PlannerError(f"{self._lack(needed[0], stamp_ns)}, which the bundle needs")
        self._note(missing, stamp_ns)
        return {entry: np.nan if sample is None else sample.value for entry, sample in samples.items()}

    def _note(self, missing: list[VectorInput], stamp_ns: int) -> None:
        if self.masked is None:
            return
        self.masked = tuple(entry.name for entry in missing)
        if self.masked == self._told or (self._told_ns is not None and 0 <= stamp_ns - self._told_ns < _QUIET_NS):
            return
        self._told, self._told_ns = self.masked, stamp_ns
        lacks = "; ".join(self._lack(entry, stamp_ns) for entry in missing)
        self._log(f"driving without what the model can do without: {lacks}" if missing else "all signals are there")

    def _lack(self, entry: VectorInput, stamp_ns: int) -> str:
        sources = " or ".join(source.topic.leaf for source in self._config.sources(entry))
        told = f"no {sources} at or shortly before the image's stamp {stamp_ns / NS_PER_S:.3f} s"
        apart_s, hold_s = self._samples[entry.name].apart_s, entry.longest_age_s(self._period_s)
        if apart_s is not None and apart_s > hold_s:
            told += f" (one comes every {apart_s:.3g} s and holds {hold_s:.3g} s)"
        elif (newest_ns := self._samples[entry.name].newest_ns) is not None:  # gone, or stamped by another clock
            told += f" (the last one is of {newest_ns / NS_PER_S:.3f} s)"
        return f"{told}, so no {entry.words}"
