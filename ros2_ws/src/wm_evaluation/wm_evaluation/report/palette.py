"""The colours of all pages, (light theme, dark theme), and the house style of their charts.

Charts are drawn in the colours of the light theme; if the reader's system is dark, the page's script replaces every
colour of this table, also inside an rgba(…), by its dark one.
"""

from collections.abc import Iterable

COLOURS = {
    "blue": ("#2463d6", "#6ea3ff"),
    "teal": ("#0b8a78", "#3cc4ae"),
    "amber": ("#b46a00", "#e2a043"),
    "violet": ("#7c4dce", "#b394ff"),
    "red": ("#c2362b", "#ff7d70"),
    "olive": ("#5f7d1c", "#a3c25a"),
    "pink": ("#b83280", "#f27fb8"),
    "grey": ("#7d8795", "#8e99a8"),
    "ink": ("#1b2330", "#e6eaf0"),
    "soft": ("#5b6675", "#98a3b3"),
    "rule": ("#dfe3e9", "#2c3542"),
    "track": ("#e9edf2", "#283140"),
    "card": ("#ffffff", "#1a2029"),
    "paper": ("#f6f7f9", "#11151b"),
}

IN_TURN = ("blue", "teal", "amber", "violet", "red", "olive", "pink", "grey")
"""Colours of series without a fixed one."""

BY_NAME = {
    "planner": "blue",
    "actor": "teal",
    "expert": "amber",
    "random": "grey",
    "steer": "blue",
    "throttle": "teal",
    "brake": "red",
}
"""Series that look the same on every page."""

CLEAR = "rgba(0,0,0,0)"


def colour(name: str) -> str:
    """A colour of the palette as #rrggbb. Raises ValueError for another name."""
    if name not in COLOURS:
        raise ValueError(f"colour '{name}' is not known, expected one of {', '.join(COLOURS)}")
    return COLOURS[name][0]


def see_through(name: str, share: float) -> str:
    """A colour of the palette with an opacity of ``share``, 0 to 1. Raises ValueError for another name."""
    red, green, blue = (int(colour(name)[k : k + 2], 16) for k in (1, 3, 5))
    return f"rgba({red},{green},{blue},{share:g})"


def assign(names: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """A colour name for each series: its fixed one, or the next that is neither fixed for another nor ``taken``."""
    names = list(names)
    own = {name: BY_NAME[name] for name in names if name in BY_NAME}
    used = {*own.values(), *taken}
    free = [name for name in IN_TURN if name not in used] or list(IN_TURN)
    others = [name for name in dict.fromkeys(names) if name not in own]
    return {**own, **{name: free[place % len(free)] for place, name in enumerate(others)}}


_AXIS = {
    "gridcolor": colour("rule"),
    "zerolinecolor": colour("rule"),
    "linecolor": colour("rule"),
    "automargin": True,
    "exponentformat": "power",
    "minexponent": 4,
    "title": {"standoff": 8},
}

TEMPLATE = {
    "layout": {
        "height": 260,
        "margin": {"l": 8, "r": 12, "t": 12, "b": 8},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "colorway": [colour(name) for name in IN_TURN],
        "font": {
            "color": colour("soft"),
            "size": 12,
            "family": 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
        },
        "hoverlabel": {
            "bgcolor": colour("card"),
            "bordercolor": colour("rule"),
            "font": {"color": colour("ink")},
            "namelength": -1,
        },
        "hovermode": "closest",
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"color": colour("soft")}},
        "modebar": {"bgcolor": CLEAR, "color": colour("soft"), "activecolor": colour("ink"), "orientation": "v"},
        "xaxis": _AXIS,
        "yaxis": {**_AXIS, "hoverformat": ".4~g"},
    }
}
"""Plotly's template of every chart."""
