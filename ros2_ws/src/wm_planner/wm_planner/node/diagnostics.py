"""The planner's lines on /diagnostics, in diagnostic_updater's format; without ROS."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from wm_bundle.pictures.synchroniser import SynchroniserCounts
from wm_bundle.turn_check import TurnCheck

from wm_planner.config import PlannerConfig
from wm_planner.engine.self_check import NONE
from wm_planner.pilot.guide import Guide
from wm_planner.pilot.modes import Mode
from wm_planner.pilot.pilot import Pilot
from wm_planner.planning.costs import make_costs, objectives_told

WINDOW_S = 5.0  # rates, shares and percentiles cover this long
_COMPLETE_SEARCH = 0.9  # of the requested plans; single busy moments cost the rest


class Level(IntEnum):
    """The numbers of diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2
    STALE = 3


@dataclass(frozen=True)
class Diagnosis:
    """One line. ``values``: numbers, by names with units."""

    name: str
    level: Level
    message: str
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EngineFacts:
    """Constant while the node is configured."""

    bundle_id: str
    provider: str
    threads: int
    horizon: int
    surprise_threshold: float  # [nats]
    policy_id: str = "none"
    self_check: str = NONE
    unsound: tuple[str, ...] = ()  # providers that failed the bundle's self-check


@dataclass(frozen=True)
class CommandRecord:
    """One command. ``surprise`` [nats], ``candidates`` and ``iterations`` are its plan's; ``expected``: a brake that is
    normal in a healthy drive."""

    mode: Mode
    reason: str
    latency_ms: float
    missed: bool
    surprise: float | None = None
    candidates: int = 0
    iterations: int = 0
    expected: bool = False


class Asked(NamedTuple):
    """What is asked of a search: ``plans`` to imagine when time allows, and ``objectives``, as text; ``afforded``: how
    many plans this machine has time for, None: all."""

    plans: int
    objectives: str = ""
    afforded: int | None = None


class _Window:
    """Entries of the last ``WINDOW_S``, with their times."""

    def __init__(self, clock: Callable[[], float]):
        self._clock = clock
        self._entries: deque[tuple[float, object]] = deque()

    def add(self, entry) -> None:
        self._entries.append((self._clock(), entry))
        self._forget()

    def entries(self) -> list:
        self._forget()
        return [entry for _, entry in self._entries]

    def rate_hz(self) -> float:
        """Entries per second, 0 for fewer than two."""
        self._forget()
        span_s = self._entries[-1][0] - self._entries[0][0] if self._entries else 0.0
        return (len(self._entries) - 1) / span_s if span_s > 0.0 else 0.0

    def _forget(self) -> None:
        while self._entries and self._clock() - self._entries[0][0] > WINDOW_S:
            self._entries.popleft()


class Diagnostics:
    """Collects events, and reports on them when called."""

    def __init__(
        self, node: str, cameras: Sequence[str], engine: EngineFacts, *, clock: Callable[[], float] = time.monotonic
    ):
        """``node``: its name, the prefix of every line's; ``cameras``: their names, in the bundle's order."""
        self._node = node
        self._cameras = tuple(cameras)
        self._engine = engine
        self._clock = clock
        self.missed: Mapping[str, int] = {}
        """Images sent but not received, by camera."""
        self.reset()

    def reset(self) -> None:
        """Forget everything: the node is being activated."""
        self._images = [_Window(self._clock) for _ in self._cameras]
        self._image_s: list[float | None] = [None] * len(self._cameras)
        self._answers = _Window(self._clock)
        self._commands = self._misses = 0
        self._last: CommandRecord | None = None
        self._counts = SynchroniserCounts()

    def take_image(self, camera: int) -> None:
        self._images[camera].add(None)
        self._image_s[camera] = self._clock()

    def take_command(self, record: CommandRecord, answers_image: bool) -> None:
        """A command was sent. ``answers_image``: false for the watchdog's, and the last one."""
        self._last = record
        if answers_image:
            self._answers.add(record)
            self._commands += 1
            self._misses += record.missed

    def report(
        self,
        counts: SynchroniserCounts,
        asked: Asked,
        deadline_ms: float,
        image_timeout_s: float,
        topic_faults: Sequence[str],
        where: Callable[[], str] = str,
        pilot: Pilot | None = None,
    ) -> list[Diagnosis]:
        """All lines.

        ``counts`` of the synchroniser; ``asked`` of a search; ``topic_faults`` of the topics' publishers and
        subscribers; ``where`` says who publishes the cameras' topics while no image arrives; ``pilot`` judges
        the yaw rate and follows the route.
        """
        camera, self._counts = self._camera(counts, image_timeout_s, where), counts
        topics = "; ".join(topic_faults) or "publishers and subscribers fit"
        return [
            camera,
            self._deadline(deadline_ms),
            self._surprise(),
            self._engine_line(asked),
            self._mode(),
            self._line("topics", Level.ERROR if topic_faults else Level.OK, topics),
            *([self._line("objectives", Level.OK, asked.objectives)] if asked.objectives else []),
            *([] if pilot is None or pilot.turns is None else [self._yaw_rate(pilot.turns)]),
            *([] if pilot is None or pilot.signals.masked is None else [self._signals(pilot.signals.masked)]),
            *([] if pilot is None or not pilot.guide.active else [self._route(pilot.guide)]),
        ]

    @property
    def _rests(self) -> bool:
        return self._last is not None and self._last.expected

    def _line(self, task: str, level: Level, message: str, values: dict[str, object] | None = None) -> Diagnosis:
        texts = {
            name: f"{value:.4g}" if isinstance(value, float) else str(value) for name, value in (values or {}).items()
        }
        return Diagnosis(f"{self._node}: {task}", level, message, texts)

    def _camera(self, counts: SynchroniserCounts, timeout_s: float, where: Callable[[], str]) -> Diagnosis:
        values, silent = {f"{name} missed images": count for name, count in self.missed.items()}, []
        for name, window, last_s in zip(self._cameras, self._images, self._image_s, strict=True):
            age_s = self._clock() - last_s if last_s is not None else float("inf")
            values[f"{name} rate [Hz]"] = window.rate_hz()
            values[f"{name} age [s]"] = age_s
            if age_s > timeout_s:
                silent.append(f"{name}: no image" + (f" for {age_s:.1f} s" if last_s is not None else " yet"))
        values |= {"frames": counts.frames, "incomplete frames": counts.incomplete, "dropped images": counts.dropped}
        if silent:
            seen = any(last_s is not None for last_s in self._image_s)
            level = Level.OK if seen and self._rests else Level.ERROR if seen else Level.STALE
            return self._line("camera", level, "; ".join([*silent, *filter(None, [where()])]), values)
        if counts.incomplete > self._counts.incomplete or counts.dropped > self._counts.dropped:
            out_of_step = "cameras are not in step: frames without all pictures, or pictures that arrived too late"
            return self._line("camera", Level.WARN, out_of_step, values)
        return self._line("camera", Level.OK, f"{min(window.rate_hz() for window in self._images):.1f} Hz", values)

    def _deadline(self, deadline_ms: float) -> Diagnosis:
        answers: list[CommandRecord] = self._answers.entries()
        values = {"deadline [ms]": deadline_ms, "misses": self._misses, "commands": self._commands}
        if not answers:
            return self._line("deadline", Level.STALE, f"no image answered in {WINDOW_S:g} s", values)
        latencies = np.percentile([record.latency_ms for record in answers], (50, 99, 100))
        names = ("latency p50 [ms]", "latency p99 [ms]", "latency max [ms]")
        values |= dict(zip(names, map(float, latencies), strict=True))
        missed = sum(record.missed for record in answers)
        level = Level.OK if not missed else Level.WARN if 2 * missed < len(answers) else Level.ERROR
        return self._line("deadline", level, f"{missed} of {len(answers)} commands late", values)

    def _surprise(self) -> Diagnosis:
        limit = self._engine.surprise_threshold
        observed = [record.surprise for record in self._answers.entries() if record.surprise is not None]
        values = {"threshold [nats]": limit}
        if not observed:
            return self._line("surprise", Level.STALE, f"nothing observed in {WINDOW_S:g} s", values)
        above = sum(surprise > limit for surprise in observed)
        values |= {"surprise [nats]": observed[-1], "surprise max [nats]": max(observed)}
        told = f"{above} of {len(observed)} observations above the threshold"
        return self._line("surprise", Level.WARN if above else Level.OK, told, values)

    def _engine_line(self, asked: Asked) -> Diagnosis:
        engine, plans = self._engine, asked.plans
        afforded = plans if asked.afforded is None else asked.afforded
        # Not the cautious ones of DEGRADED: those may be fewer by design.
        planned = [
            record.candidates * record.iterations
            for record in self._answers.entries()
            if record.candidates and record.mode is Mode.DRIVING
        ]
        imagined = float(np.mean(planned)) if planned else 0.0
        values = {
            "bundle": engine.bundle_id,
            "policy": engine.policy_id,
            "provider": engine.provider,
            "threads": engine.threads,
            "self-check": engine.self_check,
            "imagined steps per frame": imagined * engine.horizon,
            "imagined steps asked for": plans * engine.horizon,
            "imagined steps afforded": afforded * engine.horizon,
        }
        if engine.unsound:
            values["refused"] = "; ".join(engine.unsound)
            refused = f"on {engine.provider}: the bundle's self-check fails on another one"
            return self._line("engine", Level.WARN, refused, values)
        if not planned:
            return self._line("engine", Level.STALE, f"no plan in {WINDOW_S:g} s", values)
        if imagined < _COMPLETE_SEARCH * plans:
            hurried = imagined < _COMPLETE_SEARCH * afforded
            share = (imagined if hurried else afforded) / plans
            whose = "the deadline leaves" if hurried else "this machine, as measured when configured, has"
            return self._line("engine", Level.WARN, f"{whose} time for {100.0 * share:.0f} % of the search", values)
        return self._line("engine", Level.OK, engine.provider, values)

    def _signals(self, masked: Sequence[str]) -> Diagnosis:
        told = f"the model drives without {', '.join(masked)}" if masked else "all are there"
        return self._line("signals", Level.WARN if masked else Level.OK, told)

    def _yaw_rate(self, turns: TurnCheck) -> Diagnosis:
        return self._line("yaw rate", Level.WARN if turns.fault else Level.OK, turns.fault_told or turns.told)

    def _route(self, guide: Guide) -> Diagnosis:
        state, told, values = guide.told
        return self._line("route", {"ok": Level.OK, "waits": Level.STALE}.get(state, Level.ERROR), told, values)

    def _mode(self) -> Diagnosis:
        if self._last is None:
            return self._line("mode", Level.STALE, "no command yet")
        mode, reason = self._last.mode, self._last.reason
        fault = Level.OK if self._rests else Level.ERROR
        level = {Mode.DEGRADED: Level.WARN, Mode.BRAKING: fault}.get(mode, Level.OK)
        text = mode.name.lower() + (f": {reason}" if reason else "")
        return self._line("mode", level, text, {"mode": mode.name, "reason": reason})


def asked_of_search(config: PlannerConfig, has_ensemble: bool, afforded: PlannerConfig | None = None) -> Asked:
    """What the parameters ask for, and how much of it is ``afforded``."""
    if not config.searches:
        return Asked(1)

    def plans(search: PlannerConfig) -> int:
        return search.candidates // search.futures_per_plan(make_costs(search, has_ensemble)) * search.iterations

    return Asked(plans(config), objectives_told(config), plans(afforded or config))
