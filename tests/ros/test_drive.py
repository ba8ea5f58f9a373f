"""The drive command for real: simulator, planner and recorder as processes over DDS, short episodes, tiny model."""

import json
import os
import signal
import time
from pathlib import Path

import graph
import pytest
from tiny_bundle import make_tiny_bundle

STEPS = 24  # the second imagined future is of step 10, so that its real future is driven too
SEEDS = (2000, 2005)  # not consecutive
PERIOD_S = 0.08


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("drive") / "bundle")


def start_drive(bundle: Path, output: Path, *arguments: str) -> graph.GraphProcess:
    return graph.start(
        "wm_planner",
        "drive",
        "--bundle",
        str(bundle),
        "--output",
        str(output),
        *arguments,
        domain_id=graph.fresh_domain_id(),
    )


def processes_of(output: Path) -> list[int]:
    """Ids of the processes that a drive into ``output`` started: the parameter files are named in their command."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            command = (folder / "cmdline").read_bytes().decode(errors="replace")
        except (OSError, UnicodeDecodeError):
            continue
        if folder.name.isdigit() and str(output / "logs") in command:
            found.append(int(folder.name))
    return found


def wait_for_driving(output: Path, drive: graph.GraphProcess, timeout_s: float = 60.0) -> None:
    """Until the planner drives."""
    log, deadline = output / "logs" / "planner-planner.log", time.monotonic() + timeout_s
    while not (log.exists() and "driving" in log.read_text()):
        assert drive.process.poll() is None, drive.output()
        assert time.monotonic() < deadline, drive.output()
        time.sleep(0.05)


def test_all_controllers_drive_the_tracks_and_are_reported(bundle, tmp_path):
    with start_drive(bundle, tmp_path, "--max-steps", str(STEPS), "--seeds", *map(str, SEEDS)) as drive:
        assert drive.wait(240.0) == 0, drive.output()
        output = drive.output()
    assert processes_of(tmp_path) == []
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["bundle"] == "tiny-test"
    assert list(summary["controllers"]) == ["planner", "actor", "expert", "random"]
    for name, part in summary["controllers"].items():
        episodes = part["episodes"]
        assert [(e["seed"], e["steps"]) for e in episodes] == [(seed, STEPS) for seed in SEEDS], name
        assert part["mean_score"] == pytest.approx(sum(e["score"] for e in episodes) / len(episodes))
    # CarRacing takes 0.1 points from every one of the frames, four in a step, and gives some for new road: the
    # expert has gained by then, and nobody can have lost more.
    assert summary["controllers"]["expert"]["mean_score"] > 0.0
    assert min(part["mean_score"] for part in summary["controllers"].values()) >= -0.1 * 4 * STEPS - 1e-3
    control = summary["control"]
    assert control["rate_hz"] == pytest.approx(1 / PERIOD_S)
    assert 0.0 < control["latency_ms"]["p50"] <= control["latency_ms"]["p99"] <= control["latency_ms"]["max"]
    assert 0 <= control["deadline_misses"] < STEPS  # even on a busy machine most commands are in time
    assert (control["candidates"], control["horizon"]) == (64, 5)
    report = (tmp_path / "report.html").read_text()
    assert "imagined return" in report and "data:image/jpeg;base64," in report
    assert "random" in output and "summary.json" in output


def test_a_simulator_that_dies_ends_the_drive_with_its_last_words(bundle, tmp_path):
    with start_drive(bundle, tmp_path, "--controllers", "planner") as drive:
        wait_for_driving(tmp_path, drive)
        simulator = [
            pid for pid in processes_of(tmp_path) if b"planner-simulator" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        os.kill(simulator[0], signal.SIGKILL)
        assert drive.wait(30.0) == 1
        said = drive.output()
    assert "the simulator ended unexpectedly (killed by SIGKILL)" in said
    assert "Last lines of the simulator" in said and "Traceback" not in said
    assert processes_of(tmp_path) == []
    assert not (tmp_path / "summary.json").exists()


def test_an_interrupt_leaves_nothing_behind(bundle, tmp_path):
    with start_drive(bundle, tmp_path, "--controllers", "planner") as drive:
        wait_for_driving(tmp_path, drive)
        assert drive.stop(timeout_s=30.0) == 128 + signal.SIGINT
        assert "stopped by SIGINT" in drive.output()
    assert processes_of(tmp_path) == []


def test_a_damaged_bundle_is_refused_before_anything_starts(bundle, tmp_path):
    damaged = make_tiny_bundle(tmp_path / "damaged")
    with open(damaged / "observe.onnx", "ab") as stream:
        stream.write(b"x")
    with start_drive(damaged, tmp_path / "out", "--controllers", "planner") as drive:
        assert drive.wait(60.0) == 1
        assert "observe.onnx is damaged" in drive.output() and "Traceback" not in drive.output()
    assert not (tmp_path / "out").exists()
