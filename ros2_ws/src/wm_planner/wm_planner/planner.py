"""The planner without ROS: observe a frame, then plan until a deadline.

Shapes: N candidates, H horizon, F belief features, S stochastic size, V vector inputs.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from wm_bundle import ACTION_HIGH, ACTION_LOW, from_command, to_command

from wm_planner.engine import Engine
from wm_planner.errors import PlanError
from wm_planner.scoring import CostContext, Scorer
from wm_planner.solvers import Problem, Solver

_LIMIT_SLACK = 1e-5  # float32 rounding


@dataclass(frozen=True)
class Plan:
    """A checked plan.

    ``action`` (3,): the command now, [steer, throttle, brake]. ``actions`` (H, 3): what it belongs to.
    ``candidates`` (N, H, 3) commands and their ``returns`` (N,) in reward units, of the last iteration; ``best`` is
    the index of the largest. ``returns`` are NaN when there was no time to score (``iterations`` 0).
    ``surprise`` [nats] of the observation it was made from.
    """

    action: np.ndarray
    actions: np.ndarray
    candidates: np.ndarray
    returns: np.ndarray
    best: int
    best_return: float
    mean_return: float
    surprise: float
    iterations: int


class CandidateTimer:
    """How long it takes to imagine and score one candidate, to know how many fit before a deadline."""

    def __init__(self):
        self.expected_s = 0.0

    def record(self, seconds: float, candidates: int) -> None:
        """Take in one measured evaluation: an increase counts at once, a decrease slowly."""
        measured_s = seconds / candidates
        self.expected_s = max(measured_s, 0.8 * self.expected_s + 0.2 * measured_s)

    def fitting(self, seconds: float) -> int:
        """How many candidates are expected to fit into some time."""
        if seconds <= 0.0:
            return 0
        return int(min(seconds / max(self.expected_s, 1e-9), 1e9))

    def skipped(self) -> None:
        """A frame had no time for any evaluation: doubt the estimate, or one slow call would end planning for good."""
        self.expected_s *= 0.5


class Planner:
    """Keeps the belief and plans from it. Not thread-safe; one caller."""

    def __init__(self, engine: Engine, solver: Solver, scorer: Scorer, *, model_noise: float = 0.0, seed: int = 0,
                 clock: Callable[[], float] = time.monotonic):
        """``model_noise`` scales the noise of imagined futures (0: the mean prediction); ``clock`` is monotonic [s]."""
        self._engine = engine
        self._solver = solver
        self._scorer = scorer
        self._clock = clock
        self._model_noise = model_noise
        self._seed = seed
        self._timer = CandidateTimer()
        self._noise = engine.zero_noise(solver.candidates)  # (N, H, S)
        self.reset()

    def reset(self) -> None:
        """Forget everything about the past: the next observation begins an episode."""
        self._belief = self._engine.initial_belief()
        self._is_first = True
        self._command = np.zeros(3, np.float32)
        self._surprise = 0.0
        self._random = np.random.default_rng(self._seed)
        self._solver.reset()

    def expect(self, imagine_s: float, candidates: int) -> None:
        """Tell how long imagining takes on this machine, so that the first frames keep their deadline too."""
        self._timer.record(imagine_s, candidates)

    def note_command(self, command: np.ndarray) -> None:
        """Tell which command (3,) was really sent or applied last; the next ``observe`` uses it."""
        self._command = np.asarray(command, np.float32)

    def observe(self, image: np.ndarray, vector: np.ndarray) -> float:
        """Update the belief; returns the surprise [nats].

        ``image`` (C, height, width) uint8 at the model's size, ``vector`` (V,) in physical units. The previous
        action is the one of ``note_command``. Raises EngineError; call ``reset`` after that.
        """
        self._belief, self._surprise = self._engine.observe(
            image, vector, self._command, self._belief, self._is_first)
        self._is_first = False
        return self._surprise

    def plan(self, deadline_s: float) -> Plan:
        """Plan from the belief; ``deadline_s`` is a time of the injected clock.

        The actor's plan is there in any case; the search takes as many candidates and iterations as should fit.
        Raises EngineError or PlanError; call ``reset`` after that.
        """
        commands, _ = self._engine.actor(self._belief)  # (H, 3)
        proposal = from_command(commands)
        context = CostContext(from_command(self._command), proposal)
        if self._model_noise > 0.0:
            # The same noise for all candidates: they differ in what they do, not in their luck.
            shared = self._random.standard_normal(self._noise.shape[1:], dtype=np.float32)
            self._noise[:] = self._model_noise * shared

        def evaluate(plans: np.ndarray) -> np.ndarray:
            begin_s = self._clock()
            imagined = self._engine.imagine(self._belief, to_command(plans), self._noise[: len(plans)])
            scores = self._scorer(plans, imagined, context)
            self._timer.record(self._clock() - begin_s, len(plans))
            return scores

        def affordable() -> int:
            return self._timer.fitting(deadline_s - self._clock())

        solution = self._solver.solve(Problem(proposal, evaluate, affordable))
        if solution.iterations == 0:
            self._timer.skipped()
        return self._checked_plan(solution)

    def imagine_pictures(self, actions: np.ndarray) -> np.ndarray:
        """Decoded future (H, C, height, width) uint8 along ``actions`` (H, 3), from the present belief."""
        beliefs = self._engine.imagine_beliefs(self._belief, actions[None], self._engine.zero_noise(1))
        return self._engine.decode(beliefs[0])

    def _checked_plan(self, solution) -> Plan:
        actions = to_command(solution.plan)
        check_actions(actions)
        returns = solution.returns
        best = 0 if solution.iterations == 0 else int(np.argmax(returns))
        return Plan(
            action=actions[0], actions=actions, candidates=to_command(solution.candidates), returns=returns,
            best=best, best_return=float(returns[best]), mean_return=float(returns.mean()),
            surprise=self._surprise, iterations=solution.iterations)


def check_actions(actions: np.ndarray) -> None:
    """Raise PlanError unless all commands (H, 3) are finite, in their limits, and never throttle and brake at once."""
    if not np.isfinite(actions).all():
        raise PlanError(f"plan is not finite: {actions[~np.isfinite(actions).all(axis=1)][0].tolist()}")
    low, high = np.asarray(ACTION_LOW) - _LIMIT_SLACK, np.asarray(ACTION_HIGH) + _LIMIT_SLACK
    outside = ((actions < low) | (actions > high)).any(axis=1)
    if outside.any():
        raise PlanError(f"plan leaves the limits {ACTION_LOW} to {ACTION_HIGH}: {actions[outside][0].tolist()}")
    both = (actions[:, 1] > 0.0) & (actions[:, 2] > 0.0)
    if both.any():
        raise PlanError(f"plan presses throttle and brake at once: {actions[both][0].tolist()}")
