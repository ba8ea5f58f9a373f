"""An episode's tick times and camera names, and checks of values that no bag can hold."""

import re

import numpy as np
from wm_bundle.times import NS_PER_S

from wm_data.conversion.pictures import usual_names
from wm_data.episodes import Episode
from wm_data.errors import ConversionError
from wm_data.line import usual_step_ns

LAST_STAMP_NS = 2**31 * NS_PER_S  # seconds of a ROS stamp are an int32
UNKNOWN_PERIOD_NS = 100_000_000  # for one row without a rate


def period_of(episode: Episode) -> int:
    """Time between two rows [ns]: the usual one of the stamps, else of ``meta["rate_hz"]``, else a tenth of a second.
    Raises ConversionError for an invalid rate."""
    rate = episode.meta.get("rate_hz")
    if rate is not None and not (type(rate) in (int, float) and 0.0 < rate <= 1e6):
        raise ConversionError(f"the episode's rate_hz is {rate!r}, expected a number of rows per second above 0")
    if episode.stamps_ns is not None and len(episode) > 1:
        return max(1, usual_step_ns(episode.stamps_ns))
    return UNKNOWN_PERIOD_NS if rate is None else round(NS_PER_S / rate)


def tick_stamps(episode: Episode) -> np.ndarray:
    """Stamps int64 (T + 1,) [ns] of all ticks. Raises ConversionError for stamps that a bag cannot hold."""
    period = period_of(episode)
    if episode.stamps_ns is None:
        return period * np.arange(1, len(episode) + 2, dtype=np.int64)
    stamps = np.asarray(episode.stamps_ns, np.int64)
    if (np.diff(stamps) <= 0).any():
        row = int(np.argmax(np.diff(stamps) <= 0)) + 1
        raise ConversionError(
            f"the episode's stamps_ns go from {stamps[row - 1]} to {stamps[row]} at row {row}, expected rising stamps"
        )
    # Python's integers do not overflow.
    if stamps[0] < 0 or int(stamps[-1]) + period >= LAST_STAMP_NS:
        found = f"{stamps[0]} to {stamps[-1]}"
        raise ConversionError(f"the episode's stamps_ns are from {found}, expected 0 to {LAST_STAMP_NS}")
    return np.append(stamps, stamps[-1] + period)


def camera_names(episode: Episode) -> list[str]:
    """Names of the cameras as parts of topics, in stacking order."""
    count = episode.observations.shape[1] // 3
    known = episode.meta.get("cameras")
    if isinstance(known, list) and len(known) == count and all(isinstance(c, dict) and c.get("name") for c in known):
        names = [re.sub(r"[^A-Za-z0-9_]", "_", str(camera["name"])) for camera in known]
        names = [name if not name[0].isdigit() else f"camera_{name}" for name in names]
        if len(set(names)) == count:
            return names
    return usual_names(count)


def check_numbers(episode: Episode) -> None:
    """Raise ConversionError for actions of another length and for numbers that no message can hold."""
    for key in ("actions", "expert_actions"):
        width = getattr(episode, key).shape[1]
        if width != 3:
            raise ConversionError(f"the episode's {key} have {width} numbers, expected steer, throttle and brake")
    largest = np.finfo(np.float32).max
    for key in ("actions", "rewards", "vector"):
        if (np.abs(getattr(episode, key)) > largest).any():
            raise ConversionError(f"the episode's {key} hold numbers beyond {largest:.3g}, the largest of a message")
