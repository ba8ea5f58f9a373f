"""A toy to drive in: a square that drifts on a line, steered back to the middle or not."""

from pathlib import Path

import numpy as np
from make_episodes import META
from wm_data.episodes import Episode, write_episode

SIZE = 32
RATE = 0.5
"""Way that full steering moves the square in a step, of half the picture's width."""
TOY_META = {**META, "vector": []}


def picture(place: float) -> np.ndarray:
    """(3, SIZE, SIZE) uint8: the square at ``place`` in [-1, 1], from left to right."""
    image = np.full((3, SIZE, SIZE), 30, np.uint8)
    column = round(SIZE / 2 + place * (SIZE / 2 - 5))
    image[:, 12:20, column - 4 : column + 4] = 230
    return image


def moved(place: float, steer: float) -> float:
    """Where the square is after one step."""
    return float(np.clip(place + RATE * steer, -1.0, 1.0))


def reward_at(place: float) -> float:
    """1 in the middle, 0 at either end."""
    return 1.0 - abs(place)


def wandering(seed: int, rows: int) -> Episode:
    """A drive that knows nothing: steering at random, for some steps each."""
    random = np.random.default_rng(seed)
    steer = np.repeat(random.uniform(-1, 1, rows), random.integers(1, 4, rows))[:rows].astype(np.float32)
    places = [random.uniform(-1, 1)]
    for value in steer:
        places.append(moved(places[-1], value))
    dones = np.arange(rows) == rows - 1
    return Episode(
        observations=np.stack([picture(place) for place in places[:-1]]),
        actions=np.stack([steer, np.zeros(rows), np.zeros(rows)], -1).astype(np.float32),
        rewards=np.array([reward_at(place) for place in places[1:]], np.float32),
        dones=dones,
        terminals=np.zeros(rows, bool),
        vector=np.zeros((rows, 0), np.float32),
        expert_actions=np.full((rows, 3), np.nan, np.float32),
        meta=TOY_META,
    )


def make_toy_data(folder: Path, count: int = 20, rows: int = 40) -> Path:
    """A data folder of such drives."""
    for i in range(count):
        write_episode(folder / f"episode_{i:06d}.npz", wandering(i, rows))
    return folder


def driven_reward(act, drives: int = 30, steps: int = 10) -> float:
    """Mean reward of a step of ``act``, from pictures (N, 3, SIZE, SIZE) to commands (N, 3), in the toy itself; begins
    at places spread over the whole line."""
    places, total = np.linspace(-1.0, 1.0, drives), 0.0
    for _ in range(steps):
        commands = act(np.stack([picture(place) for place in places]))
        places = np.array([moved(place, steer) for place, steer in zip(places, commands[:, 0], strict=True)])
        total += float(np.mean([reward_at(place) for place in places]))
    return total / steps
