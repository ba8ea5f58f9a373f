"""Compares the running planner's commands with those of an in-process evaluation of the same bag.

Both see the same pictures and draw the same random numbers, so if nothing is late or lost they are bit-identical. If
they differ, a frame's cause is the first of ``CAUSES`` that holds for it.
"""

import json
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from wm_planner.pilot.modes import Mode

from wm_tools.common.errors import ReplayError
from wm_tools.replay.frames import BRAKE, Frame

WITHIN = 0.02  # of steer -1..1, throttle and brake 0..1: largest difference of two commands that count as equal
_ROUNDING = 1e-5  # messages have 32 bits
CAUSES = {
    "mode": "one of the two braked, or was more careful, and the other was not",
    "after a drop": "a frame was dropped earlier in the episode: the belief lacks it, and the search draws other "
    "random numbers from there on",
    "shorter search": "here or earlier in the episode, the deadline left time for fewer candidates or iterations",
    "commands in flight": "here or earlier in the episode, the running planner found that its commands act late, and "
    "planned ahead of them; the evaluation measures that by its own commands",
    "beginning": "the first command of the episode already differs: a recording that starts mid-drive begins "
    "with a command that its rows lack, and the search continues from the last plan",
    "unexplained": "none of the above",
}


@dataclass(frozen=True)
class Evaluated:
    """One frame of an evaluation: the command (the brake where none was planned) and the mode."""

    episode: int
    command: tuple[float, float, float]
    mode: str


@dataclass(frozen=True)
class Joined:
    """A frame in both the replay and the evaluation, and the ``cause`` if their commands differ by more than WITHIN."""

    frame: Frame
    evaluated: Evaluated
    cause: str | None

    @property
    def same_mode(self) -> bool:
        """Whether both were in the same mode."""
        return self.frame.status is not None and self.frame.status.mode.name.lower() == self.evaluated.mode


@dataclass(frozen=True)
class Agreement:
    """How well the commands agree. Number of frames in only one of the two: ``only_live`` (such as a recording's last
    frame, which its rows lack), ``only_evaluated`` (dropped)."""

    joined: Sequence[Joined]
    only_live: int
    only_evaluated: int

    @property
    def differences(self) -> np.ndarray:
        """(joined, 3): absolute differences of the commands."""
        apart = [np.subtract(one.frame.command.values, one.evaluated.command) for one in self.joined]
        return np.abs(apart).reshape(-1, 3)

    @property
    def share(self) -> float | None:
        """Share of the commands that agree."""
        return sum(one.cause is None for one in self.joined) / len(self.joined) if self.joined else None

    @property
    def modes_alike(self) -> float | None:
        """Share of the frames with the same mode."""
        return sum(one.same_mode for one in self.joined) / len(self.joined) if self.joined else None

    @property
    def causes(self) -> dict[str, int]:
        """Number of frames by cause."""
        return dict(Counter(one.cause for one in self.joined if one.cause is not None))


def check_bag(folder: Path, bag: Path) -> None:
    """Raise ReplayError if the evaluation in ``folder`` is of another bag: stamps do not show it, as every simulated
    drive begins at the same one."""
    try:
        name = json.loads((folder / "result.json").read_text(encoding="utf-8"))["bag"]["name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ReplayError(f"{folder / 'result.json'} is not what evaluate_bag writes: {error}") from None
    if name != bag.resolve().name:
        raise ReplayError(f"the evaluation in {folder} is of {name}, expected one of {bag.resolve().name}")


def read_evaluation(file: Path, bundle: str) -> dict[int, list[Evaluated]]:
    """The frames of ``bundle`` (a model id) in an evaluation's result.jsonl, by stamp [ns].

    Raises ReplayError for another kind of file, or one without that bundle.
    """
    found: dict[int, list[Evaluated]] = defaultdict(list)
    try:
        with open(file, encoding="utf-8") as stream:
            for line in stream:
                entry = json.loads(line)
                if entry["bundle"] == bundle:
                    command = tuple(float(number) for number in entry["planned"] or BRAKE)
                    found[int(entry["stamp_ns"])].append(Evaluated(int(entry["episode"]), command, entry["mode"]))
    except OSError as error:
        raise ReplayError(f"the evaluation's {file} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ReplayError(f"{file} is not the result.jsonl of evaluate_bag: {type(error).__name__}: {error}") from None
    if not found:
        raise ReplayError(f"{file} has no frame of the bundle {bundle}: evaluate the same bag with the same bundle")
    return found


@dataclass
class _Past:
    """What has happened so far in an episode."""

    dropped: bool = False
    shortened: bool = False
    in_flight: bool = False
    apart_at_first: bool | None = None

    def take(self, frame: Frame, widest: int) -> None:
        """The next frame; ``widest``: plans imagined for a frame in a search that was not cut short."""
        self.dropped = self.dropped or frame.command is None
        status = frame.status
        if status is not None and status.mode in (Mode.DRIVING, Mode.DEGRADED):
            self.shortened = self.shortened or status.candidates * status.iterations < widest
            self.in_flight = self.in_flight or status.in_flight > 0

    def join(self, frame: Frame, evaluated: Evaluated) -> Joined:
        """The latest frame, with its evaluation."""
        joined = Joined(frame, evaluated, None)
        apart = float(np.abs(np.subtract(frame.command.values, evaluated.command)).max())
        if self.apart_at_first is None:
            self.apart_at_first = apart > _ROUNDING
        if apart <= WITHIN:
            return joined
        facts = {
            "mode": not joined.same_mode,
            "after a drop": self.dropped,
            "shorter search": self.shortened,
            "commands in flight": self.in_flight,
            "beginning": self.apart_at_first,
            "unexplained": True,
        }
        return replace(joined, cause=next(cause for cause in CAUSES if facts[cause]))


def compare(frames: Sequence[Frame], evaluated: dict[int, list[Evaluated]]) -> Agreement:
    """Join the frames of a replay with those of an evaluation by order and stamp: a stamp may repeat in another run of
    the simulator, and not every frame was evaluated."""
    waiting = deque(sorted(((entry.episode, stamp) for stamp, entries in evaluated.items() for entry in entries)))
    entries_of = {stamp: deque(entries) for stamp, entries in evaluated.items()}
    to_come = Counter(frame.stamp_ns for frame in frames)
    widest = max((frame.status.candidates * frame.status.iterations for frame in frames if frame.status), default=0)
    joined: list[Joined] = []
    only_live = only_evaluated = 0
    episode, past = None, _Past()
    for frame in frames:
        while waiting and not to_come[waiting[0][1]]:
            entries_of[waiting.popleft()[1]].popleft()
            only_evaluated += 1
        to_come[frame.stamp_ns] -= 1
        is_next = bool(waiting) and waiting[0][1] == frame.stamp_ns
        entry = entries_of[waiting.popleft()[1]].popleft() if is_next else None
        if entry is not None and entry.episode != episode:
            episode, past = entry.episode, _Past()
        past.take(frame, widest)
        if frame.command is None:
            only_evaluated += entry is not None
        elif entry is None:
            only_live += 1
        else:
            joined.append(past.join(frame, entry))
    return Agreement(joined, only_live, only_evaluated + len(waiting))
