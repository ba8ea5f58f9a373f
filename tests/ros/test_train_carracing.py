"""`make train` rehearsed: the whole recipe with a tiny model and few, short episodes, killed, stopped and continued.

About 100 s on an idle machine: every step starts real processes, and nothing is left out.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import graph
import pytest
from wm_bundle import load_bundle
from wm_bundle.scores import read_scores
from wm_data.episodes import read_episode

ROOT = Path(__file__).parents[2]
SETTINGS = (
    "--preset",
    "debug",
    "--precision",
    "float32",
    "--noisy-episodes",
    "9",
    "--random-episodes",
    "1",
    "--planner-settings",
    "steer_std=0.1",
    "steer_std=0.2 trust=2",
    "--planner-episodes",
    "1",
    "--episode-length",
    "30",
    "--epochs",
    "1",
    "--seeds",
    "7200:7201",
    "--max-steps",
    "15",
)


def start(folder: Path, *others: str) -> graph.GraphProcess:
    """The recipe with everything that it makes in ``folder``."""
    places = ("--data", f"{folder}/data", "--output", f"{folder}/runs", "--bundle", f"{folder}/bundle")
    variables = {"PYTHONPATH": f"{ROOT / 'scripts'}:{os.environ.get('PYTHONPATH', '')}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "train_carracing", *places, *SETTINGS, *others]
    return graph.GraphProcess(command, domain_id=graph.fresh_domain_id(), env=variables)


def wait_for(condition: Callable[[], bool], recipe: graph.GraphProcess, timeout_s: float = 120.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert recipe.process.poll() is None, recipe.output()
        assert time.monotonic() < deadline, recipe.output()
        time.sleep(0.05)


def processes_in(folder: Path) -> list[str]:
    """Commands of the processes that were given something in ``folder``."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = file.read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if str(folder) in command and int(file.parent.name) != os.getpid():
            found.append(command)
    return found


def rows(table: Path) -> int:
    return len(table.read_bytes().splitlines()) if table.exists() else 0


def kill_while_recording(folder: Path) -> None:
    with start(folder) as recipe:
        episodes = folder / "data" / "round_1"
        wait_for(lambda: len(list(episodes.glob("episode_*.npz"))) >= 2, recipe)
        os.kill(recipe.process.pid, signal.SIGKILL)
        recipe.wait(10.0)
        assert len(list(episodes.glob("episode_*.npz"))) < 10
        deadline = time.monotonic() + 60.0
        while left := processes_in(folder):  # what it had started ends by itself
            assert time.monotonic() < deadline, left
            time.sleep(0.1)


def interrupt_while_training(folder: Path) -> None:
    with start(folder) as recipe:
        wait_for(lambda: rows(folder / "runs" / "round_1" / "updates.csv") >= 3, recipe)
        os.kill(recipe.process.pid, signal.SIGINT)
        assert recipe.wait(90.0) == 128 + signal.SIGINT, recipe.output()
        said = recipe.output()
    assert "stopped by SIGINT; run the same command to continue" in said and "Traceback" not in said
    assert (folder / "runs" / "round_1" / "last.pt").is_file() and processes_in(folder) == []


@pytest.mark.timeout(900)
def test_the_recipe_goes_on_from_wherever_it_was_stopped_and_ends_with_a_bundle_that_carries_its_scores(tmp_path):
    kill_while_recording(tmp_path)
    interrupt_while_training(tmp_path)
    with start(tmp_path) as recipe:
        assert recipe.wait(600.0) == 0, recipe.output()
        said = recipe.output()
    assert "[1/9] record 10 episodes of the disturbed expert and of random commands: already done" in said

    bundle = load_bundle(tmp_path / "bundle")
    made_of = bundle.manifest.provenance["data"]
    assert (made_of["episodes"], made_of["rows"]) == (12, 12 * 30)
    told = [(part["driver"], part["seeds"]) for part in made_of["recordings"]]
    planner_of_round_1 = load_bundle(tmp_path / "runs" / "round_1_bundle").manifest.model_id
    assert sorted(told) == [
        ("noisy-autopilot", "10000:10008"),
        ("noisy-planner", "11000"),
        ("noisy-planner", "11001"),
        ("random", "10009"),
    ]
    parameters = [part["planner"]["parameters"] for part in made_of["recordings"] if "planner" in part]
    assert [(each["steer_std"], each["trust"]) for each in parameters][1] == (0.2, 2.0)
    assert {part["planner"]["bundle"] for part in made_of["recordings"] if "planner" in part} == {planner_of_round_1}

    # Round 1's episodes are round 2's too, and its held-out one is held out.
    first = tmp_path / "data" / "round_1" / "episode_000009.npz"
    assert first.samefile(tmp_path / "data" / "round_2" / first.name)
    assert read_episode(first).meta["driver"] == "random"

    scores = read_scores(bundle)
    lock_step = scores.mode("lock-step")
    assert [entry.controller for entry in lock_step.controllers] == ["planner", "actor", "clone", "expert"]
    assert lock_step.of("clone").model.startswith("clone-") and lock_step.of("expert").score.value > 0.0
    assert {pair.tracks for pair in lock_step.differences} == {2} and len(lock_step.differences) == 6
    assert scores.mode("real-time").of("planner").episodes == 2
    for file in ("bundle.json", "scores.json"):
        text = (bundle.path / file).read_text()
        assert str(tmp_path) not in text and str(Path.home()) not in text, file

    kept = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.is_file()}
    with start(tmp_path) as recipe:
        assert recipe.wait(120.0) == 0, recipe.output()
        assert recipe.output().count("already done") == 9
    again = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*") if file.is_file()}
    assert again == kept
    assert json.loads((tmp_path / "runs" / "round_2" / "run.json").read_text())["data"] == made_of

    with start(tmp_path, "--epochs", "2") as recipe:  # the last of a flag given twice counts
        assert recipe.wait(120.0) == 1
        assert "num_epochs 1 → 2" in recipe.output() and "Traceback" not in recipe.output()
