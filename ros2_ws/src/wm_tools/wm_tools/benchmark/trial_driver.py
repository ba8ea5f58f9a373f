"""From a trial to its line of episodes.jsonl, in any process: in the benchmark's own, a worker's, or a Ray task."""

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from wm_bundle import Bundle
from wm_sim.world_facts import STOPPED, TIME_LIMIT
from wm_sim.worlds import world_of_map

from wm_tools.benchmark.benchmark_options import EXTERNAL, BenchmarkOptions
from wm_tools.benchmark.episode_figures import episode_figures
from wm_tools.benchmark.plan import Trial
from wm_tools.benchmark.trial import Driven, drive_trial
from wm_tools.common.machine import machine_facts
from wm_tools.drive.records import Episode, EpisodeCollector

LOGS = "logs"  # folder for the logs of trials that failed
PROGRESS_S = 0.2  # of wall time, between two looks at an episode


@dataclass(frozen=True)
class TrialDriver:
    """Everything that trials have in common; ``bundles`` and ``policy_ids`` by controller name. It can be sent to other
    processes."""

    options: BenchmarkOptions
    bundles: Mapping[str, Bundle]
    policy_ids: Mapping[str, str]

    def drive(self, trial: Trial, show: Callable[[str], None], tell: Callable[[str], None]) -> dict:
        """Drive a trial; one that fails has its reason in the result. ``show`` gets the state of the episode a few
        times a second, ``tell`` a line of text when a wait is long. Raises as ``drive_trial``."""
        next_s = 0.0

        def look(collector: EpisodeCollector) -> None:
            nonlocal next_s
            if time.monotonic() >= next_s:
                next_s = time.monotonic() + PROGRESS_S
                show(_state_of(collector))

        logs = self.logs_of(trial)
        driven = drive_trial(trial, self.options, self.bundles[trial.entry.name], logs, look, tell)
        if driven.failure is None:
            shutil.rmtree(logs, ignore_errors=True)
        return self._entry(trial, driven)

    def lost(self, trial: Trial, reason: str) -> dict:
        """The line of a trial that could not be driven at all."""
        return self._entry(trial, Driven(Episode(None), reason, None, 0.0))

    def logs_of(self, trial: Trial) -> Path:
        """The folder for the output of a trial's processes."""
        return self.options.output.resolve() / LOGS / "-".join(str(part) for part in trial.key if part != "")

    def _entry(self, trial: Trial, driven: Driven) -> dict:
        disturbance, bundle, machine = trial.disturbance, self.bundles[trial.entry.name], machine_facts()
        return {
            "trial": list(trial.key),
            "controller": trial.entry.name,
            "mode": trial.mode,
            "disturbance": None if disturbance is None else {"name": disturbance.name, "size": disturbance.size},
            "seed": driven.episode.seed if self.options.simulator == EXTERNAL else trial.seed,
            "bundle": bundle.manifest.model_id if trial.entry.has_model else None,
            "policy": self.policy_ids.get(trial.entry.name),
            "map": driven.map_name,
            "cpu": f"{machine['cpu']}, {machine['kind']}",
            "failure": driven.failure,
            "ended": _ending(driven),
            "wall_s": round(driven.wall_s, 2),
            **episode_figures(
                driven.episode,
                bundle.manifest.control_period_s,
                driven.map_name,
                disturbance is not None,
                trial.entry.has_model,
                driven.route,
            ),
        }


def _state_of(collector: EpisodeCollector) -> str:
    if not (collector.episodes and collector.ticks):
        return "starting"
    episode = collector.current
    score = f", score {episode.score:.0f}" if episode.steps else ""
    return f"step {len(episode.steps) or collector.ticks}{score}"


def _ending(driven: Driven) -> str:
    if driven.failure is not None:
        return "failed"
    steps, world = driven.episode.steps, world_of_map(driven.map_name)
    if not steps:
        return STOPPED
    if world is not None:
        return driven.episode.ending(world)
    return "terminated" if driven.episode.terminated else TIME_LIMIT if steps[-1].truncated else STOPPED
