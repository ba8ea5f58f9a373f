"""Reads the episodes one by one and keeps only what the tables and the page need: memory stays bounded."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from wm_bundle.times import NS_PER_S
from wm_bundle.turn_check import Turn, TurnCheck
from wm_bundle.vector_inputs import SPEED

from wm_data.agreement import Traits, names_of, traits_of
from wm_data.episodes import Episode, EpisodeError, read_episode
from wm_data.imagined import is_imagined
from wm_data.inspection.findings import find, gaps
from wm_data.inspection.histogram import Histogram
from wm_data.inspection.routes import RouteSurvey
from wm_data.rates import rate_of
from wm_data.rewards import largest_return
from wm_data.turns import add_turns

SAMPLED = 16  # pictures examined per episode
SAMPLED_BYTES = 64_000_000  # fewer large pictures, but at least three
THUMBNAIL_PX = 96
GAPS_KEPT = 20
ACTIONS = ("steer", "throttle", "brake")


@dataclass
class EpisodeSummary:
    """One readable episode. ``thumbnails`` are its first, middle and last picture as JPEG files."""

    name: str
    split: str
    rows: int
    seconds: float | None
    action_source: str
    imagined: bool
    total_reward: float
    mean_speed: float | None
    ends: str
    labelled: float
    bytes: int
    compressed: bool
    findings: list[str]
    traits: Traits
    largest_reward: float
    largest_return: float
    """Discounted, see ``wm_data.rewards``."""
    thumbnails: tuple[bytes, ...] = ()

    @property
    def rate_hz(self) -> float | None:
        return rate_of(self.traits.meta)


@dataclass
class Survey:
    episodes: list[EpisodeSummary] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    """(file, reason)."""
    duplicates: list[tuple[str, ...]] = field(default_factory=list)
    gaps: list[tuple[str, int, float]] = field(default_factory=list)
    """(file, row, seconds) of the longest ones."""
    turns: TurnCheck = field(default_factory=TurnCheck)
    turn_faults: dict[Turn, tuple[str, str]] = field(default_factory=dict)
    """(first file, what was found)."""
    actions: dict[str, Histogram] = field(default_factory=lambda: {name: Histogram() for name in ACTIONS})
    rewards: Histogram = field(default_factory=Histogram)
    terms: dict[str, Histogram] = field(default_factory=dict)
    unknown_terms: dict[str, int] = field(default_factory=dict)
    """Rows where a reward term is not known."""
    vector: dict[str, Histogram] = field(default_factory=dict)
    routes: RouteSurvey = field(default_factory=RouteSurvey)

    @property
    def rows(self) -> int:
        return sum(episode.rows for episode in self.episodes)

    @property
    def seconds(self) -> float:
        """Duration of all readable episodes with a known rate."""
        return sum(episode.seconds or 0.0 for episode in self.episodes)


def survey(
    files: dict[Path, str], thumbnails: int, progress: Callable[[int], None] | None = None, discount: float = 0.0
) -> Survey:
    """Examine ``files``, whose values are their splits. At most ``thumbnails`` episodes keep their pictures: those with
    findings first, then evenly spaced ones. ``progress`` gets the number of finished files; ``discount`` is for the
    returns."""
    result = Survey()
    seen: dict[str, list[str]] = {}
    stride = max(1, -(-len(files) // max(thumbnails, 1)))
    suspicious = 0
    in_folders = len({file.parent for file in files}) > 1
    for number, (file, split) in enumerate(files.items()):
        name = f"{file.parent.name}/{file.name}" if in_folders else file.name
        try:
            episode = read_episode(file)
        except EpisodeError as error:
            result.unreadable.append((name, str(error)))
        else:
            sample = _sample(episode)
            summary = _summary(name, split, episode, find(episode, sample), file.stat().st_size, discount)
            suspicious += bool(summary.findings)
            if thumbnails and (number % stride == 0 or (summary.findings and suspicious <= thumbnails)):
                summary.thumbnails = tuple(thumbnail(sample[k]) for k in sorted({0, len(sample) // 2, len(sample) - 1}))
            seen.setdefault(_digest(episode, sample), []).append(name)
            result.episodes.append(summary)
            _count(result, name, episode)
            add_turns(result.turns, episode)
            if result.turns.fault:
                result.turn_faults.setdefault(result.turns.fault, (name, result.turns.fault_told))
            del episode  # a compressed one is in memory: do not keep two
        if progress is not None:
            progress(number + 1)
    result.duplicates = [tuple(names) for names in seen.values() if len(names) > 1]
    return result


def thumbnail(picture: np.ndarray) -> bytes:
    """(C, H, W) uint8 RGB, cameras stacked, as a small JPEG file with the cameras side by side."""
    height, width = picture.shape[1:]
    scale = min(1.0, THUMBNAIL_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    parts = []
    for camera in range(len(picture) // 3):
        bgr = np.ascontiguousarray(picture[3 * camera : 3 * camera + 3][::-1].transpose(1, 2, 0))
        parts.append(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA) if scale < 1.0 else bgr)
    return cv2.imencode(".jpg", np.hstack(parts), [cv2.IMWRITE_JPEG_QUALITY, 88])[1].tobytes()


def _sample(episode: Episode) -> np.ndarray:
    count = min(SAMPLED, max(3, SAMPLED_BYTES // max(1, episode.observations[0].nbytes)), len(episode))
    rows = np.linspace(0, len(episode) - 1, count).round().astype(int)
    return np.stack([episode.observations[row] for row in rows])


def _summary(
    name: str, split: str, episode: Episode, findings: list[str], size: int, discount: float
) -> EpisodeSummary:
    meta, rate = episode.meta, rate_of(episode.meta)
    seconds = None if rate is None else len(episode) / rate
    stamps = episode.stamps_ns
    if stamps is not None and len(stamps) > 1 and stamps[-1] > stamps[0]:
        seconds = float(stamps[-1] - stamps[0]) / NS_PER_S * len(stamps) / (len(stamps) - 1)
    speed = episode.told(SPEED)
    ends = "terminal" if episode.terminals[-1] else "truncated" if episode.dones[-1] else "open"
    payload = sum(getattr(episode, key).nbytes for key in ("observations", "actions", "rewards", "dones"))
    return EpisodeSummary(
        name=name,
        split=split,
        rows=len(episode),
        seconds=seconds,
        action_source=_action_source(meta),
        imagined=is_imagined(meta),
        total_reward=float(np.sum(episode.rewards, dtype=np.float64)),
        mean_speed=None if speed is None else float(np.mean(speed)),
        ends=ends,
        labelled=float(np.isfinite(episode.expert_actions).all(axis=-1).mean()),
        bytes=size,
        compressed=size < payload,
        findings=findings,
        traits=traits_of(name, episode),
        largest_reward=float(np.abs(episode.rewards).max()),
        largest_return=largest_return(episode, discount),
    )


def _action_source(meta: dict) -> str:
    """Converted episodes have the source, recorded ones the driver."""
    if meta.get("action_source"):
        return str(meta["action_source"])
    return f"driver {meta['driver']}" if meta.get("driver") else "not told"


def _count(result: Survey, file: str, episode: Episode) -> None:
    for column, name in enumerate(ACTIONS[: episode.actions.shape[1]]):
        result.actions[name].add(episode.actions[:, column])
    result.rewards.add(episode.rewards)
    for column, name in enumerate(names_of(episode.meta.get("vector"), episode.vector.shape[1])):
        result.vector.setdefault(name, Histogram()).add(episode.vector[:, column])
    result.routes.add(episode)
    if episode.reward_terms is not None:
        terms = np.asarray(episode.reward_terms)
        for column, name in enumerate(names_of(episode.meta.get("reward_terms"), terms.shape[1])):
            result.terms.setdefault(name, Histogram()).add(terms[:, column])
            unknown = int((~np.isfinite(terms[:, column])).sum())
            result.unknown_terms[name] = result.unknown_terms.get(name, 0) + unknown
    if episode.stamps_ns is not None:
        found = [(file, row, seconds) for row, seconds in gaps(episode.stamps_ns)]
        result.gaps = sorted([*result.gaps, *found], key=lambda gap: -gap[2])[:GAPS_KEPT]


def _digest(episode: Episode, sample: np.ndarray) -> str:
    """Hash of the numbers and the examined pictures: equal for copies of any name and compression."""
    digest = hashlib.sha256(repr(episode.observations.shape).encode())
    for array in (episode.actions, episode.rewards, episode.dones, sample):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
