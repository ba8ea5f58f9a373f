"""Play, pause and step as CARLA's bridge does it (its process_run_state), between two ticks only."""

import pytest
from wm_sim.run_state import PAUSE, PLAY, STEP_ONCE, RunState


@pytest.fixture
def state():
    said = []
    state = RunState(said.append)
    state.said = said
    return state


def ticks(state, *orders, most=5):
    """How many ticks come after these orders, at most ``most``."""
    for order in orders:
        state.order(order)
    for count in range(most):
        if not state.may_tick():
            return count
        state.ticked()
    return most


def test_it_runs_until_it_is_paused_and_then_until_it_plays(state):
    assert ticks(state) == 5 and state.said == []
    assert ticks(state, PAUSE) == 0 and state.said == [False]
    assert ticks(state, PAUSE) == 0 and state.said == [False], "what is so already is not said again"
    assert ticks(state, PLAY) == 5 and state.said == [False, True]


def test_a_step_makes_one_tick_and_pauses_whether_it_ran_or_not(state):
    assert ticks(state, STEP_ONCE) == 1 and state.said == [False]
    assert ticks(state, STEP_ONCE) == 1 and state.said == [False, True, False]


def test_while_it_runs_only_the_last_order_counts(state):
    assert ticks(state, PAUSE, PLAY) == 5 and state.said == []
    assert ticks(state, PLAY, STEP_ONCE, PAUSE) == 0


def test_a_step_ordered_during_a_step_comes_after_it_and_two_at_once_are_one(state):
    ticks(state, PAUSE)
    state.order(STEP_ONCE)
    assert state.may_tick()
    state.order(STEP_ONCE)
    assert ticks(state) == 2
    assert ticks(state, STEP_ONCE, STEP_ONCE) == 1


def test_asking_twice_grants_one_step(state):
    ticks(state, PAUSE)
    state.order(STEP_ONCE)
    assert state.may_tick() and state.may_tick()
    state.ticked()
    assert not state.may_tick()


def test_an_unknown_order_is_refused_and_changes_nothing(state):
    with pytest.raises(ValueError, match="got 7"):
        state.order(7)
    assert ticks(state) == 5
