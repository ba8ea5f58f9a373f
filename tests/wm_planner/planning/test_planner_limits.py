"""What a plan keeps to whatever is proposed: slew limits, and the cautious manner's throttle."""

import numpy as np
import pytest
from fake_planner import HORIZON, IMAGE, cem, make_planner, observe, settings
from wm_bundle import from_command, to_command
from wm_planner.errors import PlanError
from wm_planner.planning.limits import ActionLimits
from wm_planner.planning.plan import check_actions
from wm_planner.planning.scoring import Scorer
from wm_planner.planning.solvers.actor_only import ActorOnly
from wm_planner.planning.solvers.mppi import MPPI
from wm_planner.planning.solvers.shooting import RandomShooting
from wm_planner.planning.tuning import Manner


def test_slew_limits_hold_from_the_last_command_on(engine, clock):
    engine.proposal = np.tile(np.array([[1.0, 0.0, 1.0]], np.float32), (HORIZON, 1))  # full right, full brake
    for solver in (ActorOnly(), cem()):
        planner = make_planner(engine, clock, solver, Manner(Scorer(1.0, 1.0), ActionLimits((0.1, 0.25))))
        planner.note_command(np.array([-0.3, 0.5, 0.0]))
        observe(planner)
        plan = planner.plan(clock() + 1.0)
        assert plan.action[0] <= -0.2 + 1e-6 and plan.action[1] >= 0.25 - 1e-6
        longitudinal = plan.actions[:, 1] - plan.actions[:, 2]
        assert np.abs(np.diff(plan.actions[:, 0])).max() <= 0.1 + 1e-6
        assert np.abs(np.diff(longitudinal, prepend=0.5)).max() <= 0.25 + 1e-6
        after = planner.plan(clock() + 1.0, in_flight=[np.array([0.9, 0.0, 0.0])])
        assert after.action[0] >= 0.8 - 1e-6


def test_whatever_the_actor_proposes_a_plan_keeps_every_limit(engine, clock):
    random = np.random.default_rng(5)
    solvers = (ActorOnly(), cem(), MPPI(settings(), 1.0), RandomShooting(settings()))
    for round_index in range(60):
        slew = tuple(random.uniform(0.02, 1.0, 2))
        limits = ActionLimits(slew, ceiling=random.uniform(0.0, 1.0))
        planner = make_planner(engine, clock, solvers[round_index % 4], Manner(Scorer(1.0, 1.0), limits))
        engine.proposal = random.normal(0.0, 1.0, (HORIZON, 3)).astype(np.float32)  # also outside of the limits
        before = random.uniform((-1.0, -1.0), (1.0, 1.0)).astype(np.float32)
        planner.note_command(to_command(before))
        for _ in range(2):
            observe(planner)
            plan = planner.plan(clock() + 1.0)
            check_actions(plan.actions)
            limits.check(from_command(plan.actions), before)
            for candidate in plan.candidates:
                limits.check(from_command(candidate), before)


def test_a_plan_beyond_the_slew_limits_is_refused_with_the_place():
    plan = np.zeros((HORIZON, 2), np.float32)
    plan[3, 0] = 0.5
    with pytest.raises(PlanError, match=r"by \[0.5, 0.0\] at step 3, the limit is \[0.4, 1.0\]"):
        ActionLimits((0.4, 1.0)).check(plan, np.zeros(2, np.float32))
    ActionLimits((0.5, 1.0)).check(plan, np.zeros(2, np.float32))


def test_wide_limits_change_nothing(engine, clock):
    plans = []
    for limits in (ActionLimits(), ActionLimits((1.99, 1.99))):
        planner = make_planner(engine, clock, normal=Manner(Scorer(1.0, 1.0), limits))
        observe(planner)
        plans.append(planner.plan(clock() + 1.0).actions)
    np.testing.assert_array_equal(*plans)


def test_cautious_limits_throttle_and_takes_it_away_at_speed(engine, clock):
    engine.proposal = np.tile(np.array([[0.0, 0.8, 0.0]], np.float32), (HORIZON, 1))
    calm = Manner(Scorer(1.0, 1.0), ActionLimits(ceiling=0.2), no_throttle_above_mps=10.0)
    planner = make_planner(engine, clock, cautious=calm)
    observe(planner)
    assert planner.plan(clock() + 1.0).action[1] > 0.4
    assert planner.plan(clock() + 1.0, cautious=True).actions[:, 1].max() == pytest.approx(0.2)
    planner.observe(IMAGE, np.array([10.1], np.float32), 10**9)
    assert planner.plan(clock() + 1.0, cautious=True).actions[:, 1].max() == 0.0
    assert planner.plan(clock() + 1.0).action[1] > 0.4
    planner.observe(IMAGE, np.array([np.nan], np.float32), 2 * 10**9)  # a speed that is masked may be any
    assert planner.plan(clock() + 1.0, cautious=True).actions[:, 1].max() == 0.0
    assert planner.plan(clock() + 1.0).action[1] > 0.4
