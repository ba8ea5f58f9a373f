"""Charts as inline SVG. Colours come from the page's style sheet, so that they follow its light and dark
theme."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

_WIDTH = 760.0  # of every chart, in the SVG's own units; the page scales it
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 14.0, 12.0, 40.0
_TICKS = 6


@dataclass(frozen=True)
class Series:
    """One line: ``colour`` is the name of a colour of the page (a CSS class `c-…`)."""

    name: str
    colour: str
    x: Sequence[float]
    y: Sequence[float]


class _Plane:
    """The plot's area: axes, grid and labels, and the way from values to places."""

    def __init__(
        self, x_range: tuple[float, float], y_range: tuple[float, float], height: float, left: float = _LEFT
    ):
        self.left, self.right, self.top, self.bottom = left, _WIDTH - _RIGHT, _TOP, height - _BOTTOM
        self.height = height
        self._x_range, self._y_range = x_range, y_range

    def x(self, value: float) -> float:
        low, high = self._x_range
        return self.left + (value - low) / (high - low) * (self.right - self.left)

    def y(self, value: float) -> float:
        low, high = self._y_range
        return self.bottom - (value - low) / (high - low) * (self.bottom - self.top)

    def x_axis(self, label: str) -> str:
        ticks = "".join(
            f'<line class="grid" x1="{x:.1f}" y1="{self.top}" x2="{x:.1f}" y2="{self.bottom}"/>'
            f'<text text-anchor="middle" x="{x:.1f}" y="{self.bottom + 16}">{_spell(tick)}</text>'
            for tick, x in ((tick, self.x(tick)) for tick in nice_ticks(*self._x_range))
        )
        middle = (self.left + self.right) / 2
        return (
            f'{ticks}<text text-anchor="middle" x="{middle:.1f}" y="{self.bottom + 33}">'
            f"{escape(label)}</text>"
        )

    def y_axis(self, label: str) -> str:
        ticks = "".join(
            f'<line class="grid" x1="{self.left}" y1="{y:.1f}" x2="{self.right}" y2="{y:.1f}"/>'
            f'<text text-anchor="end" x="{self.left - 6}" y="{y + 4:.1f}">{_spell(tick)}</text>'
            for tick, y in ((tick, self.y(tick)) for tick in nice_ticks(*self._y_range, count=4))
        )
        middle = (self.top + self.bottom) / 2
        return (
            f'{ticks}<text text-anchor="middle" transform="rotate(-90 12 {middle:.1f})" x="12" '
            f'y="{middle:.1f}">{escape(label)}</text>'
        )

    def svg(self, description: str, *parts: str) -> str:
        """The whole chart; ``data-left`` and ``data-right`` tell the page's script where the x axis runs."""
        return (
            f'<svg class="chart" viewBox="0 0 {_WIDTH:.0f} {self.height:.0f}" role="img" '
            f'aria-label="{escape(description)}" data-left="{self.left}" data-right="{self.right}" '
            f'data-top="{self.top}" data-bottom="{self.bottom}">{"".join(parts)}</svg>'
        )


def nice_ticks(low: float, high: float, count: int = _TICKS) -> list[float]:
    """About ``count`` round values in [low, high], 1, 2 or 5 times a power of ten apart."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 10) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def line_chart(
    series: Sequence[Series],
    x_label: str,
    y_label: str,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    height: float = 190.0,
) -> str:
    """Lines over one x axis. Raises ValueError without a point."""
    xs = np.concatenate([np.asarray(s.x, float) for s in series])
    ys = np.concatenate([np.asarray(s.y, float) for s in series])
    if not xs.size:
        raise ValueError("a line chart needs at least one point")
    plane = _Plane(x_range or _widen(xs.min(), xs.max()), y_range or _widen(min(0.0, ys.min()), ys.max()), height)
    lines = "".join(
        f'<polyline class="line s-{s.colour}" points="'
        + " ".join(f"{plane.x(x):.1f},{plane.y(y):.1f}" for x, y in zip(s.x, s.y, strict=True))
        + '"/>'
        for s in series
    )
    return plane.svg(f"{y_label} over {x_label}", plane.x_axis(x_label), plane.y_axis(y_label), lines)


def histogram(
    values: Sequence[float], colour: str, x_label: str, limit: float, limit_label: str, height: float = 240.0
) -> str:
    """How often each value came, with a mark at ``limit``. Raises ValueError without a value."""
    data = np.asarray(values, float)
    if not data.size:
        raise ValueError("a histogram needs at least one value")
    top = max(data.max(), limit) * 1.08
    counts, edges = np.histogram(data, bins=60, range=(0.0, top))
    plane = _Plane((0.0, top), (0.0, counts.max() * 1.1), height)
    bars = "".join(
        f'<rect class="f-{colour}" x="{plane.x(a):.1f}" y="{plane.y(n):.1f}" '
        f'width="{max(0.5, plane.x(b) - plane.x(a) - 1):.1f}" height="{plane.bottom - plane.y(n):.1f}">'
        f"<title>{a:.1f} to {b:.1f} ms: {n} steps</title></rect>"
        for n, a, b in zip(counts, edges[:-1], edges[1:], strict=True)
        if n
    )
    mark = (
        f'<line class="limit" x1="{plane.x(limit):.1f}" y1="{plane.top}" x2="{plane.x(limit):.1f}" '
        f'y2="{plane.bottom}"/><text class="limit-label" text-anchor="end" x="{plane.x(limit) - 6:.1f}" '
        f'y="{plane.top + 12}">{escape(limit_label)}</text>'
    )
    return plane.svg(x_label, plane.x_axis(x_label), plane.y_axis("steps"), bars, mark)


@dataclass(frozen=True)
class ScoreRow:
    """One controller's scores: each episode's, their mean, and the interval of the mean (None: unknown)."""

    name: str
    colour: str
    scores: Sequence[float]
    mean: float
    low: float | None
    high: float | None


def score_chart(rows: Sequence[ScoreRow], x_label: str, row_height: float = 46.0) -> str:
    """A bar to each mean, a dot for every episode and a whisker for the interval, clipped to the plot."""
    points = [0.0] + [score for row in rows for score in row.scores]
    low, high = min(points), max(points)
    margin = 0.06 * (high - low or 1.0)
    plane = _Plane(
        (low - (margin if low < 0 else 0.0), high + margin),
        (0.0, float(len(rows))),
        _TOP + _BOTTOM + row_height * len(rows),
        left=84.0,
    )
    parts = [plane.x_axis(x_label)]
    for place, row in enumerate(rows):
        middle = plane.top + (place + 0.5) * row_height
        start, end = sorted((plane.x(0.0), plane.x(row.mean)))
        parts.append(
            f'<text class="row-name" text-anchor="end" x="{plane.left - 10}" y="{middle + 5:.1f}">'
            f'{escape(row.name)}</text>'
            f'<rect class="f-{row.colour} soft" x="{start:.1f}" y="{middle - 11:.1f}" '
            f'width="{max(end - start, 1.5):.1f}" height="22" rx="3"/>'
        )
        if row.low is not None and row.high is not None:
            first, last = (min(max(plane.x(v), plane.left), plane.right) for v in (row.low, row.high))
            parts.append(
                f'<line class="line s-{row.colour}" x1="{first:.1f}" y1="{middle:.1f}" x2="{last:.1f}" '
                f'y2="{middle:.1f}"/>'
            )
        parts += [
            f'<circle class="f-{row.colour} dot" cx="{plane.x(score):.1f}" cy="{middle:.1f}" r="4.5">'
            f"<title>{escape(row.name)}: {score:.1f}</title></circle>"
            for score in row.scores
        ]
    return plane.svg(x_label, *parts)


def _widen(low: float, high: float) -> tuple[float, float]:
    """A range that is never empty."""
    low, high = float(low), float(high)
    return (low, high) if high > low else (low, low + 1.0)


def _spell(value: float) -> str:
    return f"{value:g}".replace("-", "−")
