"""Scores belong to one model's files: they are read back as written, and refused beside any other model."""

import hashlib
import json
from dataclasses import replace

import pytest
from tiny_bundle import copy_bundle, make_tiny_bundle
from wm_bundle import BundleError, Estimate, load_bundle
from wm_bundle.scores import (
    SCORES_FILE,
    BenchmarkScores,
    BundleScores,
    ControllerScore,
    ScoreDifference,
    add_scores,
    read_scores,
)

LOCK_STEP = BenchmarkScores(
    mode="lock-step",
    date="2030-01-02T03:04:05+00:00",
    map="CarRacing-v3",
    seeds=(7, 8),
    max_steps=None,
    parameters={"candidates": 32},
    machine={"cpu": "abacus", "cores": 2},
    controllers=(
        ControllerScore("planner", "tiny-test (0123)", 2, 0, Estimate(910.5, 900.0, 921.0)),
        ControllerScore("random", None, 2, 1, Estimate(-30.0, None, None)),
    ),
    differences=(ScoreDifference("planner", "random", 2, Estimate(940.5, 930.0, 951.0)),),
)
REAL_TIME = replace(LOCK_STEP, mode="real-time", differences=())


@pytest.fixture
def bundle(tmp_path):
    return load_bundle(make_tiny_bundle(tmp_path / "bundle"))


def test_a_bundle_that_was_never_driven_has_no_scores(bundle):
    assert read_scores(bundle) is None


def test_scores_are_read_back_as_written_and_a_mode_is_replaced_by_its_later_benchmark(bundle):
    add_scores(bundle, REAL_TIME)
    add_scores(bundle, LOCK_STEP)
    better = replace(LOCK_STEP, seeds=(9,))
    written = add_scores(bundle, better)
    assert read_scores(bundle) == written
    assert written.benchmarks == (better, REAL_TIME)
    assert written.mode("lock-step").of("planner").score.value == 910.5 and written.mode("as-found") is None


def test_driving_does_not_look_at_the_scores(bundle):
    (bundle.path / SCORES_FILE).write_text("not even JSON")
    assert load_bundle(bundle.path).manifest == bundle.manifest
    with pytest.raises(BundleError, match="scores.json cannot be used: .*remove the file"):
        read_scores(bundle)


def test_scores_beside_another_model_are_refused_and_replaced_by_its_own(bundle, tmp_path):
    add_scores(bundle, LOCK_STEP)
    other = copy_bundle(bundle.path, tmp_path / "other")
    manifest = json.loads((other / "bundle.json").read_text())
    (other / "actor.onnx").write_bytes(b"other weights")
    digest = hashlib.sha256(b"other weights").hexdigest()
    manifest["files"]["actor.onnx"] = {"sha256": digest, "bytes": 13}
    (other / "bundle.json").write_text(json.dumps(manifest))
    changed = load_bundle(other)
    with pytest.raises(BundleError, match="is of another model: .*found tiny-test with other actor.onnx"):
        read_scores(changed)
    assert add_scores(changed, REAL_TIME).benchmarks == (REAL_TIME,)
    assert read_scores(changed).files["actor.onnx"] == digest


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"format_version": 2}, "format_version: expected 1, found 2"),
        ({"colour": "red"}, "unknown colour"),
        ({"benchmarks": [{}]}, "missing controllers"),
    ],
)
def test_a_file_of_another_shape_is_refused_with_what_is_wrong(bundle, changes, words):
    add_scores(bundle, LOCK_STEP)
    file = bundle.path / SCORES_FILE
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    with pytest.raises(BundleError, match=words):
        read_scores(bundle)


def test_two_benchmarks_in_one_mode_are_refused(bundle):
    with pytest.raises(ValueError, match="every mode and map once"):
        BundleScores("tiny-test", {}, (LOCK_STEP, LOCK_STEP))


def test_scores_of_another_world_stand_beside_and_are_not_taken_for_those_of_this_one(bundle):
    add_scores(bundle, LOCK_STEP)
    traffic = replace(LOCK_STEP, map="traffic")
    written = add_scores(bundle, traffic)
    assert written.benchmarks == (LOCK_STEP, traffic) and read_scores(bundle) == written
    assert written.in_world("traffic").benchmarks == (traffic,) and written.in_world("Town01").benchmarks == ()
