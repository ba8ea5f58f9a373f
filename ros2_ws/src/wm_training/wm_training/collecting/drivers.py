"""Drivers for recording episodes. Plain classes: a tick in, a decision out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from wm_bundle import from_command, to_command
from wm_bundle.random_walk import RandomWalk

from wm_training.collecting.recording import Tick
from wm_training.collecting.slowing import HANDS_OFF_S, Both, SpeedShares

if TYPE_CHECKING:
    from wm_training.collecting.collect_options import CollectOptions

BRAKE = np.array([0.0, 0.0, 1.0], np.float32)  # [steer, throttle, brake]
_SETTLED = 2  # ticks, within which CARLA's autopilot begins to command after it was switched on
_SAME = 1e-5  # difference of controls that are one: they travel as float32


def same_control(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two controls are one that was sent and came back."""
    return np.allclose(one, other, rtol=0.0, atol=_SAME)


@dataclass(frozen=True)
class Decision:
    """Answer to one tick. ``command`` None: nothing is sent. ``autopilot`` switches the simulator's on or off, None: it
    stays as it is. ``expert_drives``: the autopilot commands until the next tick, so that the action is a label."""

    command: np.ndarray | None
    autopilot: bool | None = None
    expert_drives: bool = False


class Driver(Protocol):
    """Drives episodes."""

    wants_autopilot: bool

    def begin(self, seed: int) -> None:
        """A new episode; the same seed gives the same noise."""

    def drive(self, tick: Tick) -> Decision:
        """The command for the interval that begins at this tick."""


class Disturbance(Protocol):
    """Changes what a driver commands."""

    def begin(self, seed: int) -> None:
        """A new episode; the same seed gives the same changes."""

    def change(self, tick: Tick, command: np.ndarray) -> np.ndarray | None:
        """The command (3,) instead of the driver's, None where that one stays."""


class BurstNoise:
    """Disturbances in (steer, longitudinal): quiet stretches, then a constant push for a moment.

    Bursts rather than constant noise: the car leaves the expert's line, and the recording shows the expert's recovery.
    The strength is drawn once per episode, so that some drives are quiet."""

    def __init__(self, period_s: float, every_s: float, strength: float):
        """``period_s`` [s] between ticks, ``every_s`` [s] between bursts on average, ``strength`` their deviation."""
        self.start_probability = min(1.0, period_s / every_s)
        self.longest = max(2, round(0.8 / period_s))
        self.strength = strength
        self.begin(0)

    def begin(self, seed: int) -> None:
        """Draw the episode's noise level."""
        self.random = np.random.default_rng([seed, 0x6E6F])
        self.level = self.strength * self.random.uniform(0.0, 1.5)
        self.left = 0
        self.push = np.zeros(2)

    def next(self) -> np.ndarray | None:
        """The push (2,) for this tick, None between bursts."""
        if self.left == 0 and self.random.random() < self.start_probability:
            self.left = int(self.random.integers(2, self.longest + 1))
            self.push = self.random.normal(0.0, self.level, 2)
        if self.left == 0:
            return None
        self.left -= 1
        return self.push

    def change(self, tick: Tick, command: np.ndarray) -> np.ndarray | None:
        """See Disturbance: the command plus the push of the moment."""
        push = self.next()
        return None if push is None else to_command(from_command(command) + push)


class Follower:
    """Sends the command that arrives with the tick, disturbed or not: the ``expert``'s, if the simulator publishes it
    (expert_control), or the one ``planned``; the expert's action remains the label of its row."""

    wants_autopilot = False

    def __init__(self, told: Literal["expert", "planned"], noise: Disturbance | None):
        self.told = told
        self.noise = noise

    def begin(self, seed: int) -> None:
        """See Driver."""
        if self.noise:
            self.noise.begin(seed)

    def drive(self, tick: Tick) -> Decision:
        """The command, or what the disturbance makes of it."""
        command = getattr(tick, self.told)
        changed = self.noise.change(tick, command) if self.noise else None
        return Decision(command if changed is None else changed)


class AutopilotWithBursts:
    """CARLA's autopilot drives, and nothing is sent: the bridge applies every command, also while the autopilot is on.
    During a burst the autopilot is off, so that it overwrites nothing, and what it would do is unknown.

    A burst's last command acts until the autopilot's first one. So a row is the autopilot's only once the applied
    control is none of the burst's."""

    wants_autopilot = True

    def __init__(self, noise: Disturbance | None):
        self.noise = noise
        self._pushing = False
        self._quiet = 0  # ticks since the autopilot was switched on
        self._undisturbed = np.zeros(3, np.float32)  # the autopilot's last control
        self._sent: list[np.ndarray] = []  # by the last burst, until the autopilot has taken over

    def begin(self, seed: int) -> None:
        """See Driver."""
        if self.noise:
            self.noise.begin(seed)

    def drive(self, tick: Tick) -> Decision:
        """Nothing, or the disturbed command during a burst."""
        own = not any(same_control(tick.control, command) for command in self._sent)
        if own:
            self._undisturbed = tick.control
        changed = self.noise.change(tick, self._undisturbed) if self.noise else None
        switches, self._pushing = (changed is not None) != self._pushing, changed is not None
        self._quiet = 0 if self._pushing else self._quiet + 1
        if own and self._quiet > 1:
            self._sent = []
        autopilot = not self._pushing if switches else None
        if changed is None:
            return Decision(None, autopilot, expert_drives=self._quiet > _SETTLED and not self._sent)
        self._sent.append(changed)
        return Decision(changed, autopilot)


class RandomDriver:
    """Smooth random commands, with some throttle on average."""

    wants_autopilot = False

    def __init__(self, period_s: float, correlation_s: float = 0.6, strength: float = 0.5):
        """``correlation_s`` [s] is how long a command lasts, ``strength`` its standard deviation."""
        keep = float(np.exp(-period_s / correlation_s))
        self._walk = RandomWalk(keep, strength * float(np.sqrt(1.0 - keep**2)))

    def begin(self, seed: int) -> None:
        """See Driver."""
        self._walk.begin([seed, 0x7264])

    def drive(self, tick: Tick) -> Decision:
        """The next sample of the walk."""
        return Decision(to_command(self._walk.next()))


def chosen_driver(options: "CollectOptions", period_s: float, with_expert: bool) -> Driver:
    """The driver of these options, for ticks every ``period_s`` [s]; ``with_expert``: the expert's commands are
    published."""
    if options.driver == "random":
        return RandomDriver(period_s)
    noise: Disturbance | None = None
    if options.with_noise and options.noise_strength > 0.0:
        noise = BurstNoise(period_s, options.noise_every, options.noise_strength)
    if options.with_planner:
        return Follower("planned", noise)
    if options.slow:
        hands_off_s = np.inf if with_expert else HANDS_OFF_S
        slow = SpeedShares(period_s, options.slowest, options.slow_segment, hands_off_s)
        noise = Both(slow, noise) if noise else slow
    return Follower("expert", noise) if with_expert else AutopilotWithBursts(noise)
