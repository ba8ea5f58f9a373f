"""Drives all trials of a benchmark that are not in its store yet, and stores their results."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping

from wm_bundle import Bundle
from wm_bundle.files import sha256_of
from wm_planner.engine.policy import PolicyFile
from wm_sim.world_facts import STOPPED, TIME_LIMIT
from wm_sim.worlds import world_of_map

from wm_tools.benchmark.benchmark_options import EXTERNAL, BenchmarkOptions
from wm_tools.benchmark.episode_figures import episode_figures
from wm_tools.benchmark.plan import Trial, plan_trials
from wm_tools.benchmark.store import EpisodeStore
from wm_tools.benchmark.trial import Driven, drive_trial
from wm_tools.drive.embedded import check_cameras
from wm_tools.drive.records import EpisodeCollector
from wm_tools.drive.runner import check_planners
from wm_tools.drive.session import executable

LOGS = "logs"  # folder for the logs of trials that failed


def settings_of(options: BenchmarkOptions, bundles: Mapping[str, Bundle], policies: Mapping[str, PolicyFile]) -> dict:
    """Everything that episodes depend on, as plain JSON; ``bundles`` and ``policies`` by controller name. Raises
    OSError."""
    spawn_file = options.objects_definition_file
    return {
        "controllers": [
            {
                "name": entry.name,
                "kind": entry.kind,
                "bundle": identity_of(bundles[entry.name]),
                **({"policy": policies[entry.name].identity} if entry.name in policies else {}),
            }
            for entry in options.controllers
        ],
        "seeds": list(options.tracks),
        "modes": list(options.modes),
        "parameters": dict(options.parameters),
        "max_steps": options.max_steps,
        "simulator": options.simulator,
        "role_name": options.role_name,
        "world": options.world,
        # Noon is not named, as before there was any weather: such a benchmark is continued.
        **({} if options.weather == "noon" else {"weather": options.weather}),
        **({} if options.light == 1.0 else {"light": options.light}),
        "spawn_file": spawn_file and sha256_of(spawn_file.expanduser()),
        "sweep": [str(disturbance) for disturbance in options.sweep],
    }


def identity_of(bundle: Bundle) -> str:
    """A bundle's id and the first digits of a hash over its files: two bundles of the same name may differ."""
    hashes = json.dumps({name: file.sha256 for name, file in sorted(bundle.manifest.files.items())})
    return f"{bundle.manifest.model_id} ({hashlib.sha256(hashes.encode()).hexdigest()[:12]})"


def drive_all(
    options: BenchmarkOptions,
    bundles: Mapping[str, Bundle],
    policies: Mapping[str, PolicyFile],
    store: EpisodeStore,
    on_progress: Callable[[Trial, EpisodeCollector], None],
    on_episode: Callable[[Trial, dict], None],
    tell: Callable[[str], None],
) -> None:
    """Drive the missing trials. A trial that fails is stored as a failure, and the next one begins. ``tell`` gets a
    line of text when a wait is long.

    Raises CannotBenchmark and DriveError, see drive_trial; also DriveError if the workspace is not built; OSError.
    """
    check_planners(
        entry.planner_parameters(bundles[entry.name], options.role_name, options.parameters)
        for entry in options.controllers
        if entry.has_model
    )
    executable("wm_planner", "planner")
    if options.simulator != EXTERNAL:
        executable("wm_sim", "bridge")
        for bundle in bundles.values():
            check_cameras(options, bundle)
    done = {tuple(episode["trial"]) for episode in store.episodes}
    for trial in plan_trials(options):
        if trial.key in done:
            continue
        bundle = bundles[trial.entry.name]
        logs = options.output.resolve() / LOGS / "-".join(str(part) for part in trial.key if part != "")
        driven = drive_trial(
            trial, options, bundle, logs, lambda collector, trial=trial: on_progress(trial, collector), tell
        )
        policy = policies.get(trial.entry.name)
        episode = episode_entry(trial, driven, options, bundle, policy.manifest.policy_id if policy else None)
        store.append(episode)
        if driven.failure is None:
            shutil.rmtree(logs, ignore_errors=True)
        on_episode(trial, episode)


def episode_entry(
    trial: Trial, driven: Driven, options: BenchmarkOptions, bundle: Bundle, policy_id: str | None
) -> dict:
    """A line of episodes.jsonl."""
    disturbance, period_s = trial.disturbance, bundle.manifest.control_period_s
    return {
        "trial": list(trial.key),
        "controller": trial.entry.name,
        "mode": trial.mode,
        "disturbance": None if disturbance is None else {"name": disturbance.name, "size": disturbance.size},
        "seed": driven.episode.seed if options.simulator == EXTERNAL else trial.seed,
        "bundle": bundle.manifest.model_id if trial.entry.has_model else None,
        "policy": policy_id,
        "map": driven.map_name,
        "failure": driven.failure,
        "ended": _ending(driven),
        "wall_s": round(driven.wall_s, 2),
        **episode_figures(
            driven.episode, period_s, driven.map_name, disturbance is not None, trial.entry.has_model, driven.route
        ),
    }


def _ending(driven: Driven) -> str:
    if driven.failure is not None:
        return "failed"
    steps, world = driven.episode.steps, world_of_map(driven.map_name)
    if not steps:
        return STOPPED
    if world is not None:
        return driven.episode.ending(world)
    return "terminated" if driven.episode.terminated else TIME_LIMIT if steps[-1].truncated else STOPPED
