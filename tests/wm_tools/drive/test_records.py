"""Property: every step, and everything around it, goes to the episode it belongs to, or the drive fails."""

import math

import numpy as np
import pytest
from wm_tools.drive.records import Episode, EpisodeCollector, Frame, MotionSample, StepSample

MS = 1_000_000
PERIOD_MS = 80


def step(at_ms: int, reward: float = 1.0, **kwargs) -> StepSample:
    return StepSample(at_ms * MS, reward, kwargs.pop("wheels", 0), kwargs.pop("latency", 20.0), **kwargs)


def collector(**kwargs) -> EpisodeCollector:
    return EpisodeCollector(PERIOD_MS / 1000, **kwargs)


def test_the_first_tick_is_not_a_step_and_the_last_one_is():
    recorded = collector()
    recorded.begin(2000)
    for sample in (step(1000, 0.0), step(1080, 2.5), step(1160, -1.0, terminated=True)):
        assert not recorded.episode_over
        recorded.add_step(sample)
    assert recorded.episode_over
    (episode,) = recorded.close()
    assert (episode.seed, len(episode.steps), episode.terminated) == (2000, 2, True)
    assert episode.score == pytest.approx(2.5 - 1.0)


def test_an_episode_cut_short_leaves_out_what_comes_before_the_next_first_tick():
    recorded = collector(max_steps=1)
    recorded.begin(5)
    recorded.add_step(step(1000, 0.0))
    recorded.add_step(step(1080, 3.0))
    assert recorded.episode_over
    recorded.add_step(step(1160, 100.0))  # the simulator drives on until the reset
    recorded.begin(8)
    recorded.add_step(step(1240, 100.0))  # still the old track
    recorded.add_step(step(2240, 0.0))
    assert not recorded.episode_over
    recorded.add_step(step(2320, 4.0))
    assert [(e.seed, e.score) for e in recorded.close()] == [(5, 3.0), (8, 4.0)]


def test_samples_go_to_the_episode_of_their_stamp():
    recorded = collector(max_steps=2)
    frame = Frame(np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1, 3), np.uint8))
    for seed, start in ((1, 1000), (2, 2160)):
        recorded.begin(seed)
        for k in (2, 1, 0):  # topics overtake each other
            recorded.add_motion(MotionSample((start + k * PERIOD_MS) * MS, float(k), 0.0, 0.0, 0.0))
            recorded.add_frame((start + k * PERIOD_MS) * MS, frame)
        for k, reward in enumerate((0.0, 1.0, 1.0)):
            recorded.add_step(step(start + k * PERIOD_MS, reward))
    for episode, start in zip(recorded.close(), (1000, 2160), strict=True):
        # A motion holds the command of the interval before its stamp: none belongs to the first tick. The last
        # frame is not followed by an action.
        assert [m.stamp_ns // MS for m in episode.motions] == [start + 80, start + 160]
        assert [t // MS for t in episode.frames] == [start, start + 80]


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([step(1000, 0.0), step(1080), step(1240)], "steps were lost: 160 ms"),
        ([step(1080, 1.5)], "ticks before it were lost"),
        ([step(1000, 0.0), step(1080, math.nan)], "reward is nan"),
        ([step(1000, 0.0), step(1080), step(2080, 0.0)], "left track 3 at step 1"),
    ],
)
def test_a_stream_with_a_hole_is_refused(samples, message):
    recorded = collector()
    recorded.begin(3)
    with pytest.raises(ValueError, match=message):
        for sample in samples:
            recorded.add_step(sample)


def test_off_track_is_two_wheels_or_more():
    episode = Episode(0, steps=[step(k, wheels=wheels) for k, wheels in enumerate((0, 1, 2, 4))])
    assert episode.off_track_fraction == 2 / 4
