"""Properties: the interval is Student's t, percentiles leave out missing commands, which count as missed."""

import math

import pytest
from wm_tools.drive.records import StepSample
from wm_tools.drive.statistics import deadline_misses, latency_percentiles, mean_and_interval, t_quantile_975


def steps(latencies: list[float]) -> list[StepSample]:
    return [StepSample(k, 0.0, 0, latency) for k, latency in enumerate(latencies)]


# From tables of Student's distribution.
@pytest.mark.parametrize(
    ("degrees", "quantile"), [(1, 12.706), (2, 4.303), (10, 2.228), (11, 2.201), (49, 2.0096), (10**6, 1.95996)]
)
def test_t_quantile(degrees, quantile):
    assert t_quantile_975(degrees) == pytest.approx(quantile, abs=1e-3)


def test_interval():
    mean, (low, high) = mean_and_interval([800.0, 850.0, 900.0])
    # standard deviation 50, three episodes: 4.3027 * 50 / sqrt(3) = 124.21
    assert (mean, low, high) == pytest.approx((850.0, 850.0 - 124.21, 850.0 + 124.21), abs=0.01)


def test_one_episode_has_no_interval():
    assert mean_and_interval([1.0]) == (1.0, [None, None])


def test_percentiles_leave_out_steps_without_a_command():
    figures = latency_percentiles(steps([10.0, math.nan, 20.0, 30.0]))
    # linear between 10, 20, 30: p95 lies 0.9 of the way from 20 to 30
    assert figures == pytest.approx({"p50": 20.0, "p95": 29.0, "p99": 29.8, "max": 30.0})
    assert set(latency_percentiles(steps([math.nan])).values()) == {None}


def test_a_missing_and_a_late_command_miss_their_deadline():
    assert deadline_misses(steps([79.0, 80.0, 80.5, math.nan]), period_s=0.08) == 2
