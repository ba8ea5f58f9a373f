"""Suspicious things in readable episodes."""

import numpy as np
from wm_bundle.times import NS_PER_S
from wm_bundle.vector_inputs import SPEED

from wm_data.episodes import Episode
from wm_data.line import usual_step_ns
from wm_data.rates import rate_of

BOTH_PEDALS = 0.05  # above this a pedal counts as pressed
GAP_PERIODS = 1.5  # as elsewhere: a longer time between two rows is a gap
ALIKE = 1  # largest brightness difference of a picture of one colour


def find(episode: Episode, pictures: np.ndarray) -> list[str]:
    """Messages about suspicious things. ``pictures`` (n, C, H, W) are a sample of the episode's, in order."""
    return [*_of_pictures(episode, pictures), *_of_actions(episode), *_of_results(episode), *_of_time(episode)]


def gaps(stamps_ns: np.ndarray) -> list[tuple[int, float]]:
    """(row, seconds) of every gap, longest first: the time from that row to the next one."""
    steps = np.diff(np.asarray(stamps_ns, np.int64))
    rows = np.flatnonzero(steps > GAP_PERIODS * usual_step_ns(stamps_ns))
    return sorted(((int(row), steps[row] / NS_PER_S) for row in rows), key=lambda gap: (-gap[1], gap[0]))


def _of_pictures(episode: Episode, pictures: np.ndarray) -> list[str]:
    found = []
    if len(pictures) > 1 and (pictures == pictures[0]).all():
        found.append(f"the picture never changes (all {len(pictures)} looked at)")
    count = len(pictures)
    for camera in range(pictures.shape[1] // 3):
        part = pictures[:, 3 * camera : 3 * camera + 3].reshape(count, 3, -1)
        spread = part.max(axis=2).astype(int) - part.min(axis=2)
        flat = int((spread <= ALIKE).all(axis=1).sum())
        if flat and episode.camera_mask is None:
            where = f" of camera {camera}" if pictures.shape[1] > 3 else ""
            found.append(f"{flat} of {count} pictures{where} looked at are of one colour")
    if episode.camera_mask is not None and not episode.camera_mask.all():
        missing = ", ".join(f"{share:.0%}" for share in 1.0 - np.mean(episode.camera_mask, axis=0))
        found.append(f"pictures are missing, by camera: {missing}")
    return found


def _of_actions(episode: Episode) -> list[str]:
    actions, found = episode.actions, []
    if actions.shape[1] != 3:
        return [f"an action has {actions.shape[1]} numbers, expected steer, throttle and brake"]
    if not actions.any():
        return ["all actions are zero"]
    if len(actions) > 1 and (actions == actions[0]).all():
        found.append("the action never changes")
    outside = int(((actions < [-1.0, 0.0, 0.0]) | (actions > 1.0)).any(axis=1).sum())
    if outside:
        low, high = actions.min(axis=0), actions.max(axis=0)
        ranges = ", ".join(
            f"{name} {a:.3g} to {b:.3g}" for name, a, b in zip(("steer", "throttle", "brake"), low, high, strict=True)
        )
        found.append(f"actions out of range: {outside} ({ranges})")
    both = float(np.mean((actions[:, 1] > BOTH_PEDALS) & (actions[:, 2] > BOTH_PEDALS)))
    if both:
        found.append(f"throttle and brake act together in {both:.1%} of the rows")
    return found


def _of_results(episode: Episode) -> list[str]:
    found = []
    if len(episode) > 1 and (episode.rewards == episode.rewards[0]).all():
        found.append(f"the reward is always {episode.rewards[0]:g}")
    inner = int(np.count_nonzero(episode.dones[:-1]))
    if inner:
        found.append(f"rows before the last that are marked done, and so end drives of their own to training: {inner}")
    if (np.asarray(episode.terminals, bool) & ~np.asarray(episode.dones, bool)).any():
        found.append("a terminal is not marked done")
    speed = episode.told(SPEED)
    if speed is not None and not speed.any():
        found.append("the speed is always zero")
    return found


def _of_time(episode: Episode) -> list[str]:
    if episode.stamps_ns is None or len(episode) < 2:
        return []
    stamps = np.asarray(episode.stamps_ns, np.int64)
    found, steps = [], np.diff(stamps)
    backwards = int((steps <= 0).sum())
    if backwards:
        found.append(f"stamps that repeat or go backwards: {backwards}")
    long = gaps(stamps)
    if long:
        found.append(f"gaps: {len(long)}, the longest {long[0][1]:.3g} s after row {long[0][0]}")
    rate, usual = rate_of(episode.meta), usual_step_ns(stamps)
    if rate is not None and usual and not 0.9 < NS_PER_S / usual / rate < 1.1:
        found.append(f"meta says {rate:g} Hz, the stamps {NS_PER_S / usual:.3g} Hz")
    return found
