"""Renders a Page as one self-contained HTML file."""

import base64
import difflib
import gzip
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache, singledispatch

import cv2
import numpy as np
from markupsafe import Markup
from plotly.io.json import to_json_plotly
from plotly.offline import get_plotlyjs
from wm_bundle.files import write_text

from wm_evaluation.page_pictures import data_uri, jpeg
from wm_evaluation.report import blocks, palette
from wm_evaluation.report.glossary import METRICS
from wm_evaluation.report.widgets import asset, environment_of

PACKAGE = "wm_evaluation.report"
LONG_LIST = 12  # facts; longer lists are folded away
LONG_CELL = 30  # characters; columns with longer cells get room to break them
JPEG_QUALITY = 85
# A cell that is a number, perhaps with a unit, a dash, "1.0 to 2.0" or "1.0 [0.9, 1.1]": columns of them are aligned to
# the right.
_NUMBER = re.compile(
    r"[–—-]|\D?\d[\d.,]*(e[-+]?\d+)?( ?[^\s\d]{1,5})?( (to|of|±) .+)?( [(\[].*[)\]])?( better| worse)?"
)


@dataclass
class _Parts:
    charts: list[str] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)

    def metric(self, key: str | None, user: str) -> str | None:
        """Note that the page uses a metric. Raises ValueError if the glossary does not have it."""
        if key is None:
            return None
        if key not in METRICS:
            near = ", ".join(difflib.get_close_matches(key, METRICS)) or ", ".join(sorted(METRICS))
            raise ValueError(f"'{user}' names the metric '{key}', which the glossary does not define; near it: {near}")
        if key not in self.metrics:
            self.metrics.append(key)
        return key


def write_page(path: str | os.PathLike, page: blocks.Page) -> None:
    """Write a page to ``path``, atomically. Raises ValueError like ``render``, OSError."""
    write_text(path, render(page))


def render(page: blocks.Page) -> str:
    """The page as HTML. Raises ValueError for a metric that the glossary does not define."""
    parts = _Parts()
    tiles = [{**asdict(tile), "metric": parts.metric(tile.metric, tile.label)} for tile in page.tiles]
    sections = [_section(number, section, parts) for number, section in enumerate(page.sections, 1)]
    html = (
        environment_of(PACKAGE)
        .get_template("page.html.j2")
        .render(
            page=page,
            tiles=tiles,
            sections=sections,
            metrics=[(key, METRICS[key]) for key in METRICS if key in parts.metrics],
            names={key: metric.name for key, metric in METRICS.items()},
            colours=palette.COLOURS,
            style=Markup(asset(PACKAGE, "page.css") + "\n".join(dict.fromkeys(parts.styles))),
            script=Markup(asset(PACKAGE, "page.js")),
            scripts=[Markup(script) for script in dict.fromkeys(parts.scripts)],
            plotly=_plotly() if parts.charts else "",
            settings=_embedded({"colours": list(palette.COLOURS.values()), "template": palette.TEMPLATE}),
        )
    )
    # File names and JSON may hold lone surrogates, which UTF-8 cannot encode.
    return html.encode("utf-8", "replace").decode("utf-8")


def _section(number: int, section: blocks.Section, parts: _Parts) -> dict:
    return {**vars(section), "id": f"section-{number}", "blocks": [_view(block, parts) for block in section.blocks]}


def _view(block: blocks.Block, parts: _Parts) -> dict:
    """What the template needs of a block: its kind, its fields, and what is derived from them."""
    return {"kind": type(block).__name__.lower(), **vars(block), **_made_of(block, parts)}


@singledispatch
def _made_of(block: blocks.Block, parts: _Parts) -> dict:
    raise TypeError(f"a page cannot hold a {type(block).__name__}, expected one of {blocks.Block}")


@_made_of.register
def _(block: blocks.Table, parts: _Parts) -> dict:
    heads = [head if isinstance(head, blocks.Head) else blocks.Head(head) for head in block.heads]
    rows = [
        [cell if isinstance(cell, str) else [_view(picture, parts) for picture in cell] for cell in row]
        for row in block.rows
    ]
    columns = range(len(heads))
    numeric = [bool(rows) and all(_is_number(row[column]) for row in rows) for column in columns]
    long = [any(isinstance(row[column], str) and len(row[column]) > LONG_CELL for row in rows) for column in columns]
    styles = ["number" if number else "long" if text else "" for number, text in zip(numeric, long, strict=True)]
    for head in heads:
        parts.metric(head.metric, head.label)
    return {"heads": heads, "rows": rows, "styles": styles}


def _is_number(cell: str | list) -> bool:
    return isinstance(cell, str) and _NUMBER.fullmatch(cell.strip()) is not None


@_made_of.register
def _(block: blocks.Chart, parts: _Parts) -> dict:
    identity = f"chart-{block.name or len(parts.charts) + 1}"
    if identity in parts.charts:
        raise ValueError(f"two charts of the page have the name '{block.name}'")
    parts.charts.append(identity)
    spec = block.figure.to_dict()
    layout = spec.get("layout", {})
    layout.pop("template", None)  # all charts of a page share the house style
    parts.metric(block.metric, block.caption or "chart")
    caption = block.caption or (METRICS[block.metric].name if block.metric else "")
    return {
        "id": identity,
        "data": _embedded({"data": spec.get("data", []), "layout": layout}),
        "height": int(layout.get("height", palette.TEMPLATE["layout"]["height"])),
        "label": caption or _axes(layout),
        "caption": caption,
    }


def _axes(layout: dict) -> str:
    x, y = (layout.get(axis, {}).get("title", {}).get("text", "") for axis in ("xaxis", "yaxis"))
    return f"{y} over {x}" if x and y else x or y or "chart"


@_made_of.register
def _(block: blocks.Picture, parts: _Parts) -> dict:
    data = block.image if isinstance(block.image, bytes) else _encode(block.image, block.lossless)
    return {"source": data_uri("image/png" if data.startswith(b"\x89PNG") else "image/jpeg", data)}


def _encode(image: np.ndarray, lossless: bool) -> bytes:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"a picture is {image.dtype} {image.shape}, expected uint8 (h, w, 3)")
    if not lossless:
        return jpeg(image, JPEG_QUALITY)
    return cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


@_made_of.register
def _(block: blocks.Video, parts: _Parts) -> dict:
    return {"source": data_uri("video/mp4", block.data)}


@_made_of.register
def _(block: blocks.Facts, parts: _Parts) -> dict:
    lists = [(title, entries) for title, entries in _flat(block.title, block.entries) if entries]
    return {
        "short": [item for item in lists if len(item[1]) <= LONG_LIST],
        "long": [item for item in lists if len(item[1]) > LONG_LIST],
    }


def _flat(title: str, entries: Mapping[str, object]) -> list[tuple[str, list[tuple[str, str]]]]:
    """One list of the plain entries, and one for every entry that is a mapping."""
    lists = [(title, [(str(key), _spell(value)) for key, value in entries.items() if not isinstance(value, Mapping)])]
    for key, value in entries.items():
        if isinstance(value, Mapping):
            lists += _flat(f"{title}: {key}" if title else str(key), value)
    return lists


def _spell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


@_made_of.register
def _(block: blocks.Prose, parts: _Parts) -> dict:
    return {"paragraphs": [text for text in re.split(r"\n\s*\n", block.text.strip()) if text]}


@_made_of.register
def _(block: blocks.Fragment, parts: _Parts) -> dict:
    parts.styles.append(block.style)
    if block.script:
        parts.scripts.append(block.script)
    return {"html": Markup(block.html)}


@_made_of.register
def _(block: blocks.Grid, parts: _Parts) -> dict:
    return {"blocks": [_view(inner, parts) for inner in block.blocks]}


def _embedded(value: object) -> Markup:
    """JSON for a script element: it cannot end the element or begin another."""
    text = to_json_plotly(value, engine="json")
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


@cache
def _plotly() -> str:
    """Plotly's script, gzip in base64: 2.0 MB of a page instead of 4.8, and no slower to open."""
    return base64.b64encode(gzip.compress(get_plotlyjs().encode("utf-8"), 9, mtime=0)).decode("ascii")
