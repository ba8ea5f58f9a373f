"""Builds every part of the planner from its parameters, in one place."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from wm_bundle import Bundle, BundleError, BundleManifest, CameraSpec, ImageSpec, load_bundle

from wm_planner.bundle_guard import BundleGuard
from wm_planner.config import PlannerConfig
from wm_planner.costs import ActionRateCost, CostTerm, DeviationCost, DisagreementCost, SpreadCost, SteeringSpeedCost
from wm_planner.engine import Engine, EngineSettings
from wm_planner.errors import ConfigError
from wm_planner.limits import ActionLimits
from wm_planner.pilot import Pilot
from wm_planner.planner import Manner, Planner, Tuning
from wm_planner.scoring import Scorer
from wm_planner.solvers import CEM, MPPI, ActorOnly, RandomShooting, SamplingSettings, Solver

_COST_WEIGHTS = ("action_rate_cost", "deviation_cost", "steering_speed_cost")


@dataclass(frozen=True)
class Parts:
    """What a node needs to drive. ``has_ensemble``: the model says what its members disagree by."""

    bundle: Bundle
    engine: Engine
    planner: Planner
    pilot: Pilot
    has_ensemble: bool


def build(config: PlannerConfig, log: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> Parts:
    """Load and check the bundle, open and warm up the engine, and put the parts together.

    Raises ConfigError (also for a bundle that is missing, damaged or asks for inputs there are not) and EngineError.
    """
    if not config.bundle:
        raise ConfigError("parameter bundle: expected the folder of a model bundle, found nothing; "
                          "set it with -p bundle:=FOLDER")
    try:
        bundle = load_bundle(config.bundle)
    except BundleError as error:
        raise ConfigError(str(error)) from error
    if config.preprocessed_images:
        bundle = replace(bundle, manifest=replace(
            bundle.manifest, image=for_preprocessed_images(bundle.manifest.image)))  # fmt: skip
    manifest = bundle.manifest
    engine = Engine(bundle, EngineSettings(threads=config.threads), log)
    has_ensemble = _has_ensemble(engine, manifest)
    tuning = make_tuning(config, manifest, has_ensemble)
    solver = tuning.solver
    planner = Planner(engine, tuning, speed_index=_speed_index(manifest), seed=config.seed, clock=clock)
    pilot = Pilot(planner, manifest, config, BundleGuard(bundle, clock), clock=clock, log=log)
    times = engine.warm_up(solver.candidates)
    log(f"bundle {manifest.model_id}: {config.solver}, {solver.candidates} candidates x {manifest.horizon} steps; "
        + ", ".join(f"{name} {milliseconds:.1f} ms" for name, milliseconds in times.items()))
    planner.expect(times["imagine"] / 1000.0, solver.candidates)
    search_ms = config.iterations * times["imagine"] if config.solver != "actor" else 0.0
    if times["observe"] + times["actor"] + search_ms > config.deadline_ms:
        log(f"{config.iterations} iterations of {solver.candidates} candidates take about {search_ms:.0f} ms here, the "
            f"deadline is {config.deadline_ms:g} ms: the search will be cut short; consider fewer candidates")
    return Parts(bundle, engine, planner, pilot, has_ensemble)


def for_preprocessed_images(image: ImageSpec) -> ImageSpec:
    """The same pictures from cameras that send them at the model's size."""
    return replace(image, cameras=tuple(CameraSpec(camera.name, image.height, image.width) for camera in image.cameras))


def retune(parts: Parts, config: PlannerConfig) -> None:
    """Apply the parameters that may change while driving; call it between two frames.

    The engine and the belief stay. Nothing is changed when this raises ConfigError, for a parameter that the bundle
    cannot serve.
    """
    parts.planner.retune(make_tuning(config, parts.bundle.manifest, parts.has_ensemble))
    parts.pilot.retune(config)


def make_tuning(config: PlannerConfig, manifest: BundleManifest, has_ensemble: bool) -> Tuning:
    """Everything of the planner that may be exchanged while driving. Raises ConfigError, see ``make_costs``."""
    slew = (config.steer_slew, config.longitudinal_slew)
    cautious = replace(
        config, risk=max(config.risk, config.cautious_risk),
        **{name: config.cautious_costs * getattr(config, name) for name in _COST_WEIGHTS})
    speed = _speed_index(manifest)
    no_throttle_above = config.cautious_speed or (manifest.vector[speed].mean if speed is not None else math.inf)
    return Tuning(
        solver=make_solver(config, manifest.horizon),
        normal=Manner(make_scorer(config, manifest, has_ensemble), ActionLimits(slew)),
        cautious=Manner(make_scorer(cautious, manifest, has_ensemble), ActionLimits(slew, config.cautious_throttle),
                        no_throttle_above),
        model_noise=config.model_noise, retries=config.plan_retries)


def make_solver(config: PlannerConfig, horizon: int) -> Solver:
    """The solver that ``config.solver`` names."""
    if config.solver == "actor":
        return ActorOnly()
    settings = SamplingSettings(
        candidates=config.candidates, horizon=horizon, iterations=config.iterations,
        std=(config.steer_std, config.longitudinal_std), correlation=config.noise_correlation,
        trust=config.trust, seed=config.seed)
    if config.solver == "mppi":
        return MPPI(settings, config.temperature)
    if config.solver == "cem":
        return CEM(settings, config.elites)
    return RandomShooting(settings)


def make_scorer(config: PlannerConfig, manifest: BundleManifest, has_ensemble: bool) -> Scorer:
    """The imagined return with the cost terms whose weight is not zero."""
    return Scorer(manifest.discount, config.return_lambda, make_costs(config, manifest, has_ensemble),
                  config.futures_per_plan(has_ensemble))


def make_costs(config: PlannerConfig, manifest: BundleManifest, has_ensemble: bool) -> list[CostTerm]:
    """The cost terms whose weight is not zero. Raises ConfigError for one that needs an input the bundle lacks."""
    costs: list[CostTerm] = []
    if config.action_rate_cost > 0.0:
        costs.append(ActionRateCost(config.action_rate_cost))
    if config.deviation_cost > 0.0:
        costs.append(DeviationCost(config.deviation_cost))
    if config.steering_speed_cost > 0.0:
        if _speed_index(manifest) is None:
            raise ConfigError(f"parameter steering_speed_cost: bundle {manifest.model_id} has no input speed [m/s], "
                              f"which this cost needs; set it to 0")
        costs.append(SteeringSpeedCost(config.steering_speed_cost))
    if config.risk > 0.0 and has_ensemble:
        costs.append(DisagreementCost(config.risk))
    elif config.futures_per_plan(has_ensemble) > 1:
        costs.append(SpreadCost(config.risk))
    return costs


def _has_ensemble(engine: Engine, manifest: BundleManifest) -> bool:
    """Whether imagined futures come with the disagreement of an ensemble, seen by imagining one."""
    actions = np.zeros((1, manifest.horizon, 3), np.float32)
    return engine.imagine(engine.initial_belief(), actions, engine.zero_noise(1)).disagreement is not None


def _speed_index(manifest: BundleManifest) -> int | None:
    """Which of the bundle's vector inputs is the speed in m/s."""
    inputs = [(entry.name, entry.unit) for entry in manifest.vector]
    return inputs.index(("speed", "m/s")) if ("speed", "m/s") in inputs else None
