"""Drives all trials of a benchmark that are not in its store yet, and stores their results."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing

from wm_bundle import Bundle
from wm_bundle.files import sha256_of
from wm_planner.engine.policy import PolicyFile

from wm_tools.benchmark.benchmark_options import EXTERNAL, LOCK_STEP, RAY, BenchmarkOptions
from wm_tools.benchmark.on_ray import drive_on_ray
from wm_tools.benchmark.plan import Trial, plan_trials
from wm_tools.benchmark.store import EpisodeStore
from wm_tools.benchmark.trial_driver import TrialDriver
from wm_tools.benchmark.workers import drive_in_processes
from wm_tools.drive.embedded import check_cameras
from wm_tools.drive.runner import check_planners
from wm_tools.drive.session import executable


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
    on_progress: Callable[[Trial, str], None],
    on_episode: Callable[[Trial, dict], None],
    tell: Callable[[str], None],
) -> None:
    """Drive the missing trials: those in lock-step several at once, then those in real time one by one. A trial that
    fails is stored as a failure. ``on_progress`` gets a trial's state a few times a second, ``tell`` lines of text.

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
    driver = TrialDriver(options, bundles, {name: policy.manifest.policy_id for name, policy in policies.items()})
    done = {tuple(episode["trial"]) for episode in store.episodes}
    missing = [trial for trial in plan_trials(options) if trial.key not in done]
    together = [trial for trial in missing if trial.mode == LOCK_STEP]
    alone = [trial for trial in missing if trial.mode != LOCK_STEP]
    for some in (_at_once(driver, together, on_progress, tell), _one_by_one(driver, alone, on_progress, tell)):
        with closing(some):
            for trial, episode in some:
                store.append(episode)
                on_episode(trial, episode)


def _at_once(driver: TrialDriver, trials: Sequence[Trial], show: Callable, tell: Callable) -> Iterator:
    workers = driver.options.workers_for(len(trials))
    if trials and driver.options.executor == RAY:
        return drive_on_ray(driver, trials, show)
    if workers == 1:
        return _one_by_one(driver, trials, show, tell)
    return drive_in_processes(driver, trials, workers, show, tell)


def _one_by_one(driver: TrialDriver, trials: Sequence[Trial], show: Callable, tell: Callable) -> Iterator:
    for trial in trials:
        yield trial, driver.drive(trial, lambda state, trial=trial: show(trial, state), tell)
