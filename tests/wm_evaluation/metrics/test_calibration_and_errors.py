import numpy as np
import pytest
from scipy import stats
from sklearn.calibration import calibration_curve
from wm_evaluation.metrics.calibration import covered, reliability
from wm_evaluation.metrics.driving import jerk, lateral_acceleration, longitudinal_acceleration
from wm_evaluation.metrics.errors import percentiles, sign_agreements

NAN = float("nan")
RANDOM = np.random.default_rng(0)
SAID = RANDOM.random((20, 25)) ** 0.2
HAPPENED = (RANDOM.random(SAID.shape) < SAID).astype(float)
UNKNOWN = np.where(RANDOM.random(SAID.shape) < 0.2, NAN, HAPPENED)
KNOWN = np.isfinite(UNKNOWN)


def test_reliability_bins_are_those_of_scikit_learn():
    table, _ = reliability(SAID, UNKNOWN)
    observed, predicted = calibration_curve(HAPPENED[KNOWN], SAID[KNOWN], n_bins=10)
    assert [row["observed"] for row in table] == pytest.approx(observed.tolist())
    assert [row["predicted"] for row in table] == pytest.approx(predicted.tolist())
    assert sum(row["count"] for row in table) == KNOWN.sum()


def test_the_calibration_error_of_known_bins():
    table, error = reliability(np.array([0.95, 0.95, 1.0, 0.12]), np.array([1.0, 0.0, 1.0, 0.0]))
    assert [(row["from"], row["to"], row["count"]) for row in table] == [(0.1, 0.2, 1), (0.9, 1.0, 3)]
    # (1 · |0.12 - 0| + 3 · |2.9 / 3 - 2 / 3|) / 4 = (0.12 + 0.9) / 4
    assert error == pytest.approx(0.255)
    table, error = reliability(np.array([]), np.array([]))
    assert table == [] and np.isnan(error)


def test_an_interval_covers_its_ends():
    truth = np.array([1.0, 2.0, 3.0, 4.0, NAN])
    # 1 on the lower end, 2 inside, 3 on the upper end, 4 above; the last is not known.
    assert np.nanmean(covered(truth, np.array([1.0, 0, 0, 0, 0]), np.array([2.0, 3, 3, 3, 9]))) == 0.75
    sample = np.random.default_rng(1).normal(size=20_000)
    low, high = stats.norm.interval(0.9)
    assert np.mean(covered(sample, np.full(20_000, low), np.full(20_000, high))) == pytest.approx(0.9, abs=0.01)


def test_signs_agree_only_where_the_truth_is_large():
    truth = np.array([0.5, -0.5, 0.3, 0.1, 0.05, NAN, 0.4])
    predicted = np.array([0.1, -0.9, -0.1, -1.0, -1.0, 1.0, NAN])
    # 0.5, -0.5 and 0.3 count; the threshold itself does not.
    assert np.nanmean(sign_agreements(predicted, truth, 0.1)) == pytest.approx(2 / 3)
    assert (sign_agreements(np.zeros(3), truth[:3], 0.1) == 0.0).all()
    assert np.isnan(sign_agreements(predicted, truth, 0.6)).all()


def test_percentiles_are_those_of_scipy():
    values = RANDOM.gamma(2.0, 3.0, 501)
    found = percentiles(np.append(values, NAN))
    expected = {f"p{share}": stats.scoreatpercentile(values, share) for share in (50, 95, 99)}
    assert found == pytest.approx(expected | {"max": values.max()})
    assert all(np.isnan(value) for value in percentiles(np.array([NAN])).values())


def test_a_constant_acceleration_has_no_jerk_and_a_circle_pulls_sideways():
    speed = 10.0 + 2.0 * 0.1 * np.arange(5)  # 2 m/s^2 at 10 Hz
    acceleration = longitudinal_acceleration(speed, 0.1)
    assert acceleration == pytest.approx([2.0] * 4) and jerk(acceleration, 0.1) == pytest.approx([0.0] * 3, abs=1e-9)
    assert jerk(np.array([0.0, 1.0, -1.0]), 0.5) == pytest.approx([2.0, -4.0])
    # 10 m/s on a circle of 50 m: 0.2 rad/s, v^2 / r = 2 m/s^2
    assert lateral_acceleration(np.array([10.0]), np.array([-0.2])) == pytest.approx([-2.0])
