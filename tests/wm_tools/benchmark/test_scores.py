"""What a benchmark writes into the bundle's folder: its own figures, a mode each, and no folder of this machine."""

from dataclasses import replace
from pathlib import Path

import pytest
from tiny_bundle import make_tiny_bundle
from wm_bundle import Estimate, load_bundle
from wm_bundle.scores import read_scores
from wm_tools.benchmark.benchmark_options import BenchmarkOptions, parse_options
from wm_tools.benchmark.figures import FIGURES
from wm_tools.benchmark.scores import check_write_scores, write_scores
from wm_tools.benchmark.summary import build_summary
from wm_tools.common.errors import DriveError
from wm_tools.drive.controllers import Controller

ENTRIES = [
    {"name": "planner", "kind": "planner", "bundle": "tiny-test (0123456789ab)"},
    {"name": "random", "kind": "random", "bundle": "tiny-test (0123456789ab)"},
]


def episode(controller: str, mode: str, seed: int, score: float, **changes) -> dict:
    """A line of episodes.jsonl."""
    return {
        "trial": [controller, mode, "", seed],
        "controller": controller,
        "mode": mode,
        "disturbance": None,
        "seed": seed,
        "bundle": "tiny-test",
        "map": "CarRacing-v3",
        "failure": None,
        "ended": "lap finished",
        "wall_s": 1.0,
        **{figure.name: 1.0 for figure in FIGURES},
        "slow_steps": 0,
        "score": score,
        "braking_reasons": None,
        "latency_ms": None,
        **changes,
    }


def summary_of(episodes: list[dict], **settings) -> dict:
    plain = {"controllers": ENTRIES, "seeds": [1, 2], "parameters": {}, "max_steps": None, **settings}
    return build_summary(plain, episodes, {"cpu": "abacus", "cores": 2}, planned=len(episodes))


@pytest.fixture
def bundle(tmp_path):
    return load_bundle(make_tiny_bundle(tmp_path / "bundle"))


def test_the_bundle_carries_the_figures_of_the_benchmark_by_mode_and_no_sweep(bundle, tmp_path):
    policy = tmp_path / "policy.onnx"
    policy.write_bytes(b"")
    summary = summary_of(
        [
            episode("planner", "lock-step", 1, 900.0),
            episode("random", "lock-step", 1, -30.0),
            episode("planner", "lock-step", 2, 920.0),
            episode("random", "lock-step", 2, -40.0, failure="died"),
            episode("planner", "lock-step", 1, 100.0, disturbance={"name": "brightness", "size": 0.5}),
            episode("planner", "real-time", 1, 880.0),
            episode("planner", "real-time", 2, 890.0),
        ],
        parameters={"candidates": 32, "proposal_policy": str(policy)},
        max_steps=50,
    )
    written = write_scores(summary, bundle)
    assert read_scores(bundle) == written
    lock_step, real_time = written.mode("lock-step"), written.mode("real-time")
    planner, random = lock_step.of("planner"), lock_step.of("random")
    assert planner.score.value == 910.0 and planner.score.low >= 900.0 and planner.score.high <= 920.0
    assert (planner.model, random.model) == ("tiny-test (0123456789ab)", None)
    assert (planner.failed, random.failed, random.episodes) == (0, 1, 2)
    (pair,) = lock_step.differences
    # Each track's difference: 930 and 960.
    assert (pair.first, pair.second, pair.tracks, pair.difference.value) == ("planner", "random", 2, 945.0)
    assert real_time.of("planner").score.value == 885.0 and real_time.of("random") is None
    assert (lock_step.seeds, lock_step.max_steps, lock_step.map) == ((1, 2), 50, "CarRacing-v3")
    assert lock_step.parameters == {"candidates": 32, "proposal_policy": "policy.onnx"}
    assert str(tmp_path) not in (bundle.path / "scores.json").read_text()


def test_a_single_track_gives_a_figure_without_an_interval(bundle):
    written = write_scores(summary_of([episode("planner", "lock-step", 1, 900.0)], seeds=[1]), bundle)
    assert written.mode("lock-step").of("planner").score == Estimate(900.0, None, None)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"simulator": "external"}, "expected --simulator embedded, found external"),
        (
            {"controllers": (Controller("expert", "expert"),)},
            "expected planner or another that drives the bundle, found e",
        ),
        ({"controllers": (Controller("old", "planner", Path("b")),)}, "drives the bundle, found old"),
        ({"weather": "fog"}, "expected --weather noon --light 1, found --weather fog --light 1"),
        ({"light": 0.5}, "found --weather noon --light 0.5"),
    ],
)
def test_a_benchmark_whose_scores_are_not_the_bundles_is_refused_before_it_drives(bundle, changes, words):
    options = parse_options(["--write-scores"])
    assert options == BenchmarkOptions(write_scores=True)
    check_write_scores(options, bundle)
    with pytest.raises(DriveError, match=words):
        check_write_scores(replace(options, **changes), bundle)
