"""The steps from scratch to a bundle with scores, each with its commands and its check."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wm_bundle import load_bundle

from train_carracing import evidence
from train_carracing.evidence import Recording
from train_carracing.settings import NAME, ROUND_1_TRACKS, ROUND_2_TRACKS, Settings

# Minutes on two cores of an AMD EPYC without a GPU, for the estimates.
RECORD_EPISODE, PLANNER_EPISODE = 0.04, 0.25
TRAIN_EPISODE_EPOCH, CLONE_EPISODE_EPOCH = 0.0045, 0.002
EXPORT = 1.0
LOCK_STEP_TRACK, REAL_TIME_TRACK = 0.66, 0.42


@dataclass(frozen=True)
class Command:
    """A command and its arguments. ``own_domain``: run it in a private ROS domain."""

    words: tuple[str, ...]
    own_domain: bool = False


@dataclass(frozen=True)
class Step:
    """``commands`` is called when the step's turn comes: they may depend on earlier steps.

    ``minutes`` is the approximate duration on two cores, None if unknown. ``is_finished`` raises RecipeError for output
    made with other settings.
    """

    title: str
    minutes: float | None
    output: Path
    is_finished: Callable[[], bool]
    commands: Callable[[], list[Command]]


def steps_of(settings: Settings) -> list[Step]:
    """All steps of the recipe, in order."""
    return [
        _record_round_1(settings),
        _train(settings, 1),
        _export(settings, 1),
        _record_round_2(settings),
        _train(settings, 2),
        _export(settings, 2),
        _clone(settings),
        _benchmark(settings, "lock-step", ("planner", "actor", "clone", "expert"), LOCK_STEP_TRACK),
        _benchmark(settings, "real-time", ("planner",), REAL_TIME_TRACK),
    ]


def round_1_plan(settings: Settings) -> list[Recording]:
    """The drivers of the episodes of round 1."""
    drivers = ["noisy-autopilot"] * settings.noisy_episodes + ["random"] * settings.random_episodes
    return [Recording(driver, ROUND_1_TRACKS + index) for index, driver in enumerate(drivers)]


def round_2_plan(settings: Settings) -> list[Recording]:
    """The same followed by those of round 2, driven by the bundle of round 1."""
    bundle = load_bundle(settings.bundle_of(1)).manifest.model_id
    each = [text for text in settings.planner_settings for _ in range(settings.planner_episodes)]
    driven = [Recording("noisy-planner", ROUND_2_TRACKS + number, bundle, text) for number, text in enumerate(each)]
    return round_1_plan(settings) + driven


def _record_round_1(settings: Settings) -> Step:
    folder = settings.episodes(1)

    def missing() -> list[int]:
        return evidence.missing_episodes(folder, round_1_plan(settings), settings.episode_length)

    def commands() -> list[Command]:
        ends = {"noisy-autopilot": settings.noisy_episodes, "random": settings.round_1_episodes}
        return [
            _collect(settings, folder, driver, end, ROUND_1_TRACKS)
            for driver, end in ends.items()
            if any(index < end for index in missing())
        ]

    count = settings.round_1_episodes
    return Step(
        f"record {count} episodes of the disturbed expert and of random commands",
        count * RECORD_EPISODE,
        folder,
        lambda: not missing(),
        commands,
    )


def _record_round_2(settings: Settings) -> Step:
    folder, before = settings.episodes(2), settings.round_1_episodes

    def missing() -> list[int]:
        return evidence.missing_episodes(folder, round_2_plan(settings), settings.episode_length)

    def is_finished() -> bool:
        if missing():
            return False
        evidence.check_validation(settings)
        return True

    def commands() -> list[Command]:
        evidence.link_episodes(settings.episodes(1), folder)
        found = []
        for number, text in enumerate(settings.planner_settings, 1):
            end = before + number * settings.planner_episodes
            if any(index < end for index in missing()):
                driving = (f"bundle:={settings.bundle_of(1)}", f"planner_parameters:={text}")
                # An episode's track is the seed plus its number, and the numbers continue from round 1.
                found.append(_collect(settings, folder, "noisy-planner", end, ROUND_2_TRACKS - before, *driving))
        return found

    count = settings.round_2_episodes - before
    title = f"record {count} episodes of the disturbed planner with the bundle of round 1, beside those of round 1"
    return Step(title, count * PLANNER_EPISODE, folder, is_finished, commands)


def _collect(settings: Settings, folder: Path, driver: str, episodes: int, seed: int, *others: str) -> Command:
    return Command(
        (
            "ros2",
            "launch",
            "wm_planner",
            "collect.launch.py",
            f"driver:={driver}",
            f"episodes:={episodes}",
            f"seed:={seed}",
            f"episode_length:={settings.episode_length}",
            f"output_dir:={folder}",
            *others,
        ),
        own_domain=True,
    )


def _train(settings: Settings, number: int) -> Step:
    episodes = settings.round_1_episodes if number == 1 else settings.round_2_episodes
    words = (
        "ros2",
        "run",
        "wm_training",
        "train",
        "--preset",
        settings.preset,
        "--num-epochs",
        str(settings.epochs),
        "--data-path",
        str(settings.episodes(number)),
        "--output-dir",
        str(settings.run(number)),
    )
    return Step(
        f"train the world model of round {number} on {episodes} episodes",
        None if settings.gpu else episodes * settings.epochs * TRAIN_EPISODE_EPOCH,
        settings.run(number),
        lambda: evidence.is_trained(settings, number),
        lambda: [Command((*words, *_on(settings)))],
    )


def _on(settings: Settings) -> tuple[str, ...]:
    words = ("--threads", str(settings.threads)) if settings.threads else ()
    if settings.train_precision != "auto":
        words += ("--precision", settings.train_precision)
    return (*words, "--device", "cuda") if settings.gpu else words


def _export(settings: Settings, number: int) -> Step:
    words = (
        "ros2",
        "run",
        "wm_training",
        "export",
        "--checkpoint",
        str(settings.run(number) / "best_model.pt"),
        "--output",
        str(settings.bundle_of(number)),
        "--name",
        NAME,
        "--precision",
        settings.precision,
    )
    return Step(
        f"export the bundle of round {number}, with its provenance and its open-loop scorecard",
        EXPORT,
        settings.bundle_of(number),
        lambda: evidence.is_exported(settings, number),
        lambda: [Command(words)],
    )


def _clone(settings: Settings) -> Step:
    words = (
        "ros2",
        "run",
        "wm_training",
        "clone",
        "--data-path",
        str(settings.episodes(2)),
        "--output",
        str(settings.clone),
        "--num-epochs",
        str(settings.epochs),
    )
    return Step(
        "train a clone of the expert on the same episodes, to compare with",
        None if settings.gpu else settings.round_2_episodes * settings.epochs * CLONE_EPISODE_EPOCH,
        settings.clone,
        lambda: evidence.is_cloned(settings),
        lambda: [Command((*words, *_on(settings)))],
    )


def _benchmark(settings: Settings, mode: str, controllers: tuple[str, ...], minutes: float) -> Step:
    bundle = settings.bundle_of(2)

    def commands() -> list[Command]:
        # A folder for each model: a benchmark can only be continued with the model it began with.
        model_id = load_bundle(bundle).manifest.model_id
        names = [f"clone={settings.clone}" if name == "clone" else name for name in controllers]
        cut = ("--max-steps", str(settings.max_steps)) if settings.max_steps else ()
        return [
            Command(
                (
                    "ros2",
                    "run",
                    "wm_planner",
                    "benchmark",
                    "--bundle",
                    str(bundle),
                    "--controllers",
                    ",".join(names),
                    "--seeds",
                    settings.seeds,
                    "--modes",
                    mode,
                    *cut,
                    "--resume",
                    "--write-scores",
                    "--output",
                    str(settings.results / "benchmark" / f"{model_id}-{mode}"),
                )
            )
        ]

    tracks = len(settings.tracks)
    return Step(
        f"benchmark {', '.join(controllers)} over {tracks} track{'s' if tracks > 1 else ''}, {mode}",
        tracks * minutes,
        bundle / "scores.json",
        lambda: evidence.is_driven(settings, mode, controllers),
        commands,
    )
