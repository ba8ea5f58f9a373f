"""Synthetic episodes for measuring: the shapes of real ones, filled with noise."""

from pathlib import Path

import numpy as np
from wm_data.episodes import Episode, write_episode

_META = {
    "cameras": [{"name": "rgb_front", "source_height": 96, "source_width": 96, "crop": None}],
    "rate_hz": 12.5,
    "vector": [{"name": "speed", "unit": "m/s"}],
    "reward": "step_result",
}


def make_episodes(folder: Path, count: int, rows: int, size: int = 64, seed: int = 0) -> Path:
    """Write ``count`` episodes of ``rows`` rows, one camera of ``size`` px; returns ``folder``. Noise, so that a
    compressing file system gives no advantage."""
    random = np.random.default_rng(seed)
    for i in range(count):
        steer, throttle = random.uniform(-1.0, 1.0, rows), random.uniform(0.0, 1.0, rows)
        actions = np.stack([steer, throttle, np.zeros(rows)], -1).astype(np.float32)
        dones = np.arange(rows) == rows - 1
        episode = Episode(
            observations=random.integers(0, 256, (rows, 3, size, size), dtype=np.uint8),
            actions=actions,
            rewards=random.normal(size=rows).astype(np.float32),
            dones=dones,
            terminals=dones,
            vector=random.uniform(0.0, 30.0, (rows, 1)).astype(np.float32),
            expert_actions=actions,
            stamps_ns=np.arange(rows, dtype=np.int64) * 80_000_000,
            meta=_META,
        )
        write_episode(folder / f"episode_{i:06d}.npz", episode)
    return folder
