"""One-step predictions: what a model expects of the next row, from every row.

Shapes: T rows, N sampled futures, F belief features, K cameras.
"""

from dataclasses import dataclass

import numpy as np
from wm_data.episodes import Episode
from wm_evaluation.metrics.pictures import camera_mean, psnr, squared_error, ssim
from wm_planner.engine.engine import Engine

from wm_tools.evaluate_bag.imagination import imagine, pictures_of
from wm_tools.evaluate_bag.offline_pilot import Beliefs
from wm_tools.evaluate_bag.recording import present_cameras


@dataclass(frozen=True)
class PictureScores:
    """Decoded pictures of T rows against the recorded ones."""

    error: np.ndarray
    """(T,): mean squared error of the pictures in [0, 1]; PSNR is computed from its mean."""
    ssim: np.ndarray

    @property
    def psnr_db(self) -> np.ndarray:
        """(T,) [dB]."""
        return psnr(self.error)


@dataclass(frozen=True)
class OneStep:
    """The model's predictions for T rows, (T,) each, NaN if unknown."""

    reward: np.ndarray
    """Predicted reward of the recorded action."""
    value: np.ndarray
    """Predicted discounted return after that."""
    epistemic: np.ndarray
    """Reward units: the ensemble's disagreement about the next reward; NaN for a bundle without an ensemble."""
    aleatoric: np.ndarray
    """Reward units: standard deviation of the next reward over the sampled futures."""
    prior: PictureScores
    """The picture as predicted one step before."""
    posterior: PictureScores
    """The picture as reconstructed from the belief that has seen it."""


def predict_next(engine: Engine, episode: Episode, beliefs: Beliefs, samples: int, seed: tuple[int, ...]) -> OneStep:
    """Imagine the recorded action of every row once without noise and ``samples`` times with noise.

    ``seed`` is for the noise, which differs for every row. Raises EngineError.
    """
    rows = len(episode)
    numbers = np.full((4, rows), np.nan)
    priors = np.full_like(beliefs.kept, np.nan)
    noise = np.zeros((1 + samples, 1, engine.manifest.latent.stochastic), np.float32)
    for row in np.flatnonzero(beliefs.age > 0):
        random = np.random.default_rng((*seed, row))
        noise[1:] = random.standard_normal(noise[1:].shape, dtype=np.float32)
        action = np.asarray(episode.actions[row], np.float32)
        futures = imagine(engine, beliefs.kept[row], np.tile(action, (1 + samples, 1, 1)), noise)
        epistemic = np.nan if futures.disagreement is None else futures.disagreement[0, 0]
        numbers[:, row] = futures.reward[0, 0], futures.value[0, 0], epistemic, futures.reward[1:, 0].std()
        if row + 1 < rows:
            priors[row + 1] = futures.beliefs[0, 0]
    observed = np.isfinite(beliefs.seen).all(1)
    # A prior counts where the row after it was observed and belongs to the same belief.
    expected = observed & np.isfinite(priors).all(1)
    return OneStep(
        *numbers, _scores(engine, episode, priors, expected), _scores(engine, episode, beliefs.seen, observed)
    )


def _scores(engine: Engine, episode: Episode, beliefs: np.ndarray, known: np.ndarray) -> PictureScores:
    """Scores of the decoded beliefs (T, F), NaN where not ``known`` (T,)."""
    scores = np.full((2, len(episode)), np.nan)
    places, there = np.flatnonzero(known), present_cameras(episode)
    for part in np.array_split(places, -(-len(places) // 100) or 1):  # a few pictures at a time
        if len(part):
            pictures, truth, present = pictures_of(engine, beliefs[part]), episode.observations[part], there[part]
            scores[:, part] = [camera_mean(of(pictures, truth), present) for of in (squared_error, ssim)]
    return PictureScores(*scores)
