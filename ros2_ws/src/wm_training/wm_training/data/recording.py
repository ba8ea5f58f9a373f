"""From messages to episodes, without ROS: ticks assembled by stamp, rows aligned as docs/architecture.md draws them."""

from dataclasses import dataclass, field

import numpy as np

from wm_training.data.episodes import Episode
from wm_training.data.rewards import BridgeReward


@dataclass
class Tick:
    """All that carries one stamp. ``control`` is what was applied in the interval that ended at the stamp, and
    ``reward``, ``terminated``, ``truncated`` what that interval led to (None where nobody sends rewards)."""

    stamp_ns: int
    image: np.ndarray
    speed: float
    control: np.ndarray
    reward: float | None = None
    terminated: bool = False
    truncated: bool = False
    expert: np.ndarray | None = None
    collision: bool = False
    lane_crossings: int = 0


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


@dataclass
class _Rows:
    """Columns of the episode being recorded."""

    images: list = field(default_factory=list)
    actions: list = field(default_factory=list)
    rewards: list = field(default_factory=list)
    speeds: list = field(default_factory=list)
    experts: list = field(default_factory=list)
    stamps: list = field(default_factory=list)


class EpisodeRecorder:
    """Ticks in, episodes out. A row is complete only when the tick after it says what its action led to."""

    def __init__(self, length: int, period_ns: int, reward: BridgeReward | None, meta: dict):
        """``length`` rows at most; ``period_ns`` between ticks; ``reward`` computes rewards where none are sent."""
        self.length = length
        self.period_ns = period_ns
        self.reward = reward
        self.meta = meta
        self._begin(None)

    def add(self, tick: Tick, expert_drives: bool = False) -> Episode | None:
        """Add the next tick; ``expert_drives``: the autopilot is in charge from this tick on (its action is a label).

        Returns an episode when this tick ended one: done, as long as wanted, or cut by a gap in the stamps. The tick
        after a gap begins the next episode; the tick of a done does not.
        """
        previous = self._previous
        if previous is None:
            self._previous, self._expert_drives = tick, expert_drives
            return None
        if tick.stamp_ns - previous.stamp_ns > 1.5 * self.period_ns or tick.stamp_ns <= previous.stamp_ns:
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
        self._begin(None)

    def _begin(self, tick: Tick | None, expert_drives: bool = False) -> None:
        self._rows = _Rows()
        self._previous = tick
        self._expert_drives = expert_drives

    def _add_row(self, now: Tick, after: Tick) -> None:
        rows = self._rows
        label = after.control if self._expert_drives else now.expert
        if after.reward is not None:
            reward = after.reward
        else:
            reward = self.reward(after.speed, after.control, now.control, after.lane_crossings, after.collision)
        rows.images.append(now.image)
        rows.actions.append(after.control)
        rows.rewards.append(reward)
        rows.speeds.append(now.speed)
        rows.experts.append(np.full(3, np.nan) if label is None else label)
        rows.stamps.append(now.stamp_ns)

    def _finish(self, terminal: bool, restart: Tick | None, expert_drives: bool = False) -> Episode | None:
        rows = self._rows
        self._begin(restart, expert_drives)
        if not rows.actions:
            return None
        count = len(rows.actions)
        last = np.zeros(count, bool)
        last[-1] = True
        return Episode(
            observations=np.stack(rows.images),
            actions=np.array(rows.actions, np.float32),
            rewards=np.array(rows.rewards, np.float32),
            dones=last,
            terminals=last & terminal,
            vector=np.array(rows.speeds, np.float32)[:, None],
            expert_actions=np.array(rows.experts, np.float32),
            stamps_ns=np.array(rows.stamps, np.int64),
            meta=dict(self.meta),
        )
