"""The recipe's settings; the defaults are those of the shipped bundle."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROUND_1_TRACKS = 10000
"""Track of the first episode of round 1. Training uses the tracks from here on, the benchmark those below."""
ROUND_2_TRACKS = 11000
"""Track of the first episode driven by the planner in round 2."""
NAME = "carracing"
"""First part of the bundle's id."""
_SEEDS = re.compile(r"\d+(:\d+)?(,\d+(:\d+)?)*")


@dataclass(frozen=True)
class Settings:
    """From scratch to the shipped bundle: record, train, let the trained planner drive and record that, train again,
    export, clone, benchmark. Running it again continues where it was stopped, and skips finished steps; output of a
    step with other settings is refused."""

    data: str = "data/carracing"
    """Folder of the episodes: round_1, and round_2, which includes the files of round_1 (as hard links)."""
    output: str = "runs/carracing"
    """Folder of the trainings, the bundle of round 1, the clone and the benchmark's episodes."""
    bundle: str = "models/carracing"
    """Folder of the bundle. An existing one is replaced when the new one is complete."""
    preset: Literal["carracing", "debug"] = "carracing"
    """Settings of the trainings: `ros2 run wm_training train --preset`."""
    noisy_episodes: int = 96
    """Round 1: episodes of the expert, with bursts of noise."""
    random_episodes: int = 4
    """Round 1: episodes of smooth random commands."""
    planner_settings: tuple[str, ...] = (
        "steer_std=0.05 longitudinal_std=0.1 trust=1",
        "steer_std=0.1 longitudinal_std=0.2 trust=2",
        "steer_std=0.2 longitudinal_std=0.3 trust=3",
    )
    """Round 2: settings of the driving planner, with bursts of noise, each a string of NAME=VALUE: the defaults, and
    then allowed further and further outside the box around the actor's plan, where the first model is wrong."""
    planner_episodes: int = 20
    """Round 2: episodes with each of the planner's settings."""
    episode_length: int = 500
    """Longest episode [rows]."""
    epochs: int = 50
    """Length of each training, also of the clone's [epochs]."""
    precision: Literal["float32", "int8"] = "int8"
    """Arithmetic of imagine.onnx in the bundles."""
    train_precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of the trainings, also of the clone's: auto uses the faster one on this machine."""
    seeds: str = "5000:5099"
    """Tracks of the benchmark: 3000:3009 (inclusive), or 1,5,7."""
    max_steps: int = 0
    """Benchmark: end every episode after this many control steps; 0 for the simulator's own end [steps]."""
    threads: int = 0
    """CPU threads of the trainings; 0 for all cores, 1 is faster on a shared machine."""
    gpu: bool = False
    """Refuse to start without a GPU. An available GPU is also used without this option."""
    dry_run: bool = False
    """Print which steps are done and what the next one would run, and do nothing."""

    def __post_init__(self):
        least = {
            "noisy_episodes": 2,
            "random_episodes": 0,
            "planner_episodes": 1,
            "episode_length": 20,
            "epochs": 1,
            "max_steps": 0,
            "threads": 0,
        }
        for name, number in least.items():
            if getattr(self, name) < number:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least {number}")
        if not _SEEDS.fullmatch(self.seeds):
            raise ValueError(f"seeds is {self.seeds!r}, expected FIRST:LAST, or comma-separated numbers")
        if any(track >= ROUND_1_TRACKS for track in self.tracks):
            raise ValueError(f"seeds is {self.seeds}, expected tracks below {ROUND_1_TRACKS}: the others train")
        if not self.planner_settings:
            raise ValueError("planner_settings is empty, expected a string for each setting of the planner")

    @property
    def tracks(self) -> tuple[int, ...]:
        """The benchmark's tracks."""
        parts = [part.partition(":") for part in self.seeds.split(",")]
        return tuple(track for first, _, last in parts for track in range(int(first), int(last or first) + 1))

    @property
    def round_1_episodes(self) -> int:
        """Episodes of round 1."""
        return self.noisy_episodes + self.random_episodes

    @property
    def round_2_episodes(self) -> int:
        """Episodes of round 2, including those of round 1."""
        return self.round_1_episodes + self.planner_episodes * len(self.planner_settings)

    def episodes(self, number: int) -> Path:
        """Folder of the episodes of round ``number``."""
        return Path(self.data).expanduser().absolute() / f"round_{number}"

    def run(self, number: int) -> Path:
        """Folder of the training of round ``number``."""
        return self.results / f"round_{number}"

    def bundle_of(self, number: int) -> Path:
        """The bundle of round ``number``."""
        return Path(self.bundle).expanduser().absolute() if number == 2 else self.results / "round_1_bundle"

    @property
    def results(self) -> Path:
        """``output`` as a path."""
        return Path(self.output).expanduser().absolute()

    @property
    def clone(self) -> Path:
        """The clone's policy file."""
        return self.results / "clone.onnx"
