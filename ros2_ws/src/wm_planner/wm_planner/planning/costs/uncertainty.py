"""The cost of an uncertain return: from the ensemble if the model has one, else from several futures of each plan."""

from wm_bundle.processes.parameters import parameter

from wm_planner.errors import ConfigError
from wm_planner.planning.costs.base import Cost
from wm_planner.planning.solvers.sampling import FEWEST_CANDIDATES


class _Risk(Cost):
    """The weight is in standard deviations of the return: 1.3 is the 10 % quantile of a normal distribution."""

    name = "risk"
    parameters = {
        name: parameter(0.0, "spread of the return that is subtracted from its mean", "std", 0.0, 100.0, live=True),
        "risk_samples": parameter(
            4,
            "futures imagined per plan to estimate that spread, in bundles without an ensemble; they share the "
            "candidates",
            low=2,
            high=64,
            live=True,
        ),
        "cautious_risk": parameter(1.0, "degraded: least value of risk", "std", 0.0, 100.0, live=True),
    }

    @classmethod
    def cautious_weight(cls, config):
        """See Cost."""
        return max(config.risk, config.cautious_risk)


class DisagreementCost(_Risk):
    """The ensemble's disagreement on every reward and value, each weighted as in the return.

    The standard deviations of all steps are added up: errors of successive steps are correlated.
    """

    ensemble = True

    def __call__(self, plans, futures, context):
        """See Cost."""
        imagined = futures.imagined
        spread = (futures.reward_weights * imagined.disagreement).sum(axis=1)
        spread += (futures.value_weights * imagined.value_disagreement).sum(axis=1)
        return self.weight * spread.reshape(futures.returns.shape).mean(axis=0)


class SpreadCost(_Risk):
    """Spread of the return over M futures that differ in the model's noise; mean minus spread is a low quantile."""

    ensemble = False
    several_futures = True

    def __call__(self, plans, futures, context):
        """See Cost."""
        return self.weight * futures.returns.std(axis=0, ddof=1)

    @classmethod
    def check(cls, config, manifest):
        """See Cost; also refuses too few candidates for the cautious mode."""
        super().check(config, manifest)
        if config.searches and config.cautious_risk > 0.0 and config.samples_that_fit < 2:
            raise ConfigError(
                f"parameter candidates: expected at least {2 * FEWEST_CANDIDATES} with cautious_risk above 0, because "
                f"bundle {manifest.model_id} has no ensemble and every plan is imagined more than once when degraded, "
                f"found {config.candidates}; or set cautious_risk to 0"
            )
