"""`scorecard.html`: the scorecard and one window, with its video, in one page."""

import numpy as np
from wm_evaluation.report import Chart, Facts, Grid, Page, Picture, Prose, Section, Table, Tile, Video
from wm_evaluation.report.charts import Series, lines
from wm_evaluation.scorecard.sections import scorecard_sections
from wm_evaluation.scorecard.tables import Cards, last_better
from wm_evaluation.wording import spell_number

from wm_training.imagination.pictures import EVERY, Trajectory, sheet

WIDTH = 72  # [px] of a picture in the strips
MOST_SIGNALS = 6  # charts of vector inputs
SHOWN_FIRST = ("speed", "yaw_rate", "route_offset", "route_heading", "gap", "acceleration_along")


def build_page(card: dict, trajectory: Trajectory, video: bytes) -> Page:
    """The page; ``card`` is the content of scorecard.json, ``video`` that of the window's MP4 file."""
    return Page(
        title=f"Scorecard · {card['model']['checkpoint']}",
        headline=_headline(card),
        lead=_lead(card),
        tiles=_tiles(card),
        sections=[_window(card, trajectory, video), *scorecard_sections(Cards({"model": card})), _facts(card)],
    )


def _headline(card: dict) -> str:
    found, horizon, rate = card["break_even"]["picture_against_copy_last"], card["steps"][-1], card["data"]["rate_hz"]
    if found is None:
        return "The imagined pictures could not be measured"
    if found["begins"] is None:
        return "The imagined pictures never beat copying the last frame"
    begins, last = found["begins"], last_better(found, horizon)
    return f"The imagined pictures beat copying the last frame from step {begins} to {last}, {last / rate:.2g} s ahead"


def _lead(card: dict) -> str:
    model, data, windows = card["model"], card["data"], card["windows"]
    return (
        f"{model['checkpoint']} after {model['step']:,} updates, {model['parameters']:,} parameters, on "
        f"{windows['count']} windows of {windows['segments']} drives ({data['split']} split of {data['path']})."
    )


def _tiles(card: dict) -> list[Tile]:
    steps = card["steps"]
    place = min(range(len(steps)), key=lambda i: abs(steps[i] - 10))
    step, horizon = steps[place], steps[-1]
    psnr = card["picture"]["psnr_db"]
    better = _less(psnr["imagined"]["value"][place], psnr["copy_last"]["value"][place])
    gap = card["action_gap"]["psnr_db"]["value"][place]
    correlation = card["return"]["rank_correlation"]["imagined"]["value"][place]
    found = card["break_even"]["return_against_last_seen"]
    last = "–" if found is None else "never" if found["begins"] is None else str(last_better(found, horizon))
    return [
        Tile(spell_number(better, "+.1f", " dB"), f"PSNR over copying the last frame, {step} steps ahead", "psnr"),
        Tile(
            spell_number(gap, ".1f", " dB"), f"lost with the actions of other windows, {step} steps ahead", "action_gap"
        ),
        Tile(
            spell_number(correlation, ".2f"),
            f"rank correlation of imagined and real return over {step} steps",
            "rank_correlation",
        ),
        Tile(last, "last step at which the return beats the last reward", "break_even"),
    ]


def _less(left: float | None, right: float | None) -> float | None:
    return None if left is None or right is None else left - right


def _window(card: dict, trajectory: Trajectory, video: bytes) -> Section:
    window, context = card["window"], card["settings"]["context"]
    end = window["start"] + window["rows"] - 1
    why = "the window of median picture error" if window["typical"] else "as requested"
    shown = range(0, trajectory.times[-1] + 1, EVERY)
    rows = [
        (
            name,
            [
                Picture(sheet(pictures[context - 1 + t]), f"{name} at t = {t}", lossless=True, width=WIDTH)
                for t in shown
            ],
        )
        for name, pictures in trajectory.rows().items()
    ]
    return Section(
        "One window",
        [
            Prose(f"{window['episode']}, rows {window['start']} to {end} ({why}), the first {context} seen."),
            Video(video, "real, reconstructed and imagined pictures of the window, its rewards growing below"),
            Table(["", f"t = 0 to {shown[-1]}, every {EVERY} steps"], rows),
            Grid([_rewards(trajectory), _returns(trajectory), *_signals(trajectory)], width=400),
        ],
        lead="The model sees the pictures up to t = 0 and imagines the rest from the recorded actions alone.",
    )


def _rewards(trajectory: Trajectory) -> Chart:
    result, steps = trajectory.result, trajectory.steps
    samples = result.sampled_rewards[0].numpy()
    series = [
        Series("real", *trajectory.real_rewards(), colour="ink"),
        Series("imagined (mean)", steps, result.rewards[0].numpy(), samples.min(0), samples.max(0), colour="blue"),
    ]
    if result.disagreement is not None:
        series.append(Series("heads disagree by", steps, result.disagreement[0].numpy(), dash=True, colour="amber"))
    return Chart(lines(series, "t [steps]", "reward"), f"Rewards, with the range of {len(samples)} samples")


def _returns(trajectory: Trajectory) -> Chart:
    result, steps = trajectory.result, trajectory.steps
    samples = result.sampled_rewards[0].cumsum(-1).numpy()
    mean, real = (np.cumsum(rewards[0].numpy()) for rewards in (result.rewards, result.real_rewards))
    series = [
        Series("real", steps, real, colour="ink"),
        Series("imagined (mean)", steps, mean, samples.min(0), samples.max(0), colour="blue"),
    ]
    return Chart(lines(series, "t [steps]", "sum since t = 0"), "Rewards summed up")


def _signals(trajectory: Trajectory) -> list[Chart]:
    """Imagined and real vector inputs, the most telling ones first: a route's points are many."""
    result = trajectory.result
    if result.vector is None:
        return []
    named = list(enumerate(trajectory.vector_inputs))
    chosen = sorted(named, key=lambda entry: SHOWN_FIRST.index(entry[1][0]) if entry[1][0] in SHOWN_FIRST else 99)
    charts = []
    for column, (name, unit) in sorted(chosen[:MOST_SIGNALS]):
        samples = result.sampled_vector[0, ..., column].numpy()
        real = result.real_vector[0, :, column].numpy()
        held = np.full(len(trajectory.steps), real[result.context - 1])
        series = [
            Series("real", list(trajectory.times), real, colour="ink"),
            Series(
                "imagined (mean)",
                trajectory.steps,
                result.vector[0, :, column].numpy(),
                samples.min(0),
                samples.max(0),
                colour="blue",
            ),
            Series("last one seen, held", trajectory.steps, held, dash=True, colour="grey"),
        ]
        words = name.replace("_", " ").capitalize()
        charts.append(Chart(lines(series, "t [steps]", unit), f"{words}, with the range of {len(samples)} samples"))
    return charts


def _facts(card: dict) -> Section:
    entries = {"settings": card["settings"], "model": card["model"], "data": card["data"]}
    return Section("Settings", [Facts(entries)], folded=True)
