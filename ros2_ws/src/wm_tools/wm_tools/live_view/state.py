"""The latest state of a drive. No ROS, thread-safe: one thread writes, others read."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from wm_planner.pilot.modes import Mode

from wm_tools.live_view.history import Arrivals, FrameCount, History

SOURCES = ("camera", "imagined", "status", "watchdog", "command", "vehicle", "step")
_FOUND_WITHIN_S = 5.0  # [s] to wait for the planner's first message after the vehicle's
_FAULTS_LAST_S = 3.0  # [s] without diagnostics after which a node has ended; nodes report every second


@dataclass(frozen=True)
class StatusSample:
    """One PlannerStatus, with its names. ``answers_image``: its command answered an image; ``planned``: there was a
    plan, without which surprise and returns mean nothing. ``by_watchdog``: it is the command watchdog's. Times in ms,
    surprise in nats."""

    stamp_ns: int
    mode: Mode
    by_watchdog: bool
    reason: str
    bundle_id: str
    latency_ms: float
    deadline_missed: bool
    candidates: int
    horizon: int
    iterations: int
    in_flight: int
    best_return: float
    mean_return: float
    surprise: float
    surprise_threshold: float

    @property
    def answers_image(self) -> bool:
        return self.stamp_ns != 0

    @property
    def planned(self) -> bool:
        return self.candidates > 0


@dataclass(frozen=True)
class Fault:
    """A line of /diagnostics that is not OK: ``level`` 1 warning, 2 error, 3 stale."""

    name: str
    level: int
    message: str


@dataclass(frozen=True)
class Latest:
    """The last message of a kind that is decoded only on request; ``sequence`` counts from 1."""

    sequence: int
    load: Callable[[], object]


@dataclass
class Seen:
    """What a client has already been sent; updated by ``LiveState.update``."""

    command: int = 0
    status: int = 0


@dataclass
class _Score:
    """Rewards of the episode, or of the part of it that was received."""

    total: float = 0.0
    steps: int = 0
    reward: float | None = None
    whole: bool = False  # received from its start
    ended: bool = False


@dataclass
class _Heard:
    """Everything that ``LiveState.forget`` resets."""

    arrivals: dict[str, Arrivals]
    camera: Latest | None = None
    imagined: Latest | None = None
    planner: StatusSample | None = None
    watchdog: StatusSample | None = None
    command: tuple[float, float, float] | None = None
    applied: tuple[float, float, float] | None = None
    speed_mps: float | None = None
    vehicle_since_s: float | None = None  # arrival of its first message
    deadline_ms: float | None = None
    missed: int = 0
    answers: int = 0
    score: _Score = field(default_factory=_Score)
    frames: FrameCount = field(default_factory=FrameCount)
    commands: History = field(default_factory=History)
    statuses: History = field(default_factory=History)
    faults: dict[str, tuple[float, list[Fault]]] = field(default_factory=dict)  # with the time they were reported


class LiveState:
    """``take_…`` store what arrived, ``update`` returns what to show."""

    def __init__(self, role_name: str, clock: Callable[[], float] = time.monotonic):
        """``clock``: monotonic [s]."""
        self.role_name = role_name
        self._clock = clock
        self._begin_s = clock()
        self._lock = threading.Lock()
        self._sequence = 0
        self._heard = self._nothing()

    def _nothing(self) -> _Heard:
        return _Heard({name: Arrivals(self._clock) for name in SOURCES})

    def forget(self) -> None:
        """Reset after a time without subscriptions: what was received before is outdated."""
        with self._lock:
            self._heard = self._nothing()

    def _now_s(self) -> float:
        return self._clock() - self._begin_s

    def take_camera(self, stamp_ns: int, load: Callable[[], object]) -> None:
        """A camera picture; ``load`` gives it as RGB (height, width, 3) uint8, or raises ImageError."""
        with self._lock:
            self._heard.camera = self._latest("camera", load)
            self._heard.frames.take_frame(stamp_ns)

    def take_imagined(self, load: Callable[[], object]) -> None:
        """Imagined futures; ``load`` gives them as ``pictures.Imagined``, or raises ImageError."""
        with self._lock:
            self._heard.imagined = self._latest("imagined", load)

    def _latest(self, source: str, load: Callable[[], object]) -> Latest:
        self._heard.arrivals[source].add()
        self._sequence += 1
        return Latest(self._sequence, load)

    def take_status(self, status: StatusSample) -> None:
        """A PlannerStatus from the planner or the command watchdog."""
        with self._lock:
            heard = self._heard
            heard.arrivals["watchdog" if status.by_watchdog else "status"].add()
            if status.by_watchdog:
                # When it ends its brake it reports INACTIVE for itself, which is not the planner's mode.
                heard.watchdog = status if status.mode is Mode.BRAKING else None
                return
            heard.planner, heard.watchdog = status, None
            if not status.answers_image:
                return
            heard.answers += 1
            heard.missed += status.deadline_missed
            heard.frames.take_answer(status.stamp_ns)
            planned = (status.surprise, status.best_return, status.mean_return) if status.planned else (None,) * 3
            latency_ms, missed = _number(status.latency_ms), int(status.deadline_missed)
            heard.statuses.add(self._now_s(), latency_ms, missed, *map(_number, planned))

    def take_command(self, steer: float, throttle: float, brake: float) -> None:
        with self._lock:
            self._heard.arrivals["command"].add()
            self._heard.command = (steer, throttle, brake)
            self._heard.commands.add(self._now_s(), *map(_number, self._heard.command))

    def take_vehicle(self, speed_mps: float, steer: float, throttle: float, brake: float) -> None:
        """The vehicle's speed and applied command; the latter is shown if no commands are received."""
        with self._lock:
            self._heard.arrivals["vehicle"].add()
            if self._heard.vehicle_since_s is None:
                self._heard.vehicle_since_s = self._clock()
            self._heard.speed_mps = speed_mps
            self._heard.applied = (steer, throttle, brake)
            if self._heard.command is None:
                self._heard.commands.add(self._now_s(), *map(_number, self._heard.applied))

    def take_step(self, reward: float, ended: bool) -> None:
        """A StepResult: the reward of one interval, and whether the episode is over after it."""
        with self._lock:
            self._heard.arrivals["step"].add()
            score = self._heard.score
            if score.ended:
                score = self._heard.score = _Score(whole=True)
            score.total += reward if math.isfinite(reward) else 0.0
            score.steps += 1
            score.reward = reward
            score.ended = ended

    def take_diagnostics(self, sender: str, faults: Sequence[Fault], deadline_ms: float | None) -> None:
        """What /diagnostics reports for one node; ``deadline_ms`` if given."""
        with self._lock:
            self._heard.faults[sender] = (self._clock(), list(faults))
            if deadline_ms is not None:
                self._heard.deadline_ms = deadline_ms

    @property
    def camera(self) -> Latest | None:
        return self._heard.camera

    @property
    def imagined(self) -> Latest | None:
        return self._heard.imagined

    def heard_anything(self) -> bool:
        with self._lock:
            return any(arrivals.age_s() is not None for arrivals in self._heard.arrivals.values())

    def update(self, seen: Seen) -> dict:
        """Everything to show, as JSON values, with only the chart points not yet ``seen``."""
        with self._lock:
            heard = self._heard
            commands, statuses = heard.commands.since(seen.command), heard.statuses.since(seen.status)
            seen.command, seen.status = heard.commands.total, heard.statuses.total
            return {
                "now": round(self._now_s(), 3),
                "role_name": self.role_name,
                "sources": {
                    name: {"age": _number(arrivals.age_s()), "rate": _number(arrivals.rate_hz())}
                    for name, arrivals in heard.arrivals.items()
                },
                "mode": self._mode(),
                "no_planner": self._no_planner(),
                "planner": self._planner(),
                "command": self._command(),
                "speed_mps": _number(heard.speed_mps),
                "score": vars(heard.score)
                | {"total": _number(heard.score.total), "reward": _number(heard.score.reward)},
                "frames": {"seen": heard.frames.frames, "unanswered": heard.frames.unanswered},
                "faults": [
                    vars(fault)
                    for told_s, faults in heard.faults.values()
                    for fault in faults
                    if self._clock() - told_s <= _FAULTS_LAST_S
                ],
                "history": {"command": commands, "status": statuses},
            }

    def _no_planner(self) -> bool:
        """Whether a vehicle is there without a planner, allowing for the time until all topics are discovered."""
        heard = self._heard
        return (
            heard.planner is None
            and heard.vehicle_since_s is not None
            and self._clock() - heard.vehicle_since_s >= _FOUND_WITHIN_S
        )

    def _mode(self) -> dict | None:
        status = self._heard.watchdog or self._heard.planner
        if status is None:
            return None
        source, sender = ("watchdog", "command watchdog") if status.by_watchdog else ("status", "planner")
        return {
            "name": status.mode.name.lower(),
            "reason": status.reason,
            "by": sender,
            "age": _number(self._heard.arrivals[source].age_s()),
        }

    def _planner(self) -> dict | None:
        status, heard = self._heard.planner, self._heard
        if status is None:
            return None
        return {
            "bundle": status.bundle_id,
            "latency_ms": _number(status.latency_ms) if status.answers_image else None,
            "deadline_ms": _number(heard.deadline_ms),
            "missed": heard.missed,
            "answers": heard.answers,
            **{name: getattr(status, name) for name in ("candidates", "horizon", "iterations", "in_flight")},
            **{
                name: _number(getattr(status, name)) if status.planned else None
                for name in ("best_return", "mean_return", "surprise")
            },
            "surprise_threshold": _number(status.surprise_threshold),
        }

    def _command(self) -> dict | None:
        values = self._heard.command or self._heard.applied
        if values is None:
            return None
        steer, throttle, brake = map(_number, values)
        return {"steer": steer, "throttle": throttle, "brake": brake, "applied": self._heard.command is None}


def _number(value: float | None) -> float | None:
    """A number for JSON, which has no NaN or infinity; five digits are more than a screen shows."""
    return float(f"{value:.5g}") if value is not None and math.isfinite(value) else None
