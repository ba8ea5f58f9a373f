"""The watchdog of commands on a fake clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wm_planner.command_watchdog.simulated_time import SimulatedTime
from wm_planner.command_watchdog.watchdog import REPEAT_S, CommandWatchdog

THROTTLE, BRAKE = (True,), (False,)


@pytest.fixture
def watchdog(clock) -> CommandWatchdog:
    return CommandWatchdog(0.2, clock)


def test_does_nothing_before_the_first_command(watchdog, clock):
    clock.advance(100.0)
    assert watchdog.brake_due() is None and watchdog.state.name == "disarmed"


def test_brakes_when_commands_stop_and_lets_go_when_they_come_again(watchdog, clock):
    for _ in range(10):
        watchdog.command(*THROTTLE)
        clock.advance(0.19)
        assert watchdog.brake_due() is None and watchdog.state.name == "watching"
    clock.advance(0.02)
    assert "no command for 0.21 s" in watchdog.brake_due() and watchdog.state.name == "braking"
    watchdog.command(*THROTTLE)
    assert watchdog.brake_due() is None and watchdog.state.name == "watching"


def test_the_brake_is_repeated_but_not_at_every_look(watchdog, clock):
    watchdog.command(*THROTTLE)
    clock.advance(0.21)
    due = [watchdog.brake_due() is not None]
    for _ in range(20):
        clock.advance(REPEAT_S / 4 + 1e-9)
        due.append(watchdog.brake_due() is not None)
    assert due == [True] + [False, False, False, True] * 5


def test_leaves_a_vehicle_alone_that_was_told_to_brake(watchdog, clock):
    watchdog.command(*THROTTLE)
    watchdog.command(*BRAKE)
    clock.advance(100.0)
    assert watchdog.brake_due() is None


@pytest.mark.parametrize("inactive_first", [False, True])
def test_a_planner_that_brakes_and_leaves_disarms_it(watchdog, clock, inactive_first):
    """The brake and the status come on two topics, in any order."""
    watchdog.command(*THROTTLE)
    last = [lambda: watchdog.command(*BRAKE), watchdog.planner_left]
    for take in reversed(last) if inactive_first else last:
        take()
    clock.advance(100.0)
    assert watchdog.brake_due() is None
    watchdog.command(*THROTTLE)  # another planner
    clock.advance(0.21)
    assert watchdog.brake_due() is not None


def test_leaves_no_moving_vehicle_behind(watchdog):
    assert watchdog.brake_at_end() is None
    watchdog.command(*THROTTLE)
    assert "may move" in watchdog.brake_at_end()
    watchdog.command(*BRAKE)
    assert watchdog.brake_at_end() is None


def test_an_internal_error_brakes_at_once_and_until_the_next_command(watchdog, clock):
    watchdog.command(*THROTTLE)
    watchdog.failed("internal error")
    assert watchdog.brake_due() == "internal error" and watchdog.brake_due() is None
    clock.advance(0.6)
    assert watchdog.brake_due() == "internal error" and watchdog.brake_at_end() is not None
    watchdog.command(*THROTTLE)
    assert watchdog.brake_due() is None and watchdog.state.name == "watching"


END_NS, TICK_NS = 10_000_000_000, 80_000_000


def state_after(clock, watchdog, seconds: float) -> str:
    """Let that time pass with a look every 50 ms; returns the state's name."""
    for _ in range(round(seconds / 0.05)):
        clock.advance(0.05)
        watchdog.brake_due()
    return watchdog.state.name


def test_silence_between_two_episodes_is_braked_for_and_is_no_fault(watchdog, clock):
    watchdog.command(*THROTTLE, END_NS - TICK_NS)
    watchdog.step_result(END_NS, True)
    watchdog.command(*THROTTLE, END_NS - TICK_NS)  # late answers to images of the episode that is over
    watchdog.command(*THROTTLE, END_NS)
    clock.advance(0.21)
    assert "the episode is over" in watchdog.brake_due() and watchdog.state.name == "resting"
    watchdog.step_result(END_NS, True)
    assert state_after(clock, watchdog, 5.0) == "resting"
    watchdog.command(*THROTTLE, END_NS + TICK_NS)  # the next episode
    assert watchdog.state.name == "watching"
    clock.advance(0.21)
    assert "hangs or was killed" in watchdog.brake_due() and watchdog.state.name == "braking"


def test_an_episode_whose_stamps_begin_anew_is_another_one(watchdog, clock):
    watchdog.command(*THROTTLE, END_NS)
    watchdog.step_result(END_NS, True)
    watchdog.command(*THROTTLE, TICK_NS)
    clock.advance(0.21)
    assert "hangs or was killed" in watchdog.brake_due()


@pytest.mark.parametrize("next_ns", [END_NS + TICK_NS, 0], ids=["goes on", "begins anew"])
@pytest.mark.parametrize("last", [THROTTLE, BRAKE], ids=["throttle", "brake"])
def test_a_planner_killed_at_an_episodes_end_is_no_rest_in_the_next_one(watchdog, clock, next_ns, last):
    """The simulator has set the vehicle to its start, at speed and without a brake."""
    watchdog.command(*THROTTLE, END_NS - TICK_NS)
    watchdog.command(*last, 0 if last is BRAKE else END_NS)
    watchdog.step_result(END_NS, True)
    clock.advance(0.21)
    assert (watchdog.brake_due() is None) == (last is BRAKE)
    watchdog.step_result(next_ns, False)
    assert state_after(clock, watchdog, 0.2) != "braking", "the first answer is not late yet"
    assert state_after(clock, watchdog, REPEAT_S) == "braking" and "killed" in watchdog.state.reason
    assert watchdog.brake_at_end() is not None


def test_a_planner_that_has_left_is_not_waited_for_in_the_next_episode(watchdog, clock):
    watchdog.command(*THROTTLE, END_NS)
    watchdog.step_result(END_NS, True)
    watchdog.planner_left()
    watchdog.command(*BRAKE)
    watchdog.step_result(END_NS + TICK_NS, False)
    clock.advance(10.0)
    assert watchdog.brake_due() is None


@pytest.mark.parametrize(
    "ends_ns",
    [
        [END_NS - TICK_NS],
        [2**62],
        [0],
        [-TICK_NS],
        [END_NS + 2_000_000_000],
        [END_NS, END_NS + TICK_NS],
        [END_NS + TICK_NS * k for k in range(20)],
    ],
    ids=[
        "told again",
        "in the far future",
        "no stamp",
        "before time",
        "long after the last command",
        "an episode that is over and goes on",
        "over at every tick",
    ],
)
def test_an_end_that_is_none_does_not_excuse_a_planner_that_died(watchdog, clock, ends_ns):
    watchdog.command(*THROTTLE, END_NS)
    for stamp_ns in ends_ns:
        watchdog.step_result(stamp_ns, True)
    clock.advance(0.21)
    assert watchdog.brake_due() is not None, "whatever is told, it brakes"
    assert state_after(clock, watchdog, REPEAT_S) == "braking"


def test_a_word_of_leaving_without_a_brake_lets_no_vehicle_move(watchdog, clock):
    watchdog.command(*THROTTLE)
    watchdog.planner_left()
    clock.advance(0.21)
    assert watchdog.brake_due() is not None and watchdog.brake_at_end() is not None


# In lock-step, on simulated time

TICK_S = 0.08


@pytest.fixture
def simulated(clock) -> SimulatedTime:
    return SimulatedTime(clock)


def ticks(simulated, clock, first: int, count: int, wall_s: float = 1.0) -> int:
    """Ticks of /clock, each after so much wall time; returns the next one's number."""
    for tick in range(first, first + count):
        clock.advance(wall_s)
        simulated.take(round(1e9 * TICK_S * tick))
    return first + count


def test_a_stall_is_no_fault_and_a_dead_planner_is_braked_for_in_simulated_time(simulated, clock):
    watchdog = CommandWatchdog(3.5 * TICK_S, simulated)
    tick = ticks(simulated, clock, 1000, 1)
    watchdog.command(*THROTTLE)
    clock.advance(100.0)  # the server stalls, and its vehicle stands still
    assert watchdog.brake_due() is None
    tick = ticks(simulated, clock, tick, 3)  # the bridge goes on after its timeouts
    assert watchdog.brake_due() is None
    tick = ticks(simulated, clock, tick, 1)
    assert "no command for 0.32 s" in watchdog.brake_due()
    assert [ticks(simulated, clock, tick + n, 1) and watchdog.brake_due() is not None for n in range(14)] == [
        n in (6, 13)
        for n in range(14)  # every 0.5 s of simulated time
    ]


def test_without_a_simulated_clock_the_steady_one_counts_and_silence_survives_the_change(simulated, clock):
    watchdog = CommandWatchdog(0.2, simulated)
    watchdog.command(*THROTTLE)
    clock.advance(0.15)
    assert watchdog.brake_due() is None
    ticks(simulated, clock, 50_000, 1, 0.0)
    assert watchdog.brake_due() is None, "the first stamp is no leap"
    ticks(simulated, clock, 50_001, 1)
    assert "no command for 0.23 s" in watchdog.brake_due()
    other = CommandWatchdog(0.2, SimulatedTime(clock))
    other.command(*THROTTLE)
    clock.advance(0.21)
    assert other.brake_due() is not None


@pytest.mark.parametrize("new", [3, 1100], ids=["back", "forward"])
def test_a_clock_that_jumps_is_no_silence_and_hides_none(simulated, clock, new):
    """A map is reloaded, an episode begins, or a simulator starts again, while the planner is dead."""
    watchdog = CommandWatchdog(3.5 * TICK_S, simulated)
    ticks(simulated, clock, 1000, 1)
    watchdog.command(*THROTTLE)
    ticks(simulated, clock, 1001, 2)
    ticks(simulated, clock, new, 2)
    assert watchdog.brake_due() is None
    ticks(simulated, clock, new + 2, 1)
    assert watchdog.brake_due() is not None


@pytest.mark.parametrize("steps", [(600,), (95_000, -94_920), (1000, -900, 20)], ids=["long", "two clocks", "three"])
def test_a_clock_that_does_nothing_but_jump_hides_no_silence(simulated, clock, steps):
    """Ticks longer than the limit, or another node that publishes /clock too."""
    watchdog, stamp_ms, braked = CommandWatchdog(0.2, simulated), 100_000, False
    simulated.take(stamp_ms * 1_000_000)
    watchdog.command(*THROTTLE)
    for number in range(20):
        clock.advance(0.05)
        stamp_ms += steps[number % len(steps)]
        simulated.take(stamp_ms * 1_000_000)
        braked = braked or watchdog.brake_due() is not None
    assert braked


@given(st.lists(st.integers(-(2**62), 2**62), max_size=20))
def test_simulated_time_never_goes_back(stamps_ns):
    now_s = [7.0]
    simulated = SimulatedTime(lambda: now_s[0])
    before_s = simulated()
    for stamp_ns in stamps_ns:
        simulated.take(stamp_ns)
        assert simulated() >= before_s
        before_s = simulated()
