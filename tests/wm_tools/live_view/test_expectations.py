"""What was imagined of a signal is compared with what was observed when that time came."""

import numpy as np
import pytest
from wm_tools.live_view.expectations import Expectations, ImaginedSignals, signals_of

PERIOD_NS = 100_000_000
HORIZON = 4


def message(tick: int, *, in_flight: int = 0, bias: float = 0.0, names=("speed",)) -> ImaginedSignals:
    """Speed is the number of the tick; what is imagined of it is too high by ``bias``."""
    now = np.full((1, len(names)), float(tick))
    future = tick + in_flight + np.arange(1.0, HORIZON + 1.0)[:, None] + bias + np.zeros((1, len(names)))
    units = ("m/s",) * len(names)
    return ImaginedSignals(tick * PERIOD_NS, 0.1, in_flight, tuple(names), units, np.concatenate([now, future]))


@pytest.mark.parametrize("in_flight", [0, 2])
def test_the_expectation_of_now_is_the_farthest_ahead_and_knows_the_commands_in_flight(in_flight):
    expectations = Expectations()
    for tick in range(HORIZON + in_flight):
        expectations.take(message(tick, in_flight=in_flight, bias=0.5))
    (told,) = expectations.take(message(HORIZON + in_flight, in_flight=in_flight, bias=0.5))
    assert told["now"] == HORIZON + in_flight and told["expected"] == HORIZON + in_flight + 0.5
    assert told["ahead_s"] == pytest.approx(0.1 * (HORIZON + in_flight))


def test_errors_are_means_beside_those_of_an_unchanged_value():
    expectations = Expectations()
    for tick in range(30):
        (told,) = expectations.take(message(tick, bias=-0.25))
    # Imagined 0.25 too low at any distance. Held: 4 steps ahead the speed is 4 higher, the first ones 2 and 3.
    assert told["error"] == pytest.approx(0.25)
    assert told["held_error"] == pytest.approx((2 + 3 + 4 * 26) / 28, rel=1e-4)


def test_messages_that_come_seldom_are_compared_as_far_ahead_as_possible():
    expectations = Expectations()
    for tick in range(0, 12, 3):
        (told,) = expectations.take(message(tick))
    assert told["ahead_s"] == pytest.approx(0.3) and told["expected"] == told["now"] == 9.0


def test_an_expectation_from_too_long_or_too_shortly_before_is_none():
    expectations = Expectations()
    expectations.take(message(0))
    (told,) = expectations.take(message(1))  # less than half the horizon
    assert told["expected"] is None and told["error"] is None and told["ahead_s"] is None
    (told,) = expectations.take(message(9))  # beyond it
    assert told["expected"] is None


@pytest.mark.parametrize("other", [message(2), message(40, names=("speed", "yaw_rate"))])
def test_a_restarted_clock_or_another_bundle_begins_anew(other):
    expectations = Expectations()
    for tick in range(20, 30):
        expectations.take(message(tick))
    assert all(told["expected"] is None and told["error"] is None for told in expectations.take(other))


def test_a_signal_that_was_missing_is_unknown_and_does_not_spoil_the_mean():
    expectations = Expectations()
    for tick in range(10):
        signals = message(tick)
        if tick == 5:
            signals.values[0, 0] = np.nan
        (told,) = expectations.take(signals)
        assert (told["now"] is None) == (tick == 5)
    assert told["error"] == pytest.approx(0.0, abs=1e-9)


def test_fields_that_do_not_fit_together_are_no_signals():
    assert signals_of(0, 0.1, 0, [], [], []) is None
    assert signals_of(0, 0.1, 0, ["speed"], ["m/s"], [1.0]) is None  # nothing imagined
    assert signals_of(0, 0.1, 0, ["speed", "gap"], ["m/s", "m"], [1.0, 2.0, 3.0]) is None
    assert signals_of(0, 0.1, 0, ["speed"], [], [1.0, 2.0]) is None
    assert signals_of(0, 0.0, 0, ["speed"], ["m/s"], [1.0, 2.0]) is None
    told = signals_of(7, 0.1, 1, ["speed", "gap"], ["m/s", "m"], [1.0, 2.0, 3.0, 4.0])
    assert told.values.tolist() == [[1.0, 2.0], [3.0, 4.0]] and told.in_flight == 1 and told.stamp_ns == 7
