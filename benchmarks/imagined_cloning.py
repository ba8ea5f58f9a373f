"""`python -m benchmarks.imagined_cloning`: the benefit of imagined episodes for behaviour cloning from few recorded
ones.

For every seed and number of episodes: chooses that many recorded ones, imagines variations of them with `augment`,
trains a clone without and one with these for the same number of updates, and drives both final clones in the built-in
simulator, in this process and in lock-step.
Every step saves its result in the output folder, so the same command continues where it was stopped.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from wm_bundle.files import write_json, write_text
from wm_data.episodes import EpisodeError
from wm_data.splits import split_files
from wm_evaluation.command_line import DONE, STOPPED, parse, run
from wm_planner.engine.policy import Policy, read_policy
from wm_planner.engine.providers import EngineSettings
from wm_planner.errors import PlannerError
from wm_training.errors import TrainingError

from benchmarks.children import ROOT
from benchmarks.errors import BenchmarkError
from benchmarks.in_process import eye_of

CALIBRATION_EPISODES = 2
"""Recorded episodes that calibrate the filters of every augmentation, always the same ones. No clone sees them."""
WAYS = ("recorded alone", "with imagined")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """Measure the benefit of imagined episodes for behaviour cloning."""

    checkpoint: Path
    """Checkpoint (*.pt) of the world model that imagines."""
    data_path: Path = ROOT / "data" / "carracing2"
    """Folder of recorded episodes of the simulator, with the expert's commands; split as `train` splits it."""
    episodes: tuple[int, ...] = (2, 5, 10)
    """Numbers of recorded episodes."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds; each determines the chosen episodes, what is imagined, and the initial weights."""
    tracks: tuple[int, ...] = tuple(range(7100, 7110))
    """Tracks that every clone drives."""
    num_augmentations: int = 10
    """Imagined drives from every recorded episode [drives]."""
    horizon: int = 50
    """Length of an imagined drive [rows]."""
    imagined_share: float = 0.5
    """Share of the training rows that is imagined; the number of updates is the same as without."""
    num_epochs: int = 20
    """Length of each training [epochs of 20 updates]."""
    batch_size: int = 128
    """Size of a batch [rows]."""
    threads: int = 1
    """Processor threads [threads]."""
    output: Path = ROOT / "out" / "bench" / "imagined_cloning"
    """Folder for all output; results.json holds the scores and table.md the table."""

    def __post_init__(self):
        if not (self.episodes and self.seeds and self.tracks) or min(self.episodes) < 1:
            raise ValueError(
                f"episodes {self.episodes}, seeds {self.seeds}, tracks {self.tracks}: expected at least one of each, "
                f"and at least one episode"
            )
        if min(self.num_augmentations, self.num_epochs, self.batch_size, self.threads) < 1:
            raise ValueError("num_augmentations, num_epochs, batch_size and threads must be at least 1")


class Stopped(Exception):
    """A part of the work was stopped."""


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = parse(Options, "imagined_cloning", arguments)
    return run(
        "imagined_cloning",
        lambda: _compare(options),
        (BenchmarkError, EpisodeError, TrainingError, PlannerError, OSError),
    )


def _compare(options: Options) -> int:
    file = options.output / "results.json"
    results = _begun(file, options)
    try:
        for seed in options.seeds:
            for count in options.episodes:
                for imagined in (False, True):
                    name = _name(count, seed, imagined)
                    if name not in results["scores"]:
                        results["scores"][name] = _measure(options, count, seed, imagined)
                        write_json(file, results)
                    _say(f"{name}: mean score {np.mean(results['scores'][name]):.1f}")
    except Stopped:
        _say(f"stopped; the same command continues in {options.output}")
        return STOPPED
    text = table(results["scores"], options.episodes, options.seeds)
    write_text(options.output / "table.md", text)
    print(text, end="")
    return DONE


def _begun(file: Path, options: Options) -> dict:
    """Existing results. Raises BenchmarkError for those of another comparison."""
    # Seeds, numbers of episodes and tracks may be added; everything else must be unchanged.
    settings = {
        name: str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
        for name, value in asdict(options).items()
        if name not in ("episodes", "seeds", "threads", "output")
    }
    if not file.is_file():
        return {"settings": settings, "scores": {}}
    results = json.loads(file.read_text(encoding="utf-8"))
    if results["settings"] != settings:
        found = {name: value for name, value in results["settings"].items() if settings.get(name) != value}
        raise BenchmarkError(f"{file} is of a comparison with other settings, {found}: choose another --output")
    return results


def _name(count: int, seed: int, imagined: bool) -> str:
    return f"{count} episodes, seed {seed}, {WAYS[imagined]}"


def _measure(options: Options, count: int, seed: int, imagined: bool) -> list[float]:
    """Scores of one clone on every track. Raises BenchmarkError, Stopped."""
    from wm_training.commands.augment import main as augment
    from wm_training.commands.clone import main as clone

    folder = options.output / f"episodes_{count}_seed_{seed}"
    data = _chosen_data(options, folder / "data", count, seed)
    common = ["--seed", str(seed), "--threads", str(options.threads)]
    policy = folder / ("with_imagined.onnx" if imagined else "recorded_alone.onnx")
    mixed = []
    if imagined:
        made = folder / "imagined"
        if not (made / "manifest.json").is_file():
            _work(
                augment,
                [
                    *common,
                    "--data-path",
                    str(data),
                    "--checkpoint",
                    str(options.checkpoint),
                    "--output-dir",
                    str(made),
                    "--num-augmentations",
                    str(options.num_augmentations),
                    "--horizon",
                    str(options.horizon),
                ],
            )
        mixed = ["--imagined-path", str(made), "--imagined-share", str(options.imagined_share)]
    # No validation, so that the last epoch counts: by the likelihood of two held-out episodes, an early epoch would be
    # best, which is uncertain and steers worse.
    _work(
        clone,
        [
            *common,
            *mixed,
            "--data-path",
            str(data / "train"),
            "--validation-share",
            "0",
            "--output",
            str(policy),
            "--num-epochs",
            str(options.num_epochs),
            "--batch-size",
            str(options.batch_size),
        ],
    )
    return driven_scores(policy, options.tracks)


def _work(command: Callable[[list[str]], int], arguments: list[str]) -> None:
    code = command(arguments)
    if code == STOPPED:
        raise Stopped
    if code:
        raise BenchmarkError(f"{' '.join(arguments)}: ended with code {code}")


def _chosen_data(options: Options, folder: Path, count: int, seed: int) -> Path:
    """A data folder with links to ``count`` recorded training episodes, and to those for calibration."""
    recorded = {split: split_files(options.data_path.expanduser().resolve(), 0.1, split) for split in ("train", "val")}
    if len(recorded["train"]) < count or len(recorded["val"]) < CALIBRATION_EPISODES:
        raise BenchmarkError(
            f"{options.data_path} has {len(recorded['train'])} training and {len(recorded['val'])} other "
            f"episodes, expected at least {count} and {CALIBRATION_EPISODES}"
        )
    chosen = sorted(np.random.default_rng(seed).permutation(len(recorded["train"]))[:count])
    links = {"train": [recorded["train"][i] for i in chosen], "val": recorded["val"][:CALIBRATION_EPISODES]}
    for split, files in links.items():
        (folder / split).mkdir(parents=True, exist_ok=True)
        for source in files:
            link = folder / split / source.name
            if not link.is_symlink():
                link.symlink_to(source)
    return folder


def driven_scores(file: Path, tracks: tuple[int, ...]) -> list[float]:
    """CarRacing's score of a policy file on each track. Raises PlannerError, BenchmarkError for another camera."""
    from wm_sim.commands import Command
    from wm_sim.simulation import Simulation

    checked = read_policy(file)
    policy = Policy(checked, EngineSettings(), log=lambda line: None)
    manifest = checked.manifest
    seen, scores = eye_of(manifest, file), []
    for track in tracks:
        simulation = Simulation(manifest.control_period_s, track)
        tick = simulation.tick(Command())
        applied, score = np.zeros(3, np.float32), 0.0
        while tick.result is None:
            applied = policy.act(*seen(simulation, tick), applied)
            tick = simulation.tick(Command(*(float(number) for number in applied)))
            score += tick.outcome.reward
        scores.append(round(score, 2))
    return scores


def table(scores: dict[str, list[float]], episodes: tuple[int, ...], seeds: tuple[int, ...]) -> str:
    """The result as Markdown: mean scores over seeds and tracks, and the effect of imagined episodes for each seed."""
    lines = [
        f"| Recorded episodes | {WAYS[0]} | {WAYS[1]} | difference | difference of each seed |",
        "|---|---|---|---|---|",
    ]
    for count in episodes:
        alone, mixed = (np.array([scores[_name(count, seed, way)] for seed in seeds]) for way in (False, True))
        by_seed = (mixed - alone).mean(1)
        told = ", ".join(f"{value:+.1f}" for value in by_seed)
        lines.append(f"| {count} | {alone.mean():.1f} | {mixed.mean():.1f} | {by_seed.mean():+.1f} | {told} |")
    return "\n".join(lines) + "\n"


def _say(line: str) -> None:
    print(f"imagined_cloning: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
