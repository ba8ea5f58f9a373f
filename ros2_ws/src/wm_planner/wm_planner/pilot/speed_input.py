"""Where the vehicle's speed comes from, when there are several who tell it."""

import math
import time
from collections.abc import Callable

from wm_bundle.motion import speed_input

from wm_planner.pilot.continuity import StatusSample

# A source that was silent for this long is not there (any more), and the next one counts. Longer than a tick of a slow
# simulator, so that one late message does not change the source.
SILENT_AFTER_S = 0.5

_SOURCES = ("status", "odometry", "speedometer")  # the best first: only the status tells what command was applied


class SpeedInput:
    """Takes in vehicle_status, odometry and speedometer, and says what of it the pilot is to know.

    With the source ``auto`` the best one that was heard of lately counts, else only the one that is named. A
    speedometer has no stamp: what it said last is taken to be the speed at the stamp of the next image.
    """

    def __init__(self, source: str, log: Callable[[str], None], clock: Callable[[], float] = time.monotonic):
        """``source``: auto, status, odometry or speedometer; ``log`` takes a line when the source changes."""
        self._allowed = _SOURCES if source == "auto" else (source,)
        self._log = log
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Forget everything: the node was activated."""
        self._heard_s: dict[str, float] = {}
        self._speedometer_mps = math.nan
        self._speedometer_is_new = False
        self.source: str | None = None
        """The one that counted last."""
        self.speed_mps: float | None = None
        """What it said [m/s], None before."""

    def wants(self, source: str) -> bool:
        """Whether messages of this source are to be listened to."""
        return source in self._allowed

    def take(self, source: str, sample: StatusSample) -> StatusSample | None:
        """A vehicle_status or an odometry came; returns it if it counts. One with a NaN or an infinity never does."""
        if not math.isfinite(sample.speed_mps):
            return None
        self._heard_s[source] = self._clock()
        return sample if self._counts(source, sample.speed_mps) else None

    def take_speedometer(self, speed_mps: float) -> None:
        """A speedometer's number came; its sign, negative in reverse, is not the model's affair."""
        if math.isfinite(speed_mps):
            self._heard_s["speedometer"] = self._clock()
            self._speedometer_mps = speed_input(speed_mps)
            self._speedometer_is_new = True

    def at_image(self, stamp_ns: int) -> StatusSample | None:
        """What the speedometer says of the moment of an image, if it is the one that counts and has spoken since the
        image before: how long an older word may serve is for the pilot to decide, as for the other sources.
        """
        if not self._speedometer_is_new or not self._counts("speedometer", self._speedometer_mps):
            return None
        self._speedometer_is_new = False
        return StatusSample(stamp_ns, self._speedometer_mps, None)

    def _counts(self, source: str, speed_mps: float) -> bool:
        if source != next((name for name in self._allowed if self._is_there(name)), None):
            return False
        if self.source != source:
            self._log(f"the speed comes from the {source}")
            self.source = source
        self.speed_mps = speed_mps
        return True

    def _is_there(self, source: str) -> bool:
        heard_s = self._heard_s.get(source)
        return heard_s is not None and self._clock() - heard_s <= SILENT_AFTER_S
