"""A page with every kind of block, and with one text wherever there is a place for text."""

import io

import av
import numpy as np
import plotly.graph_objects as go
from wm_evaluation.report import Chart, Facts, Grid, Head, Page, Picture, Prose, Section, Table, Tile, Video
from wm_evaluation.report import charts as house


def film() -> bytes:
    """Four frames of H.264 in an MP4 file."""
    stream = io.BytesIO()
    with av.open(stream, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        for number in range(4):
            picture = np.full((32, 32, 3), 60 * number, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(video.encode())
    return stream.getvalue()


def house_figures(text: str) -> list[go.Figure]:
    """One of every kind, with ``text`` wherever there is a place for text."""
    x = np.arange(4.0)
    row = {"predicted": 0.2, "observed": 0.3, "count": 9}
    return [
        house.lines([house.Series(text, x, x, x - 1, x + 1)], text, text, expected=house.Expected(1.0, 2.0, text)),
        house.panels([house.Panel(text, [house.Series(text, x, x)])], text),
        house.histogram(x, text, 2.0, text, y_label=text),
        house.binned([0, 1, 2], [5, 1], text, y_label=text),
        house.scores([house.ScoreRow(text, [1.0, 2.0], 1.5, 1.2, 1.8)], text),
        house.bars([text], [1.0], text),
        house.reliability({text: [row]}, text),
    ]


def page_full_of(text: str) -> Page:
    """Every kind of block, with ``text`` wherever there is a place for text."""
    picture = Picture(np.full((16, 16, 3), 99, np.uint8), text, text)
    blocks = [
        Table([text, Head(text, "score")], [[text, text], [text, [picture]]], text),
        *(Chart(figure, text, "score") for figure in house_figures(text)),
        Grid([picture, Prose(text)]),
        Video(film(), text, text),
        Facts({text: text, "inner": {text: [text]}, "many": {f"{k}{text}": text for k in range(20)}}, text),
        Prose(f"{text}\n\n{text}"),
    ]
    sections = [Section(text, blocks, text), Section(text, [Prose(text)], text, folded=True), Section("end", [])]
    return Page(text, text, text, [Tile(text, text, "score", "good")], sections, text)
