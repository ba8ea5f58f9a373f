"""How long the calls of a bundle take: N candidates, H horizon."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from wm_bundle import from_command, to_command
from wm_bundle.parity import scattered_plans
from wm_evaluation.imagined_frames import Observation
from wm_planner.assembly import Parts

from wm_tools.verify_bundle.parity import observe, plan_now

_WARM_UP = 20  # frames
WHOLE = "frame"


@dataclass(frozen=True)
class Latency:
    """The times of one call [ms]."""

    call: str
    p50_ms: float
    p99_ms: float
    max_ms: float
    calls: int


def measure(
    side: Parts,
    frames: Sequence[Observation],
    calls: int,
    candidates: int,
    advance: Callable[[int], None] = lambda frames: None,
) -> list[Latency]:
    """Time ``calls`` frames after a warm-up; ``advance`` is called for each.

    Per frame: each function of the engine separately, with the copies to and from a GPU; then a complete frame of the
    planner, from the picture at the model's size to the checked command. Raises EngineError, PlanError.
    """
    engine, times = side.engine, {}
    random = np.random.default_rng(0)
    engine.warm_up(candidates)
    belief, noise = engine.initial_belief(), engine.zero_noise(candidates)
    for number in range(_WARM_UP + calls):
        frame = frames[number % len(frames)]
        noted = times if number >= _WARM_UP else {}

        def timed(name: str, function: Callable, *arguments, noted=noted):
            begin = time.perf_counter()
            result = function(*arguments)
            noted.setdefault(name, []).append(1000.0 * (time.perf_counter() - begin))
            return result

        belief, _ = timed(
            "observe",
            engine.observe,
            frame.image,
            frame.vector,
            frame.previous_action,
            belief,
            frame.is_first or number == 0,
            frame.camera_mask,
        )
        plan, _ = timed("actor", engine.actor, belief)
        plans = scattered_plans(from_command(plan), random)
        actions = to_command(np.resize(plans, (candidates, *plans.shape[1:])))
        timed("imagine", engine.imagine, belief, actions, noise)
        along = engine.imagine_beliefs(belief, actions[:1], noise[:1])[0]
        timed("decode", engine.decode, along)
        timed(WHOLE, _whole_frame, side, frame, number)
        if number >= _WARM_UP:
            advance(1)
    return [_summary(name, values) for name, values in times.items()]


def _whole_frame(side: Parts, frame: Observation, number: int) -> None:
    observe(side, frame, number)
    plan_now(side)


def _summary(name: str, values: list[float]) -> Latency:
    p50, p99 = np.percentile(values, (50.0, 99.0))
    return Latency(name, float(p50), float(p99), max(values), len(values))
