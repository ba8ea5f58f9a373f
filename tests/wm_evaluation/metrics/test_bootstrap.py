import numpy as np
import pytest
from scipy import stats
from wm_evaluation.metrics.bootstrap import SegmentBootstrap, mean_interval, paired_difference

NAN = float("nan")


def test_intervals_come_from_resampled_segments():
    values = np.array([[0.0], [0.0], [1.0], [NAN]])
    segments = np.array([7, 7, 9, 9])
    bootstrap = SegmentBootstrap(segments, resamples=400, seed=0)
    rows = bootstrap.means(values)
    assert rows[0] == pytest.approx([1 / 3])
    # Two segments of 2 and 1 windows: both the first 0, one of each 1/3, both the second 1.
    assert np.unique(rows[1:].round(6)).tolist() == pytest.approx([0.0, 1 / 3, 1.0], abs=1e-6)
    assert bootstrap.interval(rows)[:, 0] == pytest.approx([0.0, 1.0])
    assert np.isnan(SegmentBootstrap(np.zeros(4), 10, 0).interval(rows)).all()
    assert np.array_equal(rows, SegmentBootstrap(segments, resamples=400, seed=0).means(values))
    assert not np.array_equal(rows, SegmentBootstrap(segments, resamples=400, seed=1).means(values))


def test_resampled_rank_correlations_repeat_whole_segments(monkeypatch):
    left, right = np.array([[1.0], [2], [3], [9]]), np.array([[1.0], [3], [2], [9]])
    bootstrap = SegmentBootstrap(np.array([0, 0, 0, 1]), 60, seed=1)
    rows = bootstrap.rank_correlations(left, right)
    assert rows[0] == pytest.approx([0.8])  # 1 - 6 · 2 / (4 · 15)
    # The three of the first segment twice have the correlation of the three; the second alone has none.
    found = np.unique(rows[1:].round(6))
    assert found[np.isfinite(found)].tolist() == pytest.approx([0.5, 0.8]) and np.isnan(found).any()
    monkeypatch.setattr("wm_evaluation.metrics.bootstrap.BLOCK_NUMBERS", 7)
    assert np.array_equal(bootstrap.rank_correlations(left, right), rows, equal_nan=True)


def test_the_interval_of_a_mean_is_that_of_scipys_percentile_bootstrap():
    values = np.random.default_rng(0).gamma(2.0, 1.0, 60)
    mean, low, high = mean_interval(np.append(values, NAN), resamples=20_000)
    expected = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=1).confidence_interval
    assert mean == pytest.approx(values.mean())
    # The ends of 20,000 resamples are sure to about 0.006 of these 60 values' standard error of 0.18.
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=0.02)


def test_too_few_values_have_no_interval():
    assert mean_interval(np.array([3.0])) == pytest.approx((3.0, NAN, NAN), nan_ok=True)
    assert np.isnan(mean_interval(np.array([]))).all() and np.isnan(mean_interval(np.array([NAN]))).all()


def test_pairs_cancel_what_they_share():
    random = np.random.default_rng(0)
    tracks = random.normal(0, 100, 30)
    ours, baseline = tracks + 5 + random.normal(0, 1, 30), tracks + random.normal(0, 1, 30)
    mean, low, high = paired_difference(ours, baseline)
    assert 4 < low < mean < high < 6 and mean == pytest.approx((ours - baseline).mean())
    apart = [mean_interval(side) for side in (ours, baseline)]
    assert apart[0][1] < apart[1][2]  # each alone, the intervals overlap
    assert paired_difference(baseline, ours)[0] == pytest.approx(-mean)
    with pytest.raises(ValueError, match="expected pairs, got 3 values against 2"):
        paired_difference([1, 2, 3], [1, 2])


def test_two_models_on_the_same_segments_draw_the_same_resamples():
    segments = np.repeat(np.arange(12), 5)
    hard = np.random.default_rng(2).normal(0, 10, 12)[segments, None]
    ours, theirs = (SegmentBootstrap(segments, 200, seed=3).means(hard + shift) for shift in (1.0, 0.0))
    assert ours - theirs == pytest.approx(np.ones((201, 1)))
