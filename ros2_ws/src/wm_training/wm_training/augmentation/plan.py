"""Starts and actions of an episode's imagined drives: a pure function of episode and options."""

from dataclasses import dataclass

import numpy as np
from wm_bundle import from_command
from wm_data.episodes import Episode
from wm_data.imagined import drive_hash

from wm_training.augmentation.augment_options import AugmentOptions
from wm_training.augmentation.disturbances import Disturbance, draw_disturbance, with_noise

USUAL_RATE_HZ = 10.0
"""Assumed rate of episodes without one, for the duration of noise and disturbances."""


@dataclass(frozen=True)
class Plan:
    """K drives of H' steps from one episode."""

    starts: np.ndarray
    """int64 (K,): row of the first observation that the model sees."""
    horizon: int
    """H': fewer steps than requested where recorded actions are needed and end earlier."""
    seed: int
    """Seed of the imagination."""
    actions: np.ndarray | None = None
    """float32 (K, H', 2): (steer, longitudinal) from the context's last row on; None where the actor drives."""
    disturbances: tuple[Disturbance, ...] | None = None
    """Disturbances of the actor's actions, per drive."""


def plan_drives(episode: Episode, options: AugmentOptions) -> Plan | None:
    """The drives from ``episode``; None when it is too short for the context and ``min_rows`` actions from its last row
    on."""
    count, context = options.num_augmentations, options.context
    recorded = options.policy == "noisy-actions"
    # The context's last row has the first action.
    horizon = min(options.horizon, len(episode) - context + 1) if recorded else options.horizon
    latest = len(episode) - context - (horizon - 1 if recorded else 0)
    if latest < 0 or horizon < options.min_rows:
        return None
    # From the drive's content, not its name or position in the folder, which may change.
    draws = np.random.SeedSequence([options.seed, int(drive_hash(episode), 16)])
    random = np.random.default_rng(draws)
    starts = np.zeros(count, np.int64)
    if options.starts == "spread":
        starts[:] = (np.arange(count) + random.uniform(size=count)) * (latest + 1) / count
    seed = int(draws.spawn(1)[0].generate_state(1)[0])
    period_s = 1.0 / float(episode.meta.get("rate_hz") or USUAL_RATE_HZ)
    if options.policy == "perturbed-actions":
        disturbances = tuple(draw_disturbance(horizon, period_s, random) for _ in range(count))
        return Plan(starts, horizon, seed, disturbances=disturbances)
    if not recorded:
        return Plan(starts, horizon, seed)
    rows = (starts + context - 1)[:, None] + np.arange(horizon)
    driven = from_command(episode.actions[rows])
    noisy = np.stack([with_noise(actions, period_s, options.noise, random) for actions in driven])
    return Plan(starts, horizon, seed, actions=noisy)
