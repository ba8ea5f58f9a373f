"""Runs recorded rows through the planner node's own logic, one after another, with a clock that stands still.

Shapes: T rows, F belief features, K cameras, C = 3 K channels.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from wm_bundle.pictures.frames import Frame, RawImage
from wm_bundle.vector_inputs import SPEED
from wm_data.episodes import Episode
from wm_planner.assembly import Parts, build
from wm_planner.config import PlannerConfig
from wm_planner.pilot.continuity import Sample
from wm_planner.pilot.modes import Mode
from wm_planner.planning.plan import Plan
from wm_planner.planning.planner import Planner

from wm_tools.evaluate_bag.episode_checks import evaluated_inputs
from wm_tools.evaluate_bag.recording import Stretch, present_cameras

NOW_S = 0.0  # time comes from the stamps: for the pilot, every frame is decided the instant it arrives
LATENCIES = ("observe", "plan", "total")


@dataclass(frozen=True)
class Decided:
    """The pilot's output for T rows; NaN where there is none."""

    mode: np.ndarray
    """(T,) int: ``wm_planner.pilot.modes.Mode``."""
    reason: np.ndarray
    """(T,) str: why the mode is not DRIVING, empty if it is."""
    planned: np.ndarray
    """(T, 3): what the planner commanded, NaN where it braked."""
    surprise: np.ndarray
    """(T,) [nats] of the observation."""
    judged_surprise: np.ndarray
    """(T,) the same, without the first observation of a belief, which had no prediction."""
    above_threshold: np.ndarray
    """(T,): 1.0 where that is above the bundle's threshold, 0.0 where not, NaN if unknown."""
    latency_ms: np.ndarray
    """(T, 3): LATENCIES, measured on this machine; the only values here that differ between runs."""

    def mode_name(self, row: int) -> str:
        """The mode of a row, in lower case."""
        return Mode(int(self.mode[row])).name.lower()

    @property
    def searched_latency_ms(self) -> np.ndarray:
        """``latency_ms`` of the frames with a search: immediate brakes are fast, and would distort it."""
        return self.latency_ms[np.isfinite(self.latency_ms[:, LATENCIES.index("plan")])]


@dataclass(frozen=True)
class Beliefs:
    """The planner's belief after each of T rows."""

    seen: np.ndarray
    """(T, F): right after the observation, NaN where there was none."""
    kept: np.ndarray
    """(T, F): what the planner continued with, NaN where it starts again."""
    age: np.ndarray
    """(T,) int: observations since the belief began, 0 where the next row begins a new one."""
    first: np.ndarray
    """(T,) bool: the observation began a belief."""


class _TimedPlanner(Planner):
    """Records for every frame, from ``begin_frame`` on, how long its calls took [s] and what it observed."""

    def begin_frame(self) -> None:
        self.seen: np.ndarray | None = None
        self.surprise = self.observe_s = self.plan_s = float("nan")

    def reset(self) -> None:
        super().reset()
        self.age = 0  # observations since the belief began

    def observe(self, *arguments) -> float:
        begin = time.perf_counter()
        self.surprise = super().observe(*arguments)
        self.observe_s = time.perf_counter() - begin
        self.seen = self.belief
        self.age += 1
        self.first = self.age == 1
        return self.surprise

    def plan(self, *arguments, **options) -> Plan:
        begin = time.perf_counter()
        try:
            return super().plan(*arguments, **options)
        finally:
            self.plan_s = time.perf_counter() - begin


class OfflinePilot:
    """One bundle's pilot, fed with recorded rows."""

    def __init__(self, config: PlannerConfig, log: Callable[[str], None] = lambda line: None):
        """Build the parts as the node does. Raises ConfigError, EngineError."""
        config = replace(config, route="off")  # the place on it is recorded, among the vector inputs
        self.parts: Parts = build(config, log, clock=lambda: NOW_S, planner_class=_TimedPlanner)
        self._planner, self._pilot = self.parts.planner, self.parts.pilot
        self._inputs = tuple(evaluated_inputs(self.parts.bundle.manifest).values())
        self._drive: int | None = None
        self._applied: np.ndarray | None = None  # the action applied until the next row

    def decide(self, stretch: Stretch, advance: Callable[[int], None] = lambda rows: None) -> tuple[Decided, Beliefs]:
        """Feed the rows of the next stretch of a recording, in order; ``advance`` is called for every row."""
        if stretch.drive != self._drive:
            self._pilot.reset()
            self._drive, self._applied = stretch.drive, None
        if stretch.applied_before is not None:
            self._applied = stretch.applied_before
        episode = stretch.episode
        rows, features = len(episode), self.parts.bundle.manifest.latent.belief
        decided = Decided(
            mode=np.zeros(rows, np.int64),
            reason=np.full(rows, "", object),
            planned=np.full((rows, 3), np.nan),
            surprise=np.full(rows, np.nan),
            judged_surprise=np.full(rows, np.nan),
            above_threshold=np.full(rows, np.nan),
            latency_ms=np.full((rows, 3), np.nan),
        )
        beliefs = Beliefs(
            seen=np.full((rows, features), np.nan, np.float32),
            kept=np.full((rows, features), np.nan, np.float32),
            age=np.zeros(rows, np.int64),
            first=np.zeros(rows, bool),
        )
        for row in range(rows):
            self._decide_row(episode, row, decided, beliefs)
            advance(1)
        if stretch.ended:
            self._pilot.take_step_result(int(episode.stamps_ns[-1]) + 1, ended=True)
            self._applied = None
        return decided, beliefs

    def _decide_row(self, episode: Episode, row: int, decided: Decided, beliefs: Beliefs) -> None:
        stamp_ns = int(episode.stamps_ns[row])
        applied = None if self._applied is None else tuple(float(number) for number in self._applied)
        for entry, number in zip(self._inputs, episode.vector[row].tolist(), strict=True):
            if entry is SPEED or not math.isnan(number):
                self._pilot.take(entry.name, Sample(stamp_ns, number, applied))
        self._applied = episode.actions[row]
        frame = Frame(stamp_ns, _images(episode, row), NOW_S)
        planner = self._planner
        planner.begin_frame()
        begin = time.perf_counter()
        decision = self._pilot.decide(frame)
        total_s = time.perf_counter() - begin
        decided.mode[row], decided.reason[row] = decision.mode, decision.reason
        if decision.plan is not None:
            decided.planned[row] = decision.command
        if planner.seen is not None:
            decided.surprise[row], beliefs.seen[row], beliefs.first[row] = planner.surprise, planner.seen, planner.first
            if not planner.first:
                decided.judged_surprise[row] = planner.surprise
                decided.above_threshold[row] = planner.surprise > self.parts.bundle.manifest.surprise_threshold
        beliefs.age[row] = planner.age
        if planner.age:
            beliefs.kept[row] = planner.belief
        decided.latency_ms[row] = 1000.0 * np.array([planner.observe_s, planner.plan_s, total_s])


def _images(episode: Episode, row: int) -> tuple[RawImage | None, ...]:
    """The row's pictures as messages of cameras at the model's size."""
    stamp_ns = int(episode.stamps_ns[row])
    return tuple(
        _image(episode.observations[row, 3 * k : 3 * k + 3], stamp_ns) if there else None
        for k, there in enumerate(present_cameras(episode)[row])
    )


def _image(picture: np.ndarray, stamp_ns: int) -> RawImage:
    height, width = picture.shape[1:]
    pixels = np.ascontiguousarray(picture.transpose(1, 2, 0))
    return RawImage(stamp_ns, height, width, "rgb8", 3 * width, pixels.data)
