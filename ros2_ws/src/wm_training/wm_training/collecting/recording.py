"""From messages to episodes, without ROS: ticks assembled by stamp, rows aligned as drawn in docs/architecture.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from wm_bundle.times import NS_PER_S
from wm_bundle.vector_inputs import SPEED
from wm_data import rewards as driving
from wm_data.episodes import Episode
from wm_data.routes.following import ROUTE_INPUTS

if TYPE_CHECKING:
    from wm_training.collecting.routes import RouteLog

STANDING_MPS = 0.2  # up to this speed a car counts as stationary


@dataclass
class Tick:
    """All data of one stamp.

    ``vector``: the vector inputs by name, in order. ``control`` was applied in the interval that ended at the
    stamp, and ``reward``, ``terminated``, ``truncated`` are that interval's (None where no rewards are sent).
    ``expert`` and ``planned`` are the present commands of the expert and the planner, None without them. ``image`` is
    the picture (3 K, H, W) of K cameras, ``seen`` (K,) bool the mask of those in it; None: all. ``reverse``: the
    interval that ended was driven in reverse gear, which ``control`` cannot express. ``pose``: x, y [m] and yaw [rad],
    where a route is recorded."""

    stamp_ns: int
    image: np.ndarray
    vector: dict[str, float]
    control: np.ndarray
    reward: float | None = None
    terminated: bool = False
    truncated: bool = False
    expert: np.ndarray | None = None
    planned: np.ndarray | None = None
    seen: np.ndarray | None = None
    collision: bool = False
    lane_crossings: int = 0
    reverse: bool = False
    pose: tuple[float, float, float] | None = None

    @property
    def speed(self) -> float:
        """[m/s]."""
        return self.vector[SPEED.name]


class TickAssembler:
    """Joins messages of equal stamp. Parts may arrive in any order; ticks come out in the order of their stamps."""

    def __init__(self, required: set[str], keep: int = 20):
        """``required`` kinds make a tick complete; at most ``keep`` incomplete stamps are held."""
        self.required = set(required)
        self.keep = keep
        self.dropped = 0
        self._parts: dict[int, dict[str, object]] = {}
        self._last = -1

    def add(self, kind: str, stamp_ns: int, part: object) -> dict[str, object] | None:
        """Add one message's content. Returns all parts of the stamp, once it is complete."""
        if stamp_ns <= self._last:
            return None
        parts = self._parts.setdefault(stamp_ns, {})
        parts[kind] = part
        if not self.required <= parts.keys():
            if len(self._parts) > self.keep:
                del self._parts[min(self._parts)]
                self.dropped += 1
            return None
        older = [stamp for stamp in self._parts if stamp < stamp_ns]
        self.dropped += sum("image" in self._parts[stamp] for stamp in older)
        for stamp in (*older, stamp_ns):
            del self._parts[stamp]
        self._last = stamp_ns
        return parts

    def restart(self) -> None:
        """Forget everything, also the newest stamp: the clock may restart."""
        self._parts.clear()
        self._last = -1


def rows_moving(episode: Episode) -> int:
    """Number of rows of a recorded episode in which the car moved."""
    return int((np.abs(episode.told(SPEED)) > STANDING_MPS).sum())


class Standstill:
    """Detects that a car has stood still for long: a planner that only brakes would fill an episode with one
    picture."""

    def __init__(self, limit_s: float):
        """``limit_s`` of simulated time [s]; 0: a car may stand forever."""
        self._limit_ns = limit_s * NS_PER_S
        self._since_ns: int | None = None

    def lasts(self, tick: Tick) -> bool:
        """Add the next tick; returns whether the car has stood still for ``limit_s``."""
        if not self._limit_ns or abs(tick.speed) > STANDING_MPS:
            self._since_ns = None
            return False
        if self._since_ns is None:
            self._since_ns = tick.stamp_ns
        return tick.stamp_ns - self._since_ns >= self._limit_ns


class EpisodeRecorder:
    """Ticks in, episodes out. A row is complete only when the next tick has its action's result."""

    def __init__(self, length: int, period_ns: int, meta: dict, routes: "RouteLog | None" = None):
        """``length`` rows at most; ``period_ns`` between ticks. Where ticks have no reward it is computed. ``routes``
        give the columns of a route."""
        self._routes = routes
        self.length = length
        self.period_ns = period_ns
        self.meta = meta
        self.gaps = 0
        """Gaps in the stamps since the last ``discard``."""
        self.missed = 0
        """Ticks that all these gaps lack, of all episodes."""
        self._ticks: list[tuple[Tick, bool]] = []  # each with whether the expert drives after it

    def add(self, tick: Tick, expert_drives: bool = False) -> Episode | None:
        """Add the next tick; ``expert_drives``: the autopilot is in charge from this tick on (its action is a label).

        Returns an episode when this tick ended one: done, of the maximum length, or cut by a gap in the stamps or by
        what was driven in reverse gear. The tick after a gap begins the next episode; the tick of a done does not."""
        if self._ticks:
            periods = (tick.stamp_ns - self._ticks[-1][0].stamp_ns) / self.period_ns
            gap = not 0.0 < periods <= 1.5
            self.gaps += gap
            self.missed += max(round(periods) - 1, 0) if gap else 0
            if gap or tick.reverse:
                return self._finish(next_ticks=[(tick, expert_drives)])
        # Without reported ends, a collision ends an episode, and none begins while it lasts.
        crashed = tick.reward is None and tick.collision
        if crashed and not self._ticks:
            return None
        self._ticks.append((tick, expert_drives))
        if len(self._ticks) < 2:
            return None
        terminated = tick.terminated or crashed
        if terminated or tick.truncated:
            return self._finish(terminated)
        return self._finish(next_ticks=[(tick, expert_drives)]) if self.rows == self.length else None

    @property
    def rows(self) -> int:
        """Complete rows of the episode being recorded."""
        return max(len(self._ticks) - 1, 0)

    def discard(self) -> None:
        """Discard the unfinished episode; the next tick begins a new one."""
        self.gaps = 0
        self._ticks = []

    def cut(self) -> Episode | None:
        """End the episode here, as one that could have continued; None without a row. The next tick begins a new
        one."""
        return self._finish()

    def _finish(self, terminal: bool = False, next_ticks: Sequence[tuple[Tick, bool]] = ()) -> Episode | None:
        """The episode of the ticks so far, None without a row; ``next_ticks`` begin the next one."""
        recorded, self._ticks = self._ticks, list(next_ticks)
        if len(recorded) < 2:
            return None
        ticks = [tick for tick, _ in recorded]
        rows, results = ticks[:-1], ticks[1:]
        labels = [
            after.control if expert_drives else now.expert
            for (now, expert_drives), after in zip(recorded, results, strict=False)
        ]
        last = np.arange(len(rows)) == len(rows) - 1
        rewards, terms = self._rewards(ticks)
        seen = np.array([np.ones(len(now.image) // 3, bool) if now.seen is None else now.seen for now in rows])
        return Episode(
            observations=np.stack([now.image for now in rows]),
            actions=np.array([after.control for after in results], np.float32),
            rewards=rewards,
            dones=last,
            terminals=last & terminal,
            vector=self._vector(rows),
            expert_actions=np.array([np.full(3, np.nan) if label is None else label for label in labels], np.float32),
            stamps_ns=np.array([now.stamp_ns for now in rows], np.int64),
            camera_mask=None if seen.all() else seen,
            reward_terms=terms,
            meta=self.meta | _told_of_rewards(terms is not None),
        )

    def _vector(self, rows: list[Tick]) -> np.ndarray:
        """(T, V)."""
        vector = np.array([list(now.vector.values()) for now in rows], np.float32)
        if self._routes is None:
            return vector
        stamps, poses = np.array([now.stamp_ns for now in rows]), np.array([now.pose for now in rows])
        vector = np.hstack([vector, self._routes.columns(stamps, poses, self.meta.get("seed", int(stamps[0])))])
        names = [*rows[0].vector, *ROUTE_INPUTS]
        return vector[:, [names.index(entry["name"]) for entry in self.meta["vector"]]]

    @staticmethod
    def _rewards(ticks: list[Tick]) -> tuple[np.ndarray, np.ndarray | None]:
        """The received rewards, else computed ones with their terms."""
        if ticks[1].reward is not None:
            return np.array([tick.reward for tick in ticks[1:]], np.float32), None
        return driving.driving_reward(
            np.array([tick.stamp_ns for tick in ticks]) * 1e-9,
            np.array([tick.speed for tick in ticks]),
            None,  # the bridge's vehicle_status has no yaw rate
            np.array([tick.lane_crossings for tick in ticks[1:]]),
            np.array([tick.collision for tick in ticks[1:]]),
        )


def _told_of_rewards(computed: bool) -> dict:
    if not computed:
        return {"reward": "step_result"}
    return {"reward": driving.NAME, "reward_terms": list(driving.TERMS), "target_speed_mps": driving.TARGET_SPEED_MPS}
