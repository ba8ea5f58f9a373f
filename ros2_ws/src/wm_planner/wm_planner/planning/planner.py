"""The planner without ROS: observe a frame, then plan until a deadline.

Shapes: N candidates, H horizon, F belief features, S stochastic size, V vector inputs, K cameras.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from wm_bundle import from_command, to_command
from wm_bundle.vector_inputs import SPEED

from wm_planner.engine.engine import Engine
from wm_planner.engine.policy import Policy
from wm_planner.errors import PlanError, PlannerError
from wm_planner.planning.costs.base import CostContext
from wm_planner.planning.limits import ActionLimits
from wm_planner.planning.objectives import openings, steered
from wm_planner.planning.plan import Plan, check_actions
from wm_planner.planning.signal_bias import SignalBias
from wm_planner.planning.solvers.base import Model, Problem, Solution
from wm_planner.planning.timer import CandidateTimer
from wm_planner.planning.tuning import Manner, Tuning


class Planner:
    """Keeps the belief and plans from it. Not thread-safe."""

    def __init__(
        self,
        engine: Engine,
        tuning: Tuning,
        *,
        policy: Policy | None = None,
        inputs: Sequence[str] = (),
        terms: Sequence[str] = (),
        period_s: float = 1.0,
        seed: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ):
        """``policy`` proposes actions to solvers; ``inputs`` names the vector inputs, ``terms`` the imagined terms of
        the reward; ``period_s`` [s] is a step; ``clock`` is monotonic [s]."""
        self._engine = engine
        self._policy = policy
        self._inputs = tuple(inputs)
        self._terms = tuple(terms)
        self._period_s = period_s
        self._clock = clock
        self._seed = seed
        self._timer = CandidateTimer()
        self._belief = np.array(engine.initial_belief())  # (1, F), a copy: the engine's arrays are overwritten
        self._before = self._belief.copy()  # before the last observation
        self._ahead = self._belief.copy()  # rolled forward through the commands in flight
        self.retune(tuning)
        self.reset()

    def retune(self, tuning: Tuning) -> None:
        """Plan with new settings from the next frame on. The belief stays, the search's warm start is lost."""
        self._tuning = tuning
        cautious = tuning.cautious or tuning.normal
        most_futures = max(tuning.solver.candidates, tuning.normal.scorer.samples, cautious.scorer.samples)
        self._noise = self._engine.zero_noise(most_futures)  # (N, H, S)
        tuning.solver.reset()

    def reset(self) -> None:
        """Forget the past: the next observation begins an episode."""
        self._belief[:] = self._engine.initial_belief()
        self._stamp_ns: int | None = None
        self._command = np.zeros(3, np.float32)
        self._surprise = 0.0
        self._past: np.ndarray | None = None  # (2, V): the vector inputs one period ago, and now
        self._last_plan: np.ndarray | None = None  # (H, 2)
        self._bias = SignalBias(len(self._inputs))
        self._for_policy: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        self._random = np.random.default_rng(self._seed)
        self._tuning.solver.reset()

    @property
    def belief(self) -> np.ndarray:
        """A copy of the belief (1, F); meaningless between a reset and the next observation."""
        return self._belief.copy()

    def expect(self, imagine_s: float, candidates: int) -> None:
        """Set how long imagining takes on this machine, so that the first frames meet their deadline too."""
        self._timer.record(imagine_s, candidates)

    def note_command(self, command: np.ndarray) -> None:
        """Set the last command (3,) really sent or applied; the next ``observe`` uses it."""
        self._command = np.array(command, np.float32)

    def observe(
        self, image: np.ndarray, vector: np.ndarray, stamp_ns: int, camera_mask: np.ndarray | None = None
    ) -> float:
        """Update the belief; returns the surprise [nats].

        ``image`` (C, height, width) uint8 at the model's size, ``vector`` (V,) in physical units, ``stamp_ns`` later
        than that of the last observation, ``camera_mask`` (K,) 0.0 where a camera's picture is missing. The previous
        action is the one of ``note_command``. ``plan`` reads ``image`` again, for the policy. Raises EngineError,
        and PlannerError for a stamp that did not advance; call ``reset`` after either.
        """
        if self._stamp_ns is not None and stamp_ns <= self._stamp_ns:
            raise PlannerError(
                f"observation stamped {stamp_ns} ns after one stamped {self._stamp_ns} ns: expected a "
                f"later stamp, or a reset before it"
            )
        self._before[:] = self._belief
        is_first = self._stamp_ns is None
        belief, self._surprise = self._engine.observe(image, vector, self._command, self._belief, is_first, camera_mask)
        self._belief[:] = belief
        # A policy takes neither a missing camera nor a missing number.
        complete = (camera_mask is None or camera_mask.all()) and np.isfinite(vector).all()
        self._for_policy = (image, vector, np.zeros(3) if is_first else self._command) if complete else None
        self._stamp_ns = stamp_ns
        self._past = np.array([vector if self._past is None else self._past[1], vector], np.float32)
        if self._tuning.normal.scorer.opens and not is_first:
            imagined = self._imagined_signals(self._before, self._command[None])
            if imagined is not None:
                self._bias.learn(self._past[1], imagined[0])
        return self._surprise

    def predict(self, commands: Sequence[np.ndarray | None]) -> None:
        """Roll the belief forward through ``commands`` (3,), one for each period whose image was lost, oldest first;
        None stands for that of ``note_command``. Call it before ``observe``, and ``reset`` after the EngineError it
        raises."""
        horizon = self._noise.shape[1]
        acted = np.array([self._command if command is None else command for command in commands], np.float32)
        for first in range(0, len(acted), horizon):
            self._belief[:] = self._engine.advance(self._belief, acted[first : first + horizon])

    def discard_observation(self) -> None:
        """Replace the last observation, whose picture is not trusted, by a prediction. Not for a belief's first one.
        Call ``reset`` after the EngineError it raises."""
        self._belief[:] = self._engine.advance(self._before, self._command[None])
        self._for_policy = None

    def plan(self, deadline_s: float, cautious: bool = False, in_flight: Sequence[np.ndarray] = ()) -> Plan:
        """Plan from the belief; ``deadline_s`` is a time of the injected clock.

        ``cautious`` selects the cautious scoring and limits. ``in_flight``: commands (3,), oldest first, that act
        before this plan's first action: the plan starts where they lead. Only the H newest count. The search uses as
        many candidates and iterations as should fit. A plan that fails its checks is searched for again, with new
        random numbers and without a warm start. Raises PlanError when all these searches failed, and EngineError; call
        ``reset`` after either."""
        if self._stamp_ns is None:
            raise PlannerError("a plan without an observation since the last reset: call observe first")
        solver, retries = self._tuning.solver, self._tuning.retries
        manner = self._tuning.cautious if cautious and self._tuning.cautious else self._tuning.normal
        problem, limits, previous = self._problem(deadline_s, manner, in_flight)
        if manner.scorer.opens and solver.searches:
            problem = self._opened(problem, manner.scorer.hurries)
        for attempt in range(retries + 1):
            try:
                solution = solver.solve(problem)
                if solution.iterations == 0:
                    self._timer.skipped()
                plan = self._checked_plan(solution, limits, previous, len(in_flight), attempt)
                self._last_plan = solution.plan
                return plan
            except PlanError as error:
                solver.forget()
                fault = error
        raise PlanError(f"{fault}; {retries} further searches failed too" if retries else str(fault)) from fault

    def imagine_future(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """The future along ``actions`` (H, 3), from where the last plan began: decoded pictures (H, C, height, width)
        uint8, and the vector inputs (1 + H, V): as observed, then as imagined; None from a model that imagines none."""
        imagined, beliefs = self._engine.imagine_whole(self._ahead, actions[None], self._engine.zero_noise(1))
        signals = None
        if imagined.vector is not None:
            signals = np.vstack([self._past[1], imagined.vector[0]])
        return self._engine.decode(beliefs[0]), signals

    def _problem(self, deadline_s: float, manner: Manner, in_flight) -> tuple[Problem, ActionLimits, np.ndarray]:
        """The solver's problem; the limits of its plans, and the search action (2,) before them."""
        self._ahead[:] = self._belief
        previous, past = self._command, self._past
        if len(in_flight):
            commands = np.asarray(in_flight, np.float32)[-self._noise.shape[1] :]  # (k, 3)
            self._ahead[:] = self._engine.advance(self._belief, commands)
            previous = commands[-1]
            past = self._past_after(commands) if manner.scorer.costs else past
        previous = from_command(previous)
        limits = manner.limits
        vector = dict(zip(self._inputs, map(float, self._past[1]), strict=False))
        above_mps = manner.no_throttle_above_mps
        if np.isfinite(above_mps) and not vector.get(SPEED.name, 0.0) <= above_mps:  # a missing one may be any
            limits = ActionLimits(limits.slew, min(limits.ceiling, 0.0))
        commands, _ = self._engine.actor(self._ahead)  # (H, 3)
        proposal = from_command(commands)
        limits.apply(proposal[None], previous)
        context = CostContext(previous, proposal, vector, past, self._period_s, self._terms)
        samples = manner.scorer.samples
        noise = self._frame_noise(samples)

        def evaluate(plans: np.ndarray) -> np.ndarray:
            begin_s = self._clock()
            futures = samples * len(plans)
            actions = to_command(plans)
            if samples > 1:
                actions = np.tile(actions, (samples, 1, 1))
            if noise is not None:
                # The same noise for all candidates, so that only their actions differ.
                self._noise[:futures].reshape(samples, len(plans), *noise.shape[1:])[:] = noise[:, None]
            imagined = self._engine.imagine(self._ahead, actions, self._noise[:futures])
            if manner.scorer.opens and imagined.vector is not None:
                imagined = replace(imagined, vector=imagined.vector + self._bias.values)
            scores = manner.scorer(plans, imagined, context)
            self._timer.record(self._clock() - begin_s, futures)
            if not np.isfinite(scores).all():
                raise PlanError(
                    f"{np.count_nonzero(~np.isfinite(scores))} of {len(scores)} plans have a score that is not finite"
                )
            return scores

        def left_s() -> float:
            return deadline_s - self._clock()

        problem = Problem(
            proposal,
            limit=lambda plans: limits.apply(plans, previous),
            evaluate=evaluate,
            affordable=lambda: min(self._timer.fitting(left_s()), len(self._noise)) // samples,
            policy_plan=lambda: self._policy_plan(limits, previous),
            left_s=left_s,
            model=Model(self._engine, self._ahead, self._engine.zero_noise(1) if noise is None else noise),
        )
        return problem, limits, previous

    def _past_after(self, commands: np.ndarray) -> np.ndarray:
        """``_past`` as it should be after ``commands`` (k, 3), where the model imagines it."""
        imagined = self._imagined_signals(self._belief, commands)
        return self._past if imagined is None else np.concatenate([self._past, imagined + self._bias.values])[-2:]

    def _imagined_signals(self, belief: np.ndarray, commands: np.ndarray) -> np.ndarray | None:
        """The vector inputs (k, V) expected along ``commands`` (k, 3); None from a model that imagines none."""
        padded = np.zeros((1, self._noise.shape[1], 3), np.float32)
        padded[0, : len(commands)] = commands
        vector = self._engine.imagine(belief, padded, self._engine.zero_noise(1)).vector
        return None if vector is None else vector[0, : len(commands)].copy()

    def _opened(self, problem: Problem, hurries: bool) -> Problem:
        """The problem around the best opening instead of the actor's plan, see objectives.py; around the last plan
        where there is no time to score."""
        actor = problem.proposal
        last = actor if self._last_plan is None else np.concatenate([self._last_plan[1:], actor[-1:]])
        pedals = openings(last[:, 1], actor[:, 1], self._tuning.objective_reach, hurries)
        engine, alone = self._engine, problem.limit
        steer = steered(lambda belief: engine.actor(belief)[0], engine.advance, self._ahead, pedals[0], alone)[:, 0]
        pedals = pedals[: max(1, problem.affordable())]
        plans = np.stack([np.broadcast_to(steer, pedals.shape), pedals], axis=-1)
        problem.limit(plans)
        best = int(np.argmax(problem.evaluate(plans))) if problem.affordable() >= len(plans) else 0
        return replace(problem, proposal=plans[best])

    def _policy_plan(self, limits: ActionLimits, previous: np.ndarray) -> np.ndarray | None:
        """The policy's action followed by the actor's: (H, 2), within the limits.

        None without a policy, or if the picture is incomplete or not trusted.
        """
        if self._policy is None or self._for_policy is None:
            return None
        plan = from_command(self._policy.act(*self._for_policy))[None]  # (1, 2)
        limits.apply(plan[None], previous)
        continued, _ = self._engine.actor(self._engine.advance(self._ahead, to_command(plan)))  # (H, 3)
        plan = np.concatenate([plan, from_command(continued)[:-1]])
        limits.apply(plan[None], previous)
        return plan

    def _frame_noise(self, samples: int) -> np.ndarray | None:
        """This frame's noise (samples, H, S), None for the mean prediction."""
        scale = self._tuning.model_noise
        if samples == 1 and scale == 0.0:
            self._noise[:] = 0.0  # a cautious frame may have written to it
            return None
        noise = self._random.standard_normal((samples, *self._noise.shape[1:]), dtype=np.float32)
        return noise * np.float32(scale or 1.0)

    def _checked_plan(
        self, solution: Solution, limits: ActionLimits, previous: np.ndarray, in_flight: int, retries: int
    ) -> Plan:
        actions = to_command(solution.plan)
        check_actions(actions)
        limits.check(solution.plan, previous)
        returns = solution.returns
        best = 0 if solution.iterations == 0 else int(np.argmax(returns))
        return Plan(
            action=actions[0],
            actions=actions,
            candidates=to_command(solution.candidates),
            returns=returns,
            best=best,
            best_return=float(returns[best]),
            mean_return=float(returns.mean()),
            surprise=self._surprise,
            iterations=solution.iterations,
            stamp_ns=self._stamp_ns,
            in_flight=in_flight,
            retries=retries,
        )
