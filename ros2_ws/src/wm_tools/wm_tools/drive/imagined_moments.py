"""The futures that the model imagined, compared with what really came."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wm_tools.drive.pictures import tile
from wm_tools.drive.records import Episode, Frame, ImaginedSample

_GAP = 2  # [px] between the frames of a strip
SETTLED_S = 1.0  # the belief has seen some frames by then, and the simulator's opening zoom is over
STRIP_FRAMES = 6  # frames of a future that are shown


@dataclass(frozen=True)
class Moment:
    """An imagined future beside the real one. ``real`` has None after the end of the episode."""

    seed: int
    time_s: float  # since the episode's first frame
    now: Frame
    imagined: ImaginedSample
    real: tuple[np.ndarray | None, ...]  # H model views, uint8 RGB (h, w, 3)

    @property
    def complete(self) -> bool:
        return all(frame is not None for frame in self.real)


def moments_of(episode: Episode) -> list[Moment]:
    """Every imagined future of an episode whose own camera frame was recorded, in time order."""
    if not episode.frames:
        return []
    stamps = np.array(list(episode.frames), np.int64)
    found = []
    for sample in episode.imagined:
        now = episode.frames.get(sample.stamp_ns)
        if now is None:
            continue
        period_ns = sample.period_s * 1e9
        real = tuple(
            _frame_near(episode, stamps, sample.stamp_ns + (h + 1) * period_ns, period_ns / 2)
            for h in range(len(sample.future))
        )
        found.append(Moment(episode.seed, (sample.stamp_ns - int(stamps[0])) / 1e9, now, sample, real))
    return found


def _frame_near(episode: Episode, stamps: np.ndarray, stamp_ns: float, tolerance_ns: float) -> np.ndarray | None:
    place = int(np.abs(stamps - stamp_ns).argmin())
    if abs(stamps[place] - stamp_ns) >= tolerance_ns:
        return None
    return episode.frames[int(stamps[place])].model


def pick_moments(moments: Sequence[Moment], count: int) -> list[Moment]:
    """At most ``count`` complete moments: from each part of the drive the one with the hardest imagined steering."""
    complete = [moment for moment in moments if moment.complete]
    shown = [moment for moment in complete if moment.time_s >= SETTLED_S] or complete
    if len(shown) <= count:
        return shown
    edges = np.linspace(0, len(shown), count + 1).astype(int)
    return [max(shown[a:b], key=_steering) for a, b in zip(edges[:-1], edges[1:], strict=True)]


def _steering(moment: Moment) -> float:
    return float(np.abs(moment.imagined.steering[moment.imagined.best]).mean())


def strip_steps(horizon: int) -> list[int]:
    """Which steps of a future (0 is the first) the strips show: evenly spread, the last among them."""
    count = min(STRIP_FRAMES, horizon)
    return [round(h) - 1 for h in np.linspace(horizon / count, horizon, count)]


def strips(moment: Moment) -> tuple[np.ndarray, np.ndarray]:
    """The imagined and the real future, each a row of ``strip_steps`` frames, black where there is none."""
    steps = strip_steps(len(moment.real))
    imagined = [moment.imagined.future[h] for h in steps]
    real = [np.zeros_like(moment.now.model) if moment.real[h] is None else moment.real[h] for h in steps]
    return tile(imagined, len(steps), _GAP), tile(real, len(steps), _GAP)


def prediction_errors(moments: Sequence[Moment]) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean absolute pixel error (0 to 255) at each step ahead, over all complete moments: (H,) of the imagination, and
    (H,) of the guess that the picture does not change. None without a complete moment."""
    complete = [moment for moment in moments if moment.complete]
    if not complete:
        return None
    imagined, still = [], []
    for moment in complete:
        real = np.stack(moment.real).astype(np.int16)
        imagined.append(np.abs(real - moment.imagined.future).mean(axis=(1, 2, 3)))
        still.append(np.abs(real - moment.now.model).mean(axis=(1, 2, 3)))
    return np.mean(imagined, axis=0), np.mean(still, axis=0)
