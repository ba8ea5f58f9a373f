"""`ros2 run wm_training train`: trains a world model on a folder of episodes."""

import sys
from dataclasses import dataclass
from pathlib import Path

from wm_training.cli import parse, run
from wm_training.config import WorldModelTrainConfig
from wm_training.episodes import EpisodeError


@dataclass(frozen=True)
class TrainOptions(WorldModelTrainConfig):
    """Settings of the run, and what is not part of the configuration."""

    resume: str = "auto"
    """Checkpoint to continue from; auto takes output_dir/last.pt where it exists, none starts anew."""


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = parse(TrainOptions, "Train an RSSM world model on episodes.", "train", arguments)
    from wm_training.trainer import (
        TrainingError,
    )  # torch takes seconds to load: --help should not wait for it

    return run("train", lambda: _train(options), (EpisodeError, TrainingError, OSError))


def _train(options: TrainOptions) -> int:
    from wm_training.trainer import WorldModelTrainer

    fields = {name: getattr(options, name) for name in WorldModelTrainConfig.__dataclass_fields__}
    trainer = WorldModelTrainer(WorldModelTrainConfig(**fields))
    last = Path(options.output_dir).expanduser() / "last.pt"
    if options.resume == "auto":
        if last.is_file():
            trainer.load_checkpoint(last)
    elif options.resume != "none":
        trainer.load_checkpoint(options.resume)
    data = trainer.train_data
    print(
        f"train: {len(data.files)} episodes, {data.rows} rows ({data.skipped} episodes too short), "
        f"{len(trainer.val_data.files)} for validation; {trainer.steps_per_epoch} updates an epoch from update "
        f"{trainer.step}, {sum(p.numel() for p in trainer.trainable):,} parameters on {trainer.device}",
        file=sys.stderr,
    )
    best = trainer.train()
    if trainer.stopped_early:
        print(
            f"train: stopped at update {trainer.step}; the same command continues from {last}",
            file=sys.stderr,
        )
        return 130
    print(f"train: done, best model in {best}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
