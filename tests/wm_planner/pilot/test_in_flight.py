"""The delay of commands, measured from what was sent and what the vehicle says it applied."""

import numpy as np
import pytest
from wm_planner.pilot.in_flight import CommandsInFlight

PERIOD_NS = 80_000_000
MOST = 6


def command(tick: int) -> np.ndarray:
    return np.array([0.01 * tick, 0.5, 0.0], np.float32)


def drive(in_flight: CommandsInFlight, delay: int, ticks: range, left_out: tuple[int, ...] = ()) -> None:
    """A vehicle that applies the answer to image t from t + delay on, and keeps it until the next one acts."""
    for tick in ticks:
        acting = max((t for t in range(tick - delay) if t not in left_out), default=None)
        if acting is not None:
            in_flight.applied(tick * PERIOD_NS, command(acting))
        if tick not in left_out:
            in_flight.sent(tick * PERIOD_NS, command(tick))


@pytest.mark.parametrize("delay", [0, 1, 3])
def test_what_acts_before_the_next_command_can(delay):
    in_flight = CommandsInFlight(0.08, MOST)
    drive(in_flight, delay, range(12))
    assert in_flight.delay == delay
    expected = [command(tick) for tick in range(12 - delay, 12)]  # each acts `delay` periods after its image
    np.testing.assert_array_equal(np.reshape(in_flight.before(12 * PERIOD_NS), (-1, 3)), np.reshape(expected, (-1, 3)))


def test_a_delay_is_assumed_until_one_was_measured():
    in_flight = CommandsInFlight(0.08, MOST, assumed=2)
    in_flight.sent(PERIOD_NS, command(1))
    np.testing.assert_array_equal(in_flight.before(2 * PERIOD_NS), [command(1)])  # none was sent for the image before
    drive(in_flight, 1, range(2, 12))
    assert in_flight.delay == 1


def test_where_a_frame_was_left_out_the_command_before_stays_in_force():
    in_flight = CommandsInFlight(0.08, MOST)
    drive(in_flight, 2, range(12), left_out=(11,))
    np.testing.assert_array_equal(in_flight.before(12 * PERIOD_NS), [command(10), command(10)])


def test_steady_commands_tell_nothing_about_the_delay():
    in_flight = CommandsInFlight(0.08, MOST)
    drive(in_flight, 1, range(12))
    for tick in range(12, 40):
        in_flight.applied(tick * PERIOD_NS, command(99))
        in_flight.sent(tick * PERIOD_NS, command(99))
    assert in_flight.delay == 1


def test_a_single_late_command_does_not_change_the_delay_and_many_do():
    in_flight = CommandsInFlight(0.08, MOST)
    drive(in_flight, 0, range(10))
    drive(in_flight, 2, range(10, 14))
    assert in_flight.delay == 0
    drive(in_flight, 2, range(14, 20))
    assert in_flight.delay == 2


def test_a_new_episode_forgets_commands_but_not_the_delay():
    in_flight = CommandsInFlight(0.08, MOST)
    drive(in_flight, 2, range(10))
    in_flight.reset()
    assert in_flight.delay == 2 and in_flight.before(10 * PERIOD_NS) == []


def test_somebody_elses_commands_are_not_measured():
    in_flight = CommandsInFlight(0.08, MOST)
    for tick in range(10):
        in_flight.sent(tick * PERIOD_NS, command(tick))
        in_flight.applied(tick * PERIOD_NS, -command(tick))
    assert in_flight.delay == 0


def test_a_command_that_was_withheld_is_not_in_flight_and_not_looked_for():
    in_flight = CommandsInFlight(0.08, MOST)
    drive(in_flight, 0, range(4))
    assert in_flight.take_measured() == 0 and in_flight.take_measured() is None
    in_flight.sent(4 * PERIOD_NS, command(4))
    in_flight.withdraw()
    in_flight.applied(5 * PERIOD_NS, command(4))  # somebody else's, then
    assert in_flight.take_measured() is None


def test_a_delay_that_has_changed_is_forgotten_and_measured_anew():
    in_flight = CommandsInFlight(0.08, MOST)
    drive(in_flight, 2, range(12))
    in_flight.forget()
    assert in_flight.delay == 0
    drive(in_flight, 1, range(12, 16))
    assert in_flight.delay == 1


def test_a_vehicle_whose_own_controller_presses_the_pedals_tells_by_its_steer_which_command_acts():
    in_flight = CommandsInFlight(0.08, most=12, pedals=False)
    for tick in range(1, 8):
        in_flight.applied(tick * 80_000_000, np.array([0.1 * (tick - 2), 0.9, 0.0]))  # a tick late, with other pedals
        in_flight.sent(tick * 80_000_000, np.array([0.1 * tick, 0.2, 0.0]))
    assert in_flight.delay == 1
