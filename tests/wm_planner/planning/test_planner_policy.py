"""The planner with a policy's proposal among its candidates, or a policy alone."""

import numpy as np
import pytest
from fake_planner import HORIZON, IMAGE, SPEED, make_planner, observe
from wm_bundle import from_command, to_command
from wm_planner.planning.solvers.actor_only import ActorOnly
from wm_planner.planning.solvers.policy_only import PolicyOnly


class FakePolicy:
    """Says ``action``, after ``seconds``; ``asked`` records the arguments."""

    def __init__(self, clock, action=(0.6, 0.0, 0.3), seconds=0.0):
        self.clock, self.action, self.seconds, self.asked = clock, np.array(action, np.float32), seconds, []

    def act(self, image, vector, previous_action):
        self.clock.advance(self.seconds)
        self.asked.append((image.copy(), vector.copy(), previous_action.copy()))
        return self.action


def test_a_policy_is_asked_about_what_was_observed_and_the_command_applied_before(engine, clock):
    policy = FakePolicy(clock)
    planner = make_planner(engine, clock, PolicyOnly(), policy=policy)
    planner.note_command(np.array([0.1, 0.2, 0.0]))
    observe(planner)
    assert planner.plan(clock() + 1.0).action == pytest.approx([0.6, 0.0, 0.3])
    planner.note_command(np.array([0.3, 0.4, 0.0]))
    observe(planner)
    planner.plan(clock() + 1.0)
    (image, vector, first), (_, _, second) = policy.asked
    np.testing.assert_array_equal(image, IMAGE)
    np.testing.assert_array_equal(vector, SPEED)
    assert first.tolist() == [0.0, 0.0, 0.0] and second == pytest.approx([0.3, 0.4, 0.0])


def test_the_policys_plan_goes_on_as_the_actor_does_after_the_commands_in_flight_and_its_action(engine, clock):
    planner = make_planner(engine, clock, PolicyOnly(), policy=FakePolicy(clock))
    engine.proposal = np.arange(3 * HORIZON, dtype=np.float32).reshape(HORIZON, 3) * np.float32([0.05, 0.0, 0.05])
    observe(planner)
    flying = [np.array([0.5, 0.0, 0.0])]
    plan = planner.plan(clock() + 1.0, in_flight=flying)
    assert engine.advanced[0] == pytest.approx(np.array(flying))
    assert engine.advanced[1] == pytest.approx(np.array([[0.6, 0.0, 0.3]]))
    assert plan.actions[1:3] == pytest.approx(to_command(from_command(engine.proposal[:2])))
    assert plan.in_flight == 1


def test_a_policy_judges_no_picture_that_is_not_whole_or_not_believed(engine, clock):
    policy = FakePolicy(clock)
    engine.proposal = np.tile(np.array([[0.1, 0.2, 0.0]], np.float32), (HORIZON, 1))
    planner = make_planner(engine, clock, PolicyOnly(), policy=policy)
    planner.observe(IMAGE, SPEED, 1, np.array([1.0, 0.0], np.float32))
    assert planner.plan(clock() + 1.0).action == pytest.approx([0.1, 0.2, 0.0])  # the actor's
    planner.observe(IMAGE, SPEED, 2, np.ones(2, np.float32))
    planner.discard_observation()
    assert planner.plan(clock() + 1.0).action == pytest.approx([0.1, 0.2, 0.0])
    assert policy.asked == []


def test_the_policys_time_is_taken_from_the_search(engine, clock):
    engine.imagine_s_each = 0.020 / 32
    plans = []
    for seconds in (0.0, 0.030):
        planner = make_planner(engine, clock, policy=FakePolicy(clock, seconds=seconds))
        observe(planner)
        begin_s = clock()
        plans.append(planner.plan(begin_s + 0.055))
        assert clock() - begin_s <= 0.055
    assert [plan.iterations for plan in plans] == [3, 2]  # of 55 ms, 20 for each whole one


def test_actors_alone_ask_no_policy(engine, clock):
    policy = FakePolicy(clock)
    planner = make_planner(engine, clock, ActorOnly(), policy=policy)
    observe(planner)
    planner.plan(clock() + 1.0)
    assert policy.asked == []
