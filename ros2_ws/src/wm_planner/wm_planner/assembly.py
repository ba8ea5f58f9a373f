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
from wm_planner.engine.providers import CHOICES, EngineSettings
from wm_planner.pilot.bundle_guard import BundleGuard
from wm_planner.pilot.pilot import Pilot
from wm_planner.pilot.preflight import load_models
from wm_planner.planning.costs import check_costs, make_costs
from wm_planner.planning.limits import ActionLimits
from wm_planner.planning.planner import Planner
from wm_planner.planning.scoring import Scorer
from wm_planner.planning.solvers import SOLVERS
from wm_planner.planning.tuning import Manner, Tuning


@dataclass(frozen=True)
class Parts:
    """What a node needs to drive. ``guard`` watches the files in use; ``policy`` proposes actions, None without one."""

    bundle: Bundle
    engine: Engine
    planner: Planner
    pilot: Pilot
    guard: BundleGuard
    has_ensemble: bool
    policy: PolicyFile | None


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
    _warn_of_time(config, candidates, times, log)
    return Parts(bundle, engine, planner, pilot, guard, has_ensemble, file)


def _open_policy(file: PolicyFile, settings: EngineSettings, provider: str, log: Callable[[str], None]) -> Policy:
    """The policy on the bundle's provider, or on a later one."""
    rest = settings.providers[settings.providers.index(provider) :]
    return Policy(file, replace(settings, providers=rest), lambda line: log(f"policy: {line}"))


def _warn_of_time(config: PlannerConfig, candidates: int, times: dict[str, float], log: Callable[[str], None]) -> None:
    """Warn where a frame takes longer than its deadline; ``times`` [ms] of one call each."""
    search_ms = config.iterations * times["imagine"] if config.searches else 0.0
    policy_ms = times["policy"] + times["advance"] + times["actor"] if "policy" in times else 0.0
    rest_ms = times["observe"] + times["actor"] + policy_ms
    if rest_ms + search_ms > config.deadline_ms:
        log(
            f"{config.iterations} iterations of {candidates} candidates take about {search_ms:.0f} ms here, the rest "
            f"{rest_ms:.0f} ms, the deadline is {config.deadline_ms:g} ms: the search will be cut short; consider "
            f"fewer candidates"
        )


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
    parts.planner.retune(make_tuning(config, parts.bundle.manifest, parts.has_ensemble))
    parts.pilot.retune(config)


def _has_ensemble(engine: Engine, manifest: BundleManifest) -> bool:
    """Whether imagined futures come with an ensemble's disagreement, found by imagining one."""
    actions = np.zeros((1, manifest.horizon, 3), np.float32)
    return engine.imagine(engine.initial_belief(), actions, engine.zero_noise(1)).disagreement is not None
