"""Imagines K steps along the recorded actions, from the node's own beliefs, and compares them with the recording.

Shapes: T rows, M windows, K steps ahead, N sampled futures, S stochastic size.
"""

import numpy as np
from wm_data.episodes import Episode
from wm_evaluation.metrics.pictures import camera_mean, squared_error, ssim
from wm_evaluation.scorecard.measurements import Measurements, join
from wm_evaluation.scorecard.settings import ScoreSettings
from wm_evaluation.scorecard.signals import signal_errors
from wm_planner.engine.engine import Engine

from wm_tools.evaluate_bag.imagination import Futures, imagine, pictures_of
from wm_tools.evaluate_bag.offline_pilot import Beliefs
from wm_tools.evaluate_bag.one_step import OneStep
from wm_tools.evaluate_bag.recording import Stretch, present_cameras

CONTEXT = 5  # observations that a belief needs before it may imagine
_POOL = 1000  # windows whose actions are kept for those without another nearby


class OpenLoop:
    """Predicts windows of one bundle's stretches, in order."""

    def __init__(self, engine: Engine, settings: ScoreSettings, samples: int, stride: int):
        """``samples`` N futures in addition to the mean one; a window begins at every ``stride``-th row of a
        stretch."""
        self._engine = engine
        self._settings = settings
        self._samples = samples
        self._stride = stride
        self._pool: list[np.ndarray] = []

    def starts(self, beliefs: Beliefs) -> np.ndarray:
        """The rows at which a stretch's windows begin: those whose belief has seen enough."""
        rows = np.arange(0, len(beliefs.age), self._stride)
        return rows[(rows >= CONTEXT - 1) & (beliefs.age[rows] >= CONTEXT)]

    def measure(
        self, stretch: Stretch, beliefs: Beliefs, one_step: OneStep, segments: np.ndarray, seed: tuple[int, ...]
    ) -> Measurements | None:
        """A stretch's windows; None if there are none.

        ``one_step`` holds the scores of the reconstructions; ``segments`` (T,) int. Raises EngineError.
        """
        episode = stretch.episode
        starts = self.starts(beliefs)
        donors = self._donors(episode.actions, starts, seed)
        parts = []
        for row, donor in zip(starts.tolist(), donors, strict=True):
            futures = self._imagine(episode.actions, row, beliefs.kept[row], donor, (*seed, row))
            errors, similarities = self._picture_scores(episode, row, futures, donor is not None)
            errors["posterior"], similarities["posterior"] = self._reconstructed(one_step, row)
            parts.append(
                self._measured(stretch, row, int(segments[row]), futures, donor is not None, errors, similarities)
            )
        return join(parts) if parts else None

    def _donors(self, actions: np.ndarray, starts: np.ndarray, seed: tuple[int, ...]) -> list[np.ndarray | None]:
        """For each window the recorded actions (K, 3) of another complete one; None if there is no other.

        Preferably from a window of the same stretch that does not overlap it, else from an earlier stretch.
        """
        steps = self._settings.horizon
        whole = [int(start) for start in starts if start + steps <= len(actions)]
        random = np.random.default_rng(seed)
        donors: list[np.ndarray | None] = []
        for row in starts:
            apart = [start for start in whole if abs(start - row) >= steps]
            others = [start for start in whole if start != row]
            if apart or (others and not self._pool):
                start = random.choice(apart or others)
                donors.append(np.array(actions[start : start + steps], np.float32))
            else:
                donors.append(self._pool[random.integers(len(self._pool))] if self._pool else None)
        self._pool += [np.array(actions[start : start + steps], np.float32) for start in whole]
        del self._pool[:-_POOL]
        return donors

    def _imagine(
        self, actions: np.ndarray, row: int, belief: np.ndarray, donor: np.ndarray | None, seed: tuple[int, ...]
    ) -> Futures:
        """The mean future, N sampled ones, and the mean one along the donor's actions (its own if there is no
        donor)."""
        steps = self._settings.horizon
        own = np.array(actions[row : row + steps], np.float32)
        own = np.pad(own, ((0, steps - len(own)), (0, 0)), "edge")  # anything after the end is ignored
        plans = np.stack([own] * (1 + self._samples) + [own if donor is None else donor])
        noise = np.zeros((*plans.shape[:2], self._engine.manifest.latent.stochastic), np.float32)
        drawn = np.random.default_rng((*seed, 1)).standard_normal(noise[1:-1].shape, dtype=np.float32)
        noise[1:-1] = drawn
        return imagine(self._engine, belief, plans, noise)

    def _picture_scores(self, episode: Episode, row: int, futures: Futures, exchanged: bool):
        """Errors (K,) and SSIM (G,) of the imagined, copied and shuffled pictures by name."""
        steps, printed = self._settings.horizon, np.array(self._settings.steps) - 1
        count = min(steps, len(episode) - row - 1)
        truth = episode.observations[row + 1 : row + 1 + count]
        # A camera counts if its picture exists, and also the one before imagination, which copying starts from.
        present = present_cameras(episode)
        present = present[row + 1 : row + 1 + count] & present[row]
        told = printed < count
        errors, similarities = {}, {}
        for name, future in (("imagined", 0), ("copy_last", None), ("shuffled", -1)):
            errors[name], similarities[name] = np.full(steps, np.nan), np.full(len(printed), np.nan)
            if not count or (name == "shuffled" and not exchanged):
                continue
            if future is None:
                pictures = np.repeat(episode.observations[row : row + 1], count, axis=0)
            else:
                pictures = pictures_of(self._engine, futures.beliefs[future, :count])
            errors[name][:count] = camera_mean(squared_error(pictures, truth), present)
            shown = printed[told]
            similarities[name][told] = camera_mean(ssim(pictures[shown], truth[shown]), present[shown])
        return errors, similarities

    def _reconstructed(self, one_step: OneStep, row: int) -> tuple[np.ndarray, np.ndarray]:
        steps, printed = self._settings.horizon, np.array(self._settings.steps) - 1
        error, similarity = (
            _padded(values[row + 1 : row + 1 + steps], steps)
            for values in (one_step.posterior.error, one_step.posterior.ssim)
        )
        return error, similarity[printed]

    def _measured(
        self,
        stretch: Stretch,
        row: int,
        segment: int,
        futures: Futures,
        exchanged: bool,
        errors: dict,
        similarities: dict,
    ) -> Measurements:
        """One window's Measurements, M = 1."""
        episode, steps = stretch.episode, self._settings.horizon
        real, unknown = slice(row, row + steps), np.full((1, steps), np.nan)
        rewards, continues = futures.reward.astype(np.float64), futures.continues.astype(np.float64)
        ends = episode.terminals[real] if stretch.knows_ends else episode.terminals[:0]
        return Measurements(
            segment=np.array([segment]),
            squared_errors={name: values[None] for name, values in errors.items()},
            similarities={name: values[None] for name, values in similarities.items()},
            rewards=rewards[:1],
            shuffled_rewards=rewards[-1:] if exchanged else unknown,
            sampled_rewards=rewards[None, 1:-1],
            continues=continues[:1],
            shuffled_continues=continues[-1:] if exchanged else unknown,
            sampled_continues=continues[None, 1:-1],
            real_rewards=_padded(episode.rewards[real], steps)[None],
            real_continues=_padded(1.0 - ends, steps)[None],
            last_reward=np.array([episode.rewards[row - 1]], np.float64),
            disagreement=None if futures.disagreement is None else futures.disagreement[:1].astype(np.float64),
            **self._signals(episode, row, futures.vector),
        )

    def _signals(self, episode: Episode, row: int, imagined: np.ndarray | None) -> dict:
        """The fields of Measurements about the vector inputs ``imagined`` (B, K, V)."""
        if imagined is None:
            return {}
        inputs = [(spec.name, spec.unit) for spec in self._engine.manifest.vector]
        real = np.full((1, self._settings.horizon, len(inputs)), np.nan)
        following = episode.vector[row + 1 : row + 1 + self._settings.horizon]
        real[0, : len(following)] = following
        last = np.asarray(episode.vector[row : row + 1], np.float64)
        errors = signal_errors(inputs, imagined[:1].astype(np.float64), real, last)
        return {"signal_errors": errors, "signal_units": dict(inputs)}


def _padded(values: np.ndarray, length: int) -> np.ndarray:
    """float64 (length,), NaN after the values."""
    padded = np.full(length, np.nan)
    padded[: len(values)] = values
    return padded
