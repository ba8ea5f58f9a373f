"""The parameters' checks."""

import dataclasses

import pytest
from wm_bundle import VectorSpec
from wm_planner.assembly import build, make_scorer, make_tuning
from wm_planner.config import PlannerConfig
from wm_planner.errors import ConfigError
from wm_planner.planning.costs import check_costs, make_costs
from wm_planner.planning.costs.action_rate import ActionRateCost
from wm_planner.planning.costs.deviation import DeviationCost
from wm_planner.planning.costs.steering_speed import SteeringSpeedCost
from wm_planner.planning.costs.uncertainty import DisagreementCost, SpreadCost
from wm_planner.planning.solvers import SOLVERS
from wm_planner.planning.solvers.actor_only import ActorOnly
from wm_planner.planning.solvers.cem import CEM
from wm_planner.planning.solvers.mppi import MPPI
from wm_planner.planning.solvers.policy_only import PolicyOnly
from wm_planner.planning.solvers.shooting import RandomShooting


@pytest.mark.parametrize(
    "values, message",
    [
        ({"bundel": "x"}, "unknown parameter bundel; did you mean bundle[?]$"),
        ({"zzz": "x"}, "unknown parameter zzz; known are .*, bundle, .*"),
        ({"candidates": 7}, "candidates: expected 8 to 4096, found 7"),
        ({"candidates": 8.0}, "candidates: expected int, found float"),
        ({"autostart": 1}, "autostart: expected bool, found int"),
        ({"solver": "magic"}, "solver: expected one of shooting, cem, mppi, actor, policy, found 'magic'"),
        ({"solver": "policy"}, "solver: policy drives with a policy file, expected one in proposal_policy, found none"),
        ({"deadline_ms": float("nan")}, "deadline_ms: expected 1.0 to 10000.0 ms, found nan"),
        ({"risk": 1.0, "candidates": 15}, "candidates: expected at least 16 with risk above 0.*found 15"),
        *(
            ({"role_name": name}, f"role_name: expected a ROS name .* found '{name}'")
            for name in ("123E5", "", "a b", "ä")
        ),
        ({"solver": "cem", "elites": 100}, r"elites: expected at most candidates \(64\), found 100"),
    ],
)
def test_refuses_and_names(values, message):
    with pytest.raises(ConfigError, match=message):
        PlannerConfig.from_values(values)


def test_whole_numbers_are_fine_for_real_ones():
    assert PlannerConfig.from_values({"deadline_ms": 40}).deadline_ms == 40.0


def test_every_parameter_is_described_and_every_default_allowed():
    fields = dataclasses.fields(PlannerConfig)
    assert all(entry.metadata["description"] for entry in fields)
    defaults = PlannerConfig()
    assert PlannerConfig.from_values(dataclasses.asdict(defaults)) == defaults


def test_topics_follow_the_role_name_unless_given():
    assert PlannerConfig.from_values({"role_name": "fleet/car_1"}).topic("imu_topic", "imu") == "/carla/fleet/car_1/imu"
    config = PlannerConfig(role_name="hero", control_topic="/my/command")
    assert config.topic("status_topic", "vehicle_status") == "/carla/hero/vehicle_status"
    assert config.topic("control_topic", "vehicle_control_cmd") == "/my/command"


@pytest.mark.parametrize(
    "name, kind",
    [("shooting", RandomShooting), ("cem", CEM), ("mppi", MPPI), ("actor", ActorOnly), ("policy", PolicyOnly)],
)
def test_the_solver_is_the_one_named(name, kind):
    assert type(SOLVERS[name].from_config(PlannerConfig(solver=name), 6)) is kind


def kinds(has_ensemble=False, **values) -> list[type]:
    return [type(cost) for cost in make_costs(PlannerConfig(**values), has_ensemble)]


def test_costs_are_those_with_a_weight():
    assert kinds() == []
    assert kinds(action_rate_cost=1.0, deviation_cost=1.0, steering_speed_cost=1.0) == [
        ActionRateCost,
        DeviationCost,
        SteeringSpeedCost,
    ]


def test_risk_asks_the_ensemble_and_several_futures_only_without_one(manifest):
    assert kinds(has_ensemble=True, risk=1.0) == [DisagreementCost]
    assert kinds(risk=1.0) == [SpreadCost]
    config = PlannerConfig(risk=1.0, risk_samples=5, candidates=24)
    assert make_scorer(config, manifest, has_ensemble=True).samples == 1
    assert make_scorer(config, manifest, has_ensemble=False).samples == 3  # as many as leave 8 candidates
    assert make_scorer(PlannerConfig(), manifest, has_ensemble=False).samples == 1


def test_a_cost_that_the_bundle_cannot_serve_is_refused(manifest):
    blind = dataclasses.replace(manifest, vector=())
    with pytest.raises(ConfigError, match="steering_speed_cost: bundle fake has no input speed"):
        check_costs(PlannerConfig(steering_speed_cost=1.0), blind)


def test_cautious_weighs_every_cost_more_and_limits_throttle(manifest):
    config = PlannerConfig(action_rate_cost=2.0, cautious_costs=3.0, cautious_risk=1.5, cautious_throttle=0.1)
    manifest = dataclasses.replace(manifest, vector=(VectorSpec("speed", "m/s", 42.0, 1.0),))
    tuning = make_tuning(config, manifest, has_ensemble=False)
    assert [cost.weight for cost in tuning.normal.scorer.costs] == [2.0]
    assert [cost.weight for cost in tuning.cautious.scorer.costs] == [6.0, 1.5]
    assert (tuning.normal.limits.ceiling, tuning.cautious.limits.ceiling) == (1.0, 0.1)
    assert tuning.cautious.no_throttle_above_mps == 42.0  # the mean of the training data
    given = dataclasses.replace(config, cautious_speed=7.0)
    assert make_tuning(given, manifest, has_ensemble=False).cautious.no_throttle_above_mps == 7.0


def test_caution_is_never_dropped_for_want_of_candidates(manifest):
    few = PlannerConfig(candidates=15)
    with pytest.raises(
        ConfigError,
        match="candidates: expected at least 16 with cautious_risk above 0, because bundle "
        "fake has no ensemble.*found 15; or set cautious_risk to 0",
    ):
        make_tuning(few, manifest, has_ensemble=False)
    assert make_tuning(few, manifest, has_ensemble=True).cautious.scorer.costs  # the members' disagreement is free
    incautious, enough, actor = (
        make_tuning(dataclasses.replace(few, **change), manifest, has_ensemble=False).cautious.scorer
        for change in ({"cautious_risk": 0.0}, {"candidates": 16}, {"solver": "actor"})
    )
    assert not incautious.costs and enough.samples == 2
    assert actor.samples == 1  # it chooses among nothing


def test_changes_while_driving_are_of_the_search_and_its_deadline_only():
    config = PlannerConfig()
    search = dataclasses.replace(config, solver="cem", candidates=128, risk=1.0, deadline_ms=40.0)
    assert config.fixed_changes(search) == []
    assert config.fixed_changes(dataclasses.replace(search, bundle="x", threads=2)) == ["bundle", "threads"]


@pytest.mark.parametrize("bundle, message", [("", "parameter bundle"), ("/does/not/exist", "no bundle at")])
def test_without_a_bundle_nothing_is_built(bundle, message):
    with pytest.raises(ConfigError, match=message):
        build(PlannerConfig(bundle=bundle), lambda line: None)
