"""Pictures and imagined futures for the page; made once per message for all browsers."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from wm_bundle import ImageError
from wm_evaluation.page_pictures import jpeg

from wm_tools.live_view.expectations import Expectations, ImaginedSignals
from wm_tools.live_view.state import Latest

CAMERA_WIDTH = 320  # [px] at most
FUTURE_WIDTH = 96  # [px] at most, of each of its pictures
BINS = 24  # of the histogram of returns
_QUALITY = 80  # of JPEG, 0 to 100


@dataclass(frozen=True)
class Imagined:
    """Imagined futures: ``returns`` (N,) of the candidates, NaN if not scored, ``best`` the index of the chosen one,
    ``strip`` (height, H * width, 3) uint8 RGB its H pictures side by side, ``period_s`` apart, ``signals`` what a model
    that imagines its vector inputs expects of them."""

    returns: np.ndarray
    best: int
    strip: np.ndarray
    horizon: int
    period_s: float
    signals: ImaginedSignals | None = None


@dataclass(frozen=True)
class Shown:
    """A message converted for the page: ``facts`` are JSON values; ``jpeg`` is empty without a picture."""

    facts: dict
    jpeg: bytes


class OnceEach:
    """Converts the latest message for the page, once per message. For one thread."""

    def __init__(self, make: Callable[[object], Shown]):
        self._make = make
        self._sequence = 0
        self._shown = Shown({}, b"")

    def of(self, latest: Latest) -> Shown:
        """The message converted by ``make``; if its picture is unreadable, the facts have the ``error``."""
        if latest.sequence != self._sequence:
            self._sequence = latest.sequence
            try:
                self._shown = self._make(latest.load())
            except (ImageError, cv2.error) as error:
                self._shown = Shown({"error": f"this picture cannot be shown: {error}"}, b"")
        return self._shown


def show_camera(picture: np.ndarray) -> Shown:
    """A camera picture (height, width, 3) uint8 RGB."""
    return Shown({}, jpeg(_narrowed(picture, picture.shape[1], CAMERA_WIDTH), _QUALITY))


def show_imagined(imagined: Imagined, expectations: Expectations) -> Shown:
    """Imagined futures; ``expectations`` remembers those before."""
    facts = {
        "signals": expectations.take(imagined.signals) if imagined.signals else [],
        "best": None,
        "horizon": imagined.horizon,
        "period_s": round(imagined.period_s, 4),
        "scored": 0,
        "low": None,
        "high": None,
        "counts": [],
    }
    finite = imagined.returns[np.isfinite(imagined.returns)].astype(np.float64)
    if finite.size:
        counts, edges = np.histogram(finite, bins=BINS)
        facts |= {
            "scored": int(finite.size),
            "low": round(float(edges[0]), 4),
            "high": round(float(edges[-1]), 4),
            "counts": counts.tolist(),
        }
        if 0 <= imagined.best < imagined.returns.size and np.isfinite(imagined.returns[imagined.best]):
            facts["best"] = round(float(imagined.returns[imagined.best]), 4)
    if imagined.horizon < 1 or imagined.strip.size == 0:
        return Shown(facts, b"")
    width = imagined.strip.shape[1] // imagined.horizon
    return Shown(facts, jpeg(_narrowed(imagined.strip, width, FUTURE_WIDTH), _QUALITY))


def _narrowed(picture: np.ndarray, width: int, most: int) -> np.ndarray:
    """The picture scaled down so that ``width`` [px] becomes at most ``most``."""
    if width <= most:
        return picture
    size = (round(picture.shape[1] * most / width), max(round(picture.shape[0] * most / width), 1))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
