"""Solvers on a known landscape."""

import numpy as np
import pytest
from wm_planner.planning.solvers.actor_only import ActorOnly
from wm_planner.planning.solvers.base import Problem
from wm_planner.planning.solvers.cem import CEM
from wm_planner.planning.solvers.mppi import MPPI
from wm_planner.planning.solvers.policy_only import PolicyOnly
from wm_planner.planning.solvers.sampling import SamplingSettings
from wm_planner.planning.solvers.shooting import RandomShooting

HORIZON = 6
SAMPLING = ("shooting", "cem", "mppi")
TARGET = np.tile(np.array([[0.30, -0.20]], np.float32), (HORIZON, 1))


def score(plans: np.ndarray) -> np.ndarray:
    """Largest, 0, where every step of the plan is the target's."""
    return -np.square(plans - TARGET).sum(axis=(1, 2))


def settings(**changes) -> SamplingSettings:
    values = dict(candidates=64, horizon=HORIZON, iterations=3, std=(0.15, 0.15), correlation=0.8, trust=10.0, seed=3)
    return SamplingSettings(**{**values, **changes})


def make(name: str, **changes):
    if name == "shooting":
        return RandomShooting(settings(**changes))
    if name == "cem":
        return CEM(settings(**changes), elites=8)
    return MPPI(settings(**changes), temperature=0.1)


def problem(
    proposal=None, evaluate=score, affordable=lambda: 10**6, limit=lambda plans: None, policy_plan=None
) -> Problem:
    proposal = np.zeros((HORIZON, 2), np.float32) if proposal is None else proposal
    return Problem(proposal, limit, evaluate, affordable, lambda: policy_plan)


@pytest.mark.parametrize("name", SAMPLING)
def test_finds_the_optimum_over_a_few_frames(name):
    solver = make(name)
    for _ in range(6):
        solution = solver.solve(problem())
    # The actor's plan scores -0.78. Shooting has to hit what the others get to by averaging.
    assert -score(solution.plan[None])[0] < (0.2 if name == "shooting" else 0.04)
    assert solution.plan.shape == (HORIZON, 2) and solution.plan.dtype == np.float32


@pytest.mark.parametrize("name", ["cem", "mppi"])
def test_warm_start_keeps_what_was_found(name):
    solver = make(name, iterations=1)
    errors = [np.abs(solver.solve(problem()).plan[0] - TARGET[0]).max() for _ in range(10)]
    assert np.mean(errors[5:]) < 0.5 * errors[0]


@pytest.mark.parametrize("name", SAMPLING)
def test_last_plan_is_shifted_by_one_step(name):
    solver = make(name, iterations=1)
    first = solver.solve(problem())
    kept = first.plan.copy()
    proposal = np.full((HORIZON, 2), 0.5, np.float32)
    second = solver.solve(problem(proposal))
    np.testing.assert_array_equal(second.candidates[1], np.concatenate([kept[1:], proposal[-1:]]))
    np.testing.assert_array_equal(second.candidates[0], proposal)


@pytest.mark.parametrize("name", SAMPLING)
def test_same_seed_same_plans_and_reset_starts_again(name):
    one, other, different = make(name), make(name), make(name, seed=4)
    plans = [one.solve(problem()).plan for _ in range(2)]
    np.testing.assert_array_equal(plans[0], other.solve(problem()).plan)
    np.testing.assert_array_equal(plans[1], other.solve(problem()).plan)
    assert not np.array_equal(plans[0], different.solve(problem()).plan)
    one.reset()
    np.testing.assert_array_equal(plans[0], one.solve(problem()).plan)


@pytest.mark.parametrize("name", SAMPLING)
def test_search_never_scores_below_the_actor(name):
    proposal = TARGET.copy()  # nothing to gain
    solution = make(name).solve(problem(proposal))
    assert solution.returns.max() == pytest.approx(0.0)
    assert np.abs(solution.plan - TARGET).max() < 0.1


@pytest.mark.parametrize("name", SAMPLING)
def test_no_plan_leaves_the_limits_or_the_trust_region(name):
    proposal = np.full((HORIZON, 2), 0.95, np.float32)
    solver = make(name, trust=1.5)
    for _ in range(5):  # warm starts must not wander off either, though the score draws them to the target
        solution = solver.solve(problem(proposal))
        assert np.abs(solution.candidates).max() <= 1.0
        reach = max(np.abs(solution.candidates - proposal).max(), np.abs(solution.plan - proposal).max())
        assert reach == pytest.approx(1.5 * 0.15, rel=1e-5)


def test_noise_is_correlated_between_steps():
    solution = make("cem", candidates=4000, iterations=1, std=(0.1, 0.2)).solve(problem())
    noise = solution.candidates[3:]
    steps = np.corrcoef(noise[:, 2, 0], noise[:, 3, 0])[0, 1]
    assert steps == pytest.approx(0.8, abs=0.05)
    assert noise[..., 0].std() == pytest.approx(0.1, rel=0.05) and noise[..., 1].std() == pytest.approx(0.2, rel=0.05)


@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_stops_when_there_is_no_time_and_keeps_the_best_so_far(allowed):
    calls = []

    def evaluate(plans):
        calls.append(1)
        return score(plans)

    proposal = np.full((HORIZON, 2), 0.1, np.float32)
    solution = make("cem").solve(problem(proposal, evaluate, lambda: 10**6 if len(calls) < allowed else 7))
    assert solution.iterations == allowed == len(calls)
    if allowed == 0:
        np.testing.assert_array_equal(solution.plan, proposal)
        assert np.isnan(solution.returns).all()


@pytest.mark.parametrize("name", SAMPLING)
def test_takes_only_as_many_candidates_as_are_affordable(name):
    solution = make(name, iterations=2).solve(problem(affordable=lambda: 20))
    assert solution.candidates.shape == (20, HORIZON, 2) and solution.returns.shape == (20,)
    full = make(name, iterations=2).solve(problem())
    assert full.candidates.shape == (64, HORIZON, 2)
    assert full.returns.max() > solution.returns.max()


def test_shooting_gives_the_best_candidate_of_all_iterations():
    seen = []

    def evaluate(plans):
        seen.append((plans.copy(), score(plans)))
        return seen[-1][1]

    solution = make("shooting", iterations=4).solve(problem(evaluate=evaluate))
    plans, scores = (np.concatenate(parts) for parts in zip(*seen, strict=True))
    np.testing.assert_array_equal(solution.plan, plans[np.argmax(scores)])
    # Every iteration draws anew around the actor's plan: the spread stays, where CEM's would shrink with it.
    widths = [plans[3:].std() for plans, _ in seen]
    assert min(widths) > 0.9 * widths[0]


@pytest.mark.parametrize("name", SAMPLING)
def test_candidates_and_answer_keep_the_problems_limits(name):
    def limit(plans):
        np.clip(plans, -0.02, 0.02, out=plans)

    solver = make(name)
    for _ in range(3):  # also what the warm start brings
        solution = solver.solve(problem(limit=limit))
        assert np.abs(solution.candidates).max() <= 0.02 and np.abs(solution.plan).max() <= 0.02 + 1e-7


def test_actor_alone_is_scored_but_not_changed():
    proposal = np.full((HORIZON, 2), 0.1, np.float32)
    solution = ActorOnly().solve(problem(proposal))
    np.testing.assert_array_equal(solution.plan, proposal)
    # 6 steps * ((0.1 - 0.3)² + (0.1 + 0.2)²) = 6 * 0.13
    assert solution.returns == pytest.approx([-0.78])


@pytest.mark.parametrize("name", SAMPLING)
def test_a_policys_plan_is_tried_and_wins_where_it_is_best(name):
    plain, helped = (
        make(name, trust=1.0, std=(0.05, 0.05)).solve(problem(policy_plan=plan)) for plan in (None, TARGET)
    )
    assert (helped.candidates == TARGET).all(axis=(1, 2)).any()
    assert helped.returns.max() == 0.0  # at best 0.05 of the way in the box around the actor's plan
    distance = np.abs(helped.plan - TARGET).max()
    # Shooting takes it as it is; the others are drawn to it, mppi least because it averages over all candidates.
    assert distance <= {"shooting": 0.0, "cem": 0.05, "mppi": 0.1}[name]
    assert score(plain.plan[None])[0] < -0.4  # 6 * (0.25² + 0.15²) = 0.51 in the corner of the box


@pytest.mark.parametrize("name", SAMPLING)
def test_the_trust_region_reaches_to_a_policys_plan_and_no_further(name):
    policy_plan = np.tile(np.array([[0.1, -0.6]], np.float32), (HORIZON, 1))
    solver = make(name, trust=1.0)
    for _ in range(3):
        solution = solver.solve(problem(policy_plan=policy_plan, evaluate=lambda plans: -plans.sum(axis=(1, 2))))
        low, high = solution.candidates.min(axis=(0, 1)), solution.candidates.max(axis=(0, 1))
        np.testing.assert_allclose(low, [-0.15, -0.6], atol=1e-6)  # the box of the actor's plan, 0, ends at 0.15
        assert high.max() <= 0.15 + 1e-6


@pytest.mark.parametrize("name", SAMPLING)
def test_a_policy_that_proposes_a_poor_plan_costs_the_search_little(name):
    awful = np.full((HORIZON, 2), -1.0, np.float32)
    solver = make(name)
    for _ in range(6):
        solution = solver.solve(problem(policy_plan=awful))
    assert -score(solution.plan[None])[0] < (0.25 if name == "shooting" else 0.1)  # the actor's: 0.78, awful: 14


def test_policy_alone_is_scored_but_not_changed_and_the_actor_stands_in_for_it():
    plan, proposal = TARGET + 0.1, np.full((HORIZON, 2), 0.1, np.float32)
    solution = PolicyOnly().solve(problem(proposal, policy_plan=plan))
    np.testing.assert_array_equal(solution.plan, plan)
    assert solution.returns == pytest.approx([-12 * 0.1**2]) and solution.iterations == 1
    late = PolicyOnly().solve(problem(proposal, policy_plan=plan, affordable=lambda: 0))
    np.testing.assert_array_equal(late.plan, plan)
    assert late.iterations == 0 and np.isnan(late.returns).all()
    np.testing.assert_array_equal(PolicyOnly().solve(problem(proposal)).plan, proposal)


@pytest.mark.parametrize(
    "changes, named",
    [
        ({"candidates": 7}, "candidates.*at least 8, found 7"),
        ({"iterations": 0}, "iterations"),
        ({"horizon": 0}, "horizon"),
    ],
)
def test_refuses_bad_settings(changes, named):
    with pytest.raises(ValueError, match=named):
        settings(**changes)


def test_refuses_bad_elites_and_temperature():
    with pytest.raises(ValueError, match="elites.*65"):
        CEM(settings(), elites=65)
    with pytest.raises(ValueError, match="temperature"):
        MPPI(settings(), temperature=0.0)
