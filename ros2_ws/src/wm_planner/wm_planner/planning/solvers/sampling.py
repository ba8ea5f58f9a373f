"""What random shooting, CEM and MPPI share: sample plans around the actor's and the last plan, score, improve, repeat.

The search is narrow by design. A learned model is accurate near its training data; a wide search finds the plans it
is wrong about. So the noise is small, correlated in time and never wider than at the start, and no plan leaves the
trust region around the actor's, from which warm starts would drift away frame by frame. A policy's plan is sampled
around too, and extends the region.

Shapes: N candidates, H horizon; plans (H, 2) float32 in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from wm_bundle.processes.parameters import NodeParameters, parameter

from wm_planner.planning.solvers.base import Problem, Solution, Solver, unscored

FEWEST_CANDIDATES = 8  # an iteration with fewer is not worth its time
_FIXED = 3  # unperturbed candidates in every iteration, at least: the actor's plan, the last one shifted, the centre


@dataclass(frozen=True)
class SamplingSettings:
    """How to sample.

    ``candidates`` N per iteration and ``iterations``, both maxima; ``std`` of (steer, longitudinal) noise at the
    start; ``correlation`` of the noise between successive steps, 0 to below 1; ``trust``: largest distance from the
    actor's plan, in ``std``; ``seed`` of the random numbers.
    """

    candidates: int
    horizon: int
    iterations: int
    std: tuple[float, float]
    correlation: float
    trust: float
    seed: int

    def __post_init__(self):
        if self.candidates < FEWEST_CANDIDATES:
            raise ValueError(f"candidates: expected at least {FEWEST_CANDIDATES}, found {self.candidates}")
        if self.iterations < 1 or self.horizon < 1:
            raise ValueError(f"iterations and horizon: expected at least 1, found {self.iterations} and {self.horizon}")

    @classmethod
    def from_config(cls, config: NodeParameters, horizon: int) -> SamplingSettings:
        """The settings from the parameters."""
        return cls(
            candidates=config.candidates,
            horizon=horizon,
            iterations=config.iterations,
            std=(config.steer_std, config.longitudinal_std),
            correlation=config.noise_correlation,
            trust=config.trust,
            seed=config.seed,
        )


class SamplingSolver(Solver):
    """Samples and scores; subclasses turn the scores into the next iteration in ``_refit``."""

    parameters = {
        "steer_std": parameter(0.05, "width of the search in steer", "of -1..1", 0.0, 1.0, live=True),
        "longitudinal_std": parameter(0.1, "width of the search in throttle or brake", "of -1..1", 0.0, 1.0, live=True),
        "noise_correlation": parameter(0.8, "correlation of the search noise between steps", "", 0.0, 0.99, live=True),
        "trust": parameter(
            1.0, "how far a plan may be from the actor's", "widths of the search", 0.0, 100.0, live=True
        ),
    }
    searches = True
    follows = True
    """Whether the next iteration samples around the result of ``_refit``, not around the first two plans again."""

    def __init__(self, settings: SamplingSettings):
        self.settings = settings
        self.candidates = settings.candidates
        count, horizon = settings.candidates, settings.horizon
        self._base_std = np.asarray(settings.std, np.float32)
        self._reach = settings.trust * self._base_std
        # Stationary AR(1) noise: covariance correlation^|i-j| between steps, unit variance.
        steps = np.arange(horizon)
        covariance = settings.correlation ** np.abs(steps[:, None] - steps[None, :]).astype(np.float64)
        self._mix_steps = np.linalg.cholesky(covariance).astype(np.float32)  # (H, H)
        self._plans = np.empty((count, horizon, 2), np.float32)
        self._white = np.empty((count - _FIXED, horizon, 2), np.float32)
        self._noise = np.empty_like(self._white)
        self.reset()

    @classmethod
    def from_config(cls, config: NodeParameters, horizon: int) -> SamplingSolver:
        """See Solver."""
        return cls(SamplingSettings.from_config(config, horizon))

    def reset(self) -> None:
        """See Solver."""
        self._random = np.random.default_rng(self.settings.seed)
        self.forget()

    def forget(self) -> None:
        """See Solver."""
        self._last_plan: np.ndarray | None = None

    def solve(self, problem: Problem) -> Solution:
        """Search around the proposal, the last plan and the policy's, with as many candidates and iterations as time
        allows."""
        low, high = problem.proposal - self._reach, problem.proposal + self._reach
        policy_plan = problem.policy_plan()
        if policy_plan is not None:
            np.minimum(low, policy_plan, out=low)
            np.maximum(high, policy_plan, out=high)
        np.clip(low, -1.0, 1.0, out=low)
        np.clip(high, -1.0, 1.0, out=high)
        shifted = np.clip(self._shifted_last_plan(problem.proposal), low, high)
        around = [problem.proposal, shifted] + ([] if policy_plan is None else [policy_plan])
        solution = unscored(problem.proposal)
        centre, std = None, self._base_std
        for iteration in range(self.settings.iterations):
            count = min(problem.affordable(), self.candidates)
            if count < FEWEST_CANDIDATES:
                break
            plans = self._sample(count, around, centre, std)
            np.clip(plans, low, high, out=plans)
            problem.limit(plans)
            returns = problem.evaluate(plans)
            centre, std = self._refit(plans, returns, std)
            solution = Solution(centre, plans, returns, iteration + 1)
        self._last_plan = solution.plan
        return solution

    def _shifted_last_plan(self, proposal: np.ndarray) -> np.ndarray:
        if self._last_plan is None:
            return proposal
        # One step has passed; the new last step is the actor's.
        return np.concatenate([self._last_plan[1:], proposal[-1:]])

    def _sample(self, count: int, around: list[np.ndarray], centre, std) -> np.ndarray:
        """Candidates (count, H, 2): the fixed ones, then noise around ``centre``; at the start, where it is None,
        around each of ``around``, whose mean is the centre."""
        self._random.standard_normal(out=self._white, dtype=np.float32)  # all: ``count`` must not change later plans
        np.matmul(self._mix_steps, self._white, out=self._noise)
        self._noise *= std
        plans, fixed = self._plans[:count], len(around) + 1
        plans[: fixed - 1] = around
        plans[fixed - 1] = np.mean(around, axis=0) if centre is None else centre
        sampled, noise = plans[fixed:], self._noise[: count - fixed]
        begin = 0
        centres = around if centre is None or not self.follows else [centre]
        for index, middle in enumerate(centres):
            end = len(sampled) * (index + 1) // len(centres)
            np.add(noise[begin:end], middle, out=sampled[begin:end])
            begin = end
        return plans

    def _refit(self, plans: np.ndarray, returns: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The answer so far (H, 2), which is the next centre, and the next width (2,), from scored plans.

        The answer must be one of the plans or between them, so that it is within the limits.
        """
        raise NotImplementedError
