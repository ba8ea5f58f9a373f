"""How CARLA's bridge counts the commands that its ticks wait for (its list of expected ones, and one event)."""

import pytest
from wm_sim.answers import Answers


def tick(answers, *, early=0, in_time=0, car=True) -> str:
    """One tick with that many commands before its wait begins and during it; returns how it went on."""
    answers.begin_tick(car)
    for _ in range(early):
        answers.command()
    if not answers.missing:
        return "no wait"
    for _ in range(in_time):
        if not answers.came:
            answers.command()
    came = answers.came
    answers.waited()
    return "answered" if came else "timed out"


@pytest.fixture
def answers():
    return Answers()


def test_each_tick_takes_one_answer(answers):
    assert [tick(answers, in_time=1) for _ in range(3)] == ["answered"] * 3
    assert tick(answers) == "timed out"


def test_the_tick_with_which_the_car_comes_is_not_waited_for_and_its_answer_ends_the_next_wait(answers):
    assert tick(answers, car=False, in_time=1) == "no wait"
    answers.command()  # the answer to what that tick sent
    assert tick(answers) == "answered" and tick(answers) == "timed out"


def test_a_command_that_no_tick_waits_for_answers_the_next_one(answers):
    tick(answers, in_time=1)
    assert not answers.command(), "unexpected"
    assert tick(answers) == "answered"


def test_a_late_answer_during_the_next_tick_lets_that_one_go_and_the_one_after_it_too(answers):
    assert tick(answers) == "timed out"
    assert tick(answers, early=1) == "no wait"
    assert tick(answers) == "answered", "the event is still set"
    assert tick(answers) == "timed out"


def test_who_is_early_once_stays_early(answers):
    tick(answers, in_time=1)
    assert [tick(answers, early=1) for _ in range(5)] == ["no wait"] * 5
