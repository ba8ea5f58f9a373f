"""A signal ends a process in order, at once or after what must not be broken off."""

import signal

import pytest
from wm_bundle.processes.stop_signals import Stopped, hold_signals, note_stop_signals, raise_when_stopped

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_a_signal_ends_a_process_as_ctrl_c_does(number):
    for each in NUMBERS:
        signal.signal(each, signal.SIG_DFL)  # as the entry leaves it
    raise_when_stopped()
    with pytest.raises(KeyboardInterrupt) as stop:
        signal.raise_signal(number)
    assert isinstance(stop.value, Stopped)
    assert stop.value.number == number


def test_what_is_ignored_stays_ignored_as_nohup_wants_it():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    raise_when_stopped()
    signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_a_closed_terminal_is_noted_as_ctrl_c_is_except_with_nohup():
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    noted = note_stop_signals()
    for number in NUMBERS:
        signal.raise_signal(number)
    assert noted == list(NUMBERS)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    noted = note_stop_signals()
    signal.raise_signal(signal.SIGHUP)
    assert noted == []


def test_a_held_signal_comes_at_the_end_and_none_later():
    raise_when_stopped()
    seen = []
    with pytest.raises(Stopped) as stop, hold_signals():
        signal.raise_signal(signal.SIGTERM)
        seen.append("went on")
    assert seen == ["went on"] and stop.value.number == signal.SIGTERM
    with hold_signals():
        pass
    with pytest.raises(Stopped):
        signal.raise_signal(signal.SIGINT)


def test_a_held_signal_is_not_lost_to_an_error():
    raise_when_stopped()
    with pytest.raises(Stopped), hold_signals():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("of the call")
