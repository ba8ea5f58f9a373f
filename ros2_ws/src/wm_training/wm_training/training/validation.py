"""Validation by episode: all episodes have equal weight, regardless of length."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

from torch import Tensor

from wm_training.data.dataset import SequenceDataset, stack
from wm_training.model.batch import Batch
from wm_training.model.noise import Noise, draw_noise


def chosen_windows(data: SequenceDataset, frames: int) -> dict[int, list[int]]:
    """Starts of windows by number of episode, at most ``frames`` rows altogether but at least one window.

    Windows are adjacent and end with the episode, so that its terminal row is included; the selected ones are spread
    evenly over all episodes."""
    length = data.config.sequence_length
    windows = [
        (number, start)
        for number, episode in enumerate(data.episodes)
        for start in sorted(range(len(episode) - length, -1, -length))
    ]
    wanted = min(len(windows), max(1, frames // length))
    chosen = defaultdict(list)
    for i in range(wanted):
        number, start = windows[(2 * i + 1) * len(windows) // (2 * wanted)]
        chosen[number].append(start)
    return dict(chosen)


def episode_batches(data: SequenceDataset, frames: int) -> Iterator[tuple[int, Batch]]:
    """The chosen windows as batches of at most ``batch_size`` of one episode, each with the episode's number."""
    size, length = data.config.batch_size, data.config.sequence_length
    for number, starts in chosen_windows(data, frames).items():
        for first in range(0, len(starts), size):
            batch = stack([data.window(number, start, length) for start in starts[first : first + size]])
            yield number, batch._replace(expert_weight=batch.expert_weight * data.label_weight)


def validate(forward: Callable[[Batch, Noise], Mapping[str, Tensor]], data: SequenceDataset) -> dict[str, float]:
    """Losses and metrics of ``forward``, averaged over every episode's windows, then over the episodes.

    The noise is the same in every call. Empty without episodes.
    """
    config = data.config
    sums: dict[int, dict[str, Tensor]] = defaultdict(lambda: defaultdict(float))
    windows: dict[int, int] = defaultdict(int)
    for index, (number, batch) in enumerate(episode_batches(data, config.validation_frames)):
        size, steps, cameras = batch.camera_mask.shape
        noise = draw_noise(config, size, steps, cameras, config.seed, index, vector_size=data.vector_size)
        windows[number] += size
        for name, value in forward(batch, noise).items():
            sums[number][name] += value * size
    means = [{name: float(value) / windows[number] for name, value in found.items()} for number, found in sums.items()]
    return {name: sum(mean[name] for mean in means) / len(means) for name in (means[0] if means else ())}
