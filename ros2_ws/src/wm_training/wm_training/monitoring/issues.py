"""The four common issues of world-model training, found in the curves of a run. Pure functions of the curves.

Every issue is a function from curves and configuration to its signs. The examined part of a curve is the last third
after warm-up and annealing; while that is short, no judgement is made. docs/monitoring.md has the rules and the origin
of their numbers.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.monitoring.tables import NO_CURVE, Curve

Curves = Mapping[str, Curve]
"""Curves by their names, ``train/<name>`` and ``validation/<name>``."""

WARNING, NOTE = "warning", "note"
"""The model will be bad unless something changes; perhaps harmless."""

MIN_POINTS = 8
"""Minimum points in the examined part for a judgement."""
MIN_UPDATES = 100
"""Updates that this part must span: a posterior may take that long to become active."""
MATURE_UPDATES = 300
"""The same for whether more training would help: decoders learn slowly."""
SMALL_FALL, LARGE_FALL = 0.03, 0.1
"""Shares by which a curve falls in that part: less than the first is flat, more than the second is learning."""
SPIKE = 4.0
"""A point this many times the median of the MIN_POINTS points before it is a spike."""
MANY_SPIKES = 3
FREE_BITS_LIMIT = 3.0
"""Free bits [nats] above which a KL below them means a prior that gets no gradient, not an inactive posterior."""
VARIANCE_SHARE = 0.5
"""Pixel error, as a share of the pictures' own variance, above which a decoder shows little more than a mean."""


class Range(NamedTuple):
    """An expected range: those of the seed document, and of our own losses."""

    curve: str
    low: float
    high: float
    remark: str
    always: bool = True  # every model has it


RANGES = {
    "recon_loss": Range("metric/pixel_mse", 0.01, 0.1, "mean squared pixel error; below is better"),
    "kl_loss": Range("metric/kl_nats", 1.0, 10.0, "nats per step before free bits, after annealing"),
    "reward_loss": Range("reward", 0.1, 1.0, "depends on the reward's scale and on scalar_head"),
    "dynamics_loss": Range("dynamics", 0.01, 0.1, "squared distance of predicted and encoded latent"),
    "vector_loss": Range("metric/vector_error_ahead", 0.02, 0.5, "standard deviations of the vector inputs", False),
}


class Sign(NamedTuple):
    """One sign of an issue."""

    severity: str
    evidence: str
    first: int
    """Update from which it was seen …"""
    last: int
    """… and to which."""
    remedy: str


def kl_collapse(curves: Curves, config: WorldModelTrainConfig) -> Iterator[Sign]:
    """The posterior carries no more than the free bits, and the pictures have stopped improving.

    A KL that is low because the future is easy to predict goes with pictures that are good or still improving.
    """
    kl, error = settled(curves, config, "metric/kl_nats"), settled(curves, config, "metric/pixel_mse")
    if kl is None or error is None or config.kl_free_bits > FREE_BITS_LIMIT:
        return
    limit, what = _picture_limit(curves, config, RANGES["recon_loss"].low)
    bad = median(error) > limit
    # Steps above and below the free bits average to a little more than them.
    bound = max((1.5 if bad else 1.05) * config.kl_free_bits, 0.1)
    if median(kl) > bound or improves(curves, config, "metric/pixel_mse", LARGE_FALL):
        return
    evidence = (
        f"KL is {median(kl):.2g} nats, hardly more than kl_free_bits {config.kl_free_bits:g} gives away, and the pixel "
        f"error stays at {median(error):.2g}, {'above' if bad else 'though not above'} {what}"
    )
    remedy = "raise kl_free_bits, lower kl_weight, or raise kl_anneal_steps so that the posterior learns unpressed"
    if not bad:
        remedy = f"none if the pictures are sharp; else {remedy}"
    yield Sign(WARNING if bad else NOTE, evidence, *_span(kl), remedy)


def blurry_reconstructions(curves: Curves, config: WorldModelTrainConfig) -> Iterator[Sign]:
    """The pixel error has levelled off at a poor level, although the posterior is active."""
    error = settled(curves, config, "metric/pixel_mse", MATURE_UPDATES)
    if error is None or improves(curves, config, "metric/pixel_mse", SMALL_FALL):
        return
    if any(sign.severity == WARNING for sign in kl_collapse(curves, config)):
        return
    limit, what = _picture_limit(curves, config, RANGES["recon_loss"].high)
    if median(error) > limit:
        yield Sign(
            WARNING,
            f"the pixel error has levelled off at {median(error):.2g}, above {what}",
            *_span(error),
            "raise reconstruction_weight, or give detail more room with a larger latent_dim or conv_depth",
        )


def poor_dynamics(curves: Curves, config: WorldModelTrainConfig) -> Iterator[Sign]:
    """The prior does not learn to predict the posterior, or does so on the training episodes only."""
    kl = settled(curves, config, "metric/kl_nats")
    if kl is not None and config.kl_free_bits > FREE_BITS_LIMIT and median(kl) < config.kl_free_bits:
        evidence = (
            f"KL is {median(kl):.3g} nats, below kl_free_bits {config.kl_free_bits:g}: it does not teach the prior"
        )
        yield Sign(WARNING, evidence, *_span(kl), "lower kl_free_bits to about 1")
    for expected, factor in ((RANGES["kl_loss"], 5.0 * pictures(config)), (RANGES["dynamics_loss"], 5.0)):
        recent = settled(curves, config, expected.curve)
        if recent is None or median(recent) <= factor * expected.high:
            continue
        medians = running_median(_since_it_speaks(curves, config, expected.curve).values)
        before = medians[: max(1, len(medians) // 3)].max()
        if medians[-1] > 0.8 * medians.max():
            # The scale of latents is the model's choice: only a growing distance is certainly bad.
            bad = expected is RANGES["kl_loss"] or median(recent) > 1.5 * before
            yield Sign(
                WARNING if bad else NOTE,
                f"{expected.curve} is {medians[-1]:.3g}, expected up to {expected.high:g}, and does not fall "
                f"(at first up to {before:.3g})",
                *_span(recent),
                "raise sequence_length, record more episodes, or give the dynamics a larger state_dim",
            )
    yield from _overfitting(curves, config)


def _since_it_speaks(curves: Curves, config: WorldModelTrainConfig, name: str) -> Curve:
    """The points from where the KL first exceeds its free bits: an inactive posterior is easy to predict."""
    kl, judged = after_start(curves, config, "metric/kl_nats"), after_start(curves, config, name)
    if not len(kl.steps):
        return judged
    medians = running_median(kl.values)
    speaking = kl.steps[-len(medians) :][medians > config.kl_free_bits]
    return judged.between(speaking[0], math.inf) if len(speaking) and speaking[0] <= judged.steps[-1] else judged


def _overfitting(curves: Curves, config: WorldModelTrainConfig) -> Iterator[Sign]:
    for name, low in ((item.curve, item.low) for item in RANGES.values()):
        train = settled(curves, config, name)
        if train is None:
            continue
        validation = finite(curves.get(f"validation/{name}", NO_CURVE)).between(*_span(train))
        # Far below the range a ratio is meaningless.
        if len(validation.values) < 3 or validation.values[-1] < 0.1 * low:
            continue
        here, there, least = median(train), float(np.median(validation.values[-3:])), float(validation.values.min())
        far = there > 3.0 * here
        if far or (there > 1.5 * here and there > 1.05 * least):
            yield Sign(
                WARNING if far else NOTE,
                f"overfitting: {name} is {there:.3g} in validation, lately at best {least:.3g}, {here:.3g} in training",
                *_span(validation),
                "record more episodes, or stop earlier (best_model.pt is of the best epoch)",
            )


def instability(curves: Curves, config: WorldModelTrainConfig) -> Iterator[Sign]:
    """Numbers that are not finite, losses that jump or rise again, gradients that grow or are always clipped."""
    for name, curve in curves.items():
        bad = curve.steps[~np.isfinite(curve.values)]
        if len(bad):
            yield _unstable(WARNING, f"{name} is not finite in {len(bad)} points", bad)
    for name, limit, why in (
        ("metric/pixel_mse", 1.0, "though no picture can be wrong by more than 1"),
        ("metric/kl_nats", 100.0 * RANGES["kl_loss"].high * pictures(config), "far more than such pictures hold"),
    ):
        curve = finite(curves.get(f"train/{name}", NO_CURVE))
        absurd = curve.values > limit
        if absurd.any():
            yield _unstable(WARNING, f"{name} up to {curve.values.max():.3g}, {why}", curve.steps[absurd])
    yield from _jumps(curves, config)
    yield from _gradients(curves, config)


def _jumps(curves: Curves, config: WorldModelTrainConfig) -> Iterator[Sign]:
    # Only the pixel error: the KL jumps when the posterior wakes up, the losses of the heads at rare rewards and ends.
    error = after_start(curves, config, "metric/pixel_mse")
    if len(error.values) > MIN_POINTS:
        before = np.median(sliding_window_view(error.values, MIN_POINTS)[:-1], axis=1)
        steps = error.steps[MIN_POINTS:][error.values[MIN_POINTS:] > SPIKE * before]
        if len(steps):
            evidence = f"points at which the pixel error jumped to more than {SPIKE:g} times its level: {len(steps)}"
            yield _unstable(WARNING if len(steps) >= MANY_SPIKES else NOTE, evidence, steps)
    recent = settled(curves, config, "metric/pixel_mse")
    if recent is not None:
        best = float(np.min(running_median(error.values)))
        if median(recent) > 2.0 * best:
            evidence = f"the pixel error has come back up from {best:.2g} to {median(recent):.2g}"
            yield _unstable(WARNING, evidence, recent.steps)


def _gradients(curves: Curves, config: WorldModelTrainConfig) -> Iterator[Sign]:
    recent = settled(curves, config, "gradient_norm")
    if recent is None:
        return
    every = after_start(curves, config, "gradient_norm")
    earlier, now = float(np.median(every.values[: len(every.values) // 3])), median(recent)
    if now > config.max_grad_norm and now > 5.0 * earlier:
        yield _unstable(WARNING, f"the gradient norm has grown from {earlier:.3g} to {now:.3g}", recent.steps)
    clipped = float(np.mean(recent.values > config.max_grad_norm))
    if clipped > 0.5:
        evidence = (
            f"{100 * clipped:.0f} % of the gradients are above max_grad_norm {config.max_grad_norm:g} and clipped"
        )
        yield _unstable(NOTE, evidence, recent.steps)


def _unstable(severity: str, evidence: str, steps: np.ndarray) -> Sign:
    return Sign(severity, evidence, int(steps[0]), int(steps[-1]), "lower learning_rate or raise warmup_steps")


ISSUES: dict[str, Callable[[Curves, WorldModelTrainConfig], Iterator[Sign]]] = {
    "KL collapse": kl_collapse,
    "blurry reconstructions": blurry_reconstructions,
    "poor dynamics": poor_dynamics,
    "instability": instability,
}


def pictures(config: WorldModelTrainConfig) -> float:
    """The cameras' pixels in units of 64 px pictures: the information to encode, and so the KL, grows with them."""
    return max(1.0, (config.image_size / 64) ** 2) * max(1, config.num_cameras)


def start(config: WorldModelTrainConfig) -> int:
    """Update from which curves are judged: warm-up and annealing are over."""
    return max(config.kl_anneal_steps, config.warmup_steps)


def finite(curve: Curve) -> Curve:
    """The points that are numbers."""
    good = np.isfinite(curve.values)
    return Curve(curve.steps[good], curve.values[good])


def after_start(curves: Curves, config: WorldModelTrainConfig, name: str) -> Curve:
    """The finite points of ``train/name`` that are judged."""
    return finite(curves.get(f"train/{name}", NO_CURVE)).between(start(config), math.inf)


def settled(curves: Curves, config: WorldModelTrainConfig, name: str, updates: int = MIN_UPDATES) -> Curve | None:
    """The last third of what ``after_start`` gives; None while that spans fewer than ``updates`` or few points."""
    judged = after_start(curves, config, name)
    if not len(judged.steps):
        return None
    end = int(judged.steps[-1])
    recent = judged.between(end - (end - int(judged.steps[0])) / 3.0, end)
    if len(recent.steps) < MIN_POINTS or recent.steps[-1] - recent.steps[0] < updates:
        return None
    return recent


def median(curve: Curve) -> float:
    """The level of a curve."""
    return float(np.median(curve.values))


def improves(curves: Curves, config: WorldModelTrainConfig, name: str, share: float) -> bool:
    """Whether a loss falls by ``share`` in its settled part, in training or in validation, which is less noisy."""
    recent = settled(curves, config, name)
    if recent is None:
        return False
    half = len(recent.values) // 2
    levels = [(np.median(recent.values[:half]), np.median(recent.values[half:]))]
    validation = finite(curves.get(f"validation/{name}", NO_CURVE)).between(*_span(recent)).values
    if len(validation):
        levels.append((validation[0], validation[-1]))
    return any(later < (1.0 - share) * first for first, later in levels)


def running_median(values: np.ndarray) -> np.ndarray:
    """Medians of MIN_POINTS values in a row, (M - MIN_POINTS + 1,); of all where there are fewer."""
    return np.median(sliding_window_view(values, min(MIN_POINTS, len(values))), axis=1)


def _picture_limit(curves: Curves, config: WorldModelTrainConfig, limit: float) -> tuple[float, str]:
    """Pixel error above which pictures are bad, and its name: ``limit``, or less where the pictures vary little."""
    variance = settled(curves, config, "metric/pixel_variance")
    if variance is not None and VARIANCE_SHARE * median(variance) < limit:
        share = VARIANCE_SHARE * median(variance)
        return share, f"{share:.2g}, {100 * VARIANCE_SHARE:.0f} % of the pictures' own variance"
    return limit, f"{limit:g}"


def _span(curve: Curve) -> tuple[int, int]:
    return int(curve.steps[0]), int(curve.steps[-1])
