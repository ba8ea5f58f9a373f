"""One line for a wrong option, and the orderly end of a command by a signal."""

import importlib
import signal

import pytest
from wm_bundle.stop_signals import Stopped, raise_when_stopped
from wm_bundle.suggestions import did_you_mean
from wm_planner.command_line import CommandParser, told_when_stopped

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers():
    before = {number: signal.getsignal(number) for number in NUMBERS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("module", "typed", "meant"), [("drive", "--controler", "--controllers"), ("benchmark", "--sedes=1", "--seeds")]
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
def test_a_signal_ends_a_command_and_the_shell_is_told_which(number):
    raise_when_stopped()
    with pytest.raises(Stopped) as stop:
        signal.raise_signal(number)
    code, line = told_when_stopped("drive", stop.value, "no result was written")
    assert (code, line) == (128 + number, f"drive: stopped by {number.name}; no result was written")
