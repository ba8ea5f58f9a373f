"""Small real episodes for the tests of training: a bright square that the steering moves."""

from pathlib import Path

import numpy as np
from wm_data.episodes import Episode, write_episode

META = {
    "cameras": [{"name": "rgb_front", "source_height": 96, "source_width": 96, "crop": None}],
    "rate_hz": 12.5,
    "vector": [{"name": "speed", "unit": "m/s"}],
    "reward": "step_result",
}


def make_episode(rows: int, seed: int = 0, terminal: bool = True, size: int = 64) -> Episode:
    """An episode whose picture, speed and reward follow its actions."""
    random = np.random.default_rng(seed)
    steer = random.uniform(-1, 1, rows).astype(np.float32)
    actions = np.stack([steer, np.full(rows, 0.5, np.float32), np.zeros(rows, np.float32)], -1)
    place = np.clip(size // 2 + np.cumsum(np.concatenate([[0], steer[:-1]])) * 3, 4, size - 5).astype(int)
    observations = np.zeros((rows, 3, size, size), np.uint8)
    for t in range(rows):
        observations[t, :, size // 2 - 4 : size // 2 + 4, place[t] - 4 : place[t] + 4] = 255
    dones = np.zeros(rows, bool)
    dones[-1] = True
    return Episode(
        observations=observations,
        actions=actions,
        rewards=np.abs(steer),
        dones=dones,
        terminals=dones & terminal,
        vector=np.linspace(0, 5, rows, dtype=np.float32)[:, None],
        expert_actions=-actions,
        stamps_ns=np.arange(rows, dtype=np.int64) * 80_000_000,
        meta=META,
    )


def make_folder(folder: Path, count: int = 3, rows: int = 40) -> Path:
    """A data folder with ``count`` episodes."""
    for i in range(count):
        write_episode(folder / f"episode_{i:06d}.npz", make_episode(rows, seed=i))
    return folder
