"""What a model expects of the next row, from every row.

Shapes: T rows, N sampled futures, F belief features, K cameras.
"""

from dataclasses import dataclass

import numpy as np
from wm_data.episodes import Episode
from wm_planner.engine.engine import Engine

from wm_tools.evaluate_bag.imagination import imagine, picture_errors, picture_similarities, pictures_of
from wm_tools.evaluate_bag.replay import Decided


@dataclass(frozen=True)
class OneStep:
    """Of T rows, each (T,), NaN where it cannot be told; the fields of ``evaluation.Frames`` of the same names."""

    predicted_reward: np.ndarray
    value: np.ndarray
    epistemic: np.ndarray
    aleatoric: np.ndarray
    prior_error: np.ndarray
    prior_ssim: np.ndarray
    posterior_error: np.ndarray
    posterior_ssim: np.ndarray


def predict_next(engine: Engine, episode: Episode, decided: Decided, samples: int, seed: tuple[int, ...]) -> OneStep:
    """Imagine the recorded action of every row once in the mean and ``samples`` times with noise.

    ``seed`` of the noise, of which every row draws its own. Raises EngineError.
    """
    rows = len(episode)
    numbers = np.full((4, rows), np.nan)
    priors = np.full_like(decided.belief, np.nan)
    noise = np.zeros((1 + samples, 1, engine.manifest.latent.stochastic), np.float32)
    for row in np.flatnonzero(decided.age > 0):
        random = np.random.default_rng((*seed, row))
        noise[1:] = random.standard_normal(noise[1:].shape, dtype=np.float32)
        action = np.asarray(episode.actions[row], np.float32)
        futures = imagine(engine, decided.belief[row], np.tile(action, (1 + samples, 1, 1)), noise)
        epistemic = np.nan if futures.disagreement is None else futures.disagreement[0, 0]
        numbers[:, row] = futures.reward[0, 0], futures.value[0, 0], epistemic, futures.reward[1:, 0].std()
        if row + 1 < rows:
            priors[row + 1] = futures.beliefs[0, 0]
    observed = np.isfinite(decided.posterior).all(1)
    # A prior counts where the row after it was observed and belongs to the same belief.
    expected = observed & np.isfinite(priors).all(1)
    return OneStep(
        *numbers, *_scores(engine, episode, priors, expected), *_scores(engine, episode, decided.posterior, observed)
    )


def present_cameras(episode: Episode) -> np.ndarray:
    """bool (T, K): which pictures are there."""
    if episode.camera_mask is not None:
        return episode.camera_mask
    return np.ones((len(episode), episode.observations.shape[1] // 3), bool)


def _scores(engine: Engine, episode: Episode, beliefs: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Mean squared error and SSIM (2, T) of the decoded beliefs (T, F), NaN where not ``known`` (T,)."""
    scores = np.full((2, len(episode)), np.nan)
    places = np.flatnonzero(known)
    for part in np.array_split(places, -(-len(places) // 100) or 1):  # some pictures at a time
        if len(part):
            compared = pictures_of(engine, beliefs[part]), episode.observations[part], present_cameras(episode)[part]
            scores[:, part] = picture_errors(*compared), picture_similarities(*compared)
    return scores
