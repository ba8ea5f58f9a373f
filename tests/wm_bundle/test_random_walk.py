"""The random walk that drives: its statistics, and that a seed is one walk."""

import numpy as np
import pytest
from wm_bundle.random_walk import RandomWalk


def test_it_keeps_mean_and_deviation():
    walk = RandomWalk(keep=0.9, spread=0.1)
    values = np.array([walk.next() for _ in range(20000)])
    # A step adds 0.1, and 0.9 of the last stays: 0.1 / sqrt(1 - 0.9^2) = 0.229.
    assert values.mean(axis=0) == pytest.approx(RandomWalk.MEAN, abs=0.04)
    assert values.std(axis=0) == pytest.approx([0.229, 0.229], rel=0.1)


def test_a_seed_is_one_walk_and_the_limit_holds():
    walk, walks = RandomWalk(keep=0.9, spread=3.0, limit=1.0), []
    for seed in (5, 5, 6):
        walk.begin(seed)
        walks.append(np.array([walk.next() for _ in range(50)]))
    assert np.array_equal(walks[0], walks[1]) and not np.array_equal(walks[0], walks[2])
    assert np.abs(walks).max() == 1.0
