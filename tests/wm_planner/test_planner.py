"""The planner with a fake engine and a fake clock."""

import numpy as np
import pytest
from wm_planner.errors import NonFiniteError, PlanError
from wm_planner.planner import CandidateTimer, Planner, check_actions
from wm_planner.scoring import Scorer
from wm_planner.solvers import CEM, SamplingSettings

HORIZON = 6
IMAGE = np.zeros((3, 8, 8), np.uint8)
SPEED = np.array([4.0], np.float32)


@pytest.fixture
def planner(engine, clock) -> Planner:
    settings = SamplingSettings(32, HORIZON, iterations=3, std=(0.2, 0.2), correlation=0.8, trust=3.0, seed=1)
    return Planner(engine, CEM(settings, 6), Scorer(1.0, 1.0), clock=clock)


def test_drives_towards_the_reward(planner, clock):
    for _ in range(5):
        planner.observe(IMAGE, SPEED)
        plan = planner.plan(clock() + 1.0)
    assert plan.action == pytest.approx([0.3, 0.5, 0.0], abs=0.1)  # the target is (0.3 steer, 0.5 longitudinal)
    assert plan.iterations == 3 and plan.candidates.shape == (32, HORIZON, 3)
    assert plan.best_return == plan.returns.max() >= plan.mean_return
    assert plan.surprise == 0.25


def test_belief_and_previous_action_are_carried_on(planner, engine):
    planner.observe(IMAGE, SPEED)
    planner.note_command(np.array([0.1, 0.2, 0.0]))
    planner.observe(IMAGE, SPEED)
    first, second = engine.observed
    assert first.is_first and not second.is_first
    assert second.previous_action == pytest.approx([0.1, 0.2, 0.0])
    assert second.belief == pytest.approx(first.belief + 1.0)
    planner.reset()
    planner.observe(IMAGE, SPEED)
    assert engine.observed[2].is_first and (engine.observed[2].belief == 0.0).all()


def test_same_seed_and_frames_give_the_same_commands(planner, clock):
    def drive():
        planner.reset()
        commands = []
        for _ in range(4):
            planner.observe(IMAGE, SPEED)
            commands.append(planner.plan(clock() + 1.0).action)
            planner.note_command(commands[-1])
        return np.array(commands)

    np.testing.assert_array_equal(drive(), drive())


def test_fills_the_time_until_the_deadline_and_no_more(planner, engine, clock):
    engine.imagine_s_each = 0.020 / 32
    planner.observe(IMAGE, SPEED)
    begin_s = clock()
    plan = planner.plan(begin_s + 0.055)
    # 32 candidates in 20 ms, again 32, and in the 15 ms that are left 24
    assert plan.iterations == 3 and len(plan.candidates) == 24
    assert clock() - begin_s <= 0.055


def test_without_any_time_the_actor_drives(planner, engine, clock):
    engine.proposal = np.tile(np.array([[0.7, 0.0, 0.4]], np.float32), (HORIZON, 1))
    planner.observe(IMAGE, SPEED)
    plan = planner.plan(clock() - 0.001)
    assert plan.iterations == 0 and np.isnan(plan.best_return)
    assert plan.action == pytest.approx([0.7, 0.0, 0.4])


def test_one_slow_call_does_not_end_the_search_for_good(planner, engine, clock):
    planner.observe(IMAGE, SPEED)
    engine.imagine_s_each = 5.0 / 32
    planner.plan(clock() + 0.05)
    engine.imagine_s_each = 0.001 / 32
    iterations = [planner.plan(clock() + 0.05).iterations for _ in range(10)]
    assert iterations[0] == 0 and iterations[-1] == 3


def test_timer_believes_bad_news_at_once():
    timer = CandidateTimer()
    timer.record(0.010, candidates=10)
    timer.record(0.050, candidates=10)
    assert timer.expected_s == pytest.approx(0.005)
    timer.record(0.0, candidates=10)
    assert timer.expected_s == pytest.approx(0.004)  # 0.8 * 5 ms
    assert timer.fitting(0.021) == 5 and timer.fitting(-1.0) == 0
    timer.skipped()
    assert timer.expected_s == pytest.approx(0.002)


def test_model_noise_is_shared_by_all_candidates(engine, clock):
    seen = []
    imagine = engine.imagine
    engine.imagine = lambda belief, actions, noise: (seen.append(noise.copy()), imagine(belief, actions, noise))[1]
    settings = SamplingSettings(8, HORIZON, iterations=1, std=(0.2, 0.2), correlation=0.8, trust=3.0, seed=1)
    planner = Planner(engine, CEM(settings, 2), Scorer(1.0, 1.0), model_noise=0.5, clock=clock)
    planner.observe(IMAGE, SPEED)
    planner.plan(clock() + 1.0)
    assert seen[0].std() > 0.1
    assert (seen[0] == seen[0][:1]).all()


def test_a_plan_that_is_not_finite_does_not_leave(planner, engine, clock):
    engine.target[:] = np.nan  # every score is NaN, so MPPI's weights or CEM's choice mean nothing
    engine.proposal[:] = np.nan
    planner.observe(IMAGE, SPEED)
    with pytest.raises(PlanError, match="not finite"):
        planner.plan(clock() + 1.0)


@pytest.mark.parametrize("action, message", [
    ([0.0, np.inf, 0.0], "not finite"), ([1.1, 0.0, 0.0], "limits"), ([0.0, 0.0, -0.1], "limits"),
    ([0.0, 0.5, 0.5], "at once")])
def test_check_refuses(action, message):
    with pytest.raises(PlanError, match=message):
        check_actions(np.array([[0.0, 0.0, 0.0], action]))


def test_engine_errors_reach_the_caller(planner, engine):
    engine.fail = NonFiniteError("belief is not finite")
    with pytest.raises(NonFiniteError):
        planner.observe(IMAGE, SPEED)
