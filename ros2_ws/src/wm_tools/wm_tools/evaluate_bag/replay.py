"""Recorded rows through the planner node's own logic, one after the other, with a clock that stands still.

Shapes: T rows, F belief features, K cameras, C = 3 K channels.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from wm_bundle.frames import Frame, RawImage
from wm_bundle.vector_inputs import SPEED, VECTOR_INPUTS
from wm_data.episodes import Episode
from wm_planner.assembly import Parts, build
from wm_planner.config import PlannerConfig
from wm_planner.pilot.continuity import Sample
from wm_planner.pilot.pilot import Pilot

from wm_tools.evaluate_bag.recording import Stretch
from wm_tools.evaluate_bag.watched_planner import WatchedPlanner

NOW_S = 0.0  # time comes from the stamps: for the pilot, every frame is decided in the instant in which it arrives


@dataclass(frozen=True)
class Decided:
    """What the pilot made of T rows."""

    modes: np.ndarray
    """(T,) int."""
    reasons: list[str]
    planned: np.ndarray
    """(T, 3), NaN where it braked."""
    surprise: np.ndarray
    """(T,) [nats], NaN where nothing was observed."""
    posterior: np.ndarray
    """(T, F): the belief right after the observation, NaN where there was none."""
    belief: np.ndarray
    """(T, F): the belief that the planner went on with, NaN where it began anew."""
    age: np.ndarray
    """(T,) int: observations since the belief began, 0 where it begins anew with the next row."""
    first: np.ndarray
    """(T,) bool: the observation began a belief, which knew nothing to expect."""
    latency_ms: np.ndarray
    """(T, 3): observe, plan and total, by the wall clock."""


class Replay:
    """One bundle's pilot, fed with recorded rows."""

    def __init__(self, config: PlannerConfig, log: Callable[[str], None]):
        """Build the parts as the node does. Raises ConfigError, EngineError."""

        def clock() -> float:
            return NOW_S

        self.parts: Parts = build(config, log, clock)
        self._planner = WatchedPlanner(self.parts.planner)
        manifest = self.parts.bundle.manifest
        self._pilot = Pilot(self._planner, manifest, config, self.parts.guard, clock=clock, log=lambda line: None)
        self._drive: int | None = None
        self._applied: np.ndarray | None = None  # what acted until the next row

    def decide(self, stretch: Stretch, advance: Callable[[int], None] = lambda rows: None) -> Decided:
        """Feed the rows of the next stretch of a recording, in order; ``advance`` hears of every row."""
        if stretch.drive != self._drive:
            self._pilot.reset()
            self._drive, self._applied = stretch.drive, None
        if stretch.applied_before is not None:
            self._applied = stretch.applied_before
        episode = stretch.episode
        rows, features = len(episode), self.parts.bundle.manifest.latent.belief
        decided = Decided(
            modes=np.zeros(rows, np.int64),
            reasons=[],
            planned=np.full((rows, 3), np.nan),
            surprise=np.full(rows, np.nan),
            posterior=np.full((rows, features), np.nan, np.float32),
            belief=np.full((rows, features), np.nan, np.float32),
            age=np.zeros(rows, np.int64),
            first=np.zeros(rows, bool),
            latency_ms=np.full((rows, 3), np.nan),
        )
        for row in range(rows):
            self._decide_row(episode, row, decided)
            advance(1)
        if stretch.ended:
            self._pilot.take_step_result(int(episode.stamps_ns[-1]) + 1, ended=True)
            self._applied = None
        return decided

    def _decide_row(self, episode: Episode, row: int, decided: Decided) -> None:
        stamp_ns = int(episode.stamps_ns[row])
        applied = None if self._applied is None else tuple(float(number) for number in self._applied)
        for entry, number in zip(VECTOR_INPUTS.values(), episode.vector[row].tolist(), strict=True):
            if entry is SPEED or not math.isnan(number):
                self._pilot.take(entry.name, Sample(stamp_ns, number, applied))
        self._applied = episode.actions[row]
        frame = Frame(stamp_ns, _images(episode, row), NOW_S)
        planner = self._planner
        planner.begin_frame()
        begin = time.perf_counter()
        decision = self._pilot.decide(frame)
        total_s = time.perf_counter() - begin
        decided.modes[row] = int(decision.mode)
        decided.reasons.append(decision.reason)
        if decision.plan is not None:
            decided.planned[row] = decision.command
        decided.surprise[row] = planner.surprise
        if planner.posterior is not None:
            decided.posterior[row] = planner.posterior
        decided.age[row], decided.first[row] = planner.age, planner.first
        if planner.belief is not None:
            decided.belief[row] = planner.belief
        decided.latency_ms[row] = 1000.0 * np.array([planner.observe_s, planner.plan_s, total_s])


def _images(episode: Episode, row: int) -> tuple[RawImage | None, ...]:
    """The row's pictures as messages of cameras that send the model's size."""
    cameras = episode.observations.shape[1] // 3
    there = np.ones(cameras, bool) if episode.camera_mask is None else episode.camera_mask[row]
    return tuple(
        _image(episode.observations[row, 3 * k : 3 * k + 3], int(episode.stamps_ns[row])) if there[k] else None
        for k in range(cameras)
    )


def _image(picture: np.ndarray, stamp_ns: int) -> RawImage:
    height, width = picture.shape[1:]
    pixels = np.ascontiguousarray(picture.transpose(1, 2, 0))
    return RawImage(stamp_ns, height, width, "rgb8", 3 * width, pixels.data)
