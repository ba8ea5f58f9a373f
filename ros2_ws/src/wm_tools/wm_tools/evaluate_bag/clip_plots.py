"""Small plots below the pictures of a clip, drawn with OpenCV: curves over the clip's frames, and the current frame."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

PAPER, INK, SOFT, RULE, ALARM = (20, 24, 30), (232, 236, 242), (150, 160, 174), (52, 60, 72), (255, 90, 80)
LEFT, RIGHT, TOP, BOTTOM = 190, 12, 8, 10  # [px] around a plot's axes
FONT, SIZE = cv2.FONT_HERSHEY_SIMPLEX, 0.4
DASH = 7  # [px]


class Curve(NamedTuple):
    """A curve (T,) in an RGB colour; NaN breaks it. A name appears in the legend."""

    name: str
    values: np.ndarray
    colour: tuple[int, int, int]


class Plot(NamedTuple):
    """Curves over the same frames between two values; ``limits`` are dashed lines, one per curve or none; NaN draws
    none."""

    label: str
    curves: Sequence[Curve]
    span: tuple[float, float]
    limits: tuple[float, ...] = ()


class PlotStrip:
    """Plots, one below another. Everything but the mark of the current frame is drawn once."""

    def __init__(self, plots: Sequence[Plot], width: int, plot_height: int, moment: int):
        """``width`` and ``plot_height`` [px]; ``moment`` is a frame that is marked separately."""
        self._frames = len(plots[0].curves[0].values)
        self._width, self._plot_height = width, plot_height
        self.height = plot_height * len(plots)
        self._background = np.full((self.height, width, 3), PAPER, np.uint8)
        for number, plot in enumerate(plots):
            self._draw_plot(self._background[number * plot_height : (number + 1) * plot_height], plot, moment)

    def draw(self, canvas: np.ndarray, now: int) -> None:
        """Draw all plots, with a mark at frame ``now``, on the upper part of ``canvas`` (≥ height, width, 3)."""
        area = canvas[: self.height]
        area[:] = self._background
        x = self._x(now)
        for top in range(0, self.height, self._plot_height):
            cv2.line(area, (x, top + TOP), (x, top + self._plot_height - BOTTOM), INK, 1)

    def _x(self, frame: int) -> int:
        return LEFT + round((self._width - LEFT - RIGHT) * frame / max(1, self._frames - 1))

    def _y(self, plot: Plot, value: float) -> int:
        low, high = plot.span
        share = (min(max(value, low), high) - low) / ((high - low) or 1.0)
        return round(self._plot_height - BOTTOM - share * (self._plot_height - TOP - BOTTOM))

    def _draw_plot(self, area: np.ndarray, plot: Plot, moment: int) -> None:
        ends = LEFT, self._width - RIGHT
        for value in sorted({plot.span[0], 0.0, plot.span[1]}):
            y, name = self._y(plot, value), f"{value:.3g}"
            cv2.line(area, (ends[0], y), (ends[1], y), RULE, 1)
            width = cv2.getTextSize(name, FONT, SIZE, 1)[0][0]
            cv2.putText(area, name, (LEFT - 6 - width, y + 4), FONT, SIZE, SOFT, 1, cv2.LINE_AA)
        cv2.line(area, (self._x(moment), TOP), (self._x(moment), self._plot_height - BOTTOM), ALARM, 1)
        for curve, limit in zip(plot.curves, plot.limits, strict=False):
            if not np.isfinite(limit):
                continue
            y = self._y(plot, limit)
            for x in range(ends[0], ends[1], 2 * DASH):
                cv2.line(area, (x, y), (min(x + DASH, ends[1]), y), curve.colour, 1)
        cv2.putText(area, plot.label, (8, TOP + 12), FONT, SIZE, INK, 1, cv2.LINE_AA)
        named = [curve for curve in plot.curves if curve.name]
        for line, curve in enumerate(named):
            name = curve.name.encode("ascii", "replace").decode("ascii")[:18]
            cv2.putText(area, name, (8, TOP + 28 + 15 * line), FONT, SIZE, curve.colour, 1, cv2.LINE_AA)
        for curve in plot.curves:
            self._draw_curve(area, plot, curve)

    def _draw_curve(self, area: np.ndarray, plot: Plot, curve: Curve) -> None:
        points = [
            (self._x(frame), self._y(plot, float(value))) if np.isfinite(value) else None
            for frame, value in enumerate(curve.values)
        ]
        for one, two in zip(points, points[1:], strict=False):
            if one and two:
                cv2.line(area, one, two, curve.colour, 2, cv2.LINE_AA)
        for before, point, after in zip([None, *points], points, [*points[1:], None], strict=False):
            if point and not before and not after:
                cv2.circle(area, point, 2, curve.colour, -1)
