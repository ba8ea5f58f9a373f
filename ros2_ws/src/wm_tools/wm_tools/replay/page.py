"""report.html of a replay."""

import math
from collections.abc import Sequence
from pathlib import Path

from wm_bundle.times import NS_PER_S
from wm_evaluation.report import Block, Chart, Facts, Head, Page, Prose, Section, Table, Tile
from wm_evaluation.report.charts import Panel, Series, bars, histogram, lines, panels
from wm_evaluation.wording import counted

from wm_tools.common.thresholds import Verdict, spell_verdicts
from wm_tools.common.verdict_table import verdict_table
from wm_tools.replay.agreement import CAUSES, WITHIN
from wm_tools.replay.frames import Frame
from wm_tools.replay.result import FIGURES, Replay, figures, longest_drop

_CHANNELS = ("steer", "throttle", "brake")


def build_page(replay: Replay, judged: Sequence[Verdict]) -> Page:
    """The page. ``judged``: the thresholds' verdicts."""
    values = figures(replay)
    sections = [
        Section("Thresholds", [verdict_table(judged)]) if judged else None,
        _latency(replay),
        _agreement(replay),
        _commands(replay),
        _modes(replay),
        _all_figures(values),
    ]
    return Page(
        title=f"Replay of {Path(replay.bag).name}",
        headline=_headline(replay, judged),
        lead=f"{Path(replay.bag).name} played at rate {replay.rate:g} through the running planner with the bundle "
        f"{replay.bundle}.",
        tiles=_tiles(replay, values),
        sections=[section for section in sections if section is not None],
        footer=f"{replay.bag}. Deadline {replay.deadline_ms:g} ms. Compared with the evaluation in "
        f"{replay.evaluation}.",
    )


def _headline(replay: Replay, judged: Sequence[Verdict]) -> str:
    answered = f"{len(replay.answered)} of {len(replay.frames)} frames were answered"
    return "; ".join(part for part in (spell_verdicts(judged), answered) if part)


def _tiles(replay: Replay, values: dict[str, float]) -> list[Tile]:
    dropped, unasked = int(values["dropped"]), int(values["unasked_brakes"])
    return [
        Tile(str(dropped), f"of {len(replay.frames)} frames dropped", "replay_dropped", "bad" if dropped else "good"),
        Tile(_ms(values["latency_ms.p50"]), "camera to command, p50", "replay_latency"),
        Tile(_ms(values["latency_ms.p99"]), "camera to command, p99", "replay_latency"),
        Tile(str(int(values["deadline_misses"])), "deadline misses", "replay_deadline"),
        Tile(
            _percent(values["agreement.share"]),
            f"of the commands within {WITHIN} of the evaluation's",
            "replay_agreement",
        ),
        Tile(str(unasked), "unasked brakes", "replay_unasked", "bad" if unasked else ""),
    ]


def _latency(replay: Replay) -> Section:
    latencies = replay.latencies_ms
    if not latencies:
        return Section("Latency", [Prose("No frame was answered.")])
    begin_ns = min(frame.arrival_ns for frame in replay.frames if frame.arrival_ns is not None)
    seen = [frame for frame in replay.frames if frame.latency_ms is not None]
    over_time = Series("camera to command", [(frame.arrival_ns - begin_ns) / NS_PER_S for frame in seen], latencies)
    own = [(frame.arrival_ns - begin_ns) / NS_PER_S for frame in seen if frame.status is not None]
    planner = Series("the planner's own", own, [frame.status.latency_ms for frame in seen if frame.status is not None])
    return Section(
        "Latency",
        [
            Chart(
                histogram(latencies, "camera to command [ms]", replay.deadline_ms, "deadline"), metric="replay_latency"
            ),
            Chart(lines([over_time, planner], "time since the first picture [s]", "latency [ms]")),
        ],
        "The difference between the two is the path through the middleware and back.",
    )


def _agreement(replay: Replay) -> Section:
    agreement = replay.agreement
    if not agreement.joined:
        return Section("Agreement with the evaluation", [Prose("No frame is in both.")])
    mean, largest = agreement.differences.mean(axis=0), agreement.differences.max(axis=0)
    rows = [[name, _number(mean[index]), _number(largest[index])] for index, name in enumerate(_CHANNELS)]
    blocks: list[Block] = [Table(["command", Head("mean absolute difference", "replay_agreement"), "largest"], rows)]
    if agreement.causes:
        told = [
            [cause, str(agreement.causes[cause]), text] for cause, text in CAUSES.items() if cause in agreement.causes
        ]
        blocks.append(
            Table(
                ["cause", "frames", "meaning"],
                told,
                caption=f"Commands that differ by more than {WITHIN}; each counts for the first cause that holds.",
            )
        )
    lead = (
        f"{len(agreement.joined)} frames are in both. Only in the replay: {agreement.only_live} (the rows "
        f"lack a recording's last frame, and frames without a status). Only in the evaluation: "
        f"{agreement.only_evaluated} (dropped)."
    )
    return Section("Agreement with the evaluation", blocks, lead)


def _commands(replay: Replay) -> Section | None:
    answered = replay.answered
    if not answered:
        return None
    first_ns = replay.frames[0].stamp_ns

    def series(name: str, commands: Sequence[tuple[Frame, tuple]], index: int, **look) -> Series:
        seconds = [(frame.stamp_ns - first_ns) / NS_PER_S for frame, _ in commands]
        return Series(name, seconds, [command[index] for _, command in commands], **look)

    live = [(frame, frame.command.values) for frame in answered]
    evaluated = [(one.frame, one.evaluated.command) for one in replay.agreement.joined]
    parts = [
        Panel(channel, [series("running planner", live, index), series("evaluation", evaluated, index, dash=True)])
        for index, channel in enumerate(_CHANNELS)
    ]
    return Section("Commands", [Chart(panels(parts, "stamp since the first frame [s]"))])


def _modes(replay: Replay) -> Section | None:
    modes = replay.modes
    if not modes:
        return None
    blocks: list[Block] = [Chart(bars(list(modes), [float(count) for count in modes.values()], "answered frames"))]
    if replay.reasons:
        rows = [[reason, str(count)] for reason, count in replay.reasons.most_common(10)]
        blocks.append(Table(["reason", "frames"], rows))
    longest = longest_drop(replay.frames)
    lead = f"At most {counted(longest, 'frame')} in a row dropped." if longest else ""
    return Section("Modes", blocks, lead)


def _all_figures(values: dict[str, float]) -> Section:
    rows = [[name, _number(value), FIGURES[name]] for name, value in values.items()]
    facts = Facts({"named as in": "replay.json, and in thresholds"})
    return Section("All figures", [Table(["figure", "value", "meaning"], rows), facts], folded=True)


def _ms(value: float) -> str:
    return "not known" if math.isnan(value) else f"{value:.1f} ms"


def _percent(value: float) -> str:
    return "not known" if math.isnan(value) else f"{100 * value:.1f} %"


def _number(value: float) -> str:
    return "not known" if math.isnan(value) else f"{value:.4g}"
