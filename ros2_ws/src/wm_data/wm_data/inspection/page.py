"""`inspect.html`: one self-contained page about a folder of episodes."""

import cv2
import numpy as np
from wm_evaluation.report import Block, Chart, Grid, Head, Page, Picture, Prose, Section, Table, Tile
from wm_evaluation.report.charts import binned
from wm_evaluation.wording import counted, spell_duration

from wm_data.inspection import facts
from wm_data.inspection.histogram import Histogram
from wm_data.inspection.survey import EpisodeSummary, Survey

ROWS_SHOWN = 500  # episodes in the table
SHEET_COLUMNS, SHEET_ROWS = 12, 6
SHEET_GAP_PX, SHEET_GREY = 2, 128
CHART_HEIGHT = 210  # [px]
Lines = list[tuple[str, str]]


def build_page(name: str, survey: Survey, problems: Lines, skipped: Lines, failed: Lines) -> Page:
    """The whole page. ``name`` is the dataset's, the lists are those of facts.py."""
    sections = []
    if problems:
        sections.append(
            Section("To look at", [Table(("where", "what"), problems)], "What training would refuse or learn wrongly.")
        )
    sections += _contact_sheet(survey)
    sections.append(Section("Dataset", [Table(("property", "value"), facts.overview(survey))]))
    if survey.episodes:
        sections += _distributions(survey)
    gaps = [(f"{seconds:.3f} s", f"after row {row} of {file}") for file, row, seconds in survey.gaps]
    none = Prose("No time between two rows is over 1.5 of the usual one.")
    sections.append(Section("Longest gaps", [Table((Head("time", "gap"), "where"), gaps) if gaps else none]))
    if skipped:
        blocks = [Table(("what", "how often"), skipped)]
        sections.append(Section("Skipped by the conversion", blocks, "From report.json."))
    if failed:
        blocks = [Table(("recording", "reason"), failed)]
        sections.append(Section("Recordings that could not be converted", blocks, "From report.json."))
    sections.append(_episodes(survey))
    return Page(f"Episodes · {name}", _headline(survey, problems), tiles=_tiles(survey, problems), sections=sections)


def _headline(survey: Survey, problems: Lines) -> str:
    what = f"{counted(len(survey.episodes), 'episode')}, {counted(survey.rows, 'row')}"
    return f"{what}, {counted(len(problems), 'thing')} to look at" if problems else f"{what}, nothing suspicious"


def _tiles(survey: Survey, problems: Lines) -> list[Tile]:
    unreadable = len(survey.unreadable)
    return [
        Tile(spell_duration(survey.seconds), "of driving", "hours"),
        Tile(f"{survey.rows:,}", "rows", "rows"),
        Tile(f"{survey.rewards.mean:.3g}", "mean reward of a row", "row_reward"),
        Tile(facts.worst_gap(survey).split(" after")[0], "longest gap in the stamps", "gap"),
        Tile(str(unreadable), "files that cannot be read", tone="bad" if unreadable else ""),
        Tile(str(len(problems)), "things to look at"),
    ]


_LIMITS = {"steer": (-1.0, 1.0), "throttle": (0.0, 1.0), "brake": (0.0, 1.0)}


def _distributions(survey: Survey) -> list[Section]:
    actions = [_chart(histogram, name, _LIMITS[name]) for name, histogram in survey.actions.items()]
    rewards = [_chart(survey.rewards, "reward")]
    for name, histogram in survey.terms.items():
        unknown = survey.unknown_terms[name]
        rewards.append(_chart(histogram, name + (f" (not known in {unknown:,} rows)" if unknown else "")))
    sections = [
        Section("Actions", [Grid(actions)], "Rows by their command."),
        Section(
            "Rewards", [Grid(rewards)], "The reward of a row, and the terms it is the sum of, where they are kept."
        ),
    ]
    if survey.vector:
        vector = [_chart(histogram, name) for name, histogram in survey.vector.items()]
        sections.append(Section("Vector", [Grid(vector)], "The numbers beside the picture."))
    return sections


def _chart(histogram: Histogram, label: str, limits: tuple[float, float] | None = None) -> Block:
    if not histogram.count:
        return Prose(f"{label}: not known anywhere")
    edges, counts = histogram.bars()
    left, right = limits or (edges[0], edges[-1])
    x_range = min(left, float(edges[0])), max(right, float(edges[-1]))
    figure = binned(edges, counts, label, y_label="rows", x_range=x_range, y_log=True, height=CHART_HEIGHT)
    return Chart(figure, f"{label}: mean {histogram.mean:.4g}, {histogram.low:.4g} to {histogram.high:.4g}")


def _episodes(survey: Survey) -> Section:
    shown = survey.episodes
    text = "First, middle and last picture."
    if len(shown) > ROWS_SHOWN:
        # Prefer those with findings; keep the order of the files.
        kept = sorted(sorted(range(len(shown)), key=lambda i: (not shown[i].findings, i))[:ROWS_SHOWN])
        shown = [survey.episodes[i] for i in kept]
        text += f" {ROWS_SHOWN} of {len(survey.episodes)} episodes, those with something to look at first."
    heads = ("episode", "pictures", "split", "rows", "time", "return", "mean speed", "end", "to look at")
    return Section("Episodes", [Table(heads, [_episode(episode) for episode in shown])], text)


def _episode(episode: EpisodeSummary) -> list:
    speed = "–" if episode.mean_speed is None else f"{episode.mean_speed:.3g} m/s"
    return [
        episode.name,
        [Picture(data, "") for data in episode.thumbnails],
        episode.split,
        f"{episode.rows:,}",
        facts.duration(episode),
        f"{episode.total_reward:.4g}",
        speed,
        episode.ends,
        "; ".join(episode.findings),
    ]


def _contact_sheet(survey: Survey) -> list[Section]:
    """The middle pictures of evenly spaced episodes as one picture; no section without pictures."""
    pictures = [
        cv2.imdecode(np.frombuffer(e.thumbnails[len(e.thumbnails) // 2], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        for e in survey.episodes
        if e.thumbnails
    ]
    if not pictures:
        return []
    chosen = np.unique(np.linspace(0, len(pictures) - 1, SHEET_COLUMNS * SHEET_ROWS).round().astype(int))
    height = max(picture.shape[0] for picture in pictures) + SHEET_GAP_PX
    width = max(picture.shape[1] for picture in pictures) + SHEET_GAP_PX
    rows, columns = -(-len(chosen) // SHEET_COLUMNS), min(SHEET_COLUMNS, len(chosen))
    sheet = np.full((rows * height, columns * width, 3), SHEET_GREY, np.uint8)
    for place, index in enumerate(chosen):
        top, left = place // SHEET_COLUMNS * height, place % SHEET_COLUMNS * width
        picture = pictures[index]
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    picture = Picture(sheet, f"middle pictures of {len(chosen)} episodes", width=2 * columns * width)
    return [Section("Contact sheet", [picture], "Middle pictures of episodes, evenly chosen.")]
