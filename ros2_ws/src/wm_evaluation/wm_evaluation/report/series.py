"""Lines of charts: their names, colours, bands, and thinning."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import plotly.graph_objects as go

from wm_evaluation.report.palette import assign, colour, see_through

BAND = 0.16  # opacity of intervals
MOST_POINTS = 4000  # points drawn per line: more than a screen has columns


def plain(text: object) -> str:
    """Text for a figure, shown literally. A name with %{…} is safe too, as long as it is not in a template."""
    # Between dollars plotly looks for formulas.
    return escape(str(text), quote=False).replace("$", "&#36;")


def is_known(value: float | None) -> bool:
    """Whether it is a number that can be drawn."""
    return value is not None and math.isfinite(value)


@dataclass(frozen=True)
class Series:
    """A line. ``low`` and ``high`` are its 95 % band; NaN breaks the line. Without a ``colour``, its name decides."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    dash: bool = False
    colour: str = ""


@dataclass(frozen=True)
class Expected:
    """A range in which the values should lie, shown as a strip behind the lines."""

    low: float
    high: float
    label: str = "expected"


def add_expected(figure: go.Figure, series: Sequence[Series], expected: Expected) -> None:
    """A strip as wide as the lines. Not a shape, which would have no legend and no effect on the axis range."""
    ends = [value for one in series for value in (*one.x[:1], *one.x[-1:])] or [0.0, 1.0]
    ends = [min(ends), max(ends)]
    edge = {"x": ends, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    figure.add_scatter(y=[expected.high] * 2, showlegend=False, **edge)
    fill = see_through("teal", 0.14)
    figure.add_scatter(y=[expected.low] * 2, fill="tonexty", fillcolor=fill, name=plain(expected.label), **edge)


def shades_of(series: Sequence[Series]) -> dict[str, str]:
    """The colour's name of each series."""
    chosen = {one.name: one.colour for one in series if one.colour}
    return {**assign([one.name for one in series if not one.colour], chosen.values()), **chosen}


def add_series(figure: go.Figure, series: Sequence[Series], shades: Mapping[str, str], axis: str = "y") -> None:
    """Draw the lines, each over its band, in the colours named by ``shades``, on the given y axis. The legend has each
    name once."""
    told = {trace.name for trace in figure.data if trace.name}
    for one in series:
        shade, name = shades[one.name], plain(one.name)
        x, y = (np.asarray(values, np.float64) for values in (one.x, one.y))
        if one.low is not None and one.high is not None:
            _add_band(figure, x, one.low, one.high, {"yaxis": axis, "legendgroup": name}, see_through(shade, BAND))
        line = {"color": colour(shade), "width": 2, "dash": "dash" if one.dash else "solid"}
        # Lines with very few points get dots to be visible.
        mode = "lines" if np.isfinite(y).sum() > 2 else "lines+markers"
        x, y = thinned(x, y)
        where = {"yaxis": axis, "legendgroup": name, "showlegend": name not in told}
        figure.add_scatter(x=x, y=y, name=name, line=line, mode=mode, **where)
        told.add(name)


def _add_band(figure: go.Figure, x: np.ndarray, low, high, where: dict, fill: str) -> None:
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    inside = np.isfinite(low) & np.isfinite(high)
    edge = {**where, "x": x[inside], "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    figure.add_scatter(y=high[inside], **edge)
    figure.add_scatter(y=low[inside], fill="tonexty", fillcolor=fill, **edge)


def thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most about MOST_POINTS points of a line (T,) that look the same: lowest and highest of each stretch."""
    if len(y) <= MOST_POINTS:
        return x, y
    keep = {0, len(y) - 1}
    for stretch in np.array_split(np.arange(len(y)), MOST_POINTS // 2):
        values = y[stretch]
        if np.isfinite(values).any():
            keep |= {int(stretch[np.nanargmin(values)]), int(stretch[np.nanargmax(values)])}
        else:
            keep.add(int(stretch[0]))  # a break in the line stays one
    places = sorted(keep)
    return x[places], y[places]
