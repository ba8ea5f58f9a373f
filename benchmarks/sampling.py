"""Speed of reading: windows of memory-mapped episodes stacked into batches, by one thread, files in the page cache."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.data.dataset import SequenceDataset
from wm_training.processes import prepare_process

from benchmarks.episodes import make_episodes
from benchmarks.timing import median


def measure(quick: bool) -> dict:
    """Batches of 16 windows of 50 steps at 64 px, alternating with their minimum work.

    ``windows`` only copies the pictures of the same number of windows out of memory-mapped members, each into a
    separate array; ``memcpy`` copies the same number of bytes from memory to memory.
    """
    prepare_process()  # like `train`
    with tempfile.TemporaryDirectory() as folder:
        make_episodes(Path(folder), count=2 if quick else 40, rows=200)
        config = WorldModelTrainConfig(batch_size=16, sequence_length=50, validation_share=0.0, data_path=folder)
        data = SequenceDataset(folder, config, "train")
        random = np.random.default_rng(0)
        pictures = np.empty((16, 50, 3, 64, 64), np.uint8)
        other = np.ones_like(pictures)
        seconds = {"batch": [], "windows": [], "memcpy": []}
        size = 0
        for index in range(5 if quick else 100):
            chosen = random.integers(0, [[len(data.episodes)], [150]], (2, 16)).T.tolist()
            with _timed(seconds["windows"]):
                windows = [data.episodes[e].observations[start : start + 50].copy() for e, start in chosen]
            del windows
            with _timed(seconds["batch"]):
                batch = data.batch(0, index)
            with _timed(seconds["memcpy"]):
                pictures[:] = other
            size = sum(tensor.nbytes for tensor in batch)
    typical = {name: median(values) for name, values in seconds.items()}
    return {
        "sequences_per_s": round(config.batch_size / typical["batch"], 1),
        "mb_per_s": round(size / typical["batch"] / 1e6, 1),
        "length": config.sequence_length,
        "batch_mb": round(size / 1e6, 2),
        "share_of_windows_alone": round(typical["windows"] / typical["batch"], 3),
        "share_of_memcpy": round(typical["memcpy"] / typical["batch"], 3),
        "window_ms": round(1000.0 * typical["windows"] / config.batch_size, 4),
    }


@contextmanager
def _timed(seconds: list[float]) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds.append(time.perf_counter() - started)
