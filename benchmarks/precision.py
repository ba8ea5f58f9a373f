"""`python -m benchmarks.precision`: does bfloat16 learn as well as float32?

Trains the model of the speed benchmark in both, from the same weights, on the same batches with the same noise, and
compares the losses on the validation episodes.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from wm_evaluation.command_line import DONE, parse, run

from benchmarks.children import ROOT
from benchmarks.errors import BenchmarkError
from benchmarks.training import QUICK_SIZES, SIZES

PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Options:
    """Compare training in bfloat16 with training in float32."""

    data_path: Path
    """Folder of episodes; every tenth is for validation."""
    updates: int = 300
    """Updates of each training."""
    seeds: tuple[int, ...] = (0,)
    """Seeds for weights, batches and noise; the losses are means over them, and several seeds show their spread."""
    threads: int = 0
    """Threads of the training, 0 for the number of cores."""
    output: Path = ROOT / "out" / "bench"
    """Folder for precision.json."""
    quick: bool = False
    """Use a tiny model."""

    def __post_init__(self):
        if self.updates < 1 or not self.seeds:
            raise ValueError(f"updates is {self.updates} and seeds {self.seeds}, expected at least 1 and one seed")


def measure(options: Options, say: Callable[[str], None]) -> dict:
    """Validation losses of both precisions and their ratio, bfloat16 over float32. Raises EpisodeError for unusable
    data, and BenchmarkError without validation episodes."""
    runs = {precision: [_losses(options, precision, seed, say) for seed in options.seeds] for precision in PRECISIONS}
    means = {precision: {name: _mean(found, name) for name in found[0]} for precision, found in runs.items()}
    full, reduced = (means[precision] for precision in PRECISIONS)
    # A loss of zero, such as the expert's on data without experts, has no ratio.
    result = {
        "updates": options.updates,
        "seeds": list(options.seeds),
        "losses": means,
        "ratio": {name: round(reduced[name] / full[name], 4) for name in full if full[name] != 0.0},
    }
    if len(options.seeds) > 1:
        totals = np.array([found["total"] for found in runs["float32"]])
        result["float32_spread_of_total"] = round(float(totals.std(ddof=1) / totals.mean()), 4)
    return result


def _mean(runs: list[Mapping[str, float]], name: str) -> float:
    return float(np.mean([found[name] for found in runs]))


def _losses(options: Options, precision: str, seed: int, say: Callable[[str], None]) -> dict[str, float]:
    from wm_training.configuration.config import WorldModelTrainConfig
    from wm_training.model.losses import LOSSES
    from wm_training.training.trainer import WorldModelTrainer

    with tempfile.TemporaryDirectory() as folder:
        config = WorldModelTrainConfig(
            **(QUICK_SIZES if options.quick else SIZES),
            precision=precision,
            seed=seed,
            threads=options.threads,
            num_epochs=options.updates,  # more than enough: an epoch has at least one update
            warmup_steps=min(50, options.updates // 4),
            kl_anneal_steps=options.updates // 2,
            data_path=str(options.data_path),
            output_dir=folder,
        )
        trainer = WorldModelTrainer(config)
    if not trainer.val_data.files:
        raise BenchmarkError(f"{options.data_path} has too few episodes to keep some for validation")
    said = started = time.monotonic()
    for step in range(options.updates):
        trainer.learner.update(trainer.sample(step))
        now = time.monotonic()
        if now - said > 10.0:  # with emulated bfloat16, an update takes a minute
            said, left_s = now, (now - started) / (step + 1) * (options.updates - step - 1)
            say(f"{precision}, seed {seed}: update {step + 1} of {options.updates}, {left_s / 60.0:.0f} min left")
    validation = trainer.validate()
    return {name: value for name, value in validation.items() if name in (*LOSSES, "total")}


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = parse(Options, "precision", arguments)
    from wm_training.processes import prepare_process

    prepare_process()  # like `train`, before torch is loaded
    from wm_data.episodes import EpisodeError

    return run("precision", lambda: _main(options), (BenchmarkError, EpisodeError, OSError))


def _main(options: Options) -> int:
    from wm_bundle.files import write_json

    result = measure(options, lambda line: print(f"precision: {line}", file=sys.stderr, flush=True))
    write_json(options.output / "precision.json", result)
    print(json.dumps(result, indent=1))
    return DONE


if __name__ == "__main__":
    sys.exit(main())
