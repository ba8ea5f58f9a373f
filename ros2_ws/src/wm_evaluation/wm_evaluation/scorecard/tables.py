"""The scorecard's figures as tables of one or several models, for the terminal and for pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from wm_evaluation.scorecard.measurements import BASELINES

NAMES = {
    "imagined": "imagined",
    "posterior": "reconstructed (sees it)",
    "copy_last": "copy of the last frame",
    "shuffled": "imagined, other actions",
    "last_seen": "last reward seen",
    "data_mean": "mean reward of the data",
}
SIGNAL_NAMES = NAMES | {"copy_last": "last one seen, held"}
BREAK_EVENS = {
    "picture_against_copy_last": "picture, against copying the last frame",
    "reward_against_last_seen": "reward, against the last one seen",
    "reward_against_data_mean": "reward, against the data's mean",
    "return_against_last_seen": "return, against the last reward seen",
    "return_against_data_mean": "return, against the data's mean",
}


@dataclass(frozen=True)
class Cards:
    """Scorecards of the same windows by model name, the judged one first. ``differences`` are from ``summary.compare``
    of the first one and the model of that name."""

    cards: Mapping[str, dict]
    differences: Mapping[str, dict] = field(default_factory=dict)

    @property
    def first(self) -> dict:
        return next(iter(self.cards.values()))

    @property
    def steps(self) -> list[int]:
        return self.first["steps"]

    @property
    def signals(self) -> dict[str, str]:
        """Names and units of the vector inputs that the first model imagines."""
        return {name: figures["unit"] for name, figures in self.first.get("signals", {}).items()}

    def label(self, what: str, model: str) -> str:
        """Name of a row or line: the model is named only if there are several."""
        return what if len(self.cards) == 1 else f"{what}: {model}"


class Cell(NamedTuple):
    """A figure and its 95 % interval, as text."""

    value: str
    interval: str = ""

    def __str__(self) -> str:
        return f"{self.value} ({self.interval})" if self.interval else self.value


class Rows(NamedTuple):
    """A table of one measure: its first column names the rows, the others are the steps."""

    title: str
    metric: str
    """Key of the definition in ``report.glossary``."""
    rows: list[tuple[str, list[Cell]]]


def measure_tables(cards: Cards) -> dict[str, list[Rows]]:
    """The tables of each group of measures: ``picture``, ``reward`` (and returns), ``gap`` (the loss with actions of
    other windows), ``signals`` (vector inputs) and ``uncertainty`` (its size, and its correlation with the error)."""
    lost, added = ({"with other actions": ("action_gap", name)} for name in ("psnr_db", "reward_mean_absolute_error"))
    uncertainty = [
        _single(
            cards,
            title,
            title,
            {
                name: ("uncertainty", key, "size"),
                "rank corr. with the error": ("uncertainty", key, "rank_correlation_with_error"),
            },
            3,
        )
        for key, title, name in (
            ("sample_spread", "aleatoric", "spread of the samples"),
            ("disagreement", "epistemic", "disagreement of the heads"),
        )
    ]
    right = cards.first["return"]["inside_samples"]["expected"]
    inside = {f"real return inside ({right:.2f} if right)": ("return", "inside_samples", "share")}
    return {
        "picture": [
            _named(cards, "PSNR [dB]", "psnr", ("picture", "psnr_db"), 1),
            _named(cards, "SSIM", "ssim", ("picture", "ssim"), 3),
        ],
        "reward": [
            _named(cards, "reward error", "reward_error", ("reward", "mean_absolute_error"), 2),
            _named(cards, "return error", "return_error", ("return", "mean_absolute_error"), 2),
            _named(cards, "return rank corr.", "rank_correlation", ("return", "rank_correlation"), 2),
        ],
        "signals": [
            _named(cards, f"{name} error [{unit}]", "signal_error", _error_of(name), 3 if "rad" in unit else 2)
            for name, unit in cards.signals.items()
        ],
        "gap": [
            _single(cards, "PSNR lost [dB]", "action_gap", lost, 2),
            _single(cards, "reward error added", "action_gap", added, 2),
        ],
        "uncertainty": [
            *(table for table in uncertainty if table.rows),
            _single(cards, "samples", "inside_samples", inside, 2),
        ],
    }


def break_even_rows(cards: Cards) -> list[tuple[str, ...]]:
    """Each comparison, and for every model over which steps it is better."""
    found = {name: ("break_even", key) for key, name in BREAK_EVENS.items()}
    found |= {f"{name}, against holding the last one seen": ("signals", name, "break_even") for name in cards.signals}
    return [
        (name, *(spell_break_even(at(card, path), cards.steps[-1]) for card in cards.cards.values()))
        for name, path in found.items()
    ]


def spell_break_even(found: dict | None, horizon: int, interval: bool = True) -> str:
    """Where the model is better than a baseline, in words; ``interval``: with the 95 % interval of the last step."""
    if found is None:
        return "not measured"
    if found["begins"] is None:
        return "never better"
    text = f"better from step {found['begins']} "
    text += f"to the end, {horizon}" if found["stops"] is None else f"until {found['stops']}"
    if interval and found["stops_ci95"] is not None:
        low, high = (f"beyond {horizon}" if end is None else str(end) for end in found["stops_ci95"])
        text += f" (95 %: {low})" if low == high else f" (95 %: {low} to {high})"
    return text


def last_better(found: dict, horizon: int) -> int:
    """The last step at which a model is better than a baseline."""
    return horizon if found["stops"] is None else found["stops"] - 1


def continue_rows(cards: Cards) -> list[tuple[str, ...]]:
    """Figures of the continue head, for every model."""
    columns = [_continue_column(card) for card in cards.cards.values()]
    return [(name, *(column[name] for column in columns)) for name in columns[0]]


def _continue_column(card: dict) -> dict[str, str]:
    figures = card["continue"]
    return {
        "ends of drives seen": str(figures["terminals"]) + ("" if figures["enough_terminals"] else ", too few to tell"),
        "Brier score": str(_cells(figures["brier"], 5)[0]),
        "Brier score of always predicting the share": _number(figures["brier_of_the_share"], 5),
        "expected calibration error": _number(figures["expected_calibration_error"], 5),
        "mean probability of continuing, at ends": _number(figures["predicted_at_terminals"], 4),
        "mean probability of continuing, elsewhere": _number(figures["predicted_elsewhere"], 4),
    }


def _named(cards: Cards, title: str, metric: str, path: Sequence[str], digits: int) -> Rows:
    """One measure by name; baselines appear once, and with several models less is shown."""
    rows, names = [], SIGNAL_NAMES if path[0] == "signals" else NAMES
    for kind in at(cards.first, path):
        if kind == "shuffled" and len(cards.cards) > 1:  # the gap is shorter
            continue
        parts = _single(cards, title, metric, {names[kind]: (*path, kind)}, digits).rows
        rows += [(names[kind], parts[0][1])] if kind in BASELINES else parts
    return Rows(title, metric, rows)


def _single(cards: Cards, title: str, metric: str, parts: Mapping[str, Sequence[str]], digits: int) -> Rows:
    """A row for every part and model that has it, and for every difference of two models."""
    judged = next(iter(cards.cards))
    rows = []
    for name, path in parts.items():
        for model, card in cards.cards.items():
            if (figure := at(card, path)) is not None:
                rows.append((cards.label(name, model), _cells(figure, digits)))
        for model, difference in cards.differences.items():
            if (figure := at(difference, path)) is not None:
                rows.append((f"{name}: {judged} minus {model}", _cells(figure, digits, signed=True)))
    return Rows(title, metric, rows)


def _error_of(signal: str) -> tuple[str, str, str]:
    return "signals", signal, "mean_absolute_error"


def at(tree: dict, path: Sequence[str]) -> dict | None:
    """The value at a path of keys, None if it ends early."""
    for key in path:
        tree = None if tree is None else tree.get(key)
    return tree


def _cells(figure: dict, digits: int, signed: bool = False) -> list[Cell]:
    cells = []
    for value, (low, high) in zip(figure["value"], figure["ci95"], strict=True):
        known = value is not None and low is not None
        interval = f"{_number(low, digits, signed)}, {_number(high, digits, signed)}" if known else ""
        cells.append(Cell(_number(value, digits, signed), interval))
    return cells


def _number(value: float | None, digits: int, signed: bool = False) -> str:
    # Adding zero removes the sign of a negative number that rounds to zero.
    return "–" if value is None else f"{round(value, digits) + 0.0:{'+' if signed else ''}.{digits}f}"
