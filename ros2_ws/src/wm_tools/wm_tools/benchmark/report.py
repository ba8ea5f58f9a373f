"""``report.html`` of a benchmark: which controller is better, by how much, how certain that is, and what breaks it."""

import itertools
from collections.abc import Sequence

import plotly.graph_objects as go
from wm_evaluation.report import Chart, Facts, Head, Page, Prose, Section, Table, Tile
from wm_evaluation.report.charts import ScoreRow, histogram, plain, scores
from wm_evaluation.report.palette import assign, colour
from wm_evaluation.wording import counted, spell_number

from wm_tools.benchmark.benchmark_options import LOCK_STEP
from wm_tools.benchmark.figures import BY_NAME, DRIVING_SCORE, FIGURES, SCORE, score_interval
from wm_tools.benchmark.report_sweeps import sweeps_section
from wm_tools.benchmark.summary import driving_of, grouped, name_of
from wm_tools.benchmark.terminal import difference_cells
from wm_tools.drive.controllers import REFERENCES
from wm_tools.drive.driving_figures import SCORING
from wm_tools.drive.driving_tables import driving_section

TRACKS_HEIGHT = 320  # [px]
_INTERVAL, _FAILED = Head("95 %", "bootstrap_interval"), Head("Failed", "failed_episodes")


def build_page(summary: dict, episodes: Sequence[dict]) -> Page:
    """The page of a benchmark's ``summary`` and of the lines of its episodes.jsonl."""
    undisturbed = [episode for episode in episodes if episode["disturbance"] is None]
    sections = [
        _scores(summary, undisturbed),
        _driving(summary, undisturbed),
        _comparisons(summary),
        _tracks(undisturbed),
        sweeps_section(summary),
        _failures(episodes),
        _latencies(summary, undisturbed),
        _all_figures(summary),
        Section("Settings", [Facts(summary["settings"]), Facts(summary["machine"], "Machine")], folded=True),
    ]
    return Page(
        title="Benchmark",
        headline=_headline(summary),
        lead=" ".join(summary["caveats"]),
        tiles=_tiles(summary),
        sections=[section for section in sections if section is not None],
        footer="A failed episode counts with what was driven until it failed. Intervals: 95 %, percentile bootstrap "
        "over the episodes.",
    )


def _with_models(summary: dict) -> list[dict]:
    """The groups driven by a model, or all groups if there are none."""
    kinds = {entry["name"]: entry["kind"] for entry in summary["settings"]["controllers"]}
    return [group for group in summary["groups"] if kinds[group["controller"]] not in REFERENCES] or summary["groups"]


def _headline(summary: dict) -> str:
    told = [
        f"{name_of(group)}: {SCORE.spell(score['mean'])}"
        + ("" if score["low"] is None else f" ({score_interval(score)})")
        for group in _with_models(summary)[:2]
        if (score := group["figures"]["score"])["mean"] is not None
    ]
    if told:
        return f"Mean score of {'; of '.join(told)}"
    return f"{summary['driven']} of {counted(summary['planned'], 'episode')} driven, {summary['failed']} failed"


def _tiles(summary: dict) -> list[Tile]:
    tone = "bad" if summary["failed"] else "good"
    return [
        *(
            Tile(SCORE.spell(group["figures"]["score"]["mean"]), f"score of {name_of(group)}", "score")
            for group in _with_models(summary)
            if group["figures"]["score"]["mean"] is not None
        ),
        *(
            Tile(DRIVING_SCORE.spell(mean), f"driving score of {name_of(group)}", DRIVING_SCORE.metric)
            for group in _with_models(summary)
            if (mean := group["figures"]["driving_score"]["mean"]) is not None
        ),
        Tile(f"{summary['failed']} of {summary['driven']}", "episodes failed", "failed_episodes", tone),
        *(
            Tile(f"{group['latency_ms']['p99']:.0f} ms", f"latency p99, {name_of(group)}", "command_latency")
            for group in summary["groups"]
            if group["latency_ms"] and group["mode"] != LOCK_STEP
        ),
    ]


def _scores(summary: dict, episodes: Sequence[dict]) -> Section | None:
    known = {
        name_of(some[0]): [episode["score"] for episode in some if episode["score"] is not None]
        for some in grouped(episodes, "controller", "mode")
    }
    rows = [
        ScoreRow(name_of(group), found, *(group["figures"]["score"][key] for key in ("mean", "low", "high")))
        for group in summary["groups"]
        if (found := known[name_of(group)])
    ]
    heads = ["", Head("Score", "score"), _INTERVAL, "Episodes", _FAILED, "Ended"]
    table = [
        [
            name_of(group),
            SCORE.spell(group["figures"]["score"]["mean"]),
            score_interval(group["figures"]["score"]),
            str(group["episodes"]),
            str(group["failed"]),
            ", ".join(f"{count} × {ending}" for ending, count in group["ended"].items()),
        ]
        for group in summary["groups"]
    ]
    caption = "Each dot is an episode; the line is the 95 % interval of the mean."
    charts = [Chart(scores(rows, "score"), caption, "score")] if rows else []
    return Section("Scores", [*charts, Table(heads, table)])


def _driving(summary: dict, episodes: Sequence[dict]) -> Section | None:
    driven = {
        name_of(some[0]): [episode.get("driving_score") for episode in some]  # older benchmarks lack it
        for some in grouped(episodes, "controller", "mode")
    }
    return driving_section(driving_of(summary), driven)


def _comparisons(summary: dict) -> Section | None:
    pairs = summary["comparisons"]
    if not pairs:
        return None
    heads = ["", Head("Difference", "paired_difference"), _INTERVAL, "Wins", "Losses", "Ties"]
    rows = [[f"{pair['first']} minus {pair['second']}, {pair['mode']}", *difference_cells(pair)] for pair in pairs]
    return Section(
        "Compared by track",
        [Table(heads, rows)],
        lead="Differences of scores on the same track. Where an interval contains zero, the tracks driven cannot tell "
        "the two apart.",
    )


def _tracks(episodes: Sequence[dict]) -> Section | None:
    """A row of dots for every track; crosses for failures."""
    known = [episode for episode in episodes if episode["score"] is not None and episode["seed"] is not None]
    if not known:
        return None
    groups = {name_of(some[0]): some for some in grouped(known, "controller", "mode")}
    shades, figure = assign(groups), go.Figure()
    for name, some in groups.items():
        figure.add_scatter(
            x=[str(episode["seed"]) for episode in some],
            y=[episode["score"] for episode in some],
            name=plain(name),
            mode="markers",
            customdata=[plain(episode["ended"]) for episode in some],
            marker={
                "color": colour(shades[name]),
                "size": 9,
                "opacity": 0.8,
                "symbol": ["x" if episode["failure"] else "circle" for episode in some],
            },
            hovertemplate="%{y:.1f}, %{customdata}",
        )
    order = list(dict.fromkeys(str(episode["seed"]) for episode in known))
    figure.update_layout(height=TRACKS_HEIGHT, hovermode="x unified", showlegend=True)
    figure.update_xaxes(title_text="track", type="category", categoryorder="array", categoryarray=order)
    figure.update_yaxes(title_text="score")
    return Section("Track by track", [Chart(figure, "A cross is a failed episode.", "score")])


def _failures(episodes: Sequence[dict]) -> Section | None:
    failed = [episode for episode in episodes if episode["failure"] is not None]
    if not failed:
        return None
    rows = [
        [
            f"{name_of(episode)}{_under(episode)}",
            spell_number(episode["seed"], "d"),
            str(episode["steps"]),
            SCORE.spell(episode["score"]),
            episode["failure"].splitlines()[0],
        ]
        for episode in failed
    ]
    said = [Prose(episode["failure"]) for episode in failed[:3]]
    return Section(
        "Failures",
        [Table(["", "Track", "Steps", Head("Score", "score"), "Why"], rows), *said],
        lead="Each counts with what was driven until then. The logs of these episodes are in the folder logs.",
    )


def _under(episode: dict) -> str:
    disturbance = episode["disturbance"]
    return f", {disturbance['name']}={disturbance['size']:g}" if disturbance else ""


def _latencies(summary: dict, episodes: Sequence[dict]) -> Section | None:
    timed = [group for group in summary["groups"] if group["latency_ms"]]
    if not timed:
        return None
    misses = BY_NAME["deadline_misses"]
    heads = [Head("Latency [ms]", "command_latency"), *timed[0]["latency_ms"], Head("Missed", misses.metric)]
    rows = [
        [
            name_of(group),
            *map(spell_number, group["latency_ms"].values()),
            misses.spell(group["figures"][misses.name]["mean"]),
        ]
        for group in timed
    ]
    charts = [
        Chart(
            histogram([value for episode in some for value in episode["latency_ms"]], "latency [ms]"),
            name_of(some[0]),
            "command_latency",
        )
        for some in grouped([episode for episode in episodes if episode["latency_ms"]], "controller", "mode")
    ]
    return Section(
        "Latency",
        [Table(heads, rows, "Missed deadlines: mean of an episode."), *charts],
        lead="In lock-step no search is cut short, so the latency is not that of real-time driving.",
    )


def _all_figures(summary: dict) -> Section:
    """A table for each topic, without the driving score, and without the figures that this simulator does not give."""
    groups, tables = summary["groups"], []
    known = [
        one
        for one in FIGURES
        if one not in SCORING and any(group["figures"][one.name]["mean"] is not None for group in groups)
    ]
    for topic, some in itertools.groupby(known, lambda figure: figure.topic):
        figures = list(some)
        rows = [[name_of(group), *(one.spell_mean(group["figures"][one.name]) for one in figures)] for group in groups]
        tables.append(Table(["", *(Head(one.head, one.metric) for one in figures)], rows, topic))
    return Section("All figures", tables, lead="Means over episodes, with 95 % intervals.")
