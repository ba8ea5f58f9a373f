"""Two runs of a bundle over the same frames, and the differences of their outputs.

Shapes: T frames, N candidates, H horizon, F belief features.
"""

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from wm_bundle import from_command, to_command
from wm_bundle.parity import PLAN_EVERY, relative_difference, scattered_plans, weighted_action
from wm_evaluation.imagined_frames import Observation
from wm_planner.assembly import Parts
from wm_planner.engine.imagined import Imagined
from wm_planner.planning.plan import Plan
from wm_planner.planning.scoring import imagined_returns

PATIENCE_S = 1e6  # nothing is late: the complete search is compared
PICTURE_LEVELS = 1.0  # of 255: a value between two levels may be rounded either way
_HEADS = {
    "reward": "reward",
    "continues": "continue",
    "value": "value",
    "disagreement": "disagreement",
    "value_disagreement": "value_disagreement",
    "vector": "vector",
    "reward_terms": "reward_terms",
}


@dataclass(frozen=True)
class Difference:
    """The difference of one output, over all its numbers in all frames; NaN if one was not finite.

    ``measured`` is the one of ``largest``, ``p999`` and ``p99`` that is compared with the tolerance.
    """

    output: str
    largest: float
    p999: float
    p99: float
    measured: str

    @property
    def value(self) -> float:
        """The value to compare with the tolerance."""
        return getattr(self, self.measured)


class ParityRun:
    """Feeds the same frames to both; each continues from its own beliefs, as when driving."""

    def __init__(self, reference: Parts, candidate: Parts, seed: int):
        """``seed`` of the plans that both imagine."""
        self._sides = reference, candidate
        self._random = np.random.default_rng(seed)
        self._noted: dict[str, list[np.ndarray]] = defaultdict(list)
        self._levels = np.zeros(256, np.int64)  # counts of picture differences, by size
        self._return_sizes: list[float] = []
        self._same_best: list[bool] = []

    def take(self, frames: Iterable[Observation]) -> None:
        """Compare over ``frames``; plans and pictures in every fifth one. Raises EngineError, PlanError."""
        for number, frame in enumerate(frames):
            surprises = [observe(side, frame, number) for side in self._sides]
            beliefs = [side.planner.belief for side in self._sides]
            self._note("belief", *beliefs)
            self._note("surprise", *np.array(surprises)[:, None])
            if number % PLAN_EVERY == 0:
                self._compare_plans(beliefs)

    def differences(self) -> list[Difference]:
        """The differences, in the order of computation."""
        rows = [
            _difference(name, parts, "largest" if name == "belief" else "p999")
            for name, parts in self._noted.items()
            if name not in ("return", "action", "command")
        ]
        rows.append(self._picture())
        typical = max(1.0, float(np.mean(self._return_sizes)))
        rows.append(_difference("return", [part / typical for part in self._noted["return"]], "p99"))
        return rows + [_difference(name, self._noted[name], "p99") for name in ("action", "command")]

    @property
    def same_best(self) -> float:
        """Share of frames in which both score the same plan best."""
        return float(np.mean(self._same_best))

    def _compare_plans(self, beliefs: list[np.ndarray]) -> None:
        engines = [side.engine for side in self._sides]
        actors = [
            [output.copy() for output in engine.actor(belief)] for engine, belief in zip(engines, beliefs, strict=True)
        ]
        self._note("actor_plan", *(plan for plan, _ in actors))
        self._note("actor_std", *(std for _, std in actors))
        plans = scattered_plans(from_command(actors[0][0]), self._random)  # (N, H, 2), the same for both
        actions = to_command(plans)
        imagined, futures, pictures = [], [], []
        for engine, belief in zip(engines, beliefs, strict=True):
            scores, along = engine.imagine_whole(belief, actions, engine.zero_noise(len(plans)))
            imagined.append(_copied(scores))
            futures.append(along[0].copy())
            pictures.append(engine.decode(along[0]).copy())
        for field, name in _HEADS.items():
            if getattr(imagined[0], field) is not None:
                self._note(name, *(getattr(one, field) for one in imagined))
        self._note("imagined_belief", *futures)
        apart = np.abs(pictures[0].astype(np.int16) - pictures[1])
        self._levels += np.bincount(apart.ravel(), minlength=256)
        self._compare_choices(plans, imagined)

    def _compare_choices(self, plans: np.ndarray, imagined: list[Imagined]) -> None:
        """Compare the best plan and the planner's command, with the same random numbers."""
        returns = [
            imagined_returns(one, side.engine.manifest.discount)
            for one, side in zip(imagined, self._sides, strict=True)
        ]
        self._noted["return"].append(np.abs(returns[0] - returns[1]))
        self._return_sizes.append(float(np.abs(returns[0]).mean()))
        self._same_best.append(bool(returns[0].argmax() == returns[1].argmax()))
        self._noted["action"].append(_apart([weighted_action(plans[:, 0], one) for one in returns]))
        commands = [from_command(plan_now(side).action) for side in self._sides]
        self._noted["command"].append(_apart(commands))

    def _note(self, name: str, expected: np.ndarray, found: np.ndarray) -> None:
        self._noted[name].append(relative_difference(expected, found).ravel())

    def _picture(self) -> Difference:
        """From counts: keeping the pictures would fill the memory."""
        reached = np.cumsum(self._levels) / self._levels.sum()
        largest = float(np.flatnonzero(self._levels)[-1])
        p999, p99 = (float(np.searchsorted(reached, share)) for share in (0.999, 0.99))
        return Difference("picture", largest, p999, p99, "p999")


def observe(side: Parts, frame: Observation, number: int) -> float:
    """Feed the frame of that number to a planner; returns the surprise [nats]. Raises EngineError."""
    planner = side.planner
    if frame.is_first:
        planner.reset()
    planner.note_command(frame.previous_action)
    return planner.observe(frame.image, frame.vector, number, frame.camera_mask)


def plan_now(side: Parts) -> Plan:
    """The command of a planner without a deadline. Raises EngineError, PlanError."""
    return side.planner.plan(time.monotonic() + PATIENCE_S)


def _apart(pair: list[np.ndarray]) -> np.ndarray:
    """(1,): the larger difference of steer and longitudinal."""
    return np.abs(pair[0] - pair[1]).max(keepdims=True)


def _copied(imagined: Imagined) -> Imagined:
    return Imagined(*(None if part is None else part.copy() for part in vars(imagined).values()))


def _difference(name: str, parts: list[np.ndarray], measured: str) -> Difference:
    values = np.concatenate(parts).astype(np.float64)
    p99, p999 = np.percentile(values, (99.0, 99.9))
    return Difference(name, float(values.max()), float(p999), float(p99), measured)
