"""Returns and costs, against arithmetic done by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wm_planner.engine.imagined import Imagined
from wm_planner.planning.costs.action_rate import ActionRateCost
from wm_planner.planning.costs.base import CostContext, Futures
from wm_planner.planning.costs.deviation import DeviationCost
from wm_planner.planning.costs.steering_speed import SteeringSpeedCost
from wm_planner.planning.costs.uncertainty import DisagreementCost, SpreadCost
from wm_planner.planning.scoring import Scorer, imagined_returns, return_weights


def imagined(reward, continues, value) -> Imagined:
    return Imagined(*(np.array(rows, np.float32) for rows in (reward, continues, value)))


def test_return_discounts_by_steps_and_by_the_probability_to_get_there():
    future = imagined([[1.0, 2.0, 4.0]], [[0.5, 1.0, 0.5]], [[9.0, 9.0, 10.0]])
    # 1 + 0.9 * 0.5 * 2 + 0.81 * 0.5 * 4 + 0.729 * (0.5 * 1 * 0.5) * 10 = 1 + 0.9 + 1.62 + 1.8225
    assert imagined_returns(future, 0.9) == pytest.approx([5.3425])


def test_each_candidate_has_its_own_return():
    future = imagined([[1.0], [2.0]], [[1.0], [0.0]], [[10.0], [10.0]])
    assert imagined_returns(future, 0.5) == pytest.approx([6.0, 2.0])  # 1 + 0.5 * 10; 2 + 0: the episode is over


def test_lambda_zero_trusts_the_first_value_only():
    future = imagined([[1.0, 100.0]], [[1.0, 1.0]], [[3.0, 50.0]])
    assert imagined_returns(future, 0.5, 0.0) == pytest.approx([2.5])  # 1 + 0.5 * 3


def test_lambda_mixes_short_and_long_bootstraps():
    future = imagined([[1.0, 2.0]], [[1.0, 0.5]], [[3.0, 8.0]])
    # last: 2 + 0.5 * 0.5 * 8 = 4;  first: 1 + 0.5 * 1 * (0.25 * 3 + 0.75 * 4) = 2.875
    assert imagined_returns(future, 0.5, 0.75) == pytest.approx([2.875])


NOTHING = Futures(None, None, None, None)  # for costs that look at the plans only
CONTEXT = CostContext(previous=np.array([0.5, 0.0], np.float32), proposal=np.zeros((2, 2), np.float32))


def test_action_rate_cost_counts_the_step_from_the_applied_action():
    plans = np.array([[[0.5, 0.2], [0.1, 0.2]]], np.float32)
    # 10 weight * ((0.5-0.5)² + 0.2² + (0.1-0.5)² + 0²) = 10 * 0.2
    assert ActionRateCost(10.0)(plans, NOTHING, CONTEXT) == pytest.approx([2.0])


def test_deviation_cost_is_the_squared_distance_from_the_actor():
    plans = np.array([[[0.5, 0.0], [0.0, -0.5]], [[0.0, 0.0], [0.0, 0.0]]], np.float32)
    assert DeviationCost(4.0)(plans, NOTHING, CONTEXT) == pytest.approx([2.0, 0.0])  # 4 weight * (0.25 + 0.25)


def test_score_is_return_minus_costs():
    future = imagined([[1.0, 1.0]], [[1.0, 1.0]], [[0.0, 0.0]])
    plans = np.array([[[0.5, 0.0], [0.5, 0.0]]], np.float32)
    score = Scorer(1.0, 1.0, [ActionRateCost(1.0), DeviationCost(1.0)])(plans, future, CONTEXT)
    assert score == pytest.approx([1.5])  # 1 + 1 - 0 (steer stays at 0.5) - (0.25 + 0.25)


def test_steering_costs_with_the_square_of_speed():
    context = CostContext(CONTEXT.previous, CONTEXT.proposal, vector={"speed": 20.0})
    plans = np.array([[[0.5, 1.0], [-0.1, 0.0]]], np.float32)
    # 0.01 weight * 20² * (0.5² + 0.1²) = 4 * 0.26
    assert SteeringSpeedCost(0.01)(plans, NOTHING, context) == pytest.approx([1.04])


def test_disagreement_counts_as_much_as_the_reward_it_is_about():
    one = np.ones((1, 2), np.float32)
    said = Imagined(one, np.array([[0.5, 0.8]], np.float32), one, np.array([[3.0, 2.0]]), np.array([[9.0, 10.0]]))
    futures = Futures(said, np.zeros((1, 1)), *return_weights(said.continues, 0.9))
    # 2 weight * (3 + 0.9 * 0.5 * 2 + 0.81 * 0.5 * 0.8 * 10) = 2 * (3 + 0.9 + 3.24)
    assert DisagreementCost(2.0)(np.zeros((1, 2, 2)), futures, CONTEXT) == pytest.approx([14.28])


def test_disagreement_counts_as_in_a_return_that_trusts_short_roll_outs_too():
    one = np.ones((1, 2), np.float32)
    said = Imagined(one, np.array([[0.5, 0.8]], np.float32), one, np.array([[3.0, 2.0]]), np.array([[9.0, 10.0]]))
    futures = Futures(said, np.zeros((1, 1)), *return_weights(said.continues, 0.9, 0.75))
    # return = r0 + 0.9 * 0.5 * (0.25 * v0 + 0.75 * (r1 + 0.9 * 0.8 * v1)) = r0 + 0.1125 v0 + 0.3375 r1 + 0.243 v1, so
    # 3 + 0.1125 * 9 + 0.3375 * 2 + 0.243 * 10 = 3 + 1.0125 + 0.675 + 2.43
    assert DisagreementCost(1.0)(np.zeros((1, 2, 2)), futures, CONTEXT) == pytest.approx([7.1175])
    score = Scorer(0.9, 0.75, [DisagreementCost(1.0)])(np.zeros((1, 2, 2)), said, CONTEXT)
    assert score == pytest.approx([1.0 + 0.1125 + 0.3375 + 0.243 - 7.1175])


@given(st.integers(1, 12), st.floats(0.5, 1.0), st.floats(0.0, 1.0), st.integers(0, 2**32 - 1))
def test_the_weights_are_those_of_the_return(horizon, discount, lambda_, seed):
    random = np.random.default_rng(seed)
    future = imagined(*random.uniform(0.0, 1.0, (3, 2, horizon)))
    rewards, values = return_weights(future.continues, discount, lambda_)
    weighted = (rewards * future.reward + values * future.value).sum(axis=1)
    np.testing.assert_allclose(weighted, imagined_returns(future, discount, lambda_), rtol=1e-4)


def test_mean_minus_spread_prefers_the_sure_plan():
    # two plans, two futures each, sample by sample: the first plan brings 10 or 0, the second 4 for sure
    future = imagined([[10.0], [4.0], [0.0], [4.0]], [[1.0]] * 4, [[0.0]] * 4)
    plans = np.zeros((2, 1, 2), np.float32)
    context = CostContext(np.zeros(2, np.float32), np.zeros((1, 2), np.float32))
    score = Scorer(1.0, 1.0, [SpreadCost(0.5)], samples=2)(plans, future, context)
    assert score == pytest.approx([5.0 - 0.5 * 50.0**0.5, 4.0])  # std of (10, 0) is sqrt(50)
    assert Scorer(1.0, 1.0, samples=2)(plans, future, context) == pytest.approx([5.0, 4.0])
