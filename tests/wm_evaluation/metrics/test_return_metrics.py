import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from wm_evaluation.metrics.returns import break_even, imagined_returns, real_returns, weighted_rank_correlations

NAN = float("nan")
PAIRS = st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4), st.integers(0, 3)), min_size=1, max_size=30)


def rank_correlation(left, right):
    return float(weighted_rank_correlations(left, right, np.ones((1, len(left))))[0])


def test_returns_count_what_is_reached():
    # 1; 1 + 1·2 = 3; 3 + 1·0.5·3 = 4.5
    assert imagined_returns(np.array([[1.0, 2, 3]]), np.array([[1.0, 0.5, 0.9]]))[0] == pytest.approx([1, 3, 4.5])
    rewards = np.array([[1.0, 2, NAN]])
    assert real_returns(rewards, np.array([[1.0, 0, NAN]]))[0] == pytest.approx([1, 3, 3])  # ended for good
    assert real_returns(rewards, np.array([[1.0, 1, NAN]]))[0] == pytest.approx([1, 3, NAN], nan_ok=True)  # cut off


@settings(deadline=None)
@given(PAIRS)
def test_rank_correlation_is_that_of_scipy_also_with_ties(pairs):
    left, right, _ = np.array(pairs, float).T
    found = rank_correlation(left, right)
    if len(left) < 3 or np.ptp(left) == 0 or np.ptp(right) == 0:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(spearmanr(left, right).statistic, abs=1e-12)


@settings(deadline=None)
@given(PAIRS)
def test_a_weight_stands_for_that_many_equal_entries(pairs):
    left, right, weights = np.array(pairs, float).T
    found = weighted_rank_correlations(left, right, np.stack([weights, weights + 1]))
    for value, times in zip(found, (weights, weights + 1), strict=True):
        repeated = [np.repeat(side, times.astype(int)) for side in (left, right)]
        assert value == pytest.approx(rank_correlation(*repeated), abs=1e-12, nan_ok=True)


def test_rank_correlation_of_known_ranks_leaves_out_what_one_side_does_not_know():
    # Ranks 1 2 3 against 1 3 2: 1 - 6 (0 + 1 + 1) / (3 · 8) = 0.5
    assert rank_correlation(np.array([1.0, 2, 3, NAN]), np.array([10.0, 30, 20, 5])) == pytest.approx(0.5)
    assert np.isnan(rank_correlation(np.array([1.0, 2]), np.array([1.0, 2])))
    assert np.isnan(rank_correlation(np.full(5, NAN), np.arange(5.0)))


def test_break_even_is_where_the_curves_cross():
    baseline = np.full((5, 4), 2.0)
    model = np.array([[1, 1, 1, 1], [1, 1, 3, 1], [3, 1, 1, 3], [2, 2, 2, 2], [3, 3, 3, 1]])
    found = break_even(model, baseline)
    assert found.begins.tolist() == [1, 1, 2, 5, 4]
    assert found.stops.tolist() == [5, 3, 4, 1, 5]  # 5: not within 4 steps; equal errors never beat, so 1
