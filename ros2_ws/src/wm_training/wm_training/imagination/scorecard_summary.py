"""From measurements to the figures of `scorecard.json`; docs/visualize.md documents every key."""

import numpy as np

from wm_training.imagination.scorecard import Measurements
from wm_training.imagination.scorecard_metrics import (
    FEWEST_TERMINALS,
    EpisodeBootstrap,
    break_even,
    imagined_returns,
    psnr,
    real_returns,
    reliability,
)
from wm_training.imagination.scorecard_settings import ScoreSettings

SCORECARD_VERSION = 1


class _Summary:
    """Holds what the sections share: the measurements, the resampling and the printed steps."""

    def __init__(self, measurements: Measurements, settings: ScoreSettings, mean_reward: float):
        self.m = measurements
        self.settings = settings
        self.mean_reward = mean_reward
        self.bootstrap = EpisodeBootstrap(measurements.drive, settings.resamples, settings.seed)
        self.printed = np.array(settings.steps) - 1
        self.errors = {name: self.bootstrap.means(values) for name, values in measurements.squared_errors.items()}
        m, steps = measurements, np.arange(1, settings.horizon + 1)
        constants = {"last_seen": m.last_reward[:, None] + 0.0 * steps, "data_mean": mean_reward + 0.0 * m.rewards}
        rewards = {"imagined": m.rewards, **constants, "shuffled": m.shuffled_rewards}
        self.reward_errors = {n: self.bootstrap.means(np.abs(v - m.real_rewards)) for n, v in rewards.items()}
        self.real_returns = real_returns(m.real_rewards, m.real_continues)
        self.predicted_returns = {
            "imagined": imagined_returns(m.rewards, m.continues),
            **{name: values * steps for name, values in constants.items()},
            "shuffled": imagined_returns(m.shuffled_rewards, m.shuffled_continues),
        }
        self.return_errors = {
            n: self.bootstrap.means(np.abs(v - self.real_returns)) for n, v in self.predicted_returns.items()
        }

    def figure(self, rows: np.ndarray) -> dict:
        """Values and intervals of (1 + R, K) rows."""
        return {"value": plain(rows[0]), "ci95": plain(self.bootstrap.interval(rows).T)}

    def at_steps(self, curves: dict[str, np.ndarray]) -> dict:
        """Figures of curves over all K steps at the printed ones."""
        return {name: self.figure(rows[:, self.printed]) for name, rows in curves.items()}

    def picture(self) -> dict:
        curves = {name: psnr(rows) for name, rows in self.errors.items()}
        similar = {name: self.figure(self.bootstrap.means(v)) for name, v in self.m.similarities.items()}
        return {"psnr_db": self.at_steps(curves), "ssim": similar}

    def reward(self) -> dict:
        return {"mean_absolute_error": self.at_steps(self.reward_errors)}

    def returns(self) -> dict:
        """Sums over the first k steps."""
        m, printed = self.m, self.printed
        real = self.real_returns[:, printed]
        sampled = imagined_returns(m.sampled_rewards, m.sampled_continues)[:, :, printed]
        inside = (real >= sampled.min(1)) & (real <= sampled.max(1))
        samples = sampled.shape[1]
        return {
            "mean_absolute_error": self.at_steps(self.return_errors),
            "rank_correlation": {
                name: self.figure(self.bootstrap.rank_correlations(self.predicted_returns[name][:, printed], real))
                for name in ("imagined", "shuffled")
            },
            "inside_samples": {
                **self.figure(self.bootstrap.means(np.where(np.isfinite(real), inside, np.nan))),
                "expected": (samples - 1) / (samples + 1),
            },
        }

    def continues(self) -> dict:
        m = self.m
        known = np.isfinite(m.real_continues)
        predicted, happened = m.continues[known], m.real_continues[known]
        ends = happened == 0.0
        terminals = len(np.unique(m.drive[(m.real_continues == 0.0).any(1)]))
        table, error = reliability(predicted, happened)
        share = float(happened.mean())
        return {
            "terminals": terminals,
            "enough_terminals": terminals >= FEWEST_TERMINALS,
            "brier": self.figure(self.bootstrap.pooled_mean((m.continues - m.real_continues) ** 2)),
            "brier_of_the_share": share * (1.0 - share),
            "expected_calibration_error": error,
            "predicted_at_terminals": float(predicted[ends].mean()) if ends.any() else None,
            "predicted_elsewhere": float(predicted[~ends].mean()) if (~ends).any() else None,
            "reliability": table,
        }

    def break_evens(self) -> dict:
        curves = {
            "picture_against_copy_last": (self.errors, "copy_last"),
            "reward_against_last_seen": (self.reward_errors, "last_seen"),
            "reward_against_data_mean": (self.reward_errors, "data_mean"),
            "return_against_last_seen": (self.return_errors, "last_seen"),
            "return_against_data_mean": (self.return_errors, "data_mean"),
        }
        return {name: self._break_even(of["imagined"], of[baseline]) for name, (of, baseline) in curves.items()}

    def _break_even(self, model: np.ndarray, baseline: np.ndarray) -> dict:
        found = break_even(model, baseline)
        low, high = self.bootstrap.interval(found.stops[:, None].astype(float))[:, 0]
        return {
            "begins": self._step(found.begins[0]),
            "stops": self._step(found.stops[0]),
            "stops_ci95": None if np.isnan(low) else [self._step(low), self._step(high)],
        }

    def _step(self, step: float) -> int | None:
        return None if step > self.settings.horizon else int(round(step))

    def action_gap(self) -> dict:
        gaps = {
            "psnr_db": psnr(self.errors["imagined"]) - psnr(self.errors["shuffled"]),
            "reward_mean_absolute_error": self.reward_errors["shuffled"] - self.reward_errors["imagined"],
        }
        return self.at_steps(gaps)

    def uncertainty(self) -> dict:
        """Of the reward at step k: what chance does to it in the model, and what the model does not know."""
        m = self.m
        known = np.isfinite(m.real_rewards)
        error = np.abs(m.rewards - m.real_rewards)
        kinds = {"sample_spread": m.sampled_rewards.std(1), "disagreement": m.disagreement}
        return {
            name: None
            if values is None
            else {
                **self.figure(self.bootstrap.means(np.where(known, values, np.nan))[:, self.printed]),
                "rank_correlation_with_error": self.figure(
                    self.bootstrap.rank_correlations(values[:, self.printed], error[:, self.printed])
                ),
            }
            for name, values in kinds.items()
        }

    def curves(self) -> dict:
        """At every step 1 … K, for charts."""
        return {
            "psnr_db": {name: self.figure(psnr(rows)) for name, rows in self.errors.items()},
            "reward_mean_absolute_error": {name: self.figure(rows) for name, rows in self.reward_errors.items()},
            "return_mean_absolute_error": {name: self.figure(rows) for name, rows in self.return_errors.items()},
        }


def summarise(measurements: Measurements, settings: ScoreSettings, mean_reward: float) -> dict:
    """Every figure of the scorecard, as plain numbers for JSON: None where a figure cannot be told.

    ``mean_reward`` is the training data's, one of the constant baselines.
    """
    summary = _Summary(measurements, settings, mean_reward)
    return {
        "version": SCORECARD_VERSION,
        "steps": settings.steps,
        "windows": {
            "count": len(measurements.drive),
            "episodes": summary.bootstrap.episodes,
            "with_picture": np.isfinite(measurements.squared_errors["imagined"]).sum(0)[summary.printed].tolist(),
            "with_reward": np.isfinite(measurements.real_rewards).sum(0)[summary.printed].tolist(),
        },
        "mean_reward": mean_reward,
        "break_even": summary.break_evens(),
        "picture": summary.picture(),
        "reward": summary.reward(),
        "return": summary.returns(),
        "continue": summary.continues(),
        "action_gap": summary.action_gap(),
        "uncertainty": summary.uncertainty(),
        "curves": summary.curves(),
    }


def plain(values: np.ndarray) -> list:
    """Nested lists of floats, None for NaN."""
    if values.ndim > 1:
        return [plain(row) for row in values]
    return [None if np.isnan(value) else float(value) for value in values]
