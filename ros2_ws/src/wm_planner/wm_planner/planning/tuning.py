"""What of the planner may be exchanged between two frames, and how it follows from the parameters."""

import math
from dataclasses import dataclass

from wm_bundle import BundleManifest
from wm_bundle.vector_inputs import SPEED

from wm_planner.config import PlannerConfig
from wm_planner.planning.costs import check_costs, make_costs
from wm_planner.planning.limits import ActionLimits
from wm_planner.planning.scoring import Scorer
from wm_planner.planning.solvers import SOLVERS
from wm_planner.planning.solvers.base import Solver


@dataclass(frozen=True)
class Manner:
    """How plans are judged and limited; the planner has one for driving and a cautious one."""

    scorer: Scorer
    limits: ActionLimits = ActionLimits()
    no_throttle_above_mps: float = math.inf


@dataclass(frozen=True)
class Tuning:
    """How to plan.

    ``cautious`` None: no more cautious than ``normal``. ``model_noise`` scales the noise of imagined futures (0: the
    mean prediction); a scorer that needs several futures of a plan gets noise of scale 1 then. ``retries``: searches
    begun afresh when a plan fails its checks.
    """

    solver: Solver
    normal: Manner
    cautious: Manner | None = None
    model_noise: float = 0.0
    retries: int = 1


def make_tuning(config: PlannerConfig, manifest: BundleManifest, has_ensemble: bool) -> Tuning:
    """What the parameters ask for. Raises ConfigError for a cost that the bundle cannot serve."""
    check_costs(config, manifest, has_ensemble)
    slew = (config.steer_slew, config.longitudinal_slew)
    speed = manifest.column(SPEED)
    no_throttle_above = config.cautious_speed or (manifest.vector[speed].mean if speed is not None else math.inf)
    return Tuning(
        solver=SOLVERS[config.solver].from_config(config, manifest.horizon),
        normal=Manner(make_scorer(config, manifest, has_ensemble), ActionLimits(slew)),
        cautious=Manner(
            make_scorer(config, manifest, has_ensemble, cautious=True),
            ActionLimits(slew, config.cautious_throttle),
            no_throttle_above,
        ),
        model_noise=config.model_noise,
        retries=config.plan_retries,
    )


def make_scorer(config: PlannerConfig, manifest: BundleManifest, has_ensemble: bool, cautious: bool = False) -> Scorer:
    """The imagined return, and the costs that are on."""
    costs = make_costs(config, has_ensemble, cautious)
    return Scorer(manifest.discount, config.return_lambda, costs, config.futures_per_plan(costs))
