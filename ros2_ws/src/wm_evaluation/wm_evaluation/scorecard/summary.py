"""From measurements to the figures of a scorecard; docs/visualize.md documents every key."""

import numpy as np

from wm_evaluation.metrics.bootstrap import SegmentBootstrap
from wm_evaluation.metrics.calibration import covered, reliability
from wm_evaluation.metrics.pictures import psnr
from wm_evaluation.metrics.returns import break_even, imagined_returns, real_returns
from wm_evaluation.scorecard.measurements import BASELINES, Measurements
from wm_evaluation.scorecard.settings import ScoreSettings
from wm_evaluation.scorecard.signals import GUESSES

SCORECARD_VERSION = 2
FEWEST_TERMINALS = 20  # ends below which the calibration of the continue head cannot be judged


class _Summary:
    """Holds what the sections share: the measurements, the resampling and the printed steps. Sections are trees of
    dictionaries. Arrays in them are figures: (1 + R, K) rows, the data and its resamples."""

    def __init__(self, measurements: Measurements, settings: ScoreSettings, mean_reward: float):
        self.m = measurements
        self.settings = settings
        self.bootstrap = SegmentBootstrap(measurements.segment, settings.resamples, settings.seed)
        self.printed = np.array(settings.steps) - 1
        self.errors = {name: self.bootstrap.means(values) for name, values in measurements.squared_errors.items()}
        self.signal_errors = {
            name: {guess: self.bootstrap.means(errors[:, i]) for i, guess in enumerate(GUESSES)}
            for name, errors in measurements.signal_errors.items()
        }
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

    def told(self, tree):
        """The tree with every array as value and interval."""
        if isinstance(tree, dict):
            return {key: self.told(part) for key, part in tree.items()}
        if isinstance(tree, np.ndarray):
            return {"value": plain(tree[0]), "ci95": plain(self.bootstrap.interval(tree).T)}
        return tree

    def at_steps(self, curves: dict[str, np.ndarray]) -> dict:
        """Curves over all K steps at the printed ones."""
        return {name: rows[:, self.printed] for name, rows in curves.items()}

    def picture(self) -> dict:
        curves = {name: psnr(rows) for name, rows in self.errors.items()}
        similar = {name: self.bootstrap.means(v) for name, v in self.m.similarities.items()}
        return {"psnr_db": self.at_steps(curves), "ssim": similar}

    def reward(self) -> dict:
        return {"mean_absolute_error": self.at_steps(self.reward_errors)}

    def returns(self) -> dict:
        """Sums over the first k steps."""
        m, printed = self.m, self.printed
        real = self.real_returns[:, printed]
        sampled = imagined_returns(m.sampled_rewards, m.sampled_continues)[:, :, printed]
        inside = covered(real, sampled.min(1), sampled.max(1))
        samples = sampled.shape[1]
        return {
            "mean_absolute_error": self.at_steps(self.return_errors),
            "rank_correlation": {
                name: self.bootstrap.rank_correlations(self.predicted_returns[name][:, printed], real)
                for name in ("imagined", "shuffled")
            },
            "inside_samples": {"share": self.bootstrap.means(inside), "expected": (samples - 1) / (samples + 1)},
        }

    def signals(self) -> dict:
        """Of each vector input that the model imagines, in its unit."""
        return {
            name: {
                "unit": self.m.signal_units[name],
                "mean_absolute_error": self.at_steps(errors),
                "break_even": self._break_even(errors["imagined"], errors["copy_last"]),
            }
            for name, errors in self.signal_errors.items()
        }

    def continues(self) -> dict:
        m = self.m
        known = np.isfinite(m.real_continues)
        predicted, happened = m.continues[known], m.real_continues[known]
        ends = happened == 0.0
        terminals = len(np.unique(m.segment[(m.real_continues == 0.0).any(1)]))
        table, error = reliability(predicted, happened)
        share = _mean(happened)
        return {
            "terminals": terminals,
            "enough_terminals": terminals >= FEWEST_TERMINALS,
            "brier": self.bootstrap.pooled_mean((m.continues - m.real_continues) ** 2),
            "brier_of_the_share": None if share is None else share * (1.0 - share),
            "expected_calibration_error": None if share is None else error,
            "predicted_at_terminals": _mean(predicted[ends]),
            "predicted_elsewhere": _mean(predicted[~ends]),
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

    def _break_even(self, model: np.ndarray, baseline: np.ndarray) -> dict | None:
        known = (np.isfinite(model) & np.isfinite(baseline)).all(1)
        if not known[0]:
            return None
        found = break_even(model, baseline)
        stops = np.where(known, found.stops, np.nan)
        low, high = self.bootstrap.interval(stops[:, None])[:, 0]
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
        """Uncertainty of the reward at step k: its randomness in the model, and what the model does not know."""
        m = self.m
        # A bag may hold pictures and no rewards; the model's own uncertainty needs neither.
        known = np.isfinite(m.real_rewards) | np.isfinite(m.squared_errors["imagined"])
        error = np.abs(m.rewards - m.real_rewards)
        kinds = {"sample_spread": m.sampled_rewards.std(1), "disagreement": m.disagreement}
        return {
            name: None
            if values is None
            else {
                "size": self.bootstrap.means(np.where(known, values, np.nan))[:, self.printed],
                "rank_correlation_with_error": self.bootstrap.rank_correlations(
                    values[:, self.printed], error[:, self.printed]
                ),
            }
            for name, values in kinds.items()
        }

    def curves(self) -> dict:
        """At every step 1 … K, for charts."""
        return {
            "psnr_db": {name: psnr(rows) for name, rows in self.errors.items()},
            "reward_mean_absolute_error": dict(self.reward_errors),
            "return_mean_absolute_error": dict(self.return_errors),
            "signals": {name: dict(errors) for name, errors in self.signal_errors.items()},
        }


def summarise(measurements: Measurements, settings: ScoreSettings, mean_reward: float) -> dict:
    """Every figure of the scorecard, as plain numbers for JSON: None if a figure cannot be computed. ``mean_reward`` is
    the training data's, one of the constant baselines; NaN if unknown."""
    summary = _Summary(measurements, settings, mean_reward)
    return {
        "version": SCORECARD_VERSION,
        "steps": settings.steps,
        "windows": {
            "count": len(measurements.segment),
            "segments": summary.bootstrap.segments,
            "with_picture": np.isfinite(measurements.squared_errors["imagined"]).sum(0)[summary.printed].tolist(),
            "with_reward": np.isfinite(measurements.real_rewards).sum(0)[summary.printed].tolist(),
        },
        "mean_reward": None if np.isnan(mean_reward) else mean_reward,
        "break_even": summary.break_evens(),
        **summary.told(_figures(summary)),
    }


def compare(ours: Measurements, baseline: Measurements, settings: ScoreSettings) -> dict:
    """Differences ``ours - baseline`` of the figures of two models on the same windows, under the keys of `summarise`.

    Every resample draws the same segments for both, so the intervals are paired. Baselines are
    skipped. Raises ValueError for measurements of different windows.
    """
    if not np.array_equal(ours.segment, baseline.segment):
        raise ValueError(
            f"only measurements of the same windows can be compared, got {len(ours.segment)} windows "
            f"against {len(baseline.segment)}, or others"
        )
    one, other = (_Summary(measurements, settings, float("nan")) for measurements in (ours, baseline))
    return one.told(_difference(_figures(one), _figures(other)))


def _figures(summary: _Summary) -> dict:
    return {
        "picture": summary.picture(),
        "reward": summary.reward(),
        "return": summary.returns(),
        "signals": summary.signals(),
        "continue": summary.continues(),
        "action_gap": summary.action_gap(),
        "uncertainty": summary.uncertainty(),
        "curves": summary.curves(),
    }


def _difference(ours: dict, baseline: dict) -> dict:
    """Differences of all arrays that both trees hold under the same keys."""
    found = {}
    for key in (key for key in ours if key in baseline and key not in BASELINES):
        one, other = ours[key], baseline[key]
        if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
            found[key] = one - other
        elif isinstance(one, dict) and isinstance(other, dict):
            if inside := _difference(one, other):
                found[key] = inside
    return found


def plain(values: np.ndarray) -> list:
    """Nested lists of floats, None for NaN."""
    if values.ndim > 1:
        return [plain(row) for row in values]
    return [None if np.isnan(value) else float(value) for value in values]


def _mean(values: np.ndarray) -> float | None:
    return float(values.mean()) if values.size else None
