import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from fake_clock import FakeClock
from make_episodes import make_folder
from wm_training.exporting.quantization import quantize
from wm_training.exporting.tracing import write_graph

ROOT = Path(__file__).resolve().parents[2]


def bench(*arguments: str, module: str = "benchmarks", **variables: str) -> subprocess.CompletedProcess:
    """Run a benchmark as a user does, with more environment ``variables``."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables}
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_quick_bench_writes_every_figure_of_the_contract_on_a_processor_without_bfloat16(tmp_path):
    # The variable is oneDNN's, the library of torch's products: it takes no newer instructions than these.
    done = bench("--quick", "--output", str(tmp_path), "--threads", "2", ONEDNN_MAX_CPU_ISA="AVX2")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "bench.json").read_text())
    assert result["train"]["precision"] == "float32"  # of "auto"
    assert {"processor", "cores"} <= set(result["machine"])
    assert {"frames_per_s", "parameters", "batch", "length"} <= set(result["train"])
    assert {"steps_per_s", "candidates", "horizon", "ms"} <= set(result["imagine"])
    assert set(result["control"]["latency_ms"]) == {"p50", "p95", "p99", "max"}
    assert {"sequences_per_s", "mb_per_s"} <= set(result["sampling"])
    convert = result["convert"]
    assert {"mb_per_s", "raw_read_mb_per_s", "share_of_raw_read", "two_workers"} <= set(convert)
    # 20 pictures of 800 * 600 * 4 bytes
    assert convert["bag_mb"] == pytest.approx(20 * 1.92, rel=0.01) and convert["peak_memory_mb"] < 1000.0
    assert min(convert["mb_per_s"], convert["raw_read_mb_per_s"], convert["two_workers"]) > 0.0

    train, imagine, latency = result["train"], result["imagine"], result["control"]["latency_ms"]
    assert sum(train["shares"].values()) == pytest.approx(1.0, abs=1e-3)
    assert min(train["shares"][part] for part in ("encoder", "recurrence", "decoder", "heads", "optimiser")) > 0.0
    # 64 candidates * 12 steps / 0.010 s = 76,800 steps per second
    assert imagine["steps_per_s"] == pytest.approx(
        imagine["candidates"] * imagine["horizon"] / imagine["ms"] * 1e3, rel=0.01
    )
    in_int8 = [imagine["int8"]] if imagine["precision"] == "float32" else []
    for other in (imagine["all_cores"], *in_int8, *imagine["peer_sizes"].values()):
        assert other["steps_per_s"] > 0.0 and other["gflops"] > 0.0 and other["product_gflops"] > 0.0

    assert 0.0 < latency["p50"] <= latency["p95"] <= latency["p99"] <= latency["max"]
    assert set(result["control"]["table"]) == {"8 x 2 x 2 float32", "8 x 2 x 2 int8"}
    for setting in (result["control"], *result["control"]["table"].values()):
        assert set(setting["shares"]) == {"preprocess", "observe", "imagine", "solve", "publish"}
        assert sum(setting["shares"].values()) == pytest.approx(1.0, abs=1e-3)
        assert min(setting["shares"].values()) > 0.0


def test_a_folder_that_is_no_clone_of_the_peer_is_refused_before_anything_is_measured(tmp_path):
    done = bench("--quick", "--output", str(tmp_path / "out"), "--peer-dreamerv3-torch", str(tmp_path))
    assert done.returncode == 1 and "expected a clone of NM512/dreamerv3-torch" in done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "out").exists()


def test_precision_compares_the_losses_of_both_trainings(tmp_path):
    data, out = make_folder(tmp_path / "data", count=3, rows=20), tmp_path / "out"
    options = ("--quick", "--updates", "2", "--threads", "1", "--data-path", str(data), "--output", str(out))
    done = bench(*options, module="benchmarks.precision")
    assert done.returncode == 0, done.stderr
    result = json.loads((out / "precision.json").read_text())
    full, reduced = result["losses"]["float32"], result["losses"]["bfloat16"]
    assert full["total"] != reduced["total"]
    assert result["ratio"]["total"] == pytest.approx(reduced["total"] / full["total"], abs=1e-4)
    assert result["ratio"]["total"] == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("gflop_per_s", [0.05, 0.3, 5.0, 300.0])
def test_a_slow_processor_multiplies_smaller_matrices_not_longer(monkeypatch, gflop_per_s):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import machine, timing

    clock, sizes = FakeClock(), []
    started = clock()

    def product(left, right, out=None):
        sizes.append(len(left))
        clock.advance(2.0 * len(left) ** 3 / gflop_per_s / 1e9)
        return left

    monkeypatch.setattr(timing.time, "perf_counter", clock)
    monkeypatch.setattr(torch, "mm", product)
    assert machine.product_speed(torch.float32, budget_s=1.0) == pytest.approx(gflop_per_s)
    # 2 * 128³ / 0.05e9 = 0.08 s for the smallest
    assert clock() - started <= 1.2
    assert max(sizes) == {0.05: 128, 0.3: 256, 5.0: 512, 300.0: 2048}[gflop_per_s]


def test_calls_are_measured_until_the_time_is_up_and_once_at_least(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import timing

    clock = FakeClock()
    monkeypatch.setattr(timing.time, "perf_counter", clock)
    assert timing.timed(lambda: clock.advance(0.1), 4, budget_s=9.0) == pytest.approx([0.1] * 4)
    assert timing.timed(lambda: clock.advance(0.1), 40, budget_s=0.25) == pytest.approx([0.1] * 3)
    assert timing.timed(lambda: clock.advance(60.0), 40, budget_s=0.25) == [60.0]


def test_a_slow_processor_repeats_less_and_the_result_says_so(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import timing

    clock = FakeClock()
    monkeypatch.setattr(timing.time, "perf_counter", clock)
    whole = timing.Budget(100.0)
    assert [clock.advance(3.0) or turn for turn in whole.share(0.1).turns(3)] == [0, 1, 2]  # 9 of 10 s
    assert not whole.shortened
    # Half of the 91 s left: a fourth turn would end after 48 s.
    assert [clock.advance(12.0) or turn for turn in whole.share(0.5).turns(9)] == [0, 1, 2]
    assert whole.shortened
    assert [clock.advance(400.0) or turn for turn in whole.turns(9, least=2)] == [0, 1]


def test_operations_are_counted_for_every_product_and_row(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.flop import gflop_of_products

    chain = torch.nn.Sequential(torch.nn.Linear(100, 300), torch.nn.SiLU(), torch.nn.Linear(300, 300, bias=False))
    full, reduced = tmp_path / "full.onnx", tmp_path / "reduced.onnx"
    write_graph(chain, {"x": torch.zeros(2, 100)}, ["y"], {"x": "N", "y": "N"}, full)
    assert quantize(full, reduced) == 1  # 300 * 300 weights; 100 * 300 are too few
    for file in (full, reduced):
        # 2 operations * 40 rows * (100 * 300 + 300 * 300) weights
        assert gflop_of_products(file, 40) == pytest.approx(2 * 40 * (30_000 + 90_000) / 1e9)


def event(name: str, start: float, end: float, number: int = -1, children: tuple = ()) -> SimpleNamespace:
    """An event as torch's profiler reports it."""
    time_range = SimpleNamespace(start=start, end=end, elapsed_us=lambda: end - start)
    return SimpleNamespace(name=name, time_range=time_range, sequence_nr=number, cpu_children=list(children))


def test_a_step_of_the_backward_pass_belongs_to_the_part_that_made_it(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.parts import attribute

    backward = "autograd::engine::evaluate_function: "
    update = event(
        "whole update",
        0,
        100,
        children=(
            event("part:encoder", 0, 10, children=(event("conv", 1, 9, 0), event("silu", 9, 10, 1))),
            event("aten::sum", 10, 12, 2),
            event("part:decoder", 12, 20, children=(event("conv", 13, 19, 3),)),
            event(backward + "Decoder", 30, 45, children=(event("DecoderBackward", 31, 44, 3),)),
            event(backward + "AccumulateGrad", 45, 46),
            event(backward + "Sum", 46, 50, children=(event("SumBackward", 46, 49, 2),)),
            event(backward + "Encoder", 50, 80, children=(event("ConvBackward", 51, 79, 0),)),
        ),
    )
    spent = attribute(update)
    assert spent["decoder"] == 8 + 15 + 1
    assert spent["rest"] == 4  # the sum's step back; the gaps are what is missing in the total
    assert spent["encoder"] == 10 + 30
    assert spent["optimiser"] == 100 - 80
