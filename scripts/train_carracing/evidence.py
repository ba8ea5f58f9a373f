"""Whether a step is finished, judged by its output, never by a record. Raises RecipeError if the output was made with
other settings."""

import filecmp
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wm_bundle import BundleError, load_bundle
from wm_bundle.files import replacing, sha256_of
from wm_bundle.scores import read_scores
from wm_data.episodes import read_episode
from wm_data.splits import split_files
from wm_evaluation.wording import counted
from wm_planner.engine.policy import PolicyFile, read_policy
from wm_planner.errors import ConfigError
from wm_training.configuration import layers
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.configuration.presets import PRESETS
from wm_training.data.summary import data_summary
from wm_training.monitoring.run_record import read_record

from train_carracing.errors import RecipeError
from train_carracing.settings import NAME, Settings

PLACES = ("data_path", "output_dir", "device", "threads")  # settings that change where, not what is learned


@dataclass(frozen=True)
class Recording:
    """The driver of an episode and its track; ``bundle`` and ``parameters`` are the planner's."""

    driver: str
    track: int
    bundle: str = ""
    parameters: str = ""

    def __str__(self) -> str:
        planner = f" with {self.bundle} and {self.parameters or 'default settings'}" if self.bundle else ""
        return f"{self.driver}{planner} on track {self.track}"


def episode_file(folder: Path, index: int) -> Path:
    """The name that `collect` gives it."""
    return folder / f"episode_{index:06d}.npz"


def missing_episodes(folder: Path, plan: Sequence[Recording], longest: int) -> list[int]:
    """Numbers of the episodes of ``plan`` missing in ``folder``; existing ones must be as planned."""
    names = {episode_file(folder, index).name for index in range(len(plan))}
    others = sorted({file.name for file in folder.glob("*.npz") if not file.name.startswith(".")} - names)
    if others:
        raise _other(folder, counted(len(plan), "episode"), f"others too, {others[0]} among them")
    missing = []
    for index, wanted in enumerate(plan):
        file = episode_file(folder, index)
        if not file.is_file():
            missing.append(index)
            continue
        episode = read_episode(file)
        found = _recording_of(episode.meta, wanted)
        if found != wanted:
            raise _other(file, f"{wanted}", f"{found}")
        if len(episode) > longest:
            raise _other(file, f"at most {longest} rows", f"{len(episode)}")
    return missing


def _recording_of(meta: dict, wanted: Recording) -> Recording:
    planner = meta.get("planner") or {}
    parameters, told = planner.get("parameters") or {}, []
    for assignment in wanted.parameters.split():
        name, _, text = assignment.partition("=")
        value = parameters.get(name)
        told.append(assignment if _same(value, text) else f"{name}={value}")
    return Recording(meta.get("driver", "unknown"), meta.get("seed", -1), planner.get("bundle", ""), " ".join(told))


def _same(value, text: str) -> bool:
    try:
        return float(value) == float(text)
    except (TypeError, ValueError):
        return str(value).lower() == text.lower()


def link_episodes(source: Path, destination: Path) -> None:
    """Add the episodes of ``source`` to ``destination``, as hard links, or copies if links are impossible."""
    destination.mkdir(parents=True, exist_ok=True)
    for file in sorted(source.glob("episode_*.npz")):
        beside = destination / file.name
        if beside.exists():
            if not os.path.samefile(file, beside) and not filecmp.cmp(file, beside, shallow=False):
                raise _other(beside, f"the episode of {source}", "another one")
            continue
        try:
            os.link(file, beside)
        except OSError:
            with replacing(beside) as partial:
                shutil.copyfile(file, partial)


def check_validation(settings: Settings) -> None:
    """Raise RecipeError if round 2 would train on an episode that round 1 validated on."""
    share = wanted_config(settings, 2).validation_share
    held_out, trained = (
        {file.name for file in split_files(settings.episodes(number), share, split)}
        for number, split in ((1, "val"), (2, "train"))
    )
    if leaked := sorted(held_out & trained):
        raise RecipeError(
            f"{leaked[0]} validates in round 1 and would train in round 2: expected a number of episodes in round 1 "
            f"that is a multiple of {round(1 / share)}, found {settings.round_1_episodes}"
        )


def wanted_config(settings: Settings, number: int) -> WorldModelTrainConfig:
    """The resulting settings of the training of round ``number``."""
    own = {
        "num_epochs": settings.epochs,
        "data_path": str(settings.episodes(number)),
        "output_dir": str(settings.run(number)),
        "precision": settings.train_precision,
    }
    return layers.build(PRESETS[settings.preset], own)


def is_trained(settings: Settings, number: int) -> bool:
    """Whether the last checkpoint is from the last update, with these settings and episodes."""
    folder, wanted = settings.run(number), wanted_config(settings, number)
    if not (folder / "last.pt").is_file():
        return False
    from wm_training.data.dataset import SequenceDataset
    from wm_training.training.checkpoints import read_checkpoint

    payload = read_checkpoint(folder / "last.pt")
    saved = WorldModelTrainConfig.from_dict(payload["config"], f"checkpoint {folder / 'last.pt'}")
    model, others = layers.differences(saved, wanted.with_changes(**{name: getattr(saved, name) for name in PLACES}))
    if model or others:
        raise _other(folder, "a training with these settings", ", ".join(model + others))
    record, found = read_record(folder), data_summary(settings.episodes(number))
    if record is not None and record["data"]["sha256"] != found["sha256"]:
        raise _other(folder, f"a training on the episodes in {settings.episodes(number)}", "one on others")
    total = SequenceDataset(settings.episodes(number), wanted, "train").batches() * wanted.num_epochs
    return payload["step"] >= total and (folder / "best_model.pt").is_file()


def is_exported(settings: Settings, number: int) -> bool:
    """Whether the bundle is complete, and from this round's best checkpoint."""
    best = settings.run(number) / "best_model.pt"
    try:
        manifest = load_bundle(settings.bundle_of(number)).manifest
    except BundleError:
        return False
    made_from = f"{NAME}-{sha256_of(best)[:8]}"
    return (manifest.model_id, manifest.provenance.get("precision")) == (made_from, settings.precision)


def is_cloned(settings: Settings) -> bool:
    """Whether the clone is from these episodes and settings."""
    if not settings.clone.is_file():
        return False
    try:
        made = _clone(settings).manifest.provenance
        found = made["data"]["sha256"], made["config"]["num_epochs"]
    except (ConfigError, KeyError, TypeError) as error:
        raise RecipeError(f"{settings.clone} cannot be used ({error!r}): delete it") from None
    if found != (data_summary(settings.episodes(2))["sha256"], settings.epochs):
        training = settings.clone.with_suffix(".training")
        raise RecipeError(
            f"{settings.clone} was made with other episodes or epochs: delete it and {training} to make it "
            f"again, or use another --output"
        )
    return True


def _clone(settings: Settings) -> PolicyFile:
    return read_policy(settings.clone)


def is_driven(settings: Settings, mode: str, controllers: Sequence[str]) -> bool:
    """Whether the bundle has the scores of these ``controllers`` on these tracks."""
    bundle = load_bundle(settings.bundle_of(2))
    try:
        scores = read_scores(bundle)
    except BundleError:
        return False  # of another model, or damaged: it is written again
    benchmark = scores.mode(mode) if scores else None
    if benchmark is None:
        return False
    clone = benchmark.of("clone")
    if clone is not None and clone.model != _clone(settings).identity:
        return False
    names = tuple(entry.controller for entry in benchmark.controllers)
    driven = names, benchmark.seeds, benchmark.max_steps
    return driven == (tuple(controllers), settings.tracks, settings.max_steps or None)


def _other(place: Path, expected: str, found: str) -> RecipeError:
    return RecipeError(
        f"{place}: expected {expected}, found {found}; use the settings that it was made with, another folder, or "
        f"delete it to make it again"
    )
