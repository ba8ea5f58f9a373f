"""`scorecard.html`: the scorecard, the picture and the video in one self-contained page."""

import base64
import io
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from wm_training.imagination.pictures import RULE, SOFT
from wm_training.imagination.scorecard_tables import (
    NAMES,
    Rows,
    break_even_lines,
    continue_lines,
    gap_rows,
    picture_rows,
    reward_rows,
    uncertainty_rows,
)

COLOURS = {
    "imagined": "#2463d6",
    "posterior": "#0b8a78",
    "copy_last": "#5b6675",
    "shuffled": "#c2362b",
    "last_seen": "#5b6675",
    "data_mean": "#b46a00",
}


def build_page(card: dict, picture: Path, video: Path) -> str:
    """The whole page; ``card`` is the content of scorecard.json, the files become part of it. Raises OSError."""
    page = resources.files("wm_training.imagination") / "assets" / "scorecard.html"
    template = Template(page.read_text(encoding="utf-8"))
    return template.substitute(
        model=escape(card["model"]["checkpoint"]),
        headline=escape(_headline(card)),
        lead=escape(_lead(card)),
        tiles=_tiles(card),
        window=escape(_window(card)),
        video=_data_uri(video, "video/mp4"),
        picture=_data_uri(picture, "image/png"),
        sections="".join(_sections(card)),
        footer=escape(", ".join(f"{name} {value}" for name, value in card["settings"].items())),
    )


def _headline(card: dict) -> str:
    found, horizon, rate = card["break_even"]["picture_against_copy_last"], card["steps"][-1], card["data"]["rate_hz"]
    if found["begins"] is None:
        return "The imagined pictures never beat copying the last frame"
    begins, last = found["begins"], horizon if found["stops"] is None else found["stops"] - 1
    return f"The imagined pictures beat copying the last frame from step {begins} to {last}, {last / rate:.2g} s ahead"


def _lead(card: dict) -> str:
    model, data, windows = card["model"], card["data"], card["windows"]
    return (
        f"{model['checkpoint']} after {model['step']:,} updates, {model['parameters']:,} parameters, on "
        f"{windows['count']} windows of {windows['episodes']} episodes ({data['split']} split of {data['path']})."
    )


def _window(card: dict) -> str:
    window, context = card["window"], card["settings"]["context"]
    end = window["start"] + window["rows"] - 1
    why = "the window of median picture error" if window["typical"] else "as asked for"
    return f"{window['episode']}, rows {window['start']} to {end} ({why}), the first {context} seen"


def _tiles(card: dict) -> str:
    steps = card["steps"]
    place = min(range(len(steps)), key=lambda i: abs(steps[i] - 10))
    step, horizon = steps[place], steps[-1]
    psnr = card["picture"]["psnr_db"]
    better = _less(psnr["imagined"]["value"][place], psnr["copy_last"]["value"][place])
    gap = card["action_gap"]["psnr_db"]["value"][place]
    correlation = card["return"]["rank_correlation"]["imagined"]["value"][place]
    stops = card["break_even"]["return_against_last_seen"]["stops"]
    tiles = [
        (_spell(better, "+.1f", " dB"), f"PSNR over copying the last frame, {step} steps ahead"),
        (_spell(gap, ".1f", " dB"), f"lost with the actions of other windows, {step} steps ahead"),
        (_spell(correlation, ".2f"), f"rank correlation of imagined and real return over {step} steps"),
        (f"> {horizon}" if stops is None else str(stops), "steps at which the return stops beating the last reward"),
    ]
    return "".join(f'<div class="tile"><b>{escape(v)}</b><span>{escape(text)}</span></div>' for v, text in tiles)


def _less(left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else left - right


def _spell(value: float | None, how: str, unit: str = "") -> str:
    return "–" if value is None else f"{value:{how}}{unit}"


def _sections(card: dict) -> list[str]:
    curves = card["curves"]
    pictures = _chart(curves["psnr_db"], "PSNR [dB]")
    rewards = _chart(curves["reward_mean_absolute_error"], "mean absolute error of the reward")
    returns = _chart(curves["return_mean_absolute_error"], "mean absolute error of the return")
    intervals = "Small numbers and bands are 95 % intervals by resampling episodes."
    few = (
        "There are too few ends of drives to tell how well the continue probability is calibrated."
        if not card["continue"]["enough_terminals"]
        else ""
    )
    return [
        _section("Break-even", "Where each prediction is better than knowing nothing.", _list(break_even_lines(card))),
        _section(
            "Pictures",
            "PSNR and SSIM favour blurred pictures: read them against the reconstruction, which has seen the picture, "
            f"and the copy. {intervals}",
            f'<div class="charts">{pictures}</div>' + _table(picture_rows(card)),
        ),
        _section(
            "Rewards and returns",
            "The return is the sum of the rewards of the first k steps, as the planner compares plans by it. "
            "Single rewards come in jolts that a mean cannot follow; the return and its ranking matter more.",
            f'<div class="charts">{rewards}{returns}</div>' + _table(reward_rows(card)),
        ),
        _section(
            "Does it listen to the actions?",
            "The same windows imagined with the actions of other windows. A model that ignores actions loses nothing.",
            _table(gap_rows(card)),
        ),
        _section(
            "Does it know what it does not know?",
            "The spread of the samples is chance as the model sees it; the disagreement of an ensemble is what it was "
            "not taught. An uncertainty is worth something where it is large when the error is.",
            _table(uncertainty_rows(card)),
        ),
        _section("Does the episode go on?", few, _list(continue_lines(card)) + _reliability(card)),
    ]


def _section(title: str, text: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2><p>{escape(text)}</p>{content}</section>\n"


def _table(rows: Rows) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in ("steps ahead", *rows.heads))
    body = "".join(
        f"<tr><td>{escape(name)}</td>"
        + "".join(f"<td>{cell.value}<br><small>{cell.interval}</small></td>" for cell in cells)
        + "</tr>"
        for name, cells in rows.rows
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def _list(lines: list[tuple[str, str]]) -> str:
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in lines)
    return f'<div class="scroll"><table>{rows}</table></div>'


def _reliability(card: dict) -> str:
    lines = [
        (
            f"said {row['from']:.1f} to {row['to']:.1f}",
            f"{row['count']} times, {row['predicted']:.4f} on average; went on in {row['observed']:.4f}",
        )
        for row in card["continue"]["reliability"]
    ]
    return _list(lines)


def _chart(curves: dict, label: str) -> str:
    """Lines with their intervals over the steps ahead, as SVG."""
    figure = Figure(figsize=(5.6, 3.4), layout="constrained", facecolor="white")
    axes = figure.subplots()
    for name, curve in curves.items():
        values = [float("nan") if value is None else value for value in curve["value"]]
        steps = range(1, len(values) + 1)
        bands = [[float("nan") if end is None else end for end in pair] for pair in curve["ci95"]]
        axes.fill_between(steps, *zip(*bands, strict=True), color=COLOURS[name], alpha=0.13, linewidth=0)
        axes.plot(steps, values, color=COLOURS[name], linewidth=1.6, label=NAMES[name])
    axes.set_xlabel("steps ahead", color=SOFT)
    axes.set_ylabel(label, color=SOFT)
    axes.set_xlim(1, max(2, len(values)))
    axes.tick_params(colors=SOFT)
    axes.grid(color=RULE)
    for spine in axes.spines.values():
        spine.set_edgecolor(RULE)
    axes.legend(fontsize=8.5, frameon=False, labelcolor=SOFT)
    stream = io.StringIO()
    # Text stays text, and the same figures give the same bytes.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": label}):
        FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None, "Creator": None})
    svg = stream.getvalue()
    return svg[svg.index("<svg") :]


def _data_uri(path: Path, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
