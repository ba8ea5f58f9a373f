"""One line for a wrong option, and the orderly end of a command by a signal."""

import importlib
import signal

import pytest
from wm_planner.command_line import (
    CommandParser,
    Stopped,
    did_you_mean,
    hold_signals,
    raise_when_stopped,
    told_when_stopped,
)

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers():
    before = {number: signal.getsignal(number) for number in NUMBERS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("module", "typed", "meant"),
    [
        ("drive", "--controler", "--controllers"),
        ("benchmark", "--sedes=1", "--seeds"),
        ("evaluate_bag", "--bundel", "--bundle"),
        ("verify_bundle", "--provder", "--provider"),
        ("record", "--outptu", "--output"),
        ("replay", "--rat", "--rate"),
        ("loop_picture", "--otuput", "--output"),
    ],
)
def test_a_mistyped_option_of_any_command_gets_the_nearest_one_before_all_else(capsys, module, typed, meant):
    options = importlib.import_module(f"wm_tools.{module}.options")
    with pytest.raises(SystemExit) as ending:
        options.parse_options([typed, "x"])
    printed = capsys.readouterr().err
    name = typed.partition("=")[0]
    assert ending.value.code == 2 and printed.endswith(f": unknown option {name}; did you mean {meant}? (see --help)\n")


def test_what_is_like_nothing_gets_no_suggestion_and_words_behind_two_dashes_are_no_options(capsys):
    assert did_you_mean("--zzz", ["--seeds"]) == ""
    parser = CommandParser("drive")
    parser.add_argument("words", nargs="*")
    assert parser.parse_args(["--", "--x"]).words == ["--x"]
    with pytest.raises(SystemExit):
        parser.parse_args(["--zzz"])
    assert capsys.readouterr().err == "drive: unknown option --zzz (see --help)\n"


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_a_signal_ends_a_command_as_ctrl_c_does_and_the_shell_is_told_which(number):
    for each in NUMBERS:
        signal.signal(each, signal.SIG_DFL)  # as the entry leaves it
    raise_when_stopped()
    with pytest.raises(KeyboardInterrupt) as stop:
        signal.raise_signal(number)
    assert isinstance(stop.value, Stopped)
    code, line = told_when_stopped("drive", stop.value, "no result was written")
    assert (code, line) == (128 + number, f"drive: stopped by {number.name}; no result was written")


def test_what_is_ignored_stays_ignored_as_nohup_wants_it():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    raise_when_stopped()
    signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


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
