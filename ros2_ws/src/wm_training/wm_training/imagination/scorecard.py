"""How good is a world model's imagination? Windows over the validation episodes, predicted open loop and measured.

The figures from these measurements are in wm_evaluation.scorecard, their meaning in docs/visualize.md.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from wm_data.agreement import names_of
from wm_data.episodes import Episode, EpisodeError
from wm_evaluation.metrics.pictures import camera_mean, squared_error, ssim
from wm_evaluation.scorecard.measurements import Measurements, join
from wm_evaluation.scorecard.signals import signal_errors

from wm_training.data.dataset import stack, window
from wm_training.errors import TrainingError
from wm_training.imagination.visualize_options import WindowSettings
from wm_training.model.batch import Batch
from wm_training.model.open_loop import OpenLoop

BATCH_NUMBERS = 2**23  # numbers of the pictures of the windows predicted at once

Predictor = Callable[[Batch, int], OpenLoop]
"""Predicts a batch of windows, the second argument is a seed; ``open_loop`` with its model filled in."""


class Window(NamedTuple):
    """A piece of an episode: ``rows`` rows from ``start``; fewer than requested where the drive ends earlier."""

    episode: int
    """Number of the episode; its windows are not independent of each other."""
    start: int
    rows: int


def plan_windows(episodes: Sequence[Episode], settings: WindowSettings) -> list[Window]:
    """About ``settings.frames`` rows in windows spread evenly over all episodes, one drive each, that are long enough.

    Starts are evenly spaced from a random phase and reach up to a drive's last row, so that its end occurs at every
    step ahead as often as in the data; windows there are shorter. Each drive's first window is complete. Raises
    EpisodeError when no drive is long enough."""
    long_enough = {index: len(episode) for index, episode in enumerate(episodes) if len(episode) >= settings.rows}
    if not long_enough:
        longest = max(map(len, episodes), default=0)
        raise EpisodeError(
            f"no episode has the {settings.rows} rows of context {settings.context} + horizon {settings.horizon}, "
            f"the longest has {longest}: lower --horizon"
        )
    wanted = settings.frames / settings.rows
    total = sum(long_enough.values())
    random = np.random.default_rng(settings.seed)
    windows = []
    for index, rows in long_enough.items():
        places = rows - settings.context + 1
        count = min(places, max(1, round(wanted * rows / total)))
        starts = ((np.arange(count) + random.random()) * places / count).astype(int)
        starts[0] = min(starts[0], rows - settings.rows)
        windows += [Window(index, int(start), min(settings.rows, rows - int(start))) for start in starts]
    return windows


def read_windows(episodes: Sequence[Episode], windows: Sequence[Window], rows: int) -> Batch:
    """Windows as a batch of ``rows`` rows; short ones repeat their last row, which the measurements skip."""
    parts = []
    for piece in windows:
        arrays = window(episodes[piece.episode], piece.start, piece.rows)
        missing = rows - piece.rows
        parts.append({key: np.pad(a, [(0, missing)] + [(0, 0)] * (a.ndim - 1), "edge") for key, a in arrays.items()})
    return stack(parts)


def action_donors(windows: Sequence[Window], rows: int, seed: int) -> np.ndarray:
    """For every window the number of another, complete one, whose actions it gets in the shuffled run.

    A single complete window keeps its own actions.
    """
    whole = np.array([i for i, piece in enumerate(windows) if piece.rows == rows])
    random = np.random.default_rng(seed)
    order = random.permutation(whole)
    donors = random.choice(whole, len(windows))
    donors[order] = np.roll(order, 1)  # a cycle through all complete windows: none keeps its own
    return donors


def measure(
    episodes: Sequence[Episode],
    windows: Sequence[Window],
    predict: Predictor,
    settings: WindowSettings,
    advance: Callable[[int], None] = lambda count: None,
) -> Measurements:
    """Predict every window twice, with its own and with another window's actions; ``advance`` is called with the
    progress.

    Raises TrainingError for a model that imagines numbers that are not finite.
    """
    donors = action_donors(windows, settings.rows, settings.seed)
    exchanged = bool((donors != np.arange(len(windows))).all())
    size = max(1, BATCH_NUMBERS // (settings.rows * int(np.prod(episodes[0].observations.shape[1:]))))
    parts = []
    for first in range(0, len(windows), size):
        chosen = windows[first : first + size]
        batch = read_windows(episodes, chosen, settings.rows)
        givers = donors[first : first + size]
        foreign = read_windows(episodes, [windows[i] for i in givers], settings.rows).action
        seed = settings.seed * 1_000_003 + first
        own, shuffled = predict(batch, seed), predict(batch._replace(action=foreign), seed)
        parts.append(_measure(chosen, batch, own, shuffled if exchanged else None, settings))
        if own.vector is not None:
            parts[-1] = _with_signals(parts[-1], chosen, own, vector_inputs(episodes[0]))
        advance(len(chosen))
    measurements = join(parts)
    if not (np.isfinite(measurements.rewards).all() and np.isfinite(measurements.continues).all()):
        raise TrainingError("the model imagines numbers that are not finite: its training diverged")
    return measurements


def _measure(
    windows: Sequence[Window], batch: Batch, own: OpenLoop, shuffled: OpenLoop | None, settings: WindowSettings
) -> Measurements:
    context, steps = settings.context, np.arange(1, settings.horizon + 1)
    rows = np.array([piece.rows for piece in windows])[:, None]
    # Step k shows the picture of row context + k - 1 and gives the reward of the row before.
    rewarded = steps <= rows - context + 1
    # A camera counts if its picture is present, and also the one before imagination, which copying repeats.
    mask = batch.camera_mask.numpy().astype(bool)
    seen = mask[:, context:] & mask[:, context - 1 : context] & (steps <= rows - context)[:, :, None]
    truth = own.truth[:, context:].numpy()
    predicted = {
        "imagined": own.imagined.numpy(),
        "posterior": own.posterior[:, context:].numpy(),
        "copy_last": own.truth[:, context - 1 : context].expand_as(own.imagined).numpy(),
        "shuffled": (own if shuffled is None else shuffled).imagined.numpy(),
    }
    counted = {name: seen & (name != "shuffled" or shuffled is not None) for name in predicted}
    unknown = np.full(own.rewards.shape, np.nan)
    grid = np.array(settings.steps) - 1
    return Measurements(
        segment=np.array([piece.episode for piece in windows]),
        squared_errors={n: camera_mean(squared_error(p, truth), counted[n]) for n, p in predicted.items()},
        similarities={
            n: camera_mean(ssim(p[:, grid], truth[:, grid]), counted[n][:, grid]) for n, p in predicted.items()
        },
        rewards=own.rewards.double().numpy(),
        shuffled_rewards=unknown if shuffled is None else shuffled.rewards.double().numpy(),
        sampled_rewards=own.sampled_rewards.double().numpy(),
        continues=own.continues.double().numpy(),
        shuffled_continues=unknown if shuffled is None else shuffled.continues.double().numpy(),
        sampled_continues=own.sampled_continues.double().numpy(),
        real_rewards=np.where(rewarded, own.real_rewards.double().numpy(), np.nan),
        real_continues=np.where(rewarded, own.real_continues.double().numpy(), np.nan),
        last_reward=batch.reward[:, context - 2].double().numpy(),
        disagreement=None if own.disagreement is None else own.disagreement.double().numpy(),
    )


def vector_inputs(episode: Episode) -> list[tuple[str, str]]:
    """Names and units of an episode's vector inputs."""
    told, count = episode.meta.get("vector"), episode.vector.shape[1]
    units = [str(one.get("unit", "")) if isinstance(one, dict) else "" for one in told] if told else []
    names = names_of(told, count)
    return list(zip(names, units if len(units) == count else [""] * count, strict=True))


def _with_signals(
    part: Measurements, windows: Sequence[Window], own: OpenLoop, inputs: list[tuple[str, str]]
) -> Measurements:
    """The measurements with the errors of the vector inputs; a row after the end of a short window is unknown."""
    rows = torch.tensor([piece.rows for piece in windows])[:, None]
    there = (torch.arange(own.context, own.real_vector.shape[1]) < rows)[..., None]
    real = torch.where(there, own.real_vector[:, own.context :], torch.nan).double().numpy()
    last = own.real_vector[:, own.context - 1].double().numpy()
    errors = signal_errors(inputs, own.vector.double().numpy(), real, last)
    return part._replace(signal_errors=errors, signal_units=dict(inputs))


def typical_window(windows: Sequence[Window], measurements: Measurements, episode: int | None = None) -> Window:
    """The complete window with the median picture error at the horizon, of all or of one episode: neither the best nor
    the worst. Raises EpisodeError when no such window has a picture at the horizon."""
    errors = measurements.squared_errors["imagined"][:, -1]
    whole = [i for i in np.argsort(errors, kind="stable") if np.isfinite(errors[i])]
    chosen = [i for i in whole if episode is None or windows[i].episode == episode]
    if not chosen:
        raise EpisodeError("no window has a picture at the horizon: lower --horizon, or choose another episode")
    return windows[chosen[(len(chosen) - 1) // 2]]
