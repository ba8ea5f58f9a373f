"""What the live view remembers of a drive, on an injected clock."""

import json
import math
from dataclasses import replace

import pytest
from wm_planner.pilot.modes import Mode
from wm_tools.live_view.history import Arrivals, FrameCount, History
from wm_tools.live_view.state import Fault, LiveState, Seen, StatusSample


class Clock:
    """Time that moves when it is told to."""

    def __init__(self):
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def state(clock) -> LiveState:
    return LiveState("ego_vehicle", clock)


DRIVING = StatusSample(
    stamp_ns=80_000_000,
    mode=Mode.DRIVING,
    reason="",
    by_watchdog=False,
    bundle_id="b",
    latency_ms=41.0,
    deadline_missed=False,
    candidates=64,
    horizon=12,
    iterations=2,
    in_flight=0,
    best_return=5.0,
    mean_return=3.0,
    surprise=4.0,
    surprise_threshold=113.0,
)
WATCHDOG = replace(DRIVING, stamp_ns=0, by_watchdog=True, bundle_id="command_watchdog", candidates=0)


def test_a_history_gives_each_client_only_what_is_new_to_it_and_forgets_what_is_old():
    history = History()
    for step in range(30):
        history.add(0.5 * step, step)
    assert [point[1] for point in history.since(27)] == [27, 28, 29]
    assert history.since(30) == []
    assert len(history.since(0)) == 30 and len(history.since(1000)) == 30  # a client of an earlier history
    history.add(30.0, 30)
    # 20 s before 30.0 s: the points at 10.0, 10.5, ... 14.5 s are steps 20 to 29
    assert [point[1] for point in history.since(0)] == [*range(20, 31)]


def test_a_history_keeps_at_most_25_points_a_second():
    history = History()
    for step in range(1000):
        history.add(0.001 * step, step)
    assert history.total == 25


def test_the_rate_falls_to_zero_when_messages_stop_while_the_age_grows(clock):
    arrivals = Arrivals(clock)
    assert arrivals.age_s() is None and arrivals.rate_hz() == 0.0
    for _ in range(11):
        arrivals.add()
        clock.now_s += 0.1
    assert arrivals.rate_hz() == pytest.approx(10.0)  # 10 intervals in 1.0 s
    clock.now_s += 5.0
    assert arrivals.rate_hz() == 0.0 and arrivals.age_s() == pytest.approx(5.1)


def test_frames_that_a_later_answer_passes_over_are_counted_in_either_order_of_arrival():
    count = FrameCount()
    for stamp in (1, 2, 3):
        count.take_frame(stamp)
    count.take_answer(1)
    count.take_answer(3)  # 2 was passed over
    count.take_answer(5)
    count.take_frame(4)  # late, and not answered
    count.take_frame(5)  # late, and answered
    assert (count.frames, count.unanswered) == (5, 2)
    count.take_frame(1)  # a new clock
    count.take_answer(1)
    count.take_frame(2)
    assert (count.frames, count.unanswered) == (7, 2)  # 2 still waits


def test_an_update_is_json_even_where_the_planner_says_nan(state):
    nan = math.nan
    state.take_status(replace(DRIVING, best_return=nan, mean_return=nan, surprise=math.inf))
    state.take_command(0.1, 0.2, 0.0)
    state.take_vehicle(nan, 0.0, 0.0, 0.0)
    state.take_step(nan, False)
    update = state.update(Seen())
    json.dumps(update, allow_nan=False)
    assert update["planner"]["best_return"] is None and update["planner"]["surprise"] is None
    assert update["history"]["status"] == [(0.0, 41.0, 0, None, None, None)]


def test_the_second_update_has_only_the_new_points(state, clock):
    seen = Seen()
    state.take_status(DRIVING)
    assert len(state.update(seen)["history"]["status"]) == 1
    clock.now_s += 0.08
    state.take_status(replace(DRIVING, stamp_ns=160_000_000, latency_ms=50.0))
    assert state.update(seen)["history"]["status"] == [(0.08, 50.0, 0, 4.0, 5.0, 3.0)]


def test_the_watchdogs_brake_is_the_mode_until_the_planner_speaks_again_or_the_brake_ends(state, clock):
    state.take_status(DRIVING)
    clock.now_s += 5.0
    state.take_status(replace(WATCHDOG, mode=Mode.BRAKING, reason="no command for 0.2 s"))
    assert state.update(Seen())["mode"] == {
        "name": "braking",
        "reason": "no command for 0.2 s",
        "by": "command watchdog",
        "age": 0.0,
    }
    assert state.update(Seen())["planner"]["bundle"] == "b"
    assert state.update(Seen())["sources"]["status"]["age"] == 5.0  # the planner is as silent as before
    state.take_status(replace(WATCHDOG, mode=Mode.INACTIVE, reason="no longer braking"))
    mode = state.update(Seen())["mode"]
    assert (mode["name"], mode["age"]) == ("driving", 5.0)
    state.take_status(replace(WATCHDOG, mode=Mode.BRAKING))
    state.take_status(replace(DRIVING, mode=Mode.DEGRADED, reason="surprise"))
    assert state.update(Seen())["mode"] == {"name": "degraded", "reason": "surprise", "by": "planner", "age": 0.0}


def test_a_brake_that_answers_no_image_is_a_mode_but_no_latency(state):
    state.take_status(replace(DRIVING, stamp_ns=0, mode=Mode.BRAKING, candidates=0, latency_ms=0.0))
    update = state.update(Seen())
    assert update["mode"]["name"] == "braking" and update["history"]["status"] == []
    assert update["planner"]["latency_ms"] is None and update["planner"]["answers"] == 0


def test_the_score_is_of_the_episode_and_says_whether_it_was_heard_from_its_beginning(state):
    for reward, ended in ((1.0, False), (2.0, True)):
        state.take_step(reward, ended)
    score = state.update(Seen())["score"]
    assert (score["total"], score["steps"], score["whole"], score["ended"]) == (3.0, 2, False, True)
    state.take_step(-0.5, False)
    score = state.update(Seen())["score"]
    assert (score["total"], score["steps"], score["whole"], score["ended"]) == (-0.5, 1, True, False)


def test_the_applied_command_is_shown_only_where_no_commands_are_heard(state):
    state.take_vehicle(5.0, 0.3, 0.0, 1.0)
    assert state.update(Seen())["command"] == {"steer": 0.3, "throttle": 0.0, "brake": 1.0, "applied": True}
    state.take_command(-0.2, 0.5, 0.0)
    state.take_vehicle(5.0, 0.3, 0.0, 1.0)
    assert state.update(Seen())["command"] == {"steer": -0.2, "throttle": 0.5, "brake": 0.0, "applied": False}


def test_diagnostics_of_one_node_replace_only_its_own_and_end_with_it(state, clock):
    state.take_diagnostics("a", [Fault("a: x", 1, "late")], 60.0)
    state.take_diagnostics("b", [Fault("b: y", 2, "broken")], None)
    state.take_diagnostics("a", [], 55.0)
    state.take_status(DRIVING)
    update = state.update(Seen())
    assert update["faults"] == [{"name": "b: y", "level": 2, "message": "broken"}]
    assert update["planner"]["deadline_ms"] == 55.0
    clock.now_s += 5.0
    assert state.update(Seen())["faults"] == []


def test_what_is_forgotten_is_not_shown_again(state):
    state.take_status(DRIVING)
    state.take_camera(1, lambda: None)
    assert state.heard_anything()
    state.forget()
    assert not state.heard_anything() and state.camera is None
    update = state.update(Seen(command=3, status=7))
    assert update["mode"] is None and update["planner"] is None and update["history"]["status"] == []


def test_who_joins_a_drive_is_not_told_that_nobody_plans_before_the_planner_had_the_time_to_be_found(state, clock):
    def no_planner() -> bool:
        return state.update(Seen())["no_planner"]

    clock.now_s += 60.0  # nothing drives yet
    assert not no_planner()
    state.take_vehicle(3.0, 0.0, 0.0, 0.0)
    clock.now_s += 4.9
    state.take_vehicle(3.0, 0.0, 0.0, 0.0)
    assert not no_planner()
    clock.now_s += 0.2
    assert no_planner()
    state.take_status(DRIVING)
    assert not no_planner()
    state.forget()
    state.take_vehicle(3.0, 0.0, 0.0, 0.0)
    assert not no_planner()
