"""The parameters' checks."""

import dataclasses

import pytest
from wm_planner.assembly import build, make_scorer, make_solver
from wm_planner.config import PlannerConfig
from wm_planner.errors import ConfigError
from wm_planner.solvers import CEM, MPPI, ActorOnly


@pytest.mark.parametrize("values, message", [
    ({"bundel": "x"}, "unknown parameter bundel"),
    ({"candidates": 7}, "candidates: expected 8 to 4096, found 7"),
    ({"candidates": 8.0}, "candidates: expected int, found float"),
    ({"autostart": 1}, "autostart: expected bool, found int"),
    ({"solver": "magic"}, "solver: expected one of cem, mppi, actor, found 'magic'"),
    ({"deadline_ms": float("nan")}, "deadline_ms: expected 1.0 to 10000.0 ms, found nan"),
    ({"solver": "cem", "elites": 100}, r"elites: expected at most candidates \(64\), found 100"),
])
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
    config = PlannerConfig(role_name="hero", control_topic="/my/command")
    assert config.topic("status_topic", "vehicle_status") == "/carla/hero/vehicle_status"
    assert config.topic("control_topic", "vehicle_control_cmd") == "/my/command"


@pytest.mark.parametrize("name, kind", [("cem", CEM), ("mppi", MPPI), ("actor", ActorOnly)])
def test_the_solver_is_the_one_named(name, kind):
    assert type(make_solver(PlannerConfig(solver=name), 6)) is kind


def test_costs_are_those_with_a_weight():
    assert len(make_scorer(PlannerConfig(), 0.9)._costs) == 0
    assert len(make_scorer(PlannerConfig(action_rate_cost=1.0, deviation_cost=1.0), 0.9)._costs) == 2


@pytest.mark.parametrize("bundle, message", [("", "parameter bundle"), ("/does/not/exist", "no bundle at")])
def test_without_a_bundle_nothing_is_built(bundle, message):
    with pytest.raises(ConfigError, match=message):
        build(PlannerConfig(bundle=bundle), lambda line: None)
