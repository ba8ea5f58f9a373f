"""The engine asks itself the bundle's questions before it drives, and says what came out."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from tiny_bundle import make_tiny_bundle
from wm_bundle import BUNDLE_FILES, load_bundle, write_bundle
from wm_bundle.self_check_measures import differences, limits_for
from wm_planner.engine import engine as engine_module
from wm_planner.engine.engine import Engine
from wm_planner.engine.providers import CPU, CUDA, TENSORRT, EngineSettings, first_that_works
from wm_planner.engine.self_check import NONE, SelfCheck, SelfCheckError
from wm_planner.errors import EngineError
from wm_planner.node.diagnostics import Asked, Diagnostics, EngineFacts, Level
from wm_training.exporting.upgrade import upgrade

ON_CPU = EngineSettings(providers=(CPU,))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A tiny one with a self-check."""
    folder = tmp_path_factory.mktemp("self_check")
    (folder / "work").mkdir()
    plain = load_bundle(make_tiny_bundle(folder / "plain", imagines_vector=True))
    return upgrade(plain, folder / "bundle", folder / "work")[0]


def with_wrong(bundle, name: str, output: str, folder):
    """The same bundle, but for one output of one file, which is half as much again, or a negative."""
    model = onnx.load(bundle.file(name))
    for node in model.graph.node:
        node.output[:] = ["right" if one == output else one for one in node.output]
    if output == "image":
        model.graph.node.append(helper.make_node("BitwiseNot", ["right"], [output]))
    else:
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(np.float32(1.5)), "too_much"))
        model.graph.node.append(helper.make_node("Mul", ["right", "too_much"], [output]))
    onnx.save(model, folder / name)
    files = {one: bundle.file(one) for one in bundle.manifest.files} | {name: folder / name}
    return write_bundle(folder / "wrong", replace(bundle.manifest, files={}), files)


def test_a_sound_machine_is_told_to_hold_with_every_figure(bundle):
    lines = []
    engine = Engine(bundle, ON_CPU, lines.append)
    assert lines[-1].startswith("self-check holds") and all(name in lines[-1] for name in engine.self_check.limits)
    assert max(engine.self_check.found.values()) < 1e-4  # float32 by onnxruntime on both sides
    assert engine.unsound == [] and engine.self_check.failed == []


@pytest.mark.parametrize(
    "name, output, measures",
    [
        ("observe.onnx", "next_belief", ["belief"]),
        ("imagine.onnx", "reward", ["return"]),
        ("imagine.onnx", "vector", ["vector"]),
        ("actor.onnx", "actions", ["actor"]),
        ("decode.onnx", "image", ["picture"]),
    ],
)
def test_each_file_that_says_something_else_here_is_refused_by_its_measure(name, output, measures, bundle, tmp_path):
    wrong = with_wrong(bundle, name, output, tmp_path)
    with pytest.raises(EngineError, match=f"self-check fails: .*{measures[0]} differs by .*, allowed is"):
        Engine(wrong, ON_CPU, lambda line: None)
    told = Engine(wrong, ON_CPU, lambda line: None, enforce=False).self_check
    assert set(measures) <= set(told.failed) <= {*measures, "action"}


def test_a_bundle_of_an_earlier_version_drives_and_says_that_it_has_none(tmp_path):
    lines = []
    engine = Engine(load_bundle(make_tiny_bundle(tmp_path / "bundle")), ON_CPU, lines.append)
    assert engine.self_check is None and lines[-1] == f"self-check {NONE}"
    assert "upgrade_bundle" in NONE


def test_a_provider_that_fails_is_refused_with_the_reason_and_the_next_one_drives(bundle, monkeypatch):
    asked = []

    def fails_once(functions, *arguments):
        asked.append(functions)
        limits = bundle.manifest.self_check.limits
        return SelfCheck(dict.fromkeys(limits, 1.0 if len(asked) == 1 else 0.0), dict.fromkeys(limits, 0.5))

    monkeypatch.setattr(engine_module, "check", fails_once)
    lines = []
    engine = Engine(bundle, EngineSettings(providers=(CPU, CPU)), lines.append)
    assert len(asked) == 2 and engine.self_check.failed == []
    assert [line for line in lines if line.startswith("refused")] == [f"refused {engine.unsound[0]}"]
    assert "self-check fails" in engine.unsound[0] and "return differs by 1, allowed is 0.5" in engine.unsound[0]


def test_what_fails_in_half_precision_is_tried_in_full_before_the_next_provider(monkeypatch):
    tried, lines = [], []
    monkeypatch.setattr("wm_planner.engine.providers.ort.get_available_providers", lambda: [TENSORRT, CUDA, CPU])

    def attempt(provider, graph, settings):
        tried.append((provider, graph, settings.fp16 and provider == TENSORRT))
        if tried[-1] != (TENSORRT, True, False):
            raise SelfCheckError("the bundle's self-check fails")

    assert first_that_works(EngineSettings(fp16=True), attempt, "bundle", lines.append) == TENSORRT
    assert tried == [(TENSORRT, True, True), (TENSORRT, False, True), (TENSORRT, True, False)]
    assert "half precision" not in lines[-1] and "in half precision: the bundle's self-check fails" in lines[0]


def test_diagnostics_tell_the_self_check_and_warn_of_a_provider_that_failed_it():
    facts = EngineFacts("model", CPU, 1, horizon=5, surprise_threshold=1.0)
    for changes, level, told in (
        ({}, Level.STALE, NONE),
        ({"self_check": "holds"}, Level.STALE, "holds"),
        ({"self_check": "holds", "unsound": (f"{CUDA}: fails",)}, Level.WARN, "holds"),
    ):
        line = Diagnostics("node", ["front"], replace(facts, **changes))._engine_line(Asked(plans=1))
        assert line.level is level and line.values["self-check"] == told
        assert line.values.get("refused") == (f"{CUDA}: fails" if level is Level.WARN else None)


def test_what_is_not_a_number_fails():
    assert SelfCheck({"return": float("nan")}, {"return": 0.1}).failed == ["return"]


def test_measures_and_limits_state_their_arithmetic(bundle):
    from wm_bundle.self_check import read_self_check

    questions, answers = read_self_check(bundle)
    size = max(1.0, float(np.abs(answers.returns).mean()))
    found = differences(questions, answers, replace(answers, returns=answers.returns + 0.25 * size))
    assert found["return"] == pytest.approx(0.25, rel=1e-4)
    assert found["action"] == pytest.approx(0.0, abs=1e-4)  # what is as much better everywhere chooses nothing else
    assert found["belief"] == found["actor"] == found["picture"] == found["vector"] == 0.0
    off = replace(answers, imagined_vector=answers.imagined_vector - 0.5)
    assert differences(questions, answers, off)["vector"] == pytest.approx(0.5, rel=1e-4)
    assert answers.imagined_vector.shape == (*answers.returns.shape, 1)
    assert limits_for({"return": 0.04})["return"] == pytest.approx(1.25 * 0.04 + 0.02)
    assert set(bundle.manifest.files) == {*BUNDLE_FILES, "self_check.npz"}
