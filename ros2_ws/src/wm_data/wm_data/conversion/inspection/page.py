"""`inspect.html`: one self-contained page about a folder of episodes."""

import base64
import io
from html import escape
from importlib import resources
from string import Template

import cv2
import matplotlib
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from wm_data.conversion.inspection import facts
from wm_data.conversion.inspection.histogram import Histogram
from wm_data.conversion.inspection.survey import EpisodeSummary, Survey

ROWS_SHOWN = 500  # episodes in the table
SHEET_COLUMNS, SHEET_ROWS = 12, 6
SHEET_GAP_PX, SHEET_GREY = 2, 128
INK = "#010203"  # in charts; becomes the page's own colour, which is another one in the dark
BAR = "#3d7be0"  # readable on light and on dark


def build_page(
    name: str,
    survey: Survey,
    problems: list[tuple[str, str]],
    skipped: list[tuple[str, str]],
    failed: list[tuple[str, str]],
) -> str:
    """The whole page. ``name`` is what the dataset is called, the lists are those of facts.py."""
    page = resources.files("wm_data.conversion.inspection") / "assets" / "inspect.html"
    template = Template(page.read_text(encoding="utf-8"))
    return template.substitute(
        name=escape(name),
        headline=escape(_headline(survey, problems)),
        tiles=_tiles(survey, problems),
        sheet=_sheet(survey),
        sections="".join(_sections(survey, problems, skipped, failed)),
    )


def _headline(survey: Survey, problems: list[tuple[str, str]]) -> str:
    what = f"{len(survey.episodes)} episodes, {survey.rows:,} rows"
    return f"{what}, {len(problems)} things to look at" if problems else f"{what}, nothing suspicious"


def _tiles(survey: Survey, problems: list[tuple[str, str]]) -> str:
    tiles = [
        (f"{survey.seconds / 3600:.3g} h", "of driving"),
        (f"{survey.rows:,}", "rows"),
        (f"{survey.rewards.mean:.3g}", "mean reward of a row"),
        (facts.worst_gap(survey).split(" after")[0], "longest gap in the stamps"),
        (str(len(survey.unreadable)), "files that cannot be read"),
        (str(len(problems)), "things to look at"),
    ]
    return "".join(f'<div class="tile"><b>{escape(v)}</b><span>{escape(text)}</span></div>' for v, text in tiles)


def _sections(survey, problems, skipped, failed) -> list[str]:
    sections = [_section("Dataset", "", _list(facts.overview(survey)))]
    if problems:
        sections.append(_section("To look at", "What training would refuse or learn wrongly.", _list(problems)))
    if survey.episodes:
        charts = "".join(_chart(histogram, name, _LIMITS[name]) for name, histogram in survey.actions.items())
        sections.append(_section("Actions", "Rows by their command.", f'<div class="charts">{charts}</div>'))
        charts = _chart(survey.rewards, "reward")
        for name, histogram in survey.terms.items():
            unknown = survey.unknown_terms[name]
            charts += _chart(histogram, name + (f" (not known in {unknown:,} rows)" if unknown else ""))
        sections.append(
            _section("Rewards", "The reward of a row, and the terms it is the sum of, where they are kept.",
                     f'<div class="charts">{charts}</div>'))  # fmt: skip
        charts = "".join(_chart(histogram, name) for name, histogram in survey.vector.items())
        if charts:
            charts = f'<div class="charts">{charts}</div>'
            sections.append(_section("Vector", "The numbers beside the picture.", charts))
    gaps = [(f"{seconds:.3f} s", f"after row {row} of {name}") for name, row, seconds in survey.gaps]
    sections.append(
        _section("Longest gaps", "" if gaps else "No time between two rows is over 1.5 of the usual one.", _list(gaps))
    )
    if skipped:
        sections.append(_section("Left out by the conversion", "From report.json.", _list(skipped)))
    if failed:
        sections.append(_section("Recordings that could not be converted", "From report.json.", _list(failed)))
    sections.append(_episodes(survey))
    return sections


_LIMITS = {"steer": (-1.0, 1.0), "throttle": (0.0, 1.0), "brake": (0.0, 1.0)}


def _episodes(survey: Survey) -> str:
    shown = survey.episodes
    text = "First, middle and last picture."
    if len(shown) > ROWS_SHOWN:
        # Those with findings above all; the order stays that of the files.
        kept = sorted(sorted(range(len(shown)), key=lambda i: (not shown[i].findings, i))[:ROWS_SHOWN])
        shown = [survey.episodes[i] for i in kept]
        text += f" {ROWS_SHOWN} of {len(survey.episodes)} episodes, those with something to look at first."
    heads = ("episode", "pictures", "split", "rows", "time", "return", "mean speed", "end", "to look at")
    head = "".join(f"<th>{head}</th>" for head in heads)
    body = "".join(_episode(episode) for episode in shown)
    return _section("Episodes", text, f'<div class="scroll"><table class="list"><tr>{head}</tr>{body}</table></div>')


def _episode(episode: EpisodeSummary) -> str:
    pictures = "".join(
        f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(data).decode("ascii")}">'
        for data in episode.thumbnails
    )
    speed = "–" if episode.mean_speed is None else f"{episode.mean_speed:.3g} m/s"
    cells = (
        escape(episode.name), f'<div class="strip">{pictures}</div>', escape(episode.split), f"{episode.rows:,}",
        facts.duration(episode), f"{episode.total_reward:.4g}", speed, episode.ends,
        escape("; ".join(episode.findings)),
    )  # fmt: skip
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _sheet(survey: Survey) -> str:
    """The middle pictures of evenly chosen episodes as one picture."""
    pictures = [cv2.imdecode(np.frombuffer(e.thumbnails[len(e.thumbnails) // 2], np.uint8), cv2.IMREAD_COLOR)
                for e in survey.episodes if e.thumbnails]  # fmt: skip
    if not pictures:
        return ""
    chosen = np.unique(np.linspace(0, len(pictures) - 1, SHEET_COLUMNS * SHEET_ROWS).round().astype(int))
    height = max(picture.shape[0] for picture in pictures) + SHEET_GAP_PX
    width = max(picture.shape[1] for picture in pictures) + SHEET_GAP_PX
    rows, columns = -(-len(chosen) // SHEET_COLUMNS), min(SHEET_COLUMNS, len(chosen))
    sheet = np.full((rows * height, columns * width, 3), SHEET_GREY, np.uint8)
    for place, index in enumerate(chosen):
        top, left = place // SHEET_COLUMNS * height, place % SHEET_COLUMNS * width
        picture = pictures[index]
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    data = base64.b64encode(cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()).decode("ascii")
    alt, zoom = f"middle pictures of {len(chosen)} episodes", 2 * columns * width
    text = "Middle pictures of episodes, evenly chosen."
    image = f'<img class="sheet" width="{zoom}" alt="{alt}" src="data:image/jpeg;base64,{data}">'
    return _section("Contact sheet", text, image)


def _section(title: str, text: str, content: str) -> str:
    told = f"<p>{escape(text)}</p>" if text else ""
    return f"<section><h2>{escape(title)}</h2>{told}{content}</section>\n"


def _list(lines: list[tuple[str, str]]) -> str:
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in lines)
    return f'<div class="scroll"><table class="facts">{rows}</table></div>' if rows else ""


def _chart(histogram: Histogram, label: str, limits: tuple[float, float] | None = None) -> str:
    """A histogram as SVG in the page's own colours."""
    if not histogram.count:
        return f'<figure><figcaption>{escape(label)}: not known anywhere</figcaption></figure>'
    edges, counts = histogram.bars()
    left, right = limits or (edges[0], edges[-1])
    left, right = min(left, edges[0]), max(right, edges[-1])
    figure = Figure(figsize=(4.2, 2.3), layout="constrained", facecolor="none")
    axes = figure.subplots()
    axes.set_facecolor("none")
    axes.bar(edges[:-1], counts, width=max(edges[1] - edges[0], (right - left) / 80), align="edge", color=BAR)
    axes.set_yscale("symlog", linthresh=max(1.0, float(counts.max()) / 100))
    axes.set_xlim(left, right)
    axes.set_ylabel("rows", color=INK)
    axes.tick_params(colors=INK)
    for spine in axes.spines.values():
        spine.set_edgecolor(INK)
    stream = io.StringIO()
    # Text stays text, and the same numbers give the same bytes.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": facts.encodable(label)}):
        FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None, "Creator": None})
    svg = stream.getvalue()
    told = f"{label}: mean {histogram.mean:.4g}, {histogram.low:.4g} to {histogram.high:.4g}"
    drawing = svg[svg.index("<svg") :].replace(INK, "currentColor")
    return f"<figure>{drawing}<figcaption>{escape(told)}</figcaption></figure>"
