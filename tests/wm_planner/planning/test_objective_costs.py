"""Costs of imagined signals, against arithmetic done by hand, and what they ask of a bundle."""

import dataclasses

import numpy as np
import pytest
from wm_bundle import VectorSpec
from wm_bundle.vector_inputs import VECTOR_INPUTS
from wm_data.rewards import REWARDS, TERMS
from wm_planner.config import PlannerConfig
from wm_planner.engine.imagined import Imagined
from wm_planner.errors import ConfigError
from wm_planner.planning.costs import COSTS, check_costs, make_costs, objectives_told
from wm_planner.planning.costs.base import CostContext
from wm_planner.planning.costs.reward_weights import GROUPS
from wm_planner.planning.scoring import Scorer

NOW = {"speed": 10.0, "yaw_rate": 0.0}


def cost_of(values: dict, signals: dict, past=(0.0, 0.0), discount=1.0, continues=1.0, terms=None) -> np.ndarray:
    """The cost with parameters ``values`` of plans whose imagined signals are ``signals``, each (N, H); ``past`` are
    the first signal's."""
    first = np.array(next(iter(signals.values())), np.float32)
    nothing = np.zeros_like(first)
    vector = np.stack([np.array(rows, np.float32) for rows in signals.values()], axis=-1)
    before = np.zeros((2, len(signals)), np.float32)
    before[:, 0] = past
    imagined = Imagined(nothing, nothing + np.float32(continues), nothing, vector=vector, reward_terms=terms)
    plans = np.zeros((*first.shape, 2), np.float32)
    context = CostContext(plans[0, 0], plans[0], dict.fromkeys(signals, 0.0), before, 0.5, TERMS)
    costs = make_costs(PlannerConfig.from_values(values), has_ensemble=True)
    return -Scorer(discount, 1.0, costs)(plans, imagined, context)


def test_a_target_speed_is_missed_above_and_below():
    found = cost_of({"target_speed_cost": 2.0, "target_speed": 10.0}, {"speed": [[10.0, 13.0], [9.0, 10.0]]})
    assert found == pytest.approx([18.0, 2.0])  # 2 weight * 3²; 2 * 1²


def test_a_cost_counts_as_late_and_as_likely_as_a_reward_in_the_return():
    values = {"target_speed_cost": 1.0, "target_speed": 0.0}
    found = cost_of(values, {"speed": [[1.0, 2.0, 3.0]]}, discount=0.9, continues=0.5)
    assert found == pytest.approx([1.0 + 0.9 * 0.5 * 4.0 + 0.81 * 0.25 * 9.0])


def test_a_speed_limit_costs_above_it_only_and_the_imagined_one_counts():
    values = {"speed_limit_cost": 1.0, "speed_limit": 8.0}
    assert cost_of(values, {"speed": [[10.0, 7.0]]}) == pytest.approx([4.0])  # (10 - 8)²
    imagined = {"speed": [[10.0, 7.0]], "speed_limit": [[9.0, 5.0]]}
    assert cost_of(values, imagined) == pytest.approx([1.0 + 4.0])  # (10 - 9)² + (7 - 5)²


def test_lateral_acceleration_costs_above_a_limit_to_either_side():
    values = {"lateral_acceleration_cost": 1.0, "lateral_acceleration_limit": 3.0}
    assert cost_of(values, {"acceleration_across": [[-5.0, 2.0]]}) == pytest.approx([4.0])  # (5 - 3)²
    turning = {"speed": [[10.0, 10.0]], "yaw_rate": [[0.5, -0.4]]}
    assert cost_of(values, turning) == pytest.approx([4.0 + 1.0])  # 10 * 0.5 = 5, 10 * 0.4 = 4 m/s²


def test_jerk_is_measured_from_the_driving_so_far():
    values = {"jerk_cost": 1.0, "jerk_limit": 1.0}
    # period 0.5 s; speeds 1, 2, then 3, 3: accelerations 2, 2, 0 m/s², jerks 0 and -4 m/s³
    assert cost_of(values, {"speed": [[3.0, 3.0]]}, past=(1.0, 2.0)) == pytest.approx([9.0])
    # accelerations 2, then 2, 1: jerks 0 and -2 m/s³
    assert cost_of(values, {"acceleration_along": [[2.0, 1.0]]}, past=(9.0, 2.0)) == pytest.approx([1.0])


def test_a_signal_that_is_missing_now_gives_no_jerk():
    values = {"jerk_cost": 1.0, "jerk_limit": 0.0}
    assert cost_of(values, {"acceleration_along": [[2.0, 2.0]]}, past=(np.nan, np.nan)) == pytest.approx([0.0])


def test_distance_from_the_route_costs_beyond_the_tolerance():
    values = {"route_cost": 2.0, "route_tolerance": 0.5}
    assert cost_of(values, {"route_offset": [[-1.5, 0.4]]}) == pytest.approx([2.0])  # 2 weight * (1.5 - 0.5)²


def test_a_short_headway_costs_and_an_empty_road_does_not():
    values = {"headway_cost": 1.0, "headway": 2.0}
    signals = {"speed": [[10.0, 10.0], [60.0, 0.0]], "gap": [[15.0, 30.0], [100.0, 0.0]]}
    # 1.5 s and 3 s; no car ahead, and standing behind one: 0 / 0.1 m/s
    assert cost_of(values, signals) == pytest.approx([0.25, 4.0])


def test_steering_costs_with_the_imagined_speed_at_each_step():
    plans = np.array([[[0.5, 0.0], [0.5, 0.0]]], np.float32)
    nothing = np.zeros((2, 2), np.float32)
    vector = np.array([[[10.0], [99.0]], [[0.0], [99.0]]], np.float32)  # two futures
    imagined = Imagined(nothing, nothing + 1.0, nothing, vector=vector)
    context = CostContext(plans[0, 0], plans[0], {"speed": 20.0}, np.array([[0.0], [20.0]], np.float32))
    (cost,) = make_costs(PlannerConfig(steering_speed_cost=0.01), True)
    # 0.01 weight * 0.5² * (20² + the mean of 10² and 0)
    assert -Scorer(1.0, 1.0, [cost], samples=2)(plans, imagined, context) == pytest.approx([0.0025 * 450.0])


def test_costs_are_the_mean_over_the_futures_of_a_plan():
    nothing, plans = np.zeros((2, 1), np.float32), np.zeros((1, 1, 2), np.float32)
    imagined = Imagined(nothing, nothing, nothing, vector=np.array([[[4.0]], [[6.0]]], np.float32))
    costs = make_costs(PlannerConfig(target_speed_cost=1.0, target_speed=4.0), True)
    context = CostContext(plans[0, 0], plans[0], {"speed": 4.0}, np.zeros((2, 1)))
    assert -Scorer(1.0, 1.0, costs, samples=2)(plans, imagined, context) == pytest.approx([2.0])  # (0² + 2²) / 2


@pytest.mark.parametrize(
    "text, gain",
    [
        ("efficiency=3", 2.0 * 1.0),
        ("comfort=0", 0.1 + 0.2),  # the two terms are negative
        ("comfort=0,jerk=1", 0.2),  # a term's own weight replaces its group's
        ("safety=2", -3.0),
        (" jerk = 2 , ", -0.1),
    ],
)
def test_reward_weights_change_what_each_term_counts(text, gain):
    terms = np.array([[[1.0, -0.1, -0.2, -3.0, 0.0]]], np.float32)  # in the order of TERMS
    assert -cost_of({"reward_weights": text}, {"speed": [[0.0]]}, terms=terms) == pytest.approx([gain])


def test_the_groups_are_of_the_rewards_terms():
    known = {term for terms in REWARDS.values() for term in terms}
    assert sorted(term for terms in GROUPS.values() for term in terms) == sorted(known)


@pytest.mark.parametrize("text", ["jerk", "jerk=", "jerk=fast", "=1", "jerk=nan", "jerk=-1", "jerk=1,jerk=2", "a=b=c"])
def test_unusable_reward_weights_are_refused(text, manifest):
    with pytest.raises(ConfigError, match="reward_weights: expected NAME=WEIGHT"):
        check_costs(PlannerConfig(reward_weights=text), dataclasses.replace(manifest, reward_terms=TERMS))


def all_on() -> dict[str, dict]:
    """Parameters that turn on each objective."""
    values = {kind.name: {kind.name: 1.0} for kind in COSTS if kind.opens}
    values["reward_weights"] = {"reward_weights": "jerk=2"}
    values["target_speed_cost"]["target_speed"] = values["speed_limit_cost"]["speed_limit"] = 5.0
    return values


@pytest.mark.parametrize("name, values", all_on().items(), ids=str)
def test_a_bundle_that_does_not_imagine_the_signal_is_refused(name, values, manifest):
    signals = tuple(VectorSpec(entry.name, entry.unit, 0.0, 1.0) for entry in VECTOR_INPUTS.values())
    blind = dataclasses.replace(manifest, vector=signals)
    with pytest.raises(ConfigError, match=f"parameter {name}: bundle fake does not imagine "):
        check_costs(PlannerConfig.from_values(values), blind)
    seeing = dataclasses.replace(blind, imagines_vector=True, reward_terms=TERMS)
    check_costs(PlannerConfig.from_values(values), seeing)
    other = tuple(dataclasses.replace(spec, unit="furlong") for spec in signals)
    with pytest.raises(ConfigError, match=name):
        check_costs(PlannerConfig.from_values(values), dataclasses.replace(seeing, vector=other, reward_terms=()))


@pytest.mark.parametrize("name", ["target_speed", "speed_limit"])
def test_a_speed_that_was_not_given_is_refused(name, manifest):
    seeing = dataclasses.replace(manifest, vector=(VectorSpec("speed", "m/s", 0.0, 1.0),), imagines_vector=True)
    with pytest.raises(ConfigError, match=f"parameter {name}: .* set it first, or both at once"):
        check_costs(PlannerConfig.from_values({f"{name}_cost": 1.0}), seeing)


def test_active_objectives_are_told():
    assert objectives_told(PlannerConfig(action_rate_cost=1.0)) == ""
    told = objectives_told(PlannerConfig(target_speed_cost=1.0, target_speed=8.0, reward_weights="jerk=2"))
    assert told == "reward_weights jerk=2; target_speed_cost 1.0, target_speed 8.0"
