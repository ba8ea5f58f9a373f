"""Plotly figures in the house style: theme-aware, phone-sized, the same series in the same colour on every page.

Names and labels are plain text. Plotly reads a subset of HTML in its texts, so they are escaped here; figures made
elsewhere use ``plain``.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from wm_evaluation.report.palette import assign, colour, see_through
from wm_evaluation.report.series import Expected, Series, add_expected, add_series, is_known, plain, shades_of

FAR = 4.0  # times the largest value: a limit beyond that would squeeze the values
ROW_HEIGHT = 46  # [px] of a row of scores


@dataclass(frozen=True)
class ScoreRow:
    """Scores of one name: each episode's, their mean, and the interval of the mean (None or NaN: unknown)."""

    name: str
    scores: Sequence[float]
    mean: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Panel:
    """One of several plots over the same x axis. ``y_range`` is fixed if given."""

    y_label: str
    series: Sequence[Series]
    y_range: tuple[float, float] | None = None


def lines(
    series: Sequence[Series],
    x_label: str,
    y_label: str,
    *,
    height: int | None = None,
    y_range: tuple[float, float] | None = None,
    y_log: bool = False,
    expected: Expected | None = None,
) -> go.Figure:
    """Lines over one x axis, with their bands. ``y_log`` skips values that are not positive."""
    figure = go.Figure()
    if expected is not None:
        add_expected(figure, series, expected)
    add_series(figure, series, shades_of(series))
    # One line needs no legend: the axis names it.
    figure.update_layout(height=height, hovermode="x unified", showlegend=len(series) > 1 or expected is not None)
    figure.update_xaxes(title_text=plain(x_label))
    return figure.update_yaxes(title_text=plain(y_label), range=y_range, type="log" if y_log else "linear")


def panels(
    parts: Sequence[Panel], x_label: str, *, panel_height: int = 150, x_range: tuple[float, float] | None = None
) -> go.Figure:
    """Plots above each other that share the x axis."""
    figure = go.Figure()
    axes = ["y" if number == 1 else f"y{number}" for number in range(1, len(parts) + 1)]
    shades = shades_of([one for part in parts for one in part.series])
    for axis, part in zip(axes, parts, strict=True):
        add_series(figure, part.series, shades, axis)
        figure.update_layout({f"yaxis{axis[1:]}": {"title": {"text": plain(part.y_label)}, "range": part.y_range}})
    grid = {"rows": len(parts), "columns": 1, "subplots": [[f"x{axis}"] for axis in axes], "ygap": 0.25}
    figure.update_layout(grid=grid, height=panel_height * len(parts) + 70, hovermode="x unified", hoversubplots="axis")
    return figure.update_xaxes(title_text=plain(x_label), range=x_range, anchor=axes[-1])


def histogram(
    values: Sequence[float], x_label: str, limit: float | None = None, limit_label: str = "", y_label: str = "count"
) -> go.Figure:
    """Histogram of the finite values, with a mark at ``limit``, or a note if that is far beyond them. Raises ValueError
    without any finite value."""
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    if not known.size:
        raise ValueError(f"a histogram of '{x_label}' needs at least one finite value")
    low, high = min(0.0, float(known.min())), float(known.max())
    near = limit is not None and limit <= FAR * max(high, 0.0)
    high = max(high, limit) if near else high
    counts, edges = np.histogram(known, bins=60, range=(low, low + 1.04 * (high - low or 1.0)))
    figure = binned(edges, counts, x_label, y_label=y_label)
    label = {"font": {"color": colour("red")}, "text": plain(limit_label), "showarrow": False}
    if near:
        line = {"color": colour("red"), "width": 1.5, "dash": "dash"}
        figure.add_vline(limit, line=line, annotation=label, annotation_position="top left")
    elif limit is not None:
        label["text"] += f" ({limit:g}), further right →"
        figure.add_annotation(**label, x=1, y=1, xref="paper", yref="paper", xanchor="right", yanchor="top")
    return figure


def binned(
    edges: Sequence[float],
    counts: Sequence[float],
    x_label: str,
    *,
    y_label: str = "count",
    x_range: tuple[float, float] | None = None,
    y_log: bool = False,
    height: int | None = None,
) -> go.Figure:
    """A histogram from given counts: ``edges`` (n + 1,) and ``counts`` (n,), at least one of them not 0."""
    edges, counts = np.asarray(edges, np.float64), np.asarray(counts)
    filled = counts > 0
    left, right = x_range or (float(edges[0]), float(edges[-1]))
    # A bar narrower than a pixel would not be seen.
    middles, widths = (edges[:-1] + edges[1:])[filled] / 2, np.maximum(np.diff(edges)[filled], (right - left) / 120)
    spans = [f"{low:.4g} to {high:.4g}" for low, high in zip(edges[:-1][filled], edges[1:][filled], strict=True)]
    figure = go.Figure(
        go.Bar(
            x=middles,
            y=counts[filled],
            width=widths,
            marker={"color": colour("blue"), "line": {"width": 0}},
            customdata=spans,
            hovertemplate="%{customdata}: %{y:,}<extra></extra>",
        )
    )
    figure.update_layout(height=height, bargap=0)
    figure.update_xaxes(title_text=plain(x_label), range=(left, right))
    top = float(counts.max())
    # From below 1, so that a bar of one shows; ticks at the powers of ten if there are enough of them.
    log = {"type": "log", "range": (-0.2, math.log10(top) + 0.1), "dtick": 1 if top >= 100 else None}
    return figure.update_yaxes(title_text=plain(y_label), **(log if y_log else {"rangemode": "tozero"}))


def scores(rows: Sequence[ScoreRow], x_label: str) -> go.Figure:
    """A bar for each mean, a dot for every score, and the interval of the mean as a line."""
    colours = assign(row.name for row in rows)
    figure = go.Figure()
    for row in rows:
        name, shade = plain(row.name), colours[row.name]
        known = is_known(row.low) and is_known(row.high)
        # Two ends: an interval need not be symmetric about its mean.
        whisker = (
            {
                "type": "data",
                "array": [row.high - row.mean],
                "arrayminus": [row.mean - row.low],
                "color": colour(shade),
                "thickness": 2,
            }
            if known
            else None
        )
        told = f"mean {row.mean:.1f}" + (f", 95 % interval {row.low:.1f} to {row.high:.1f}" if known else "")
        figure.add_bar(
            x=[row.mean],
            y=[name],
            orientation="h",
            width=0.5,
            marker={"color": see_through(shade, 0.3)},
            error_x=whisker,
            customdata=[told],
            hovertemplate="%{y}: %{customdata}<extra></extra>",
        )
        figure.add_scatter(
            x=list(row.scores),
            y=[name] * len(row.scores),
            mode="markers",
            marker={"color": colour(shade), "size": 9, "line": {"color": colour("card"), "width": 1.5}},
            hovertemplate="%{y}: %{x:.1f}<extra></extra>",
        )
    values = [0.0, *(score for row in rows for score in row.scores), *(row.mean for row in rows)]
    low, high = min(values), max(values)
    margin = 0.06 * (high - low or 1.0)
    figure.update_layout(height=ROW_HEIGHT * len(rows) + 70, showlegend=False, barmode="overlay")
    # The range is that of the scores, not of the intervals, which with few tracks would squeeze everything else.
    figure.update_xaxes(title_text=plain(x_label), range=(low - (margin if low < 0 else 0.0), high + margin))
    return _names_on_y(figure, [row.name for row in rows])


def bars(names: Sequence[str], values: Sequence[float], x_label: str) -> go.Figure:
    colours = assign(names)
    figure = go.Figure(
        go.Bar(
            x=list(values),
            y=[plain(name) for name in names],
            orientation="h",
            width=0.5,
            marker={"color": [colour(colours[name]) for name in names]},
            hovertemplate="%{y}: %{x:.4g}<extra></extra>",
        )
    )
    figure.update_layout(height=ROW_HEIGHT * len(names) + 70).update_xaxes(title_text=plain(x_label))
    return _names_on_y(figure, names)


def _names_on_y(figure: go.Figure, names: Sequence[str]) -> go.Figure:
    order = [plain(name) for name in names]
    # Plotly would convert names that look like numbers or dates.
    axis = {"type": "category", "categoryorder": "array", "categoryarray": order, "autorange": "reversed"}
    return figure.update_yaxes(**axis, tickfont={"color": colour("ink"), "size": 13}, showgrid=False)


def reliability(tables: Mapping[str, Sequence[Mapping[str, float]]], event: str) -> go.Figure:
    """Observed over predicted probability, for each model's bins from ``metrics.calibration.reliability``. The size of
    a dot is its bin's share."""
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        hoverinfo="skip",
        name="perfect",
        line={"color": colour("grey"), "dash": "dash", "width": 1.5},
    )
    colours = assign(tables)
    for name, rows in tables.items():
        total = max(1.0, float(sum(row["count"] for row in rows)))
        figure.add_scatter(
            x=[row["predicted"] for row in rows],
            y=[row["observed"] for row in rows],
            name=plain(name),
            mode="lines+markers",
            line={"color": colour(colours[name])},
            customdata=[row["count"] for row in rows],
            marker={"size": [6 + 18 * math.sqrt(row["count"] / total) for row in rows]},
            hovertemplate="predicted %{x:.3f}, observed %{y:.3f}, %{customdata} times",
        )
    figure.update_layout(height=320)
    figure.update_xaxes(title_text=plain(f"predicted probability of {event}"), range=(-0.03, 1.03))
    return figure.update_yaxes(title_text="observed share", range=(-0.03, 1.03))
