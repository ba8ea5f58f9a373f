"""The line that an evaluation comes to, and that what stands beside each other agrees."""

from dataclasses import replace

import numpy as np
import pytest
from made_evaluation import NAN, SETTINGS, made_comparison, made_evaluation
from rich.console import Console
from wm_evaluation.terminal import print_whole
from wm_planner.pilot.modes import Mode
from wm_tools.common.console import make_console
from wm_tools.common.thresholds import DEFAULT, judge
from wm_tools.evaluate_bag.comparison import Difference
from wm_tools.evaluate_bag.figures import Figure, figures_of
from wm_tools.evaluate_bag.report import build_page
from wm_tools.evaluate_bag.report_tables import apart
from wm_tools.evaluate_bag.results import result_of
from wm_tools.evaluate_bag.terminal import summary_table
from wm_tools.evaluate_bag.verdict import verdict


def breaking_even(evaluation, **entries):
    """The evaluation with other horizons, the figures as they belong to them."""
    card = {**evaluation.card, "break_even": {**evaluation.card["break_even"], **entries}}
    return replace(evaluation, card=card, figures=figures_of(evaluation.frames, card, SETTINGS))


NEVER = {"begins": None, "stops": 1, "stops_ci95": [1, 1]}
ALWAYS = {"begins": 1, "stops": None, "stops_ci95": [None, None]}


def braking(evaluation, share: float):
    """The evaluation with a brake in so many of its frames, without a search."""
    count = round(share * len(evaluation.frames))
    mode = np.full(len(evaluation.frames), int(Mode.DRIVING))
    mode[:count] = int(Mode.BRAKING)
    reason = np.array([f"surprise of {frame}.5 nats" if frame < count else "" for frame in range(len(mode))], object)
    planned, latency = evaluation.frames.decided.planned.copy(), np.full((len(mode), 3), 20.0)
    planned[:count], latency[:count, 1], latency[:count, 2] = NAN, NAN, 2.0
    decided = replace(evaluation.frames.decided, mode=mode, reason=reason, planned=planned, latency_ms=latency)
    frames = replace(evaluation.frames, decided=decided)
    return replace(evaluation, frames=frames, figures=figures_of(frames, evaluation.card, SETTINGS))


def made(evaluations, **changes):
    comparison = made_comparison(evaluations)
    values = {name: figure.value for name, figure in evaluations[0].figures.items()}
    return replace(comparison, verdicts=judge(DEFAULT, values), **changes)


def table_of(comparison) -> str:
    console = make_console()
    with console.capture() as captured:
        console.print(summary_table(comparison))
    return captured.get()


def test_a_model_that_braked_most_of_the_time_is_not_called_well():
    evaluation = breaking_even(
        braking(made_evaluation("new"), 0.85), picture_against_copy_last=NEVER, return_against_last_seen=ALWAYS
    )
    comparison = made([evaluation])
    assert verdict(comparison) == (
        "new: the threshold mode.braking_share<=0.5 fails; because it braked in 85.0% of the frames (all: surprise of "
        "0.5 nats), imagines pictures never better than a copy of the last one"
    )
    assert result_of(comparison)["passed"] is False and build_page(comparison).headline == verdict(comparison)


def test_a_model_without_a_fault_is_said_to_have_none():
    evaluation = breaking_even(
        braking(made_evaluation("new"), 0.0), picture_against_copy_last=ALWAYS, return_against_last_seen=ALWAYS
    )
    assert verdict(made([evaluation])) == (
        "new: no fault found: it braked in 0.0% of the frames, imagines pictures better from step 1 to the end, 6 than "
        "a copy of the last one, imagines returns better from step 1 to the end, 6 than the last reward, held"
    )
    doubtful = breaking_even(evaluation, return_against_last_seen=NEVER)
    assert verdict(made([doubtful])) == "new: doubtful: it imagines returns never better than the last reward, held"


@pytest.mark.parametrize(
    ("steer", "brakes", "text"),
    [
        (Figure(-0.02, -0.03, -0.01), Figure(0.0, -0.1, 0.1), "better than old in steer, MAE (-0.020)"),
        (Figure(0.0, -0.1, 0.1), Figure(0.832, 0.8, 0.9), "worse than old in braking (+83.20%)"),
        (
            Figure(-0.02, -0.03, -0.01),
            Figure(0.832, 0.8, 0.9),
            "neither better nor worse than old: better in steer, MAE (-0.020), worse in braking (+83.20%)",
        ),
        (Figure(0.0, -0.1, 0.1), Figure(0.0, -0.1, 0.1), "no significant difference from old in 2 figures"),
        (
            Figure(0.2),
            Figure(0.0),
            "cannot be distinguished from old: no interval from 10 segments; evaluate more, or lower --segment",
        ),
    ],
)
def test_another_bundle_is_what_a_bundle_is_better_or_worse_than(steer, brakes, text):
    first = breaking_even(
        braking(made_evaluation("new"), 0.0), picture_against_copy_last=ALWAYS, return_against_last_seen=ALWAYS
    )
    figures = {"action.steer.mae": steer, "mode.braking_share": brakes}
    old = made_evaluation("old", seed=1)
    comparison = made([first, old], differences=[Difference(first, old, figures, {})])
    assert verdict(comparison) == f"new: {text}"


def test_a_difference_that_is_not_that_of_the_columns_is_marked_and_one_that_is_is_not():
    ours, theirs = braking(made_evaluation("new"), 0.5), made_evaluation("old", seed=1)
    comparison = made([ours, theirs])
    (difference,) = comparison.differences
    # 40 of 80 frames braked: the planned steer is compared over the others, the share of braking over all.
    steer, brakes = (difference.figures[name].value for name in ("action.steer.mae", "mode.braking_share"))
    columns = [
        [entry.figures[name].value for entry in (ours, theirs)] for name in ("action.steer.mae", "mode.braking_share")
    ]
    assert steer != pytest.approx(columns[0][0] - columns[0][1]) and apart(difference, "action.steer.mae") == "*"
    assert brakes == pytest.approx(columns[1][0] - columns[1][1]) and apart(difference, "mode.braking_share") == ""
    table = table_of(comparison)
    assert "* over the frames and windows that both have" in table
    assert "* over the frames" not in table_of(made([ours, replace(ours, name="other")]))


def test_the_end_of_being_better_is_told_in_the_words_of_the_scorecard():
    table = table_of(made([breaking_even(made_evaluation("new"), picture_against_copy_last=NEVER)]))
    assert "never better (95 %: 1)" not in table and "never better" in table


def test_latencies_are_of_the_frames_with_a_search_alone():
    figures = braking(made_evaluation("new"), 0.85).figures
    assert figures["latency_ms.frames"].value == 12 and figures["latency_ms.total.p50"].value == 20.0  # of 80


@pytest.mark.parametrize("width", [80, 140])
def test_no_figure_of_the_table_is_cut(width):
    ours = made_evaluation("carracing-7551748e")
    comparison = made([ours, replace(ours, name="world-model-b24a425e")])
    console = Console(width=width)
    with console.capture() as captured:
        print_whole(console, summary_table(comparison, width))
    lines = captured.get().splitlines()
    assert "…" not in captured.get() and max(map(len, lines)) <= width
    shown = " ".join(captured.get().split())
    for figure in (ours.figures["prior.psnr_db"], ours.figures["action.steer.mae"]):
        assert f"{figure.value:.4g}" in shown and f"[{figure.low:.3g}, {figure.high:.3g}]" in shown
