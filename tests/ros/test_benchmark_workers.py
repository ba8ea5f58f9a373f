"""Several episodes of a benchmark at once: the same results as one after another, whatever happens to a worker."""

import json
import os
import signal
import tempfile
import time
from pathlib import Path

import graph
import pytest
from test_benchmark import STEPS, bundle, driven, episodes, finish, start, wait_for  # noqa: F401
from test_drive import processes_of

WORDS = ("--controllers", "planner,random", "--seeds", "3000:3001", "--max-steps", str(STEPS))
TWO = ("--workers", "2")
TRIALS = 4


@pytest.fixture(scope="module")
def one_by_one(bundle, tmp_path_factory) -> Path:  # noqa: F811
    output = tmp_path_factory.mktemp("one_by_one")
    finish(bundle, output, *WORDS, "--workers", "1")
    return output


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def simulators(output: Path) -> list[int]:
    """Process ids of the simulators of a benchmark, once two trials are driven at once."""
    found = [pid for pid in processes_of(output) if b"-simulator" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return found if len({parent_of(pid) for pid in found}) == 2 else []


def workers_of(output: Path, benchmark: graph.GraphProcess) -> list[int]:
    """Process ids of the two workers, once both drive."""
    return sorted({parent_of(pid) for pid in wait_for(lambda: simulators(output), benchmark)})


def gone(pids: list[int], within_s: float = 10.0) -> bool:
    deadline = time.monotonic() + within_s
    while any(Path(f"/proc/{pid}/cmdline").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not any(Path(f"/proc/{pid}/cmdline").exists() for pid in pids)


def means(output: Path) -> tuple:
    summary = json.loads((output / "benchmark.json").read_text())
    return [(group["controller"], group["figures"]["score"]) for group in summary["groups"]], summary["comparisons"]


def test_two_workers_give_the_same_episodes_and_means_as_one(bundle, tmp_path, one_by_one):  # noqa: F811
    said = finish(bundle, tmp_path, *WORDS, *TWO)
    assert f"{TRIALS} of {TRIALS} episodes, 0 failed" in said
    assert driven(tmp_path) == driven(one_by_one)
    assert means(tmp_path) == means(one_by_one)
    assert list((tmp_path / "logs").iterdir()) == [] and processes_of(tmp_path) == []


def test_the_trial_of_a_worker_that_is_killed_is_driven_again(bundle, tmp_path, one_by_one):  # noqa: F811
    with start(bundle, tmp_path, *WORDS, *TWO) as benchmark:
        workers = workers_of(tmp_path, benchmark)
        assert benchmark.process.pid not in workers
        os.kill(workers[0], signal.SIGKILL)
        assert benchmark.wait(240.0) == 0, benchmark.output()
        said = benchmark.output()
    assert said.count("its worker process ended unexpectedly (killed by SIGKILL); it is driven again") == 1
    assert driven(tmp_path) == driven(one_by_one) and len(episodes(tmp_path)) == TRIALS
    assert gone(workers) and processes_of(tmp_path) == []


def test_stopped_and_killed_benchmarks_leave_no_process_and_are_continued(bundle, tmp_path, one_by_one):  # noqa: F811
    with start(bundle, tmp_path, *WORDS, *TWO) as benchmark:
        workers = workers_of(tmp_path, benchmark)
        assert benchmark.stop(timeout_s=30.0) == 128 + signal.SIGINT
        assert "with --resume to continue" in benchmark.output() and "Traceback" not in benchmark.output()
    assert gone(workers, within_s=0.0) and processes_of(tmp_path) == []
    with start(bundle, tmp_path, *WORDS, *TWO, "--resume") as benchmark:
        children = [*workers_of(tmp_path, benchmark), *processes_of(tmp_path)]
        os.kill(benchmark.process.pid, signal.SIGKILL)
        benchmark.wait(10.0)
        assert gone(children)
    finish(bundle, tmp_path, *WORDS, *TWO, "--resume")
    assert driven(tmp_path) == driven(one_by_one)


def test_a_ray_cluster_gives_the_same_and_drives_the_trial_of_a_lost_worker_again(
    bundle,  # noqa: F811
    tmp_path,
    one_by_one,
    monkeypatch,
):
    monkeypatch.setenv("RAY_TMPDIR", tempfile.gettempdir())  # the names of Ray's sockets must be short
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # where the tasks unpack their bundle
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    def simulator() -> int | None:
        named = [path.parent for path in Path("/proc").glob("[0-9]*/cmdline") if is_simulator(path)]
        return int(named[0].name) if named else None

    def is_simulator(cmdline: Path) -> bool:
        try:
            command = cmdline.read_bytes().decode(errors="replace")
        except OSError:
            return False
        return f"{tmp_path}/benchmark-" in command and "-simulator.yaml" in command

    words = (*WORDS, *TWO, "--executor", "ray")
    with start(bundle, tmp_path / "out", *words) as benchmark:
        os.kill(parent_of(wait_for(simulator, benchmark, timeout_s=120.0)), signal.SIGKILL)
        assert benchmark.wait(240.0) == 0, benchmark.output()
    assert driven(tmp_path / "out") == driven(one_by_one)
    assert simulator() is None
