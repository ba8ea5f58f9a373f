"""Selects the source of a vector input."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from wm_bundle.vector_inputs import Source, VectorInput

from wm_planner.pilot.continuity import Sample

# A source silent for this long counts as absent, and the next one is used. Longer than a tick of a slow
# simulator, so that one late message does not change the source.
SILENT_AFTER_S = 0.5


class SourceChoice:
    """Collects one vector input from all its sources, and selects the samples for the pilot, as models get it.

    The first source heard recently is used. A value without a stamp gets the next image's stamp.
    """

    def __init__(
        self,
        entry: VectorInput,
        sources: Sequence[Source],
        log: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ):
        """``sources``: the subscribed ones, best first; ``log`` gets a line when the source changes."""
        self.sources = {source.topic: source for source in sources}
        """By topic."""
        self._entry = entry
        self._kinds = [source.topic.kind for source in sources]
        self._log = log
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Forget everything: the node is being activated."""
        self._heard_s: dict[str, float] = {}
        self._unstamped: tuple[str, float] | None = None
        self.kind: str | None = None
        """The source used last."""
        self.value: float | None = None
        """Its last value, None before the first."""

    def take(self, kind: str, sample: Sample) -> Sample | None:
        """Add a stamped sample; returns it if it is to be used. A NaN or an infinity never is."""
        if not self._hear(kind, sample.value):
            return None
        sample = replace(sample, value=self._entry.reading(sample.value))
        return sample if self._counts(kind, sample.value) else None

    def take_unstamped(self, kind: str, value: float) -> None:
        """Add a value without a stamp."""
        if self._hear(kind, value):
            self._unstamped = kind, self._entry.reading(value)

    def at_image(self, stamp_ns: int) -> Sample | None:
        """The value of a source without stamps at an image's stamp, if that source is in use and has reported since the
        previous image; the pilot decides how long an older sample may serve."""
        if self._unstamped is None or not self._counts(*self._unstamped):
            return None
        (_, value), self._unstamped = self._unstamped, None
        return Sample(stamp_ns, value)

    def _hear(self, kind: str, value: float) -> bool:
        if math.isfinite(value):
            self._heard_s[kind] = self._clock()
        return math.isfinite(value)

    def _counts(self, kind: str, value: float) -> bool:
        if kind != next((name for name in self._kinds if self._is_there(name)), None):
            return False
        if self.kind != kind:
            self._log(f"the {self._entry.words} comes from the {kind}")
            self.kind = kind
        self.value = value
        return True

    def _is_there(self, kind: str) -> bool:
        heard_s = self._heard_s.get(kind)
        return heard_s is not None and self._clock() - heard_s <= max(SILENT_AFTER_S, self._entry.hold_s)
