"""Lock-step finds its phase again, against a model of the bridge's loop."""

import pytest
from bridge_loop import Times, drive, in_phase, lags
from hypothesis import given, settings
from hypothesis import strategies as st

SPEEDS = {  # of a tick and of a plan [s]
    "the planner is faster": Times(tick_s=0.05, plan_s=0.01),
    "the planner is slower": Times(tick_s=0.01, plan_s=0.06),
    "a heavy server": Times(tick_s=0.4, plan_s=0.05),
}


def with_faults(name: str, **faults) -> Times:
    speeds = SPEEDS[name]
    return Times(speeds.tick_s, speeds.plan_s, **faults)


@pytest.fixture(params=SPEEDS)
def speed(request) -> str:
    return request.param


def test_from_the_first_command_on_every_tick_gets_one_and_acts_on_it(speed):
    bridge, driver = drive(with_faults(speed), 30)
    assert in_phase(bridge, 26), lags(bridge, range(30))
    assert len(driver.held_s) <= 3, "a start is looked at, and then nothing is held back"


def test_one_extra_command_makes_all_later_ones_late_unless_the_planner_mends_it(speed):
    times = with_faults(speed, extra={20: 0.03})
    assert 0 not in lags(drive(times, 60, lock_step=False)[0], range(30, 60))
    bridge, driver = drive(times, 60)
    assert in_phase(bridge, 25), lags(bridge, range(60))
    assert any("out of phase" in line for line in driver.lines) and "in phase again" in driver.lines[-1]


def test_a_stall_of_the_server_leaves_the_phase_alone(speed):
    bridge, driver = drive(with_faults(speed, stalls={20: 5.0}), 40)
    assert in_phase(bridge, 36) and bridge.commands[20:22] == [1, 1]


def test_an_answer_later_than_the_bridge_waits_is_not_sent_after_it(speed):
    bridge, _ = drive(with_faults(speed, slow={20: 1.7}), 40)
    assert bridge.commands[20] == 0, "the bridge gave up waiting"
    assert in_phase(bridge, 16)


def test_pictures_that_never_come_are_answered_by_nothing_and_the_next_ones_in_phase(speed):
    bridge, _ = drive(with_faults(speed, lost=frozenset(range(20, 26))), 50)
    assert bridge.commands[20:26] == [0] * 6
    assert in_phase(bridge, 20)


def test_steady_commands_show_nothing_and_nothing_is_held_back_for_them():
    bridge, driver = drive(Times(), 200, steady=range(10, 200))
    assert len(driver.held_s) <= 3 and in_phase(bridge, 20)


def test_a_phase_that_cannot_be_kept_is_given_up_without_holding_the_car_up():
    """Every plan takes longer than the bridge waits."""
    bridge, driver = drive(Times(plan_s=1.2), 80)
    answered = sum(count > 0 for count in bridge.commands)
    assert answered > 25 and any("driving on out of phase" in line for line in driver.lines)
    most_in_row = max(map(len, "".join(".x"[count > 0] for count in bridge.commands[5:]).split("x")))
    assert most_in_row <= 5  # two withheld, and one that the bridge gave up


@pytest.mark.parametrize("plan_s", [0.05, 0.6])
@pytest.mark.parametrize("tick_s", [0.95, 2.0])
def test_a_server_slower_than_the_bridge_waits_is_told_and_not_held_up(tick_s, plan_s):
    """Whether it waits cannot be seen within the wait."""
    bridge, driver = drive(Times(tick_s, plan_s, extra={20: 0.03}), 100)
    assert 0 not in lags(bridge, range(60, 100))
    assert sum("commands act 1 tick late though" in line for line in driver.lines) == 1, driver.lines
    assert set(bridge.commands[30:100]) == {1} and len(driver.held_s) <= 8


FAULTS = st.sampled_from(("stall", "slow", "extra", "lost"))


@settings(max_examples=300, deadline=None)
@given(
    tick_s=st.floats(0.01, 0.3),
    plan_s=st.floats(0.005, 0.3),
    faults=st.lists(st.tuples(st.integers(5, 40), FAULTS, st.floats(0.01, 2.5)), max_size=6),
)
def test_from_any_faults_the_phase_comes_back(tick_s, plan_s, faults):
    chosen = {kind: {tick: size for tick, this, size in faults if this == kind} for kind in ("stall", "slow", "extra")}
    lost = {tick + n for tick, kind, size in faults if kind == "lost" for n in range(1 + round(2 * size))}
    times = Times(tick_s, plan_s, 0.002, chosen["stall"], chosen["slow"], chosen["extra"], frozenset(lost))
    bridge, driver = drive(times, 300)
    assert in_phase(bridge, 50), (lags(bridge, range(300)), driver.lines)
