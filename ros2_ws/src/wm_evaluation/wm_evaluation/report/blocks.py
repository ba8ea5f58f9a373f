"""The building blocks of a page. Every text is plain text: the renderer escapes it. Only a Fragment holds HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import plotly.graph_objects as go


@dataclass(frozen=True)
class Tile:
    """A figure of the summary. ``metric`` names its definition in the glossary."""

    value: str
    label: str
    metric: str | None = None
    tone: str = ""
    """"", "good" or "bad"."""

    def __post_init__(self):
        if self.tone not in ("", "good", "bad"):
            raise ValueError(f"tile '{self.label}': tone is '{self.tone}', expected 'good', 'bad' or nothing")


@dataclass(frozen=True)
class Head:
    """The head of a table's column. ``metric`` names its definition in the glossary."""

    label: str
    metric: str | None = None


@dataclass(frozen=True)
class Picture:
    """A picture: uint8 RGB (h, w, 3), or the bytes of a JPEG or PNG file. ``width`` [px] on the page, 0: its original
    width."""

    image: np.ndarray | bytes
    alt: str
    caption: str = ""
    lossless: bool = False
    width: int = 0


@dataclass(frozen=True)
class Video:
    """A video: the bytes of an MP4 file with H.264, which every browser plays."""

    data: bytes
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of text. The first column names the row. A cell may also be pictures, shown small side by side."""

    heads: Sequence[str | Head]
    rows: Sequence[Sequence[str | Sequence[Picture]]]
    caption: str = ""

    def __post_init__(self):
        for number, row in enumerate(self.rows):
            if len(row) != len(self.heads):
                raise ValueError(
                    f"table '{self.caption}': row {number} has {len(row)} cells, expected {len(self.heads)}, "
                    "one for each head"
                )
            for cell in row:
                if not isinstance(cell, str | list | tuple):
                    raise ValueError(
                        f"table '{self.caption}': row {number} has the cell {cell!r}, expected text or pictures"
                    )


@dataclass(frozen=True)
class Chart:
    """An interactive chart. ``name`` gives the element the id ``chart-<name>``, for a Fragment's script."""

    figure: go.Figure
    caption: str = ""
    metric: str | None = None
    name: str = ""


@dataclass(frozen=True)
class Facts:
    """Names and values; nested mappings become separate lists, long lists are folded."""

    entries: Mapping[str, object]
    title: str = ""


@dataclass(frozen=True)
class Prose:
    """Plain text; a blank line begins a paragraph."""

    text: str


@dataclass(frozen=True)
class Fragment:
    """HTML of a custom widget, with its style and script. Trusted: its author escapes the content."""

    html: str
    style: str = ""
    script: str = ""

    def __post_init__(self):
        for name, text, ending in (("script", self.script, "</script"), ("style", self.style, "</style")):
            if ending in text.lower() or "<!--" in text:
                raise ValueError(f"the {name} of a fragment holds '{ending}' or '<!--', which would end its element")


@dataclass(frozen=True)
class Grid:
    """Blocks side by side where there is room, at least ``width`` [px] each."""

    blocks: Sequence["Block"]
    width: int = 300


Block: TypeAlias = Table | Chart | Picture | Video | Facts | Prose | Fragment | Grid


@dataclass(frozen=True)
class Section:
    """A part of the page. A folded one shows its title until it is opened."""

    title: str
    blocks: Sequence[Block]
    lead: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Page:
    """A report: the summary (headline, lead, tiles), then its sections."""

    title: str
    headline: str
    lead: str = ""
    tiles: Sequence[Tile] = ()
    sections: Sequence[Section] = ()
    footer: str = ""
