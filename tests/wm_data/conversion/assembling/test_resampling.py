import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_drive import MS, signal
from wm_data.conversion.assembling.resampling import exactly_at, latest_at, mean_over, sum_between

SAMPLES = st.dictionaries(st.integers(0, 2000), st.floats(-1, 1, allow_subnormal=False), min_size=1, max_size=30)
MOMENTS = st.lists(st.integers(0, 2000), min_size=2, max_size=12, unique=True).map(sorted)


def in_ns(times):
    return np.array(times, np.int64) * MS


@given(samples=SAMPLES, moments=MOMENTS, holds=st.sampled_from(["after", "before"]))
def test_a_mean_is_that_of_the_value_at_every_millisecond(samples, moments, holds):
    made = signal(dict(sorted(samples.items())), holds, max_hold_s=10.0)
    starts, ends = moments[:-1], moments[1:]
    means, supported = mean_over(made.samples, in_ns(starts), in_ns(ends))
    stamps = sorted(samples)
    for start, end, mean, there in zip(starts, ends, means[:, 0], supported, strict=True):
        if holds == "after":
            held = [max((s for s in stamps if s <= t), default=None) for t in range(start, end)]
        else:
            held = [min((s for s in stamps if s >= t), default=None) for t in range(start + 1, end + 1)]
        assert there == (None not in held)
        if there:
            assert mean == pytest.approx(np.mean([samples[s] for s in held]), abs=1e-9)


@given(samples=SAMPLES, moments=MOMENTS, hold_ms=st.integers(1, 500), holds=st.sampled_from(["after", "before"]))
def test_a_sample_says_nothing_about_times_further_away_than_it_may_be_held(samples, moments, hold_ms, holds):
    made = signal(dict(sorted(samples.items())), holds, hold_ms / 1000)
    starts, ends = moments[:-1], moments[1:]
    supported = mean_over(made.samples, in_ns(starts), in_ns(ends))[1]
    stamps = np.array(sorted(samples))
    for start, end, there in zip(starts, ends, supported, strict=True):
        times = np.arange(start, end + 1)
        ages = times[:, None] - stamps if holds == "after" else stamps - times[:, None]
        age = np.where(ages >= 0, ages, 10_000).min(axis=1)
        covered = (age[:-1] if holds == "after" else age[1:]).max() < hold_ms
        if covered:
            assert there
        if not covered and age.max() > hold_ms + 1:
            assert not there


def test_where_one_sample_covers_an_interval_its_value_comes_out_exactly():
    made = signal({0: 0.1, 100: 0.7, 200: 0.3}, "before")
    means, supported = mean_over(made.samples, in_ns([0, 100]), in_ns([100, 200]))
    assert means[:, 0].tolist() == [0.7, 0.3] and supported.all()


def test_the_latest_is_never_one_from_later():
    made = signal({100: 1.0, 200: 2.0})
    values, known = latest_at(made.samples, in_ns([99, 100, 199, 200, 700, 701]))
    assert known.tolist() == [False, True, True, True, True, False]
    assert values[1:5, 0].tolist() == [1.0, 1.0, 2.0, 2.0]


def test_events_count_in_the_interval_they_end():
    made = signal({100: 1.0, 150: 2.0, 200: 4.0})
    assert sum_between(made.samples, in_ns([0, 100, 150, 300])).ravel().tolist() == [1.0, 2.0, 4.0]
    assert np.isnan(exactly_at(made.samples, in_ns([99]))).all() and exactly_at(made.samples, in_ns([150]))[0, 0] == 2.0


def test_samples_are_sorted_numbers_that_are_not_finite_left_out_and_of_equal_stamps_the_last_counts():
    made = signal({100: 1.0})
    for stamp, value in ((300, float("nan")), (200, 2.0), (200, 3.0)):
        made.add(stamp * MS, value)
    stamps, values = made.samples[:2]
    assert (stamps // MS).tolist() == [100, 200] and values[:, 0].tolist() == [1.0, 3.0]
