"""The scorecard as sections of a page, for one model or for several side by side."""

from collections.abc import Sequence

import numpy as np

from wm_evaluation.report import Block, Chart, Grid, Head, Prose, Section, Table
from wm_evaluation.report.charts import Series, lines, reliability
from wm_evaluation.scorecard.measurements import BASELINES
from wm_evaluation.scorecard.tables import (
    NAMES,
    SIGNAL_NAMES,
    Cards,
    at,
    break_even_rows,
    continue_rows,
    measure_tables,
)

COLOURS = {
    "imagined": "blue",
    "posterior": "teal",
    "copy_last": "grey",
    "shuffled": "red",
    "last_seen": "grey",
    "data_mean": "amber",
}
MODEL_COLOURS = ("blue", "violet", "amber", "pink", "olive", "red")  # of several models, in order
STEPS_AHEAD = "steps ahead"
HEIGHT, LEGEND_HEIGHT = 320, 44  # [px] of charts of one model's lines, and more for the legend of every other one
LEAST_WIDTH = 400  # [px] of a chart beside another one


def scorecard_sections(cards: Cards) -> list[Section]:
    """Break-even, pictures, rewards, vector inputs, actions, uncertainty and ends. Anything not measured is reported as
    missing."""
    parts = (_break_even, _pictures, _rewards, _signals, _gap, _uncertainty, _continue)
    return [part(cards) for part in parts]


def _break_even(cards: Cards) -> Section:
    heads = [Head("compared", "break_even"), *_columns(cards, "better")]
    lead = "Where each prediction is better than a trivial one."
    return Section("Break-even", [Table(heads, break_even_rows(cards))], lead)


def _pictures(cards: Cards) -> Section:
    psnr = _curves(cards, ("curves", "psnr_db"), range(1, cards.steps[-1] + 1))
    ssim = _curves(cards, ("picture", "ssim"), cards.steps)
    charts = [
        _chart(cards, psnr, "PSNR [dB]", "PSNR by step", "psnr"),
        _chart(cards, ssim, "SSIM", "SSIM by step", "ssim"),
    ]
    return Section(
        "Pictures",
        [Grid(charts, LEAST_WIDTH), *_tables(cards, "picture")],
        lead="PSNR and SSIM favour blurred pictures: compare them with the reconstruction, which has seen the picture, "
        "and the copy. Bands and brackets are 95 % intervals by resampling segments.",
    )


def _rewards(cards: Cards) -> Section:
    steps = range(1, cards.steps[-1] + 1)
    rewards, returns = (
        _curves(cards, ("curves", f"{what}_mean_absolute_error"), steps) for what in ("reward", "return")
    )
    if not any(np.isfinite(line.y).any() for line in rewards):
        return Section(
            "Rewards and returns", [Prose("The recording holds no rewards: their errors were not measured.")]
        )
    charts = [
        _chart(cards, rewards, "error", "Error of the reward", "reward_error"),
        _chart(cards, returns, "error", "Error of the return", "return_error"),
    ]
    return Section(
        "Rewards and returns",
        [Grid(charts, LEAST_WIDTH), *_tables(cards, "reward")],
        lead="The return is the sum of the rewards of the first k steps, by which the planner compares plans. Single "
        "rewards come in bursts that a mean cannot follow; the return and its ranking matter more.",
    )


def _signals(cards: Cards) -> Section:
    title, steps = "Vector inputs", range(1, cards.steps[-1] + 1)
    if not cards.signals:
        return Section(title, [Prose("The model does not imagine its vector inputs: nothing was measured.")])
    charts = [
        _chart(cards, _curves(cards, ("curves", "signals", name), steps), unit, f"Error of {name}", "signal_error")
        for name, unit in cards.signals.items()
    ]
    return Section(
        title,
        [Grid(charts, LEAST_WIDTH), *_tables(cards, "signals")],
        lead="Mean absolute error of what the model imagines of speed and the like, beside holding the last one seen.",
    )


def _gap(cards: Cards) -> Section:
    lead = "The same windows imagined with the actions of other windows. A model that ignores actions loses nothing."
    return Section("Does it listen to the actions?", _tables(cards, "gap"), lead=lead)


def _uncertainty(cards: Cards) -> Section:
    plots = []
    for key, metric in (("sample_spread", "aleatoric"), ("disagreement", "epistemic")):
        series = [
            _line(cards.label(metric, model), cards.steps, card["uncertainty"][key]["size"], _model_colour(number))
            for number, (model, card) in enumerate(cards.cards.items())
            if card["uncertainty"][key] is not None
        ]
        if series:
            plots.append(Chart(lines(series, STEPS_AHEAD, "reward"), f"Of the reward, {metric}", metric))
    without = [model for model, card in cards.cards.items() if card["uncertainty"]["disagreement"] is None]
    blocks: list[Block] = [Grid(plots, LEAST_WIDTH)]
    if without:
        who = "The model has" if len(cards.cards) == 1 else f"{', '.join(without)}:"
        blocks.append(Prose(f"{who} no ensemble, so epistemic uncertainty (what was not learned) was not measured."))
    blocks += _tables(cards, "uncertainty")
    return Section(
        "Does it know what it does not know?",
        blocks,
        lead="The spread of the samples is randomness as the model sees it (aleatoric); the disagreement of an "
        "ensemble is what it has not learned (epistemic). An uncertainty is useful if it is large when the error is.",
    )


def _continue(cards: Cards) -> Section:
    title = "Does the episode continue?"
    tables = {model: card["continue"]["reliability"] for model, card in cards.cards.items()}
    if not any(tables.values()):
        return Section(title, [Prose("The recording does not contain the ends of episodes: nothing was measured.")])
    if len(tables) == 1:
        tables = {"predicted by the model": next(iter(tables.values()))}
    heads = [Head("probability of continuing", "brier"), *_columns(cards, "value")]
    enough = all(card["continue"]["enough_terminals"] for card in cards.cards.values())
    chart = Chart(reliability(tables, "going on"), "Reliability", "reliability")
    few = "There are too few ends of drives to judge the calibration of the probability."
    return Section(title, [chart, Table(heads, continue_rows(cards))], "" if enough else few)


def _chart(cards: Cards, series: Sequence[Series], y_label: str, caption: str, metric: str) -> Chart:
    """Lines over the steps ahead, with room for a legend that grows with the models."""
    height = HEIGHT + LEGEND_HEIGHT * (len(cards.cards) - 1)
    return Chart(lines(series, STEPS_AHEAD, y_label, height=height), caption, metric)


def _columns(cards: Cards, alone: str) -> list[str]:
    return list(cards.cards) if len(cards.cards) > 1 else [alone]


def _tables(cards: Cards, group: str) -> list[Table]:
    heads = [f"k = {step}" for step in cards.steps]
    return [
        Table([Head(measure.title, measure.metric), *heads], [(name, *map(str, cells)) for name, cells in measure.rows])
        for measure in measure_tables(cards)[group]
    ]


def _model_colour(number: int) -> str:
    return MODEL_COLOURS[number % len(MODEL_COLOURS)]


def _curves(cards: Cards, path: tuple[str, ...], steps: Sequence[int]) -> list[Series]:
    """Lines of the measurements. For several models their imagination and reconstruction, in a colour for each."""
    several, names = len(cards.cards) > 1, SIGNAL_NAMES if "signals" in path else NAMES
    found = []
    for number, (model, card) in enumerate(cards.cards.items()):
        for kind, figure in (at(card, path) or {}).items():
            shared = kind in BASELINES
            if (shared and number) or (several and kind == "shuffled"):
                continue
            colour = COLOURS[kind] if shared or not several else _model_colour(number)
            name = names[kind] if shared else cards.label(names[kind], model)
            found.append(_line(name, steps, figure, colour, dash=kind != "imagined" and (several or shared)))
    return [line for line in found if np.isfinite(line.y).any()] or found[:1]


def _line(name: str, steps: Sequence[int], figure: dict, colour: str, dash: bool = False) -> Series:
    low, high = np.array(figure["ci95"], np.float64).T
    return Series(name, list(steps), np.array(figure["value"], np.float64), low, high, dash, colour)
