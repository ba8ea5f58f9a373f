"""Speed of reading: windows of memory-mapped episodes stacked to batches, by one thread, files in the page cache."""

import tempfile
import time
from pathlib import Path

from wm_training.config import WorldModelTrainConfig
from wm_training.data.dataset import SequenceDataset

from benchmarks.episodes import make_episodes
from benchmarks.timing import median


def measure(quick: bool) -> dict:
    """Sequences and megabytes per second of batches of 16 sequences of 50 steps at 64 px."""
    with tempfile.TemporaryDirectory() as folder:
        make_episodes(Path(folder), count=2 if quick else 40, rows=200)
        config = WorldModelTrainConfig(batch_size=16, sequence_length=50, validation_share=0.0, data_path=folder)
        data = SequenceDataset(folder, config, "train")
        seconds, size = [], 0
        for index in range(5 if quick else 100):
            started = time.perf_counter()
            batch = data.batch(0, index)
            seconds.append(time.perf_counter() - started)
            size = sum(tensor.nbytes for tensor in batch)
    typical = median(seconds)
    return {
        "sequences_per_s": round(config.batch_size / typical, 1),
        "mb_per_s": round(size / typical / 1e6, 1),
        "length": config.sequence_length,
        "batch_mb": round(size / 1e6, 2),
    }
