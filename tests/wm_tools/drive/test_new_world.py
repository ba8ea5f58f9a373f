"""A new world is known everywhere by its entry in wm_sim alone."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

# In a process of its own: the entry must be there before options are defined, as one in wm_sim/worlds.py is.
SCRIPT = """
import contextlib, io, json
import toy_world
from rich.console import Console
from wm_sim.config import BridgeConfig
from wm_sim.evaluate_expert import drive_expert
from wm_sim.worlds import WORLDS
from wm_tools.benchmark import benchmark_options
from wm_tools.benchmark.episode_figures import episode_figures
from wm_tools.drive import drive_options
from wm_tools.drive.progress import DriveProgress
from wm_tools.drive.records import EpisodeCollector, StepSample


def help_of(options):
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        options.parse_options(["--help"])
    return " ".join(text.getvalue().split())

collector = EpisodeCollector(0.08)
collector.begin(3)
for k in range(4):
    collector.add_step(StepSample(k * 80_000_000, float(k == 3), 0, 20.0, terminated=k == 3))
(trip,) = collector.close()
figures = episode_figures(trip, 0.08, "Toyland")
print(json.dumps({
    "drive": drive_options.parse_options(["--world", "toy"]).world,
    "benchmark": benchmark_options.parse_options(["--world", "toy"]).world,
    "helps": ["a line with a home" in help_of(options) for options in (drive_options, benchmark_options)],
    "bridge": BridgeConfig(world="toy").world,
    "steps": DriveProgress(Console(), 0.08, 1, None, WORLDS["toy"])._steps,
    "ending": trip.ending(WORLDS["toy"]),
    "figures": [figures["progress"], figures["lap_finished"]],
    "simulator": WORLDS["toy"].simulator,
    "expert": drive_expert(1, 0.08, "toy").line(1),
}))
"""


@pytest.fixture(scope="module")
def known():
    folder = Path(__file__).parents[2] / "support"
    return json.loads(subprocess.check_output([sys.executable, "-c", SCRIPT], text=True, cwd=folder))


def test_the_options_know_it(known):
    assert (known["drive"], known["benchmark"], known["bridge"]) == ("toy", "toy", "toy")
    assert known["helps"] == [True, True]


def test_wording_and_figures_know_it(known):
    assert known["steps"] == 100  # 8 s of 0.08 s
    assert known["ending"] == "came home" and known["figures"] == [1.0, 1.0]
    assert known["simulator"] == "wm_sim (Toyland)"


def test_the_simulator_drives_it(known):
    assert known["expert"] == "episode 1: seed 1, score 1.0, 3 steps, off-road share 0.000, came home"
