"""`ros2 run wm_training train`: trains a world model on a folder of episodes."""

import json
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from wm_evaluation.command_line import DONE, STOPPED, USAGE, is_main_process, parse, parse_some, run, say
from wm_evaluation.wording import counted

from wm_training.commands.running import run_on_episodes
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.configuration.layers import below_flags, build, differences, dump
from wm_training.configuration.presets import PresetName
from wm_training.configuration.values import ONE_SIZE, NotSet
from wm_training.errors import ConfigurationError, TrainingError
from wm_training.processes import prepare_process

if TYPE_CHECKING:
    from wm_data.agreement import Traits

    from wm_training.data.dataset import SequenceDataset
    from wm_training.training.trainer import WorldModelTrainer


@dataclass(frozen=True)
class Settings(WorldModelTrainConfig):
    """Settings of the run, from the preset, the file and these flags, later ones override earlier ones."""

    def __post_init__(self):
        """No checks here: only all layers together must be consistent."""


@dataclass(frozen=True)
class Layers:
    """Sources of the settings that no flag sets."""

    preset: PresetName | None = None
    """Ready-made settings to start from."""
    config: str | None = None
    """YAML file of settings, such as the config.yaml of an earlier run; overrides the preset."""


@dataclass(frozen=True)
class Options(Layers):
    """Train an RSSM world model on episodes. The defaults shown are those of --preset and --config."""

    resume: str = "auto"
    """Checkpoint to continue from; auto takes output_dir/last.pt where it exists, none starts from scratch."""
    dry_run: bool = False
    """Print the resolved configuration, the size of every part of the model and the data, and train nothing."""
    settings: Settings = Settings()


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    prepare_process()
    return run("train", lambda: _main(arguments), (TrainingError, OSError))


def _main(arguments: list[str] | None) -> int:
    try:
        options, config = read_options(arguments)
    except ConfigurationError as error:
        say("train", str(error))
        return USAGE
    return run_on_episodes("train", lambda: _train(options, config))


def read_options(arguments: list[str] | None = None) -> tuple[Options, WorldModelTrainConfig]:
    """The command line, and the configuration from it and all layers below it.

    Raises ConfigurationError for invalid settings, SystemExit for --help and for unknown flags.
    """
    layers = parse_some(Layers, "train", arguments)
    below = below_flags(layers.preset, layers.config)
    sizes = {name for pair in ONE_SIZE for name in pair}
    lower = Settings(**{name: NotSet(value) if name in sizes else value for name, value in below.items()})
    options = parse(Options, "train", arguments, Options(layers.preset, layers.config, settings=lower))
    # A flag that was not given leaves the default object itself; a flag never yields a NotSet.
    given = {field.name: getattr(options.settings, field.name) for field in fields(lower)}
    flags = {name: value for name, value in given.items() if value is not getattr(lower, name)}
    return options, build(below, flags)


def _train(options: Options, config: WorldModelTrainConfig) -> int:
    from wm_training.training.note_run import note_run
    from wm_training.training.trainer import WorldModelTrainer

    last = Path(config.output_dir).expanduser() / "last.pt"
    checkpoint = _checkpoint(options.resume, last)
    saved, before = (None, None) if checkpoint is None else _check_fit(checkpoint, config)
    trainer = WorldModelTrainer(config, None if saved is None else saved.precision)
    if checkpoint is not None:
        trainer.load_checkpoint(checkpoint)
    for line in (*_notes(trainer, before), _summary(trainer)):
        say("train", line)
    if options.dry_run:
        _show(trainer)
        return DONE
    if is_main_process():
        for line in note_run(trainer, checkpoint):
            say("train", line)
    best = trainer.train()
    if trainer.stopped_early:
        say("train", f"stopped at update {trainer.step}; the same command continues from {last}")
        return STOPPED
    say("train", f"done, best model in {best}")
    return DONE


def _checkpoint(resume: str, last: Path) -> Path | None:
    """The checkpoint to continue from, None to start from scratch."""
    if resume == "auto":
        return last if last.is_file() else None
    return None if resume == "none" else Path(resume).expanduser()


def _check_fit(checkpoint: Path, config: WorldModelTrainConfig) -> "tuple[WorldModelTrainConfig, Traits]":
    """The checkpoint's settings, and its training data's traits; reports what differs from the settings. Raises
    ConfigurationError where it is another model."""
    from wm_training.training.checkpoints import config_of, read_checkpoint, traits_of_checkpoint

    payload = read_checkpoint(checkpoint)
    saved = config_of(payload, checkpoint)
    model, others = differences(saved, config)
    if model:
        raise ConfigurationError(
            f"checkpoint {checkpoint} is of another model: {', '.join(model)}; "
            f"take its settings, another --output-dir, or start from scratch with --resume none"
        )
    if others:
        say("train", f"settings that differ from checkpoint {checkpoint}: {', '.join(others)}")
    return saved, traits_of_checkpoint(checkpoint, payload, saved)


def _notes(trainer: "WorldModelTrainer", before: "Traits | None") -> list[str]:
    """Notes on the data and the arithmetic before the first update. ``before``: the traits of the checkpoint's training
    data, if there is one."""
    from wm_data import agreement

    from wm_training.data.notes import data_notes, reward_note

    train, val = trainer.train_data, trainer.val_data
    other = [] if before is None else [one.text() for one in agreement.differences([before, *train.traits])]
    found = [*other, *data_notes(train, val), reward_note(trainer.config, train, val), trainer.arithmetic.text()]
    return [line for line in found if line]


def _summary(trainer: "WorldModelTrainer") -> str:
    data, config = trainer.train_data, trainer.config
    return (
        f"{counted(len(data.files), 'episode')}, {counted(data.rows, 'row')} "
        f"({counted(data.skipped, 'episode')} too short), {len(trainer.val_data.files)} for validation; "
        f"{_imagined(data)}{trainer.steps_per_epoch:,} updates an epoch, "
        f"{trainer.steps_per_epoch * config.num_epochs:,} in all, from update {trainer.step:,}; "
        f"{sum(p.numel() for p in trainer.trainable):,} parameters on {trainer.device} in {config.precision}"
    )


def _imagined(data: "SequenceDataset") -> str:
    if not data.imagined:
        return ""
    share = data.config.imagined_share
    return f"{data.imagined} of the training episodes are imagined and give {share:.0%} of the sequences; "


def _show(trainer: "WorldModelTrainer") -> None:
    """The configuration on stdout, as a file for --config; on stderr the model and the data it would have."""
    data, size = trainer.train_data, trainer.config.image_size
    say(
        "train",
        f"cameras: {data.channels // 3}, {size} × {size} px; vector inputs: {data.vector_size}; "
        f"the first episode says {json.dumps(data.meta)}",
    )
    for name, part in trainer.world_model.named_children():
        weights = list(part.parameters())
        trained = "" if any(weight.requires_grad for weight in weights) else ", not trained"
        say("train", f"{name:<14}{sum(weight.numel() for weight in weights):>12,} parameters{trained}")
    if is_main_process():
        sys.stdout.write(dump(trainer.asked))


if __name__ == "__main__":
    sys.exit(main())
