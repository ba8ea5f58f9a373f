"""Which source of a vector input counts, where several tell it."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from wm_bundle.vector_inputs import Source, VectorInput

from wm_planner.pilot.continuity import Sample

# A source that was silent for this long is not there (any more), and the next one counts. Longer than a tick of a slow
# simulator, so that one late message does not change the source.
SILENT_AFTER_S = 0.5


class SourceChoice:
    """Takes in what all sources of one vector input tell, and says what of it the pilot is to know, as models get it.

    The first source that was heard lately counts. What one without stamps tells is taken for the next image's stamp.
    """

    def __init__(
        self,
        entry: VectorInput,
        sources: Sequence[Source],
        log: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ):
        """``sources``: those that are listened to, the best first; ``log`` takes a line when another one counts."""
        self.sources = {source.topic: source for source in sources}
        """By their topics."""
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
        """The source that counted last."""
        self.value: float | None = None
        """What it said, None before."""

    def take(self, kind: str, sample: Sample) -> Sample | None:
        """A source with stamps told something; returns it if it counts. A NaN or an infinity never does."""
        if not self._hear(kind, sample.value):
            return None
        sample = replace(sample, value=self._entry.reading(sample.value))
        return sample if self._counts(kind, sample.value) else None

    def take_unstamped(self, kind: str, value: float) -> None:
        """A source without stamps told something."""
        if self._hear(kind, value):
            self._unstamped = kind, self._entry.reading(value)

    def at_image(self, stamp_ns: int) -> Sample | None:
        """What a source without stamps says of the moment of an image, if it is the one that counts and has spoken
        since the previous image: how long an older sample may serve is for the pilot to decide."""
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
        return heard_s is not None and self._clock() - heard_s <= SILENT_AFTER_S
