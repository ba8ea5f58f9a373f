"""A drive shows what its bundle scored in benchmarks, in every place alike, and refuses the scores of another model."""

import json
import re
from dataclasses import replace
from html import unescape

import pytest
from tiny_bundle import make_tiny_bundle
from wm_bundle import Estimate, OpenLoopScores, load_bundle
from wm_bundle.scores import SCORES_FILE, BenchmarkScores, ControllerScore, ScoreDifference, add_scores
from wm_evaluation.report import render
from wm_sim.worlds import WORLDS
from wm_tools.drive.bundle_scores import KnownScores
from wm_tools.drive.report import build_report
from wm_tools.drive.summary import build_summary

BENCHMARK = BenchmarkScores(
    mode="lock-step",
    date="2030-01-02T03:04:05+00:00",
    map="CarRacing-v3",
    seeds=tuple(range(5000, 5100)),
    max_steps=None,
    parameters={},
    machine={"cpu": "abacus", "cores": 2},
    controllers=(
        ControllerScore("planner", "tiny-test (01)", 100, 0, Estimate(918.24, 917.1, 919.4)),
        ControllerScore("actor", "tiny-test (01)", 100, 0, Estimate(910.0, 905.0, 915.0)),
    ),
    differences=(ScoreDifference("planner", "actor", 100, Estimate(8.24, 3.0, 13.0)),),
)
LINE = "enchmark of this bundle: 918.2 (95 % 917 to 919) over 100 tracks, lock-step"


@pytest.fixture
def bundle(tmp_path):
    return load_bundle(make_tiny_bundle(tmp_path / "bundle"))


def text_of(result, manifest) -> str:
    html = render(build_report(result, build_summary(result), manifest))
    html = re.sub(r"(?s)<(script|style).*?</\1>", " ", html)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def test_line_summary_and_page_tell_the_lock_step_score_of_the_planner(bundle, result, manifest):
    add_scores(bundle, replace(BENCHMARK, mode="real-time", controllers=BENCHMARK.controllers[:1], differences=()))
    add_scores(bundle, BENCHMARK)
    known = KnownScores.of(bundle, "CarRacing-v3")
    assert known.line == "b" + LINE
    told = replace(result, known=known)
    assert build_summary(told)["benchmark"] == {
        "mode": "lock-step",
        "date": "2030-01-02T03:04:05+00:00",
        "tracks": 100,
        "max_steps": None,
        "mean_score": 918.24,
        "ci95": [917.1, 919.4],
        "failed": 0,
    }
    text = text_of(told, manifest)
    for said in (
        "B" + LINE,
        "planner minus actor 8.2 (3.0 to 13.0) 100",
        "real-time, 100 tracks (seeds 5000 to 5099)",
        "actor 910.0 (95 % 905 to 915) 0 of 100 tiny-test (01)",
    ):
        assert said in text, said


def test_a_benchmark_that_was_cut_short_says_so(bundle):
    add_scores(bundle, replace(BENCHMARK, seeds=(5,), max_steps=30))
    assert KnownScores.of(bundle, "CarRacing-v3").line.endswith("over 1 track of at most 30 steps, lock-step")


def test_a_bundle_without_scores_is_driven_without_a_word_about_them(bundle, result, manifest):
    assert KnownScores.of(bundle, "CarRacing-v3") == KnownScores() and KnownScores().line == ""
    assert build_summary(result)["benchmark"] is None
    assert "enchmark of this bundle" not in text_of(result, manifest)


def test_scores_of_another_model_are_refused_with_the_reason_and_shown_nowhere(bundle, result, manifest):
    add_scores(bundle, BENCHMARK)
    file = bundle.path / SCORES_FILE
    file.write_text(json.dumps({**json.loads(file.read_text()), "model_id": "other"}))
    known = KnownScores.of(bundle, "CarRacing-v3")
    assert "not shown" in known.line and "is of another model: expected tiny-test, found other" in known.line
    assert build_summary(replace(result, known=known))["benchmark"] is None
    assert "918" not in text_of(replace(result, known=known), manifest)


def test_the_page_shows_the_open_loop_scorecard_of_the_bundle(result, manifest):
    figures = (Estimate(30.123, 29.0, 31.0), Estimate(25.0, None, None))
    card = OpenLoopScores((1, 5), 5, 40, 7, {"imagined": figures, "copy_last": figures}, {"mean_reward": figures})
    text = text_of(result, replace(manifest, open_loop=card))
    for said in (
        "steps ahead 1 5",
        "PSNR [dB], copy last 30.1 (29.0 to 31.0) 25.0",
        "reward error, mean reward 30.12 (29.00 to 31.00) 25.00",
        "On 40 windows of 7 validation episodes",
    ):
        assert said in text, said


def test_a_drive_shows_the_scores_of_its_own_world_alone(bundle, result, manifest):
    add_scores(bundle, BENCHMARK)
    known = KnownScores.of(bundle, WORLDS["traffic"].map_name)
    assert known.headline is None and known.line == "" and known.section() is None
    told = replace(result, known=known)
    assert build_summary(told)["benchmark"] is None and "918" not in text_of(told, manifest)
