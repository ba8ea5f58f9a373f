"""The planner with a fake engine and a fake clock."""

from dataclasses import replace

import numpy as np
import pytest
from fake_planner import HORIZON, IMAGE, SPEED, cem, make_planner, observe, settings
from wm_planner.engine.imagined import Imagined
from wm_planner.errors import NonFiniteError, PlanError, PlannerError
from wm_planner.planning.costs.uncertainty import SpreadCost
from wm_planner.planning.limits import ActionLimits
from wm_planner.planning.plan import check_actions
from wm_planner.planning.planner import Planner
from wm_planner.planning.scoring import Scorer
from wm_planner.planning.solvers.cem import CEM
from wm_planner.planning.timer import CandidateTimer
from wm_planner.planning.tuning import Manner, Tuning


@pytest.fixture
def planner(engine, clock) -> Planner:
    return make_planner(engine, clock)


def test_drives_towards_the_reward(planner, clock):
    for _ in range(5):
        observe(planner)
        plan = planner.plan(clock() + 1.0)
    assert plan.action == pytest.approx([0.3, 0.5, 0.0], abs=0.1)  # the target is (0.3 steer, 0.5 longitudinal)
    assert plan.iterations == 3 and plan.candidates.shape == (32, HORIZON, 3)
    assert plan.best_return == plan.returns.max() >= plan.mean_return
    assert plan.surprise == 0.25


def test_belief_and_previous_action_are_carried_on(planner, engine):
    observe(planner)
    planner.note_command(np.array([0.1, 0.2, 0.0]))
    observe(planner)
    first, second = engine.observed
    assert first.is_first and not second.is_first
    assert second.previous_action == pytest.approx([0.1, 0.2, 0.0])
    assert second.belief == pytest.approx(first.belief + 1.0)
    planner.reset()
    observe(planner)
    assert engine.observed[2].is_first and (engine.observed[2].belief == 0.0).all()


def test_same_seed_and_frames_give_the_same_commands(planner, clock):
    def drive():
        planner.reset()
        commands = []
        for _ in range(4):
            observe(planner)
            commands.append(planner.plan(clock() + 1.0).action)
            planner.note_command(commands[-1])
        return np.array(commands)

    np.testing.assert_array_equal(drive(), drive())


def test_fills_the_time_until_the_deadline_and_no_more(planner, engine, clock):
    engine.imagine_s_each = 0.020 / 32
    observe(planner)
    begin_s = clock()
    plan = planner.plan(begin_s + 0.055)
    # 32 candidates in 20 ms, again 32, and in the 15 ms that are left 24
    assert plan.iterations == 3 and len(plan.candidates) == 24
    assert clock() - begin_s <= 0.055


def test_without_any_time_the_actor_drives(planner, engine, clock):
    engine.proposal = np.tile(np.array([[0.7, 0.0, 0.4]], np.float32), (HORIZON, 1))
    observe(planner)
    plan = planner.plan(clock() - 0.001)
    assert plan.iterations == 0 and np.isnan(plan.best_return)
    assert plan.action == pytest.approx([0.7, 0.0, 0.4])


def test_one_slow_call_does_not_end_the_search_for_good(planner, engine, clock):
    observe(planner)
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
    planner = make_planner(engine, clock, cem(candidates=8, iterations=1), model_noise=0.5)
    observe(planner)
    planner.plan(clock() + 1.0)
    assert seen[0].std() > 0.1
    assert (seen[0] == seen[0][:1]).all()


def test_a_plan_that_is_not_finite_does_not_leave(planner, engine, clock):
    engine.target[:] = np.nan  # every score is NaN, so MPPI's weights or CEM's choice mean nothing
    engine.proposal[:] = np.nan
    observe(planner)
    with pytest.raises(PlanError, match="not finite"):
        planner.plan(clock() + 1.0)


@pytest.mark.parametrize(
    "action, message",
    [
        ([0.0, np.inf, 0.0], "not finite"),
        ([1.1, 0.0, 0.0], "limits"),
        ([0.0, 0.0, -0.1], "limits"),
        ([0.0, 0.5, 0.5], "at once"),
    ],
)
def test_check_refuses(action, message):
    with pytest.raises(PlanError, match=message):
        check_actions(np.array([[0.0, 0.0, 0.0], action]))


def test_engine_errors_reach_the_caller(planner, engine):
    engine.fail = NonFiniteError("belief is not finite")
    with pytest.raises(NonFiniteError):
        observe(planner)


def test_the_camera_mask_reaches_the_model(planner, engine):
    planner.observe(IMAGE, SPEED, 1, np.array([1.0, 0.0], np.float32))
    assert engine.observed[0].camera_mask.tolist() == [1.0, 0.0]


def test_an_observation_needs_a_later_stamp_and_a_plan_an_observation(planner, clock):
    with pytest.raises(PlannerError, match="call observe first"):
        planner.plan(clock() + 1.0)
    planner.observe(IMAGE, SPEED, 5)
    with pytest.raises(PlannerError, match="stamped 5 ns after one stamped 5 ns"):
        planner.observe(IMAGE, SPEED, 5)
    planner.reset()
    planner.observe(IMAGE, SPEED, 5)
    assert planner.plan(clock() + 1.0).stamp_ns == 5


def test_a_plan_begins_after_the_commands_in_flight(planner, engine, clock):
    observe(planner)
    flying = [np.array([0.5, 0.0, 0.0]), np.array([0.6, 0.2, 0.0])]
    plan = planner.plan(clock() + 1.0, in_flight=flying)
    assert plan.in_flight == 2
    assert (engine.imagined_from[-1] == 3.0).all()  # one observation and two commands
    observe(planner)
    assert (engine.observed[-1].belief == 1.0).all()  # rolled forward for planning only


def test_a_picture_not_believed_is_replaced_by_a_prediction(planner, engine):
    observe(planner)
    observe(planner)
    planner.discard_observation()  # FakeEngine's beliefs count: one observation, one command
    observe(planner)
    assert (engine.observed[-1].belief == 2.0).all() and not engine.observed[-1].is_first


def test_several_futures_of_a_plan_share_the_candidates_and_differ_in_noise(engine, clock):
    seen = []

    def imagine(belief, actions, noise):
        seen.append((actions.copy(), noise.copy()))
        reward = noise[:, :, 0]
        return Imagined(reward, np.ones_like(reward), np.zeros_like(reward))

    engine.imagine = imagine
    risky = Manner(Scorer(1.0, 1.0, [SpreadCost(1.0)], samples=4))
    planner = make_planner(engine, clock, cem(candidates=40, iterations=1), risky)
    observe(planner)
    plan = planner.plan(clock() + 1.0)
    ((actions, noise),) = seen
    assert len(actions) == 40 and len(plan.candidates) == 10
    actions, noise = actions.reshape(4, 10, HORIZON, 3), noise.reshape(4, 10, HORIZON, 2)
    assert (actions == plan.candidates).all()
    assert (noise == noise[:, :1]).all() and noise.std() == pytest.approx(1.0, abs=0.4)
    assert not (noise[0] == noise[1]).any()


class FailsAtFirst(CEM):
    """A search whose answers are spoilt at the given calls; ``tried``: the candidates of every call."""

    def __init__(self, failures: set[int]):
        super().__init__(settings(iterations=1), 8)
        self.failures, self.tried = failures, []

    def solve(self, problem):
        solution = super().solve(problem)
        self.tried.append(solution.candidates.copy())
        spoilt = len(self.tried) - 1 in self.failures
        return replace(solution, plan=solution.plan * np.float32(np.nan)) if spoilt else solution


def test_a_bad_plan_is_searched_for_again_a_bounded_number_of_times(engine, clock):
    planner = make_planner(engine, clock, FailsAtFirst({0, 1}), retries=2)
    observe(planner)
    assert planner.plan(clock() + 1.0).retries == 2
    planner = make_planner(engine, clock, FailsAtFirst({0, 1, 2}), retries=2)
    observe(planner)
    with pytest.raises(PlanError, match="not finite.*2 further searches failed too"):
        planner.plan(clock() + 1.0)


def test_every_retry_draws_fresh_numbers_without_the_last_plan_and_is_the_same_for_a_seed(engine, clock):
    def search() -> list[np.ndarray]:
        solver = FailsAtFirst({1, 2})  # the first frame succeeds and leaves a plan to start from
        planner = make_planner(engine, clock, solver, retries=2)
        for _ in range(2):
            observe(planner)
            planner.plan(clock() + 1.0)
        return solver.tried

    _, first, second, third = tried = search()
    assert not (first[3:] == second[3:]).any() and not (second[3:] == third[3:]).any()  # 3 are no samples
    assert (first[1] != first[0]).any() and (second[1] == second[0]).all()  # the last plan beside the actor's
    np.testing.assert_array_equal(tried, search())


def test_scores_that_are_not_finite_choose_nothing(engine, clock):
    planner = make_planner(engine, clock, retries=0)
    engine.target[:] = np.nan
    observe(planner)
    with pytest.raises(PlanError, match="32 of 32 plans have a score that is not finite"):
        planner.plan(clock() + 1.0)


def test_retuning_keeps_the_belief_and_changes_the_next_plan(planner, engine, clock):
    observe(planner)
    planner.retune(Tuning(cem(candidates=64, iterations=1), Manner(Scorer(1.0, 1.0), ActionLimits((0.01, 0.01)))))
    plan = planner.plan(clock() + 1.0)
    assert len(plan.candidates) == 64 and plan.iterations == 1
    assert np.abs(plan.action).max() <= 0.01 + 1e-6
    observe(planner)
    assert (engine.observed[-1].belief == 1.0).all() and not engine.observed[-1].is_first


def test_the_imagined_future_has_the_observed_signals_and_then_the_imagined_ones(engine, clock):
    planner = make_planner(engine, clock)
    observe(planner)
    actions = np.zeros((HORIZON, 3), np.float32)
    pictures, signals = planner.imagine_future(actions)
    assert pictures.shape[0] == HORIZON and signals is None  # this model imagines none
    engine.imagined_vector = np.arange(1.0, HORIZON + 1.0, dtype=np.float32).reshape(1, HORIZON, 1)
    _, signals = planner.imagine_future(actions)
    assert signals.shape == (1 + HORIZON, 1)
    assert signals[1:, 0].tolist() == list(range(1, HORIZON + 1))
