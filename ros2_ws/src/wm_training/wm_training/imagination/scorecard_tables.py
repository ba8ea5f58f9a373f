"""The scorecard's figures as tables, for the terminal and for the page."""

from typing import NamedTuple

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

NAMES = {
    "imagined": "imagined",
    "posterior": "reconstructed (sees it)",
    "copy_last": "copy of the last frame",
    "shuffled": "imagined, other actions",
    "last_seen": "last reward seen",
    "data_mean": "mean reward of the data",
}


class Cell(NamedTuple):
    """A figure and its 95 % interval, as text."""

    value: str
    interval: str = ""


class Rows(NamedTuple):
    """A table: its first column names the rows, the others are the steps."""

    title: str
    heads: list[str]
    rows: list[tuple[str, list[Cell]]]


def picture_rows(card: dict) -> Rows:
    """PSNR and SSIM."""
    rows = _named("PSNR [dB]", card["picture"]["psnr_db"], 1) + _named("SSIM", card["picture"]["ssim"], 3)
    return Rows("Pictures", _heads(card), rows)


def reward_rows(card: dict) -> Rows:
    """Errors of rewards and of returns, and how returns are ranked."""
    returns = card["return"]
    rows = _named("reward error", card["reward"]["mean_absolute_error"], 2)
    rows += _named("return error", returns["mean_absolute_error"], 2)
    rows += _named("return rank corr.", returns["rank_correlation"], 2)
    return Rows("Rewards, and returns over k steps", _heads(card), rows)


def gap_rows(card: dict) -> Rows:
    """How much worse the actions of other windows make it."""
    gap = card["action_gap"]
    rows = [
        ("PSNR lost [dB]", _cells(gap["psnr_db"], 2)),
        ("reward error added", _cells(gap["reward_mean_absolute_error"], 2)),
    ]
    return Rows("Gap made by shuffled actions", _heads(card), rows)


def uncertainty_rows(card: dict) -> Rows:
    """Spread of the samples, disagreement of the ensemble, and whether they are large where the error is."""
    rows = []
    names = {"sample_spread": "chance: spread of the samples", "disagreement": "ignorance: heads disagree by"}
    for key, name in names.items():
        figures = card["uncertainty"][key]
        if figures is not None:
            rows.append((name, _cells(figures, 3)))
            rows.append(("   rank corr. with the error", _cells(figures["rank_correlation_with_error"], 2)))
    inside = card["return"]["inside_samples"]
    rows.append((f"real return inside the samples ({inside['expected']:.2f} if right)", _cells(inside, 2)))
    return Rows("Uncertainty of the reward", _heads(card), rows)


def break_even_lines(card: dict) -> list[tuple[str, str]]:
    """What is compared, and over which steps the model is better."""
    names = {
        "picture_against_copy_last": "picture, against copying the last frame",
        "reward_against_last_seen": "reward, against the last one seen",
        "reward_against_data_mean": "reward, against the data's mean",
        "return_against_last_seen": "return, against the last reward seen",
        "return_against_data_mean": "return, against the data's mean",
    }
    return [(name, spell_break_even(card["break_even"][key], card["steps"][-1])) for key, name in names.items()]


def spell_break_even(found: dict, horizon: int) -> str:
    """Where the model is better than a baseline, in words."""
    if found["begins"] is None:
        return "never better"
    text = f"better from step {found['begins']} "
    text += f"to the end, {horizon}" if found["stops"] is None else f"until {found['stops']}"
    if found["stops_ci95"] is not None:
        low, high = (f"beyond {horizon}" if end is None else str(end) for end in found["stops_ci95"])
        text += f" (95 %: {low})" if low == high else f" (95 %: {low} to {high})"
    return text


def continue_lines(card: dict) -> list[tuple[str, str]]:
    """What there is to say of the continue head."""
    figures = card["continue"]
    brier = _cells(figures["brier"], 5)[0]
    lines = [
        ("ends of drives seen", str(figures["terminals"])),
        ("Brier score", f"{brier.value} {brier.interval}"),
        ("Brier score of always saying the share", _number(figures["brier_of_the_share"], 5)),
        ("expected calibration error", _number(figures["expected_calibration_error"], 5)),
        ("mean probability to go on, at ends", _number(figures["predicted_at_terminals"], 4)),
        ("mean probability to go on, elsewhere", _number(figures["predicted_elsewhere"], 4)),
    ]
    if not figures["enough_terminals"]:
        lines.append(("too few ends to tell the calibration", "record more episodes that end"))
    return lines


def terminal_tables(card: dict) -> Group:
    """All of it, for a rich console."""
    parts = []
    for rows in (picture_rows(card), reward_rows(card), gap_rows(card), uncertainty_rows(card)):
        table = Table(title=rows.title, box=box.SIMPLE, title_justify="left", pad_edge=False)
        table.add_column("k steps ahead")
        for head in rows.heads:
            table.add_column(head, justify="right", no_wrap=True)
        for name, cells in rows.rows:
            table.add_row(Text(name), *(cell.value for cell in cells))  # Text: brackets are no markup
        parts.append(table)
    for title, lines in (("Break-even horizon", break_even_lines(card)), ("Continue", continue_lines(card))):
        table = Table(title=title, box=box.SIMPLE, title_justify="left", pad_edge=False, show_header=False)
        for line in lines:
            table.add_row(*line)
        parts.append(table)
    return Group(*parts)


def _heads(card: dict) -> list[str]:
    return [str(step) for step in card["steps"]]


def _named(measure: str, figures: dict, digits: int) -> list[tuple[str, list[Cell]]]:
    return [(f"{measure}, {NAMES[name]}", _cells(figure, digits)) for name, figure in figures.items()]


def _cells(figure: dict, digits: int) -> list[Cell]:
    cells = []
    for value, (low, high) in zip(figure["value"], figure["ci95"], strict=True):
        known = value is not None and low is not None
        interval = f"[{_number(low, digits)}, {_number(high, digits)}]" if known else ""
        cells.append(Cell(_number(value, digits), interval))
    return cells


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
