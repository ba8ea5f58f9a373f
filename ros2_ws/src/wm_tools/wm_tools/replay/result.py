"""The result of a replay: its figures by name, replay.json and replay.jsonl; docs/replay.md has the schema."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from wm_bundle.files import write_json, write_text
from wm_evaluation.metrics.errors import percentiles
from wm_planner.pilot.modes import Mode

from wm_tools.common.errors import ReplayError
from wm_tools.common.json_values import without_nan
from wm_tools.common.thresholds import Threshold, Verdict, entries_of
from wm_tools.replay.agreement import WITHIN, Agreement
from wm_tools.replay.frames import Frame, Status

VERSION = 1
_CHANNELS = ("steer", "throttle", "brake")
_WITHOUT_DIGITS = str.maketrans("", "", "0123456789.")
_PERCENTILES = ("p50", "p95", "p99", "max")

FIGURES = {
    "dropped": "frames of the bag without an answering command",
    "dropped_share": "their share of all frames",
    **{
        f"latency_ms.{name}": "from the arrival of a picture to that of its command, both at the monitor"
        for name in _PERCENTILES
    },
    **{
        f"planner_latency_ms.{name}": "from a picture's receipt to its command's publication, says the planner"
        for name in _PERCENTILES
    },
    "deadline_misses": "commands later than the planner's deadline",
    "deadline_miss_share": "their share of all commands",
    "driving_share": "answered frames in the mode DRIVING",
    "braking_share": "answered frames in the mode BRAKING",
    "unasked_brakes": "brakes while the bag played that answer no picture",
    "agreement.share": f"commands that differ by at most {WITHIN} from those of the evaluation in one process",
    "agreement.mean_difference": "mean absolute difference from them, over steer, throttle and brake",
    "agreement.modes": "frames with the same mode as in that evaluation",
}


@dataclass(frozen=True)
class Replay:
    """A replay and its results. ``bag`` was played at ``rate``; ``evaluation`` is the folder of the evaluation to
    compare with."""

    bag: str
    bundle: str
    rate: float
    deadline_ms: float
    evaluation: str
    frames: Sequence[Frame]
    unasked: int
    agreement: Agreement

    @property
    def answered(self) -> list[Frame]:
        """Frames with a command."""
        return [frame for frame in self.frames if frame.command is not None]

    @property
    def statuses(self) -> list[Status]:
        """Statuses of the answered frames, as far as received."""
        return [frame.status for frame in self.answered if frame.status is not None]

    @property
    def modes(self) -> Counter:
        """Number of frames by mode, in lower case."""
        return Counter(status.mode.name.lower() for status in self.statuses)

    @property
    def reasons(self) -> Counter:
        """Number of frames by reason for a mode other than DRIVING; reasons that differ only in numbers count as the
        first one."""
        first: dict[str, str] = {}
        reasons = [status.reason for status in self.statuses if status.reason]
        return Counter(first.setdefault(reason.translate(_WITHOUT_DIGITS), reason) for reason in reasons)

    @property
    def latencies_ms(self) -> list[float]:
        """From picture to command, for every frame that was received and answered."""
        return [frame.latency_ms for frame in self.frames if frame.latency_ms is not None]


def check_thresholds(thresholds: Sequence[Threshold]) -> None:
    """Raise ReplayError for a threshold on a figure that does not exist."""
    for threshold in thresholds:
        if threshold.name not in FIGURES:
            raise ReplayError(f"--threshold: there is no figure '{threshold.name}'; there are {', '.join(FIGURES)}")


def figures(replay: Replay) -> dict[str, float]:
    """Every figure of FIGURES; NaN if unknown."""
    agreement, statuses = replay.agreement, replay.statuses
    dropped = len(replay.frames) - len(replay.answered)
    misses = sum(status.deadline_missed for status in statuses)

    def share(count: int, of: int) -> float:
        return count / of if of else math.nan

    values = {
        "dropped": dropped,
        "dropped_share": share(dropped, len(replay.frames)),
        "deadline_misses": misses,
        "deadline_miss_share": share(misses, len(statuses)),
        "driving_share": share(replay.modes[Mode.DRIVING.name.lower()], len(statuses)),
        "braking_share": share(replay.modes[Mode.BRAKING.name.lower()], len(statuses)),
        "unasked_brakes": replay.unasked,
        "agreement.share": agreement.share,
        "agreement.mean_difference": agreement.differences.mean() if agreement.joined else None,
        "agreement.modes": agreement.modes_alike,
    }
    for kind, latencies in (
        ("latency_ms", replay.latencies_ms),
        ("planner_latency_ms", [status.latency_ms for status in statuses]),
    ):
        values |= {f"{kind}.{name}": value for name, value in percentiles(np.array(latencies, float)).items()}
    return {name: math.nan if values[name] is None else float(values[name]) for name in FIGURES}


def document(replay: Replay, judged: Sequence[Verdict]) -> dict:
    """replay.json as a dictionary."""
    agreement, joined = replay.agreement, len(replay.agreement.joined)
    per_channel = agreement.differences.mean(axis=0) if joined else [math.nan] * 3
    searches = [status for status in replay.statuses if status.iterations]
    return without_nan(
        {
            "version": VERSION,
            "bag": replay.bag,
            "bundle": replay.bundle,
            "rate": replay.rate,
            "evaluation": replay.evaluation,
            "frames": {
                "played": len(replay.frames),
                "answered": len(replay.answered),
                "seen_by_monitor": sum(frame.arrival_ns is not None for frame in replay.frames),
                "longest_drop": longest_drop(replay.frames),
            },
            "deadline_ms": replay.deadline_ms,
            "modes": dict(replay.modes),
            "reasons": dict(replay.reasons.most_common(10)),
            "search": {
                "candidates": percentiles(np.array([status.candidates for status in searches], float)),
                "iterations": percentiles(np.array([status.iterations for status in searches], float)),
            },
            "figures": figures(replay),
            "agreement": {
                "within": WITHIN,
                "joined": joined,
                "only_live": agreement.only_live,
                "only_evaluated": agreement.only_evaluated,
                "causes": agreement.causes,
                "mean_difference": dict(zip(_CHANNELS, map(float, per_channel), strict=True)),
                "largest_difference": float(agreement.differences.max()) if joined else None,
            },
            "thresholds": entries_of(judged),
            "passed": all(verdict.holds for verdict in judged),
        }
    )


def longest_drop(frames: Sequence[Frame]) -> int:
    """Largest number of consecutive frames without an answer."""
    longest = current = 0
    for frame in frames:
        current = current + 1 if frame.command is None else 0
        longest = max(longest, current)
    return longest


def write(folder: Path, replay: Replay, judged: Sequence[Verdict]) -> None:
    """Write replay.json, and replay.jsonl with a line per frame. Raises OSError."""
    write_json(folder / "replay.json", document(replay, judged))
    write_text(
        folder / "replay.jsonl", "".join(json.dumps(without_nan(_line(frame))) + "\n" for frame in replay.frames)
    )


def _line(frame: Frame) -> dict:
    command = None if frame.command is None else list(frame.command.values)
    line = {"stamp_ns": frame.stamp_ns, "latency_ms": frame.latency_ms, "command": command}
    if frame.status is not None:
        status = asdict(frame.status)
        line |= {"mode": status.pop("mode").name.lower(), "planner_latency_ms": status.pop("latency_ms"), **status}
    return line
