"""report.html of `evaluate_bag`: is this model better, is it safe, and where should one look?"""

import numpy as np
from wm_evaluation.report import Chart, Facts, Head, Page, Picture, Prose, Section, Table, Tile, Video
from wm_evaluation.report.charts import histogram
from wm_evaluation.scorecard.sections import scorecard_sections
from wm_evaluation.scorecard.tables import Cards
from wm_evaluation.wording import counted

from wm_tools.common.verdict_table import verdict_table
from wm_tools.evaluate_bag.comparison import Comparison, Evaluation
from wm_tools.evaluate_bag.moments import Moment, side_by_side
from wm_tools.evaluate_bag.report_charts import along_the_drive
from wm_tools.evaluate_bag.report_tables import ABOUT_APART, is_known, latency_table, nearest, tables
from wm_tools.evaluate_bag.results import result_of
from wm_tools.evaluate_bag.verdict import spell_driven, verdict

TITLE = "Evaluation on a recorded drive"
FEW_SEGMENTS = 10  # number of segments below which the intervals are rough
STRIP = 7  # approximate number of pictures per moment
PICTURE_WIDTH = 72  # [px] of a camera's picture in a strip


def build_page(comparison: Comparison, video: bytes = b"") -> Page:
    """The page; ``video`` are the bytes of worst_moments.mp4, empty if there is no moment worth watching."""
    step = nearest(comparison.first.settings.steps)
    sections = [
        Section(
            "Thresholds",
            [verdict_table(comparison.verdicts)],
            lead="" if comparison.options.thresholds else "None were given, so this is the default.",
        ),
        Section("The figures", tables(comparison, step), lead=_about_figures(comparison)),
        _along(comparison),
        _moments(comparison, video),
        *_open_loop(comparison),
        _latency(comparison),
        _facts(comparison),
    ]
    return Page(TITLE, verdict(comparison), _lead(comparison), _tiles(comparison, step), sections)


def _lead(comparison: Comparison) -> str:
    first = comparison.first
    braking, degraded = (first.figures[f"mode.{mode}_share"] for mode in ("braking", "degraded"))
    period_ms = 1e3 * first.manifest.control_period_s
    text = (
        f"{spell_driven(comparison)}. There the planner would "
        f"have braked in {braking.value:.1%} and driven degraded in {degraded.value:.1%} of the frames"
    )
    latency = first.figures["latency_ms.total.p99"]
    if is_known(latency):
        text += f"; 99 of 100 searches took at most {latency.value:.0f} ms of a period of {period_ms:.0f} ms"
    if comparison.differences and comparison.segments < FEW_SEGMENTS:
        text += f". Only {counted(comparison.segments, 'segment')} recorded, so the comparisons are rough"
    return text + (". A recording cannot show where the car would have gone: test it in closed loop before it drives.")


def _tiles(comparison: Comparison, step: int) -> list[Tile]:
    first = comparison.first
    figures = first.figures
    tiles = []
    if comparison.verdicts:
        holding = sum(verdict.holds for verdict in comparison.verdicts)
        tone = "good" if holding == len(comparison.verdicts) else "bad"
        tiles.append(Tile(f"{holding} of {len(comparison.verdicts)}", "thresholds hold", tone=tone))
    steer, braking = figures["action.steer.mae"], figures["mode.braking_share"]
    imagined, copied = (figures.get(f"open_loop.psnr_db.{name}.{step}") for name in ("imagined", "copy_last"))
    gained = f"{imagined.value - copied.value:+.1f} dB" if is_known(imagined) and is_known(copied) else "–"
    correlation = figures.get(f"open_loop.return_rank_correlation.imagined.{step}")
    latency = figures["latency_ms.total.p99"]
    late = is_known(latency) and latency.value > 1e3 * first.manifest.control_period_s
    return [
        *tiles,
        Tile(_short(steer, ".3f"), "mean difference of planned and recorded steer", "action_mae"),
        Tile(gained, f"PSNR over copying the last frame, {step} steps ahead", "psnr"),
        Tile(
            _short(correlation, ".2f"),
            f"rank correlation of imagined and real return over {step} steps",
            "rank_correlation",
        ),
        Tile(_short(braking, ".1%"), "of the frames would have braked", "braking_share"),
        Tile(_short(latency, ".0f", " ms"), "p99 of a decision", "planner_latency", "bad" if late else ""),
    ]


def _short(figure, how: str, unit: str = "") -> str:
    return f"{figure.value:{how}}{unit}" if is_known(figure) else "–"


def _about_figures(comparison: Comparison) -> str:
    segments = comparison.segments
    text = f"In brackets 95 % intervals by resampling {counted(segments, 'segment')} of the drive."
    if segments < FEW_SEGMENTS:
        text += " With so few, they are rough." if segments > 1 else " One segment gives no interval: record more."
    if comparison.differences:
        text += " A difference is called better or worse where its interval excludes zero."
        text += f" {ABOUT_APART}."
    return text + " A dash means not measured."


def _along(comparison: Comparison) -> Section:
    blocks = [Chart(along_the_drive(comparison), "Frame by frame", "surprise")]
    frames = comparison.first.frames
    missing = []
    if not np.isfinite(frames.reward).any():
        missing.append("The recording has no rewards of the kind that the bundle predicts.")
    missing += [
        f"{evaluation.name} has no ensemble: epistemic uncertainty was not measured."
        for evaluation in comparison.evaluations
        if not np.isfinite(evaluation.frames.one_step.epistemic).any()
    ]
    if missing:
        blocks.append(Prose(" ".join(missing)))
    return Section(
        "Along the drive",
        blocks,
        lead="Where a planned line breaks off, the planner braked. Pictures: as predicted before the frame "
        "came; dashed, as reconstructed from the belief that has seen it. Uncertainty of the next reward: aleatoric; "
        "dashed, epistemic. Dotted red lines are the moments below.",
    )


def _moments(comparison: Comparison, video: bytes) -> Section:
    first = comparison.first
    if not first.moments:
        return Section("Moments worth watching", [Prose("There are none.")])
    times = first.frames.times_s(first.manifest.control_period_s)
    summary = Table(
        [Head("moment", "moment"), "at [s]", "episode", "row", "mode", "why"],
        [
            (
                str(number),
                f"{times[moment.frame]:.1f}",
                str(first.frames.place.episode[moment.frame]),
                str(first.frames.place.row[moment.frame]),
                _mode(first, moment),
                str(moment),
            )
            for number, moment in enumerate(first.moments, 1)
        ],
    )
    clips = [_strips(comparison, number, moment) for number, moment in enumerate(first.moments, 1)]
    films = (
        [Video(video, "the last camera picture, the imagined and the real future", "worst_moments.mp4")]
        if video
        else []
    )
    return Section(
        "Moments worth watching",
        [summary, *films, *clips],
        lead="The worst by surprise, by difference from the recorded command and by imagined picture. The model has "
        "seen the first picture of a strip; it imagines the others from the recorded actions alone.",
    )


def _mode(evaluation: Evaluation, moment: Moment) -> str:
    decided = evaluation.frames.decided
    reason = decided.reason[moment.frame]
    return decided.mode_name(moment.frame) + (f": {reason}" if reason else "")


def _strips(comparison: Comparison, number: int, moment: Moment) -> Table:
    """Real and imagined pictures of a moment, in rows; the moment itself is among them."""
    last = len(moment.imagined)
    steps = sorted({*np.linspace(0, last, min(STRIP, last + 1)).round().astype(int).tolist(), min(moment.offset, last)})
    rows = [("real", [_picture(moment.pictures[step], f"real, {step} steps ahead") for step in steps])]
    for evaluation in comparison.evaluations:
        other = evaluation.moment_at(moment.frame)
        name = "imagined" if len(comparison.evaluations) == 1 else f"imagined: {evaluation.name}"
        if other is None or other.first != moment.first:
            rows.append((name, "not measured from the same frame"))
            continue
        whole = np.concatenate([other.pictures[:1], other.imagined])
        rows.append(
            (name, [_picture(whole[step], f"{name}, {step} steps ahead") for step in steps if step < len(whole)])
        )
    shown = ", ".join(f"{step}{' (the moment)' if step == moment.offset else ''}" for step in steps)
    return Table(["", f"{shown} steps ahead"], rows, caption=f"Moment {number}: {moment}")


def _picture(picture: np.ndarray, alt: str) -> Picture:
    """Of uint8 (C, H, W)."""
    return Picture(np.ascontiguousarray(side_by_side(picture)), alt, width=PICTURE_WIDTH * len(picture) // 3)


def _open_loop(comparison: Comparison) -> list[Section]:
    first = comparison.first
    if first.card is None:
        why = "; ".join(first.notes) or "no stretch was long enough"
        return [Section("Imagined further ahead", [Prose(f"Not measured: {why}.")])]
    measured = [evaluation for evaluation in comparison.evaluations if evaluation.card is not None]
    differences = {
        difference.baseline.name: dict(difference.card)
        for difference in comparison.differences
        if difference.baseline.card is not None
    }
    return scorecard_sections(Cards({evaluation.name: evaluation.card for evaluation in measured}, differences))


def _latency(comparison: Comparison) -> Section:
    charts = []
    for evaluation in comparison.evaluations:
        total = evaluation.frames.decided.searched_latency_ms[:, -1]
        if np.isfinite(total).any():
            period_ms = 1e3 * evaluation.manifest.control_period_s
            charts.append(
                Chart(
                    histogram(total, "observe and plan [ms]", period_ms, "period"), evaluation.name, "planner_latency"
                )
            )
    return Section(
        "Latency",
        [*charts, latency_table(comparison)],
        lead=f"For frames with a search ({_searched(comparison)}), measured in this process, on the machine named "
        "below, without a camera or a ROS graph running.",
    )


def _searched(comparison: Comparison) -> str:
    counts = [
        f"{len(evaluation.frames.decided.searched_latency_ms)} of {len(evaluation.frames)}"
        for evaluation in comparison.evaluations
    ]
    return "; ".join(counts)


def _facts(comparison: Comparison) -> Section:
    result = result_of(comparison)
    bundles = {
        evaluation.name: {
            "folder": evaluation.path,
            "pictures": f"{evaluation.manifest.image.width} x {evaluation.manifest.image.height} px of "
            + ", ".join(camera.name for camera in evaluation.manifest.image.cameras),
            "control period [s]": evaluation.manifest.control_period_s,
            "horizon": evaluation.manifest.horizon,
            "reward": evaluation.manifest.reward_name,
            "surprise threshold [nats]": evaluation.manifest.surprise_threshold,
            **({"notes": "; ".join(evaluation.notes)} if evaluation.notes else {}),
        }
        for evaluation in comparison.evaluations
    }
    entries = {name: result[name] for name in ("bag", "machine", "speed", "options")}
    return Section("Recording, bundles, machine", [Facts({**entries, "bundles": bundles})])
