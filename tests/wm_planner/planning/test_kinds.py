"""A cost or a solver is one file: what is written in it is found, declared and used."""

import dataclasses

import numpy as np
import pytest
from fake_planner import HORIZON, make_planner, observe
from gradient_solver import GradientSolver
from wm_planner.assembly import make_tuning
from wm_planner.config import PlannerConfig
from wm_planner.planning.costs import COSTS
from wm_planner.planning.costs.base import Cost, CostContext, Futures
from wm_planner.planning.kinds import kinds_in, with_parameters_of
from wm_planner.planning.solvers import SOLVERS

BRAKING_COST = """
from wm_bundle.processes.parameters import parameter
from wm_planner.planning.costs.base import Cost

class _Half(Cost):
    name = "not to be found"

class BrakingCost(Cost):
    name = "braking_cost"
    parameters = {name: parameter(0.0, "cost of braking", "reward", 0.0, 10.0, live=True)}

    def __call__(self, plans, futures, context):
        return self.weight * (plans[..., 1] < 0.0).sum(axis=1)
"""


@pytest.fixture
def braking_cost(tmp_path, monkeypatch) -> type[Cost]:
    (tmp_path / "more_costs").mkdir()
    (tmp_path / "more_costs" / "__init__.py").touch()
    (tmp_path / "more_costs" / "braking.py").write_text(BRAKING_COST)
    monkeypatch.syspath_prepend(tmp_path)
    (found,) = kinds_in("more_costs", [tmp_path / "more_costs"], Cost)
    return found


def test_a_cost_is_found_in_its_file_and_its_weight_is_a_parameter(braking_cost):
    @dataclasses.dataclass(frozen=True)
    @with_parameters_of(braking_cost)
    class Config:
        first: int = 1

    assert [entry.name for entry in dataclasses.fields(Config)] == ["first", "braking_cost"]
    assert Config(braking_cost=2.0).braking_cost == 2.0
    plans = np.zeros((1, 3, 2), np.float32)
    plans[0, :2, 1] = -0.1
    context = CostContext(np.zeros(2), np.zeros((3, 2)))
    assert braking_cost(2.0)(plans, Futures(None, None, None, None), context) == [4.0]  # 2 weight * 2 steps


@pytest.mark.parametrize("kind", COSTS)
def test_a_costs_weight_is_off_at_first_and_may_change_while_driving(kind):
    entry = next(entry for entry in dataclasses.fields(PlannerConfig) if entry.name == kind.name)
    assert entry.default in (0.0, "") and entry.metadata["live"] and entry.metadata["description"]


def test_a_solver_that_needs_gradients_and_the_model_finds_a_better_plan(engine, clock, manifest, monkeypatch):
    monkeypatch.setitem(SOLVERS, "gradient", GradientSolver)
    config = PlannerConfig.from_values({"solver": "gradient", "iterations": 20})
    tuning = make_tuning(config, manifest, has_ensemble=False)
    planner = make_planner(engine, clock, tuning.solver)
    observe(planner)
    plan = planner.plan(clock() + 1.0)
    # The actor's plan, all zeros, is worth 6 steps * -(0.3² + 0.5²); that is 0 at the target (0.3, 0.5).
    assert plan.returns == pytest.approx([0.0, -HORIZON * 0.34], abs=1e-3)
    assert plan.action == pytest.approx([0.3, 0.5, 0.0], abs=0.01)
    assert planner.plan(clock()).iterations == 0  # no time is left
