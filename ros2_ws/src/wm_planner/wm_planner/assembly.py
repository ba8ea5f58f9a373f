"""Builds every part of the planner from its parameters, in one place."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from wm_bundle import Bundle, BundleError, load_bundle

from wm_planner.config import PlannerConfig
from wm_planner.engine import Engine, EngineSettings
from wm_planner.errors import ConfigError
from wm_planner.pilot import Pilot
from wm_planner.planner import Planner
from wm_planner.scoring import ActionRateCost, DeviationCost, Scorer
from wm_planner.solvers import CEM, MPPI, ActorOnly, SamplingSettings, Solver


@dataclass(frozen=True)
class Parts:
    """What a node needs to drive."""

    bundle: Bundle
    planner: Planner
    pilot: Pilot


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
    manifest = bundle.manifest
    solver = make_solver(config, manifest.horizon)
    engine = Engine(bundle, EngineSettings(threads=config.threads), log)
    planner = Planner(engine, solver, make_scorer(config, manifest.discount),
                      model_noise=config.model_noise, seed=config.seed, clock=clock)
    pilot = Pilot(planner, manifest, config.deadline_ms / 1000.0, clock=clock, log=log)
    times = engine.warm_up(solver.candidates)
    log(f"bundle {manifest.model_id}: {config.solver}, {solver.candidates} candidates x {manifest.horizon} steps; "
        + ", ".join(f"{name} {milliseconds:.1f} ms" for name, milliseconds in times.items()))
    planner.expect(times["imagine"] / 1000.0, solver.candidates)
    search_ms = config.iterations * times["imagine"] if config.solver != "actor" else 0.0
    if times["observe"] + times["actor"] + search_ms > config.deadline_ms:
        log(f"{config.iterations} iterations of {solver.candidates} candidates take about {search_ms:.0f} ms here, the "
            f"deadline is {config.deadline_ms:g} ms: the search will be cut short; consider fewer candidates")
    return Parts(bundle, planner, pilot)


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
    return CEM(settings, config.elites)


def make_scorer(config: PlannerConfig, discount: float) -> Scorer:
    """The imagined return with the cost terms whose weight is not zero."""
    costs = []
    if config.action_rate_cost > 0.0:
        costs.append(ActionRateCost(config.action_rate_cost))
    if config.deviation_cost > 0.0:
        costs.append(DeviationCost(config.deviation_cost))
    return Scorer(discount, config.return_lambda, costs)
