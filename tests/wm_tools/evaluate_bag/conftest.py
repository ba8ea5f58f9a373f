"""A tiny bundle, and recordings that fit it."""

from pathlib import Path

import pytest
from fixtures_rosbag import MS, drive, write_bag
from make_episodes import make_episode
from tiny_bundle import make_tiny_bundle
from wm_data.to_bag.writing import write_bag as write_episode_bag
from wm_tools.evaluate_bag.evaluate_bag_options import EvaluateOptions

PERIOD_NS = 80 * MS


@pytest.fixture(scope="session")
def bundle(tmp_path_factory) -> Path:
    return make_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="session")
def raw_bag(tmp_path_factory) -> Path:
    """100 ticks of a camera of 96x96 pixels, 99 rows."""
    return write_bag(tmp_path_factory.mktemp("bags") / "raw", drive(100, PERIOD_NS, height=96, width=96))


@pytest.fixture(scope="session")
def episode_bag(tmp_path_factory) -> Path:
    """What to_bag writes of 60 rows of a model's pictures."""
    folder = tmp_path_factory.mktemp("bags") / "episode"
    write_episode_bag(folder, make_episode(60, terminal=False))
    return folder


@pytest.fixture
def options(raw_bag, bundle, tmp_path):
    """Makes options of an evaluation of the raw bag, quick ones unless told otherwise."""

    def make(**changes) -> EvaluateOptions:
        given = {
            "bag": raw_bag,
            "bundle": bundle,
            "output": tmp_path / "out",
            "steps": 7,
            "samples": 2,
            "stride": 10,
            "resamples": 20,
            "segment_s": 2.0,
            "parameters": (("candidates", 16), ("iterations", 1)),
        }
        return EvaluateOptions(**{**given, **changes})

    return make
