"""The measurement of a GPU, on a processor: every part at tiny sizes, and what happens to parts that fail."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from benchmarks import children
from benchmarks.errors import BenchmarkError
from benchmarks.gpu.parts import LeftOut, Part, judged, run_parts

ROOT = Path(__file__).resolve().parents[2]


def measure(*arguments: str) -> subprocess.CompletedProcess:
    """Run it as a user does."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "benchmarks.gpu", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_every_part_runs_at_tiny_sizes_on_a_processor(tmp_path):
    done = measure("--device", "cpu", "--quick", "--output", str(tmp_path))
    assert done.returncode == 0, done.stderr
    parts = json.loads((tmp_path / "gpu.json").read_text())["parts"]
    left_out = {name: part["reason"] for name, part in parts.items() if part["status"] == "left out"}
    assert left_out == {
        **{f"update, peer, {variant}": "for GPUs" for variant in ("recorded", "compiled", "compiled and recorded")},
        "update, peer, dreamerv3-torch": "no --peer-dreamerv3-torch was given",
    }
    update, plan = parts["update, peer, eager"], parts["plan, cpu, 32 x 4"]
    # 4 sequences * 8 rows in 0.02 s = 1600 frames/s
    assert update["frames_per_s"] == pytest.approx(4 * 8 / update["ms"] * 1e3, rel=0.01)
    assert parts["launches"]["eager"]["gflop"] > 0 and parts["products"]["product_tflops_float32"] > 0
    assert plan["horizon"] == 4 and plan["parity"]["holds"] and plan["self_check"]["holds"]
    assert 0 < plan["latency_ms"]["imagine"]["p50"] <= plan["latency_ms"]["frame"]["p99"]
    if not torch.cuda.is_available():
        tests = parts["tests"]
        assert tests["passed"] == 0 and tests["skipped"] >= 8 and any("finds no GPU" in why for why in tests["reasons"])
    table = (tmp_path / "gpu.md").read_text()
    columns = {line.split(" | ")[0]: line.count("|") for line in table.splitlines() if line.startswith("| ")}
    assert columns["| Update"] == columns["| eager"] and columns["| Plan"] == columns["| 32 × 4"]
    assert "| eager | " in table and "| 32 × 4 | cpu | " in table and "recorded left out: for GPUs" in table


def test_what_it_trains_and_exports_needs_no_ros():
    used = "wm_training.training.trainer, wm_training.exporting.export, benchmarks.gpu.parts, benchmarks.gpu.inference"
    program = f"import sys; sys.modules['rclpy'] = None; import {used}"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_machine_without_a_gpu_is_told(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    done = measure("--output", str(tmp_path))
    assert done.returncode == 1 and "finds no GPU" in done.stderr and "Traceback" not in done.stderr


def test_a_part_that_fails_ends_no_other_and_what_it_leaves_of_its_time_is_theirs():
    given = {}

    def fails(left_s: float) -> dict:
        given["fails"] = left_s
        raise RuntimeError("out of memory\nin a kernel")

    def is_not_here(left_s: float) -> dict:
        given["left out"] = left_s
        raise LeftOut("no TensorRT")

    def works(left_s: float) -> dict:
        given["works"] = left_s
        return {"figure": 1}

    all_parts = [Part("one", 10.0, fails), Part("two", 20.0, is_not_here), Part("three", 10.0, works)]
    found = dict(run_parts(all_parts, 80.0, lambda line: None))
    assert [part["status"] for part in found.values()] == ["failed", "left out", "done"]
    assert found["one"]["reason"] == "out of memory in a kernel" and found["two"]["reason"] == "no TensorRT"
    assert found["three"]["figure"] == 1
    # 80 s * 10 / 40; and with the rest of those before: 20 + 40, 20 + 40 + 20
    for name, expected_s in {"fails": 20.0, "left out": 60.0, "works": 80.0}.items():
        assert expected_s - 2.0 < given[name] <= expected_s


def test_at_its_deadline_a_part_ends_with_all_that_it_started(tmp_path):
    started = time.monotonic()
    command = ["bash", "-c", f"sleep 300 & echo $! > {tmp_path}/pid; wait"]
    with pytest.raises(BenchmarkError, match="a part was not done after 1 s"):
        children.run_command(command, "a part", 1.0)
    assert time.monotonic() - started < 30.0
    number = int((tmp_path / "pid").read_text())
    state = Path(f"/proc/{number}/stat")
    while state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() - started < 60.0
        time.sleep(0.05)


@pytest.mark.parametrize(
    "cases, device, message",
    [
        ('<testcase name="a"/><testcase name="b"><failure/></testcase>', "cuda", "1 of 2 tests failed: b"),
        ('<testcase name="a"><skipped message="no GPU"/></testcase>', "cuda", "all 1 tests were skipped: no GPU"),
        ('<testcase name="a"/><testcase name="b"><skipped message="no TensorRT"/></testcase>', "cuda", None),
        ('<testcase name="a"><skipped message="no GPU"/></testcase>', "cpu", None),
    ],
)
def test_tests_that_fail_or_all_skip_are_a_failure_on_a_gpu(tmp_path, cases, device, message):
    report = tmp_path / "tests.xml"
    report.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    if message is not None:
        with pytest.raises(BenchmarkError, match=message):
            judged(report, device)
        return
    found = judged(report, device)
    assert found["passed"] + found["skipped"] == cases.count("name=") and found["skipped"] == len(found["reasons"])
