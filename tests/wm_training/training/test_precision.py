"""Precision auto: what this machine is faster in, decided once, told, and kept by the run."""

import json
import os
import platform
import subprocess
import sys

import pytest
import torch
from make_episodes import make_folder
from tiny_clones import SMALL
from tiny_training import flags, tiny_config
from wm_training import WorldModelTrainer
from wm_training.commands import train
from wm_training.commands.clone import main as clone
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.configuration.layers import load
from wm_training.configuration.presets import PRESETS
from wm_training.training import precision
from wm_training.training.checkpoints import read_checkpoint

CPU = torch.device("cpu")
KNOWS = {"float32": 40.0, "bfloat16": 100.0}
EMULATES = {"float32": 40.0, "bfloat16": 0.3}


@pytest.fixture
def machine(monkeypatch):
    """Sets what the machine is said to measure."""
    return lambda speeds: monkeypatch.setattr(precision, "measure", lambda config, device: dict(speeds))


@pytest.mark.parametrize(
    "asked, saved, speeds, used, slow",
    [
        ("auto", None, KNOWS, "bfloat16", False),
        ("auto", None, EMULATES, "float32", False),
        ("auto", None, {"float32": 40.0, "bfloat16": 44.0}, "float32", False),  # too little to gain
        ("auto", "float32", KNOWS, "float32", False),
        ("auto", "bfloat16", EMULATES, "bfloat16", True),
        ("bfloat16", None, EMULATES, "bfloat16", True),
        ("bfloat16", "float32", KNOWS, "bfloat16", False),
        ("float32", "bfloat16", KNOWS, "float32", False),
    ],
)
def test_what_is_asked_for_is_used_what_began_is_kept_and_else_the_faster(machine, asked, saved, speeds, used, slow):
    machine(speeds)
    found = precision.choose(WorldModelTrainConfig(precision=asked), CPU, saved)
    assert (found.asked, found.used, found.is_slow) == (asked, used, slow)
    assert found.record()["used"] == used and used in found.text()


@pytest.mark.parametrize("known, used, slow", [(True, "bfloat16", False), (False, "float32", True)])
def test_a_gpu_is_taken_by_what_it_knows_whatever_its_small_products_take(machine, monkeypatch, known, used, slow):
    machine(EMULATES)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: known)
    gpu = torch.device("cuda")
    assert precision.choose(WorldModelTrainConfig(), gpu)[:2] == ("auto", used)
    assert precision.choose(WorldModelTrainConfig(precision="bfloat16"), gpu).is_slow == slow


def test_all_processes_of_a_run_compute_in_what_the_slowest_is_faster_in(machine):
    machine(KNOWS)
    config = WorldModelTrainConfig()
    assert precision.choose(config, CPU, any_rank=lambda slow: True).used == "float32"
    assert precision.choose(config, CPU, any_rank=lambda slow: slow).used == "bfloat16"


def test_auto_is_the_default_of_everything():
    assert WorldModelTrainConfig().precision == "auto" and not any("precision" in preset for preset in PRESETS.values())


def test_emulation_is_recognised_by_the_smallest_products_and_not_measured_further(monkeypatch):
    asked = []

    def seconds(work, device):
        asked.append(work.flop)
        return 5.0 if len(asked) % 2 == 0 else 1e-4  # float32 and bfloat16 in turns

    monkeypatch.setattr(precision, "_seconds", seconds)
    speeds = precision.measure(WorldModelTrainConfig(), CPU)
    assert precision.faster(speeds) == "float32"
    assert len(set(asked)) == 1 and len(asked) <= 2 * (1 + precision.REPETITIONS)
    assert max(asked) < 1e8  # at 0.3 GFLOP/s, as was measured where it is emulated, a third of a second


def test_measuring_leaves_the_threads_as_they_were():
    before = torch.get_num_threads()
    speeds = precision.measure(WorldModelTrainConfig(hidden_dim=16, conv_depth=4), CPU)
    assert torch.get_num_threads() == before and all(speed > 0 for speed in speeds.values())


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the limit is one of oneDNN on x86-64")
def test_a_processor_that_knows_no_bfloat16_trains_in_float32():
    program = (
        "import torch; from wm_training.training.precision import choose; "
        "from wm_training.configuration.config import WorldModelTrainConfig; "
        "print(choose(WorldModelTrainConfig(), torch.device('cpu')).used)"
    )
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=100)
    assert done.stdout.split() == ["float32"], done.stderr


def test_a_run_says_records_and_keeps_how_it_computes_and_its_settings_stay_auto(machine, tmp_path, capsys):
    machine(KNOWS)
    config = tiny_config(tmp_path, num_epochs=1, precision="auto")
    out = tmp_path / "out"
    assert train.main(flags(config)) == 0
    said = capsys.readouterr().err
    assert "precision bfloat16, measured here (GFLOP/s of one core: float32 40, bfloat16 100)" in said
    told = {
        "asked": "auto",
        "used": "bfloat16",
        "reason": "measured here",
        "float32_gflops": 40.0,
        "bfloat16_gflops": 100.0,
    }
    assert json.loads((out / "run.json").read_text())["precision"] == told
    assert read_checkpoint(out / "last.pt")["config"]["precision"] == "bfloat16"
    assert load(out / "config.yaml")["precision"] == "auto"

    machine(EMULATES)  # the folder moves to another machine
    more = flags(config.with_changes(num_epochs=2))
    assert train.main(more) == 0
    said = capsys.readouterr().err
    assert "precision bfloat16, as the run began" in said
    assert "; this machine is faster in float32\n" in said
    assert ": num_epochs 1 → 2\n" in said  # of the settings, precision does not differ
    assert read_checkpoint(out / "last.pt")["config"]["precision"] == "bfloat16"
    assert json.loads((out / "run.json").read_text())["precision"] == told
    assert "bfloat16" in (out / "report.html").read_text()

    assert train.main([*flags(config.with_changes(num_epochs=3)), "--precision", "float32"]) == 0
    assert read_checkpoint(out / "last.pt")["config"]["precision"] == "float32"
    assert json.loads((out / "run.json").read_text())["precision"]["reason"] == "as requested"


def test_the_layout_of_the_weights_follows_what_is_used_and_the_instructions(machine, tmp_path, monkeypatch):
    for speeds, capability, last in ((KNOWS, "AVX512", True), (EMULATES, "AVX512", False), (EMULATES, "AVX2", True)):
        machine(speeds)
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda capability=capability: capability)
        trainer = WorldModelTrainer(tiny_config(tmp_path, precision="auto"))
        weight = trainer.world_model.encoder.convolutions[0][2].weight
        assert weight.is_contiguous(memory_format=torch.channels_last) == last
        assert trainer.learner.config.precision == trainer.config.precision == trainer.arithmetic.used


def test_a_clone_measures_keeps_and_tells_it_too(machine, tmp_path, capsys):
    make_folder(tmp_path / "data", count=2, rows=16)
    small = [word for word in SMALL if word not in ("--precision", "float32")]
    places = ["--data-path", str(tmp_path / "data"), "--output", str(tmp_path / "clone.onnx")]
    words = [*places, "--batch-size", "8", *small]
    machine(KNOWS)
    assert clone([*words, "--num-epochs", "1"]) == 0
    summary = json.loads((tmp_path / "clone.training" / "summary.json").read_text())
    assert summary["precision"]["used"] == "bfloat16" and summary["precision"]["float32_gflops"] == 40.0
    machine(EMULATES)
    assert clone([*words, "--num-epochs", "1"]) == 0  # nothing is left to do, and it is the same run
    assert "precision bfloat16, as the run began" in capsys.readouterr().err
    assert clone([*words, "--num-epochs", "1", "--precision", "float32"]) == 1
    assert "precision bfloat16 → float32" in capsys.readouterr().err
