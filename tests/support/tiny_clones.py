"""Small clones on episodes whose expert looks at the picture alone."""

from pathlib import Path

import numpy as np
from make_episodes import META
from wm_data.episodes import Episode, write_episode

SIZE = 32
SMALL = ["--conv-depth", "4", "--hidden-dim", "16", "--threads", "1", "--device", "cpu", "--precision", "float32"]


def looked_up(seed: int, rows: int, labelled: bool = True, cameras: int = 1) -> Episode:
    """A square anywhere; the expert steers to where it is, [-1, 1] from left to right, and accelerates the more the
    higher it is, [-1, 1] from the bottom up. What was driven has nothing to do with it."""
    random = np.random.default_rng(seed)
    place = random.integers(4, SIZE - 4, (rows, 2))
    observations = np.full((rows, 3 * cameras, SIZE, SIZE), 30, np.uint8)
    for row, (across, down) in zip(observations, place, strict=True):
        row[:, down - 3 : down + 4, across - 3 : across + 4] = 250
    steer, longitudinal = ((place - SIZE / 2) / (SIZE / 2) * [1.0, -1.0]).T.astype(np.float32)
    expert = np.stack([steer, np.maximum(longitudinal, 0), np.maximum(-longitudinal, 0)], -1)
    dones = np.arange(rows) == rows - 1
    camera = META["cameras"][0]
    return Episode(
        observations=observations,
        actions=random.uniform(0, 1, (rows, 3)).astype(np.float32) * [1, 1, 0],
        rewards=np.zeros(rows, np.float32),
        dones=dones,
        terminals=dones,
        vector=random.uniform(0, 20, (rows, 1)).astype(np.float32),
        expert_actions=expert if labelled else np.full((rows, 3), np.nan, np.float32),
        meta={**META, "cameras": [{**camera, "name": f"camera_{k}"} for k in range(cameras)]},
    )


def make_data(folder: Path, count: int = 4, rows: int = 24, **how) -> Path:
    """A data folder with ``count`` such episodes."""
    for i in range(count):
        write_episode(folder / f"episode_{i:06d}.npz", looked_up(i, rows, **how))
    return folder


def command_line(folder: Path, *more: str, output: str = "clone.onnx") -> list[str]:
    """The arguments for a run of seconds on ``folder``/data, which is made if it is not there."""
    if not (folder / "data").exists():
        make_data(folder / "data")
    places = ["--data-path", str(folder / "data"), "--output", str(folder / output)]
    return [*places, *SMALL, "--batch-size", "16", "--num-epochs", "2", "--warmup-steps", "2", *more]
