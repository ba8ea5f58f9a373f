"""The whole command on tiny bundles: what agrees, what does not, and what cannot be run."""

import json
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
from faulty_bundle import NAN, make_faulty_bundle
from make_episodes import make_episode
from onnx import helper, numpy_helper
from tiny_bundle import damage, make_tiny_bundle
from wm_bundle import load_bundle, write_bundle
from wm_bundle.onnx_runtime import onnxruntime
from wm_data.episodes import write_episode
from wm_evaluation.imagined_frames import imagined
from wm_planner.engine.engine import Engine
from wm_planner.engine.providers import CHOICES, CUDA, EngineSettings
from wm_tools.verify_bundle.__main__ import main
from wm_training.exporting.upgrade import upgrade

QUICK = ["--frames", "40", "--calls", "5", "--candidates", "16"]
PATIENT_S = 10.0  # a control period that every machine keeps


def run(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["verify_bundle", *map(str, arguments)])
    return main()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_tiny_bundle(tmp_path_factory.mktemp("verify") / "tiny", control_period_s=PATIENT_S)


@pytest.fixture(scope="module")
def changed(bundle, tmp_path_factory):
    """The same bundle, but for an imagine.onnx that promises half as much reward again."""
    return rewritten(bundle, tmp_path_factory.mktemp("changed"))


def rewritten(bundle, folder):
    source = load_bundle(bundle)
    files = {name: source.file(name) for name in source.manifest.files}
    model = onnx.load(files["imagine.onnx"])
    for node in model.graph.node:
        node.output[:] = ["true_reward" if name == "reward" else name for name in node.output]
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(np.float32(1.5)), "too_much"))
    model.graph.node.append(helper.make_node("Mul", ["true_reward", "too_much"], ["reward"]))
    files["imagine.onnx"] = folder / "imagine.onnx"
    onnx.save(model, files["imagine.onnx"])
    return write_bundle(folder / "bundle", replace(source.manifest, model_id="changed"), files).path


def test_the_processor_agrees_with_itself_to_the_bit_and_tells_everything_it_measured(
    bundle, tmp_path, monkeypatch, capsys
):
    assert run(monkeypatch, "--bundle", bundle, "--provider", "cpu", "--output", tmp_path / "out", *QUICK) == 0
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    outputs = result["parity"]["outputs"]
    assert {"belief", "surprise", "reward", "continue", "value", "actor_plan", "picture", "command"} <= set(outputs)
    assert all(one["largest"] == 0.0 and one["holds"] and one["tolerance"] > 0.0 for one in outputs.values())
    assert result["passed"] and result["parity"]["same_best"] == 1.0 and result["frames"]["count"] == 40
    assert result["provider"] == {"asked_for": "cpu", "used": "CPUExecutionProvider", "fp16": False}
    assert result["bundle"]["model_id"] == "tiny-test" and result["bundle"] == result["reference"]
    assert result["self_check"] is None
    assert result["machine"]["onnxruntime"] == onnxruntime.__version__
    assert set(result["latency_ms"]) == {"observe", "actor", "imagine", "decode", "frame"}
    for times in result["latency_ms"].values():
        assert 0.0 < times["p50"] <= times["p99"] <= times["max"] and times["calls"] == 5
    assert result["deadline"]["period_ms"] == 1000.0 * PATIENT_S
    shown = capsys.readouterr().out
    assert "imagined by the model itself" in shown and "holds: parity" in shown and "16 plans x 5 steps" in shown


def test_a_changed_model_fails_parity_with_its_outputs_named_and_the_others_hold(
    bundle, changed, tmp_path, monkeypatch, capsys
):
    code = run(
        monkeypatch,
        "--bundle",
        changed,
        "--reference",
        bundle,
        "--provider",
        "cpu",
        "--output",
        tmp_path / "out",
        *QUICK,
    )
    assert code == 1
    assert "FAILS: reward differs by" in capsys.readouterr().err
    parity = json.loads((tmp_path / "out" / "result.json").read_text())["parity"]
    failed = {name for name, one in parity["outputs"].items() if not one["holds"]}
    assert "reward" in failed and failed <= {"reward", "return", "action", "command"} and not parity["holds"]
    assert parity["outputs"]["belief"]["largest"] == parity["outputs"]["value"]["largest"] == 0.0


def test_a_bundle_is_held_against_its_float32_answers_and_not_against_itself(bundle, tmp_path, monkeypatch, capsys):
    (tmp_path / "work").mkdir()
    checked, _ = upgrade(load_bundle(bundle), tmp_path / "checked", tmp_path / "work")
    wrong = rewritten(checked.path, tmp_path)
    assert run(monkeypatch, "--bundle", wrong, "--provider", "cpu", "--output", tmp_path / "out", *QUICK) == 1
    assert "FAILS: the bundle's self-check, by " in capsys.readouterr().err
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert not result["passed"] and not result["self_check"]["holds"]
    assert all(one["holds"] for one in result["parity"]["outputs"].values()), "it agrees with itself"
    assert result["self_check"]["found"]["return"] > result["self_check"]["limits"]["return"]
    assert run(monkeypatch, "--bundle", checked.path, "--provider", "cpu", "--output", tmp_path / "out", *QUICK) == 0
    told = json.loads((tmp_path / "out" / "result.json").read_text())["self_check"]
    assert told["holds"] and told["reference"] == checked.manifest.self_check.reference


def test_a_tolerance_of_ones_own_decides(bundle, changed, monkeypatch):
    wide = ["--tolerance", "1e6", "--return-tolerance", "1e6", "--action-tolerance", "2"]
    assert run(monkeypatch, "--bundle", changed, "--reference", bundle, "--provider", "cpu", *wide, *QUICK) == 0


def test_recorded_frames_go_through_with_the_actions_that_led_to_them(bundle, tmp_path, monkeypatch, capsys):
    recorded = make_tiny_bundle(tmp_path / "bundle", control_period_s=0.08)
    write_episode(tmp_path / "episode_000000.npz", make_episode(30))
    code = run(
        monkeypatch,
        "--bundle",
        recorded,
        "--provider",
        "cpu",
        "--data",
        tmp_path / "episode_000000.npz",
        "--output",
        tmp_path / "out",
        *QUICK,
    )
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert code == (0 if result["deadline"]["holds"] else 1)  # a busy machine may take longer than 80 ms
    assert result["parity"]["holds"]
    assert result["frames"] == {"count": 30, "source": "of episode_000000.npz"}


def test_a_frame_that_gives_no_number_fails(tmp_path, monkeypatch, capsys):
    sound, faulty = make_tiny_bundle(tmp_path / "sound"), make_faulty_bundle(tmp_path / "faulty")
    episode = make_episode(20)
    episode.observations[10, 0, 0, 0] = NAN
    write_episode(tmp_path / "episode_000000.npz", episode)
    code = run(
        monkeypatch,
        "--bundle",
        faulty,
        "--reference",
        sound,
        "--provider",
        "cpu",
        "--data",
        tmp_path / "episode_000000.npz",
        *QUICK,
    )
    assert code == 1
    assert "observe.onnx: output 'next_belief' is not finite" in capsys.readouterr().err


def test_a_frame_that_does_not_fit_the_control_period_fails(tmp_path, monkeypatch, capsys):
    hurried = make_tiny_bundle(tmp_path / "bundle", control_period_s=1e-6)
    assert run(monkeypatch, "--bundle", hurried, "--provider", "cpu", *QUICK) == 1
    captured = capsys.readouterr()
    assert "holds: parity" in captured.out and "in the control period of 0.001 ms" in captured.err


@pytest.mark.parametrize("provider", ["cuda", "tensorrt"])
def test_a_provider_that_is_not_there_is_exit_code_3_with_the_reason_and_what_to_install(
    provider, bundle, monkeypatch, capsys
):
    name = CHOICES[provider][0]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    assert run(monkeypatch, "--bundle", bundle, "--provider", provider, *QUICK) == 3
    told = capsys.readouterr().err
    assert f"--provider {provider}" in told and f"{name}: not in this build of onnxruntime" in told
    assert "onnxruntime-gpu" in told and "docs/gpu.md" in told and "Traceback" not in told


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_a_provider_that_is_there_but_does_not_start_is_exit_code_3(bundle, monkeypatch, capsys):
    if CUDA in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA, which may start")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, "CPUExecutionProvider"])
    assert run(monkeypatch, "--bundle", bundle, "--provider", "cuda", *QUICK) == 3
    assert "libonnxruntime_providers_cuda.so cannot be loaded" in capsys.readouterr().err


def test_what_cannot_be_used_is_exit_code_2_in_one_line(bundle, tmp_path, monkeypatch, capsys):
    damaged = make_tiny_bundle(tmp_path / "damaged")
    damage(damaged, "actor.onnx")
    other = make_tiny_bundle(tmp_path / "other", control_period_s=0.5)
    (tmp_path / "file").write_text("")
    for arguments, message in (
        (["--bundle", damaged], "actor.onnx is damaged"),
        (["--bundle", bundle, "--reference", other], "expected a bundle with the same control_period_s"),
        (["--bundle", bundle, "--data", tmp_path / "none.mcap"], "none.mcap does not exist"),
    ):
        assert run(monkeypatch, *arguments, "--provider", "cpu", *QUICK) == 2
        told = capsys.readouterr().err
        assert message in told and told.count("\n") == 1 and "Traceback" not in told
    for arguments, message in (
        (["--frames", "0"], "--frames: expected 1 to 1000000, found 0"),
        (["--tolerance", "nan"], "--tolerance: expected a number above 0, found nan"),
        (["--candidates", "3"], "candidates: expected 8 to 4096, found 3"),
        (["--resample"], "expected --data as well"),
        (["--recover"], "--recover: options for reading a recording: expected --data as well"),
        (["--fp16", "--provider", "cuda"], "--fp16 is TensorRT's: expected --provider tensorrt or auto, found cuda"),
        (["--output", tmp_path / "file"], "--output: expected a folder"),
        (["--set", "provider=cpu"], "expected NAME=VALUE"),
    ):
        with pytest.raises(SystemExit) as ended:
            run(monkeypatch, "--bundle", bundle, *arguments)
        assert ended.value.code == 2 and message in capsys.readouterr().err


def test_imagined_frames_are_the_same_for_the_same_seed_and_begin_several_drives(bundle):
    engine = Engine(load_bundle(bundle), EngineSettings(providers=CHOICES["cpu"]), lambda line: None)
    one, again, other = (imagined(engine, 120, seed) for seed in (1, 1, 2))
    assert [frame.is_first for frame in one].count(True) == 2 and one[0].is_first and one[100].is_first
    for left, right in zip(one, again, strict=True):
        np.testing.assert_array_equal(left.image, right.image)
        np.testing.assert_array_equal(left.previous_action, right.previous_action)
    assert any((left.image != right.image).any() for left, right in zip(one, other, strict=True))
    assert not one[0].previous_action.any() and one[1].previous_action.any()
