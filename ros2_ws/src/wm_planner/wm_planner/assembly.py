"""Builds every part of the planner from its parameters, in one place."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from wm_bundle import Bundle, BundleManifest
from wm_bundle.doubts import doubts
from wm_bundle.vector_inputs import SPEED

from wm_planner.config import PlannerConfig
from wm_planner.engine.engine import Engine
from wm_planner.engine.policy import Policy, PolicyFile
from wm_planner.engine.providers import CHOICES, CPU, EngineSettings
from wm_planner.pilot.bundle_guard import BundleGuard
from wm_planner.pilot.pilot import Pilot
from wm_planner.pilot.preflight import load_models
from wm_planner.planning.costs import check_costs, make_costs
from wm_planner.planning.limits import ActionLimits
from wm_planner.planning.pace import Pace, budget_ms, measure
from wm_planner.planning.planner import Planner
from wm_planner.planning.scoring import Scorer
from wm_planner.planning.solvers import SOLVERS
from wm_planner.planning.tuning import Manner, Tuning


@dataclass(frozen=True)
class Parts:
    """What a node needs to drive. ``guard`` watches the files in use; ``policy`` proposes actions, None without one;
    ``pace`` of this machine, None where searches are as the parameters say."""

    bundle: Bundle
    engine: Engine
    planner: Planner
    pilot: Pilot
    guard: BundleGuard
    has_ensemble: bool
    policy: PolicyFile | None
    pace: Pace | None

    def afforded(self, config: PlannerConfig) -> PlannerConfig:
        """The parameters with the search that this machine has time for."""
        return config if self.pace is None else self.pace.afforded(config)


def build(
    config: PlannerConfig,
    log: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    enforce: bool = True,
    planner_class: type[Planner] = Planner,
) -> Parts:
    """Load and check the bundle and the policy, open and warm up their engines, and put the parts together.

    Raises ConfigError, and EngineError, also for a self-check that fails unless ``enforce`` is off.
    """
    bundle, file = load_models(config)
    manifest = bundle.manifest
    settings = EngineSettings(
        threads=config.threads,
        providers=CHOICES[config.provider],
        fp16=config.fp16,
        engine_cache=config.engine_cache,
        engine_workspace_mb=config.engine_workspace_mb,
    )
    engine = Engine(bundle, settings, log, enforce)
    policy = None if file is None else _open_policy(file, settings, engine.provider, log)
    has_ensemble = _has_ensemble(engine, manifest)
    tuning = make_tuning(config, manifest, has_ensemble)
    told = {
        "inputs": [entry.name for entry in manifest.vector],
        "terms": manifest.reward_terms,
        "period_s": manifest.control_period_s,
    }
    planner = planner_class(engine, tuning, policy=policy, seed=config.seed, clock=clock, **told)
    guard = BundleGuard(bundle, clock, file)
    pilot = Pilot(planner, manifest, config, guard, clock=clock, log=log)
    candidates = tuning.solver.candidates
    times = engine.warm_up(candidates)
    planner.expect(times["imagine"] / 1000.0, candidates)
    if policy is not None:
        times["policy"] = policy.warm_up()
    proposing = "" if file is None else f", policy {file.manifest.policy_id}"
    log(
        f"bundle {manifest.model_id}{proposing}: {config.solver}, {candidates} candidates x {manifest.horizon} steps; "
        + ", ".join(f"{name} {milliseconds:.1f} ms" for name, milliseconds in times.items())
    )
    for doubt in doubts(manifest.provenance):
        log(f"bundle {manifest.model_id}: {doubt}")
    fits = config.fit_search and config.searches and not config.lock_step
    pace = _measured_pace(config, planner, engine, has_ensemble, clock, log) if fits else None
    return Parts(bundle, engine, planner, pilot, guard, has_ensemble, file, pace)


def _measured_pace(
    config: PlannerConfig,
    planner: Planner,
    engine: Engine,
    has_ensemble: bool,
    clock: Callable[[], float],
    log: Callable[[str], None],
) -> Pace:
    """The pace of this machine, with which the ``planner`` is tuned."""

    def tune(config: PlannerConfig) -> Tuning:
        return make_tuning(config, engine.manifest, has_ensemble)

    if clock is time.monotonic and engine.provider == CPU and config.threads == 1:
        clock = time.thread_time  # other programs that are starting too do not count
    pace = measure(planner, engine.manifest, config, tune, clock)
    fits = pace.afforded(config)
    planner.retune(tune(fits))
    log(
        f"{config.iterations} x {config.candidates} candidates take {1000.0 * pace.frame_s(config):.1f} ms here, "
        f"{budget_ms(config):.1f} of {config.deadline_ms:g} ms are for them: "
        + ("all are searched" if fits == config else f"{fits.iterations} x {fits.candidates} are searched")
    )
    return pace


def _open_policy(file: PolicyFile, settings: EngineSettings, provider: str, log: Callable[[str], None]) -> Policy:
    """The policy on the bundle's provider, or on a later one."""
    rest = settings.providers[settings.providers.index(provider) :]
    return Policy(file, replace(settings, providers=rest), lambda line: log(f"policy: {line}"))


def make_tuning(config: PlannerConfig, manifest: BundleManifest, has_ensemble: bool) -> Tuning:
    """The settings from the parameters. Raises ConfigError for a cost that the bundle does not support."""
    check_costs(config, manifest, has_ensemble)
    slew = (min(config.steer_slew, config.followed_slew(manifest.control_period_s)), config.longitudinal_slew)
    speed = manifest.column(SPEED)
    no_throttle_above = config.cautious_speed or (manifest.vector[speed].mean if speed is not None else math.inf)
    return Tuning(
        solver=SOLVERS[config.solver].from_config(config, manifest.horizon),
        normal=Manner(make_scorer(config, manifest, has_ensemble), ActionLimits(slew, config.largest_throttle)),
        cautious=Manner(
            make_scorer(config, manifest, has_ensemble, cautious=True),
            ActionLimits(slew, min(config.cautious_throttle, config.largest_throttle)),
            no_throttle_above,
        ),
        model_noise=config.model_noise,
        retries=config.plan_retries,
        objective_reach=config.objective_reach,
    )


def make_scorer(config: PlannerConfig, manifest: BundleManifest, has_ensemble: bool, cautious: bool = False) -> Scorer:
    """The imagined return, and the costs that are on."""
    costs = make_costs(config, has_ensemble, cautious)
    return Scorer(manifest.discount, config.return_lambda, costs, config.futures_per_plan(costs))


def retune(parts: Parts, config: PlannerConfig) -> None:
    """Apply the parameters that may change while driving; call it between two frames.

    The engine and the belief stay. Raises ConfigError, and changes nothing, for a parameter that the bundle does not
    support.
    """
    parts.planner.retune(make_tuning(parts.afforded(config), parts.bundle.manifest, parts.has_ensemble))
    parts.pilot.retune(config)


def _has_ensemble(engine: Engine, manifest: BundleManifest) -> bool:
    """Whether imagined futures come with an ensemble's disagreement, found by imagining one."""
    actions = np.zeros((1, manifest.horizon, 3), np.float32)
    return engine.imagine(engine.initial_belief(), actions, engine.zero_noise(1)).disagreement is not None
