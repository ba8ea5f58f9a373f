"""From messages to episodes, without ROS: ticks assembled by stamp, rows aligned as docs/architecture.md draws them."""

from dataclasses import dataclass, field, replace

import numpy as np
from wm_bundle.vector_inputs import SPEED
from wm_data import rewards as driving
from wm_data.episodes import Episode

STANDING_MPS = 0.2  # up to this speed a car counts as standing


@dataclass
class Tick:
    """All that carries one stamp.

    ``vector``: the usual vector inputs by name, in order. ``control`` is what was applied in the interval that ended at
    the stamp, and ``reward``, ``terminated``, ``truncated`` what that interval led to (None where nobody sends
    rewards). ``expert`` and ``planned`` are what the expert and the planner would command now, None where there is no
    such driver. ``image`` is the picture (3 K, H, W) of K cameras, ``seen`` (K,) bool says which of them are in it;
    None: all. ``reverse``: the interval that ended was driven in reverse gear, which ``control`` cannot tell.
    """

    stamp_ns: int
    image: np.ndarray | None
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
        """Forget everything, also the newest stamp: the clock may begin anew."""
        self._parts.clear()
        self._last = -1


class Standstill:
    """Notices that a car has stood for long: a planner that only brakes would fill an episode with one picture."""

    def __init__(self, limit_s: float):
        """``limit_s`` of simulated time [s]; 0: a car may stand for ever."""
        self._limit_ns = limit_s * 1e9
        self._since_ns: int | None = None

    def lasts(self, tick: Tick) -> bool:
        """Take in the next tick; returns whether the car has stood for ``limit_s``."""
        if not self._limit_ns or abs(tick.speed) > STANDING_MPS:
            self._since_ns = None
            return False
        if self._since_ns is None:
            self._since_ns = tick.stamp_ns
        return tick.stamp_ns - self._since_ns >= self._limit_ns


@dataclass
class _Rows:
    """Columns of the episode being recorded; ``ticks`` has one more, the tick the last row led to."""

    images: list = field(default_factory=list)
    actions: list = field(default_factory=list)
    experts: list = field(default_factory=list)
    seen: list = field(default_factory=list)
    ticks: list = field(default_factory=list)


class EpisodeRecorder:
    """Ticks in, episodes out. A row is complete only when the tick after it says what its action led to."""

    def __init__(self, length: int, period_ns: int, meta: dict):
        """``length`` rows at most; ``period_ns`` between ticks. Where ticks have no reward it is computed."""
        self.length = length
        self.period_ns = period_ns
        self.meta = meta
        self.gaps = 0
        """Gaps in the stamps since the last ``discard``."""
        self._begin(None)

    def add(self, tick: Tick, expert_drives: bool = False) -> Episode | None:
        """Add the next tick; ``expert_drives``: the autopilot is in charge from this tick on (its action is a label).

        Returns an episode when this tick ended one: done, as long as wanted, or cut by a gap in the stamps or by what
        was driven in reverse gear. The tick after a gap begins the next episode; the tick of a done does not.
        """
        previous = self._previous
        if previous is None:
            self._previous, self._expert_drives = tick, expert_drives
            return None
        if tick.stamp_ns - previous.stamp_ns > 1.5 * self.period_ns or tick.stamp_ns <= previous.stamp_ns:
            self.gaps += 1
            return self._finish(terminal=False, restart=tick, expert_drives=expert_drives)
        if tick.reverse:
            return self._finish(terminal=False, restart=tick, expert_drives=expert_drives)
        self._add_row(previous, tick)
        # Where nobody says when an episode ends, a collision does.
        terminated = tick.terminated or (tick.reward is None and tick.collision)
        if terminated or tick.truncated:
            return self._finish(terminal=terminated, restart=None)
        if len(self._rows.actions) == self.length:
            return self._finish(terminal=False, restart=tick, expert_drives=expert_drives)
        self._previous, self._expert_drives = tick, expert_drives
        return None

    @property
    def rows(self) -> int:
        """Complete rows of the episode being recorded."""
        return len(self._rows.actions)

    def discard(self) -> None:
        """Throw away the unfinished episode; the next tick begins a new one."""
        self.gaps = 0
        self._begin(None)

    def cut(self) -> Episode | None:
        """End the episode here, as one that could have gone on; None without a row. The next tick begins a new one."""
        return self._finish(terminal=False, restart=None)

    def _begin(self, tick: Tick | None, expert_drives: bool = False) -> None:
        self._rows = _Rows()
        self._previous = tick
        self._expert_drives = expert_drives

    def _add_row(self, now: Tick, after: Tick) -> None:
        rows = self._rows
        label = after.control if self._expert_drives else now.expert
        rows.images.append(now.image)
        rows.seen.append(np.ones(len(now.image) // 3, bool) if now.seen is None else now.seen)
        rows.actions.append(after.control)
        rows.experts.append(np.full(3, np.nan) if label is None else label)
        rows.ticks = rows.ticks or [now]
        rows.ticks.append(replace(after, image=None))

    def _finish(self, terminal: bool, restart: Tick | None, expert_drives: bool = False) -> Episode | None:
        rows = self._rows
        self._begin(restart, expert_drives)
        if not rows.actions:
            return None
        count = len(rows.actions)
        last = np.zeros(count, bool)
        last[-1] = True
        rewards, terms = self._rewards(rows.ticks)
        seen = np.array(rows.seen)
        return Episode(
            observations=np.stack(rows.images),
            actions=np.array(rows.actions, np.float32),
            rewards=rewards,
            dones=last,
            terminals=last & terminal,
            vector=np.array([list(tick.vector.values()) for tick in rows.ticks[:-1]], np.float32),
            expert_actions=np.array(rows.experts, np.float32),
            stamps_ns=np.array([tick.stamp_ns for tick in rows.ticks[:-1]], np.int64),
            camera_mask=None if seen.all() else seen,
            reward_terms=terms,
            meta=self.meta | _told_of_rewards(terms is not None),
        )

    @staticmethod
    def _rewards(ticks: list[Tick]) -> tuple[np.ndarray, np.ndarray | None]:
        """Those that were sent, else those that are computed, with their terms."""
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
