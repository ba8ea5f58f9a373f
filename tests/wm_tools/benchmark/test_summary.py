"""What a benchmark says of its episodes: nothing dropped, nothing averaged away, paired by track."""

import json

import numpy as np
import pytest
from browser import browser, check_report, visit  # noqa: F401
from wm_bundle.files import write_json
from wm_evaluation.report import write_page
from wm_tools.benchmark.figures import FIGURES
from wm_tools.benchmark.report import build_page
from wm_tools.benchmark.summary import build_summary, driving_of
from wm_tools.benchmark.terminal import comparisons_table, difference_cells, results_table, sweeps_table
from wm_tools.drive.driving_figures import SCORING, SHOWN
from wm_tools.drive.driving_tables import driving_table

SETTINGS = {
    "controllers": [
        {"name": "planner", "kind": "planner"},
        {"name": "<b>old</b>", "kind": "planner"},
        {"name": "random", "kind": "random"},
    ]
}


def episode(controller: str, seed: int | None, score: float | None, failure: str | None = None, **changes) -> dict:
    """A line of episodes.jsonl."""
    model = controller != "random"
    return {
        "trial": [controller, "lock-step", "", seed],
        "controller": controller,
        "mode": "lock-step",
        "disturbance": None,
        "seed": seed,
        "bundle": "tiny" if model else None,
        "map": "CarRacing-v3",
        "failure": failure,
        "ended": "failed" if failure else "lap finished",
        "wall_s": 1.0,
        **{figure.name: 1.0 for figure in FIGURES},
        "slow_steps": 0,
        "score": score,
        "braking_reasons": {"lost": 2, "late": 1} if model else None,
        "latency_ms": [10.0, 20.0, 30.0] if model else None,
        **changes,
    }


def disturbed(name: str, size: float, seed: int, score: float) -> dict:
    return episode("planner", seed, score, disturbance={"name": name, "size": size})


@pytest.fixture
def episodes() -> list[dict]:
    return [
        episode("planner", 1, 900.0),
        episode("<b>old</b>", 1, 880.0),
        episode("random", 1, -30.0),
        episode("planner", 2, 100.0, "the planner ended unexpectedly\nLast lines"),
        episode("<b>old</b>", 2, 880.0),
        episode("random", 2, -40.0),
        episode("planner", 3, 890.0),
        episode("<b>old</b>", 3, 890.0),
        episode("random", 3, -20.0),
        disturbed("brightness", 1.5, 1, 500.0),
        disturbed("brightness", 0.5, 1, 700.0),
        disturbed("brightness", 1.5, 2, 300.0),
        disturbed("brightness", 0.5, 2, 800.0),
    ]


@pytest.fixture
def summary(episodes) -> dict:
    return build_summary(SETTINGS, episodes, {"cpu": "abacus"}, planned=14)


def test_a_failed_episode_counts_in_the_mean_with_what_it_had(summary):
    planner = summary["groups"][0]
    assert (planner["controller"], planner["episodes"], planner["failed"]) == ("planner", 3, 1)
    score = planner["figures"]["score"]
    assert score["mean"] == pytest.approx((900 + 100 + 890) / 3) and score["n"] == 3
    # Every resample's mean is that of three of the scores, so the interval lies between the least and the largest.
    assert 100.0 <= score["low"] < score["mean"] < score["high"] <= 900.0
    assert planner["ended"] == {"lap finished": 2, "failed": 1}
    assert summary["failed"] == 1 and "1 of 13 episodes failed" in " ".join(summary["caveats"])


def test_controllers_are_compared_track_by_track(summary):
    pairs = {(pair["first"], pair["second"]): pair for pair in summary["comparisons"]}
    assert set(pairs) == {("planner", "<b>old</b>"), ("planner", "random"), ("<b>old</b>", "random")}
    pair = pairs["planner", "<b>old</b>"]
    assert (pair["wins"], pair["losses"], pair["ties"], pair["n"]) == (1, 1, 1, 3)
    assert pair["mean"] == pytest.approx((20 - 780 + 0) / 3)
    # Differences of 910, 920 and 910: an interval of their means, whatever the spread of the scores.
    steady = pairs["<b>old</b>", "random"]
    assert 910.0 <= steady["low"] <= steady["mean"] <= steady["high"] <= 920.0


def test_a_sweep_begins_with_the_size_that_disturbs_nothing(summary):
    (sweep,) = summary["sweeps"]
    assert [point["size"] for point in sweep["points"]] == [0.5, 1.0, 1.5]  # none is a brightness of 1
    assert [point["score"]["mean"] for point in sweep["points"]] == pytest.approx([750.0, 630.0, 400.0])
    assert [point["failed"] for point in sweep["points"]] == [0, 1, 0]
    assert [point["episodes"] for point in sweep["points"]] == [2, 3, 2]
    assert sweep["points"][1]["braking_reasons"] == {"lost": 6, "late": 3}


def test_latencies_are_pooled_over_all_commands(summary):
    latency = summary["groups"][0]["latency_ms"]
    assert latency["p50"] == 20.0 and latency["max"] == 30.0
    assert latency["p95"] == pytest.approx(np.percentile([10.0, 20.0, 30.0] * 3, 95))
    assert summary["groups"][2]["latency_ms"] is None


def test_a_controller_that_braked_often_is_not_called_fast():
    def caveats(share: float | None) -> str:
        driven = [episode("planner", 1, 3.0, braking_share=share), episode("random", 1, 3.0, braking_share=None)]
        return " ".join(build_summary(SETTINGS, driven, {}, planned=2)["caveats"])

    assert "planner braked in 84% of its frames (lock-step): braking is fast" in caveats(0.84)
    assert "braked" not in caveats(0.04) and "braked" not in caveats(None)


def test_what_is_missing_is_said(summary, episodes):
    caveats = " ".join(summary["caveats"])
    assert "1 of 14 episodes not driven" in caveats and "Only 3 episodes each" in caveats
    slow = build_summary(SETTINGS, [episode("planner", 1, 3.0, slow_steps=2)], {}, planned=1)
    assert "without a command after a timeout" in " ".join(slow["caveats"])
    kinds = [episode("planner", seed, 3.0, cpu=f"kind {seed}") for seed in (1, 2)]
    assert "kind 1; kind 2" in " ".join(build_summary(SETTINGS, kinds, {}, planned=2)["caveats"])
    unknown = [episode("planner", None, None), episode("random", None, None)]
    other = build_summary(SETTINGS, unknown, {}, planned=2)
    assert other["comparisons"] == []
    caveats = " ".join(other["caveats"])
    assert "not compared by track" in caveats and "there is no score" in caveats and "One episode each" in caveats
    assert other["groups"][0]["figures"]["score"] == {"mean": None, "low": None, "high": None, "n": 0}


def test_the_file_is_json_without_nan(summary, tmp_path):
    write_json(tmp_path / "benchmark.json", summary)
    read = json.loads((tmp_path / "benchmark.json").read_text(), parse_constant=lambda word: pytest.fail(word))
    assert read == summary


def test_lines_of_older_benchmarks_are_still_read(tmp_path):
    """Before there was a driving score; half of a benchmark was driven then."""
    new = [one.name for one in SCORING]
    old = [{key: value for key, value in episode("planner", k, 9.0).items() if key not in new} for k in (1, 2)]
    summary = build_summary(SETTINGS, old, {}, planned=4)
    assert summary["groups"][0]["figures"]["driving_score"] == {"mean": None, "low": None, "high": None, "n": 0}
    assert driving_table(driving_of(summary)).row_count == 1  # they had their lane invasions
    write_page(tmp_path / "report.html", build_page(summary, old))
    assert "Close to a collision" not in (tmp_path / "report.html").read_text()
    both = build_summary(SETTINGS, [*old, episode("planner", 3, 9.0, driving_score=40.0)], {}, planned=4)
    assert both["groups"][0]["figures"]["driving_score"]["mean"] == 40.0


def test_a_rate_per_kilometre_is_that_of_all_kilometres_together():
    """One that stood still until it was hit would else say 1000 collisions a kilometre."""
    driven = [(0.0, 3000.0), (0.0, 1000.0), (1000.0, 1.0), (None, 0.0)]
    episodes = [episode("planner", k, 9.0, collisions_per_km=rate, distance_m=m) for k, (rate, m) in enumerate(driven)]
    rate = build_summary(SETTINGS, episodes, {}, planned=4)["groups"][0]["figures"]["collisions_per_km"]
    assert rate["mean"] == pytest.approx(1000.0 / 4001.0) and rate["n"] == 3
    assert rate["low"] == 0.0 and rate["high"] > rate["mean"]


def test_tables_have_a_line_for_everything(summary):
    assert results_table(summary).row_count == 3
    assert comparisons_table(summary).row_count == 3
    assert sweeps_table(summary).row_count == 1
    assert driving_table(driving_of(summary)).row_count == len(SHOWN)


def test_what_no_driver_tells_has_no_line():
    silent = [episode("planner", 1, 9.0, **dict.fromkeys([one.name for one in SHOWN]))]
    assert driving_table(driving_of(build_summary(SETTINGS, silent, {}, planned=1))) is None


def test_the_report_opens_without_an_error_and_shows_every_part(summary, episodes, tmp_path, browser):  # noqa: F811
    write_page(tmp_path / "report.html", build_page(summary, episodes))
    # Scores, driving scores, tracks, the sweep of brightness, and the latencies of two controllers.
    check_report(browser, tmp_path / "report.html", charts=6)
    with visit(browser, tmp_path / "report.html") as page:
        text = page.page.inner_text("body")
    for part in (
        "Mean score of planner, lock-step: 630.0",
        "Compared by track",
        "Robustness",
        "Failures",
        "the planner ended unexpectedly",
        "<b>old</b>",
    ):
        assert part in text


def test_a_report_without_scores_is_made_too(tmp_path):
    episodes = [episode("planner", None, None, latency_ms=None)]
    write_page(tmp_path / "report.html", build_page(build_summary(SETTINGS, episodes, {}, 1), episodes))
    assert "there is no score" in (tmp_path / "report.html").read_text()


def test_a_difference_of_less_than_a_point_is_told_from_none():
    pair = {"mean": 0.51, "low": 0.31, "high": 0.84, "wins": 89, "losses": 3, "ties": 8}
    assert difference_cells(pair) == ["+0.51", "+0.31 to +0.84", "89", "3", "8"]
    assert difference_cells({**pair, "low": None, "high": None})[1] == "–"
