"""One line for what cannot be used, options given repeatedly, and the end of a command by an error or a signal."""

import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest
import tyro
from wm_evaluation.command_line import option, parse, run, several, words

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Refused(Exception):
    pass


def even(word: str) -> int:
    if int(word) % 2:
        raise ValueError(f"expected an even number, found '{word}'")
    return int(word)


def halved(given: list[str]) -> tuple[int, ...]:
    return tuple(even(word) // 2 for word in ",".join(given).split(","))


@dataclass(frozen=True)
class Shared:
    """What several commands share."""

    topics: tuple[str, ...] = ()
    """Topics."""


@dataclass(frozen=True)
class Given:
    """Shows how options are given."""

    bag: Annotated[Path, tyro.conf.Positional, option("BAG")]
    """What is read."""
    output: Annotated[Path, option("DIR", None, "-o")]
    """Folder of the results."""
    start_s: Annotated[float | None, option("S", "start", default="the beginning")] = None
    """Begins so late [s]."""
    frames: int = 5
    """How many."""
    kind: Literal["fast", "slow"] = "fast"
    """How."""
    numbers: Annotated[tuple[int, ...], several(even, "N"), option(name="even")] = ()
    """Even numbers."""
    halves: Annotated[tuple[int, ...], words(halved, "N,N…", lambda values: [",".join(map(str, values))])] = (1, 2)
    """Halves of even numbers."""
    shared: Shared = field(default_factory=Shared)

    def __post_init__(self):
        if self.frames < 1:
            raise Refused(f"--frames: expected 1 or more, found {self.frames}")


def given(*typed: str) -> Given:
    return parse(Given, "ros2 run wm_tools show", list(typed), refused=Refused)


def test_options_are_taken_by_name_and_those_of_several_words_may_be_given_repeatedly():
    found = given(
        "bag", "-o", "out", "--start", "-1.5", "--even", "2", "4", "--topics=/a", "--even", "6", "--topics", "/b"
    )
    assert found == Given(Path("bag"), Path("out"), -1.5, numbers=(2, 4, 6), shared=Shared(("/a", "/b")))
    assert given("--output", "a", "--output", "b", "bag", "--frames", "1", "--frames", "2").frames == 2
    assert given("--output", "o", "--", "--bag").bag == Path("--bag")
    assert given("bag", "--output", "o", "--halves", "8,6", "4").halves == (4, 3, 2)


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        (["--outptu", "x"], "unknown option --outptu; did you mean --output?"),
        (["bag", "--zzz", "--output", "o"], "unknown option --zzz"),
        (["bag", "-o", "o", "--topic=/a"], "unknown option --topic; did you mean --topics?"),
        (["bag", "more", "--output", "o"], "unknown argument more"),
        (["bag", "--frames", "3"], "expected --output as well"),
        (["--output", "o"], "expected BAG as well"),
        (["bag", "--output"], "--output: expected a value"),
        (["bag", "-o", "o", "--frames", "many"], "--frames: expected a whole number, found 'many'"),
        (["bag", "-o", "o", "--start", "soon"], "--start: expected a number, found 'soon'"),
        (["bag", "-o", "o", "--kind", "odd"], "--kind: invalid choice: 'odd' (choose from fast, slow)"),
        (["bag", "-o", "o", "--even", "2", "3"], "--even: expected an even number, found '3'"),
        (["bag", "-o", "o", "--even"], "--even: expected one value or more"),
        (["bag", "-o", "o", "--halves", "2,3"], "--halves: expected an even number, found '3'"),
        (["bag", "-o", "o", "--frames", "0"], "--frames: expected 1 or more, found 0"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line_with_exit_code_2(typed, reason, capsys):
    with pytest.raises(SystemExit) as end:
        given(*typed)
    assert (end.value.code, capsys.readouterr().err) == (2, f"show: {reason} (see --help)\n")


def test_the_help_has_every_option_with_its_meaning_and_default(capsys):
    with pytest.raises(SystemExit) as end:
        given("--help")
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert end.value.code == 0 and said.startswith("usage: ros2 run wm_tools show") and "Shows how" in said
    assert "--start S Begins so late [s]. (default: the beginning)" in said
    assert "--even N [N ...] Even numbers." in said and "--frames INT How many. (default: 5)" in said
    assert "--halves N,N… Halves of even numbers. (default: 1,2)" in said


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_a_signal_ends_a_command_as_ctrl_c_does_and_the_shell_is_told_which(number, capsys):
    for each in NUMBERS:
        signal.signal(each, signal.SIG_DFL)  # as the entry leaves it
    code = run("drive", lambda: signal.raise_signal(number), (), "no result was written")
    assert (code, capsys.readouterr().err) == (
        128 + number,
        f"drive: stopped by {number.name}; no result was written\n",
    )


def test_an_expected_error_has_the_exit_code_of_its_nearest_class(capsys):
    def fail(error: Exception):
        raise error

    codes = {OSError: 5, Refused: 2}
    assert run("show", lambda: fail(FileNotFoundError("gone")), codes, output=Path("out")) == 5
    assert run("show", lambda: fail(Refused("no")), codes, output=Path("out")) == 2
    assert capsys.readouterr().err == "show: out cannot be written: gone\nshow: no\n"
    assert run("show", lambda: fail(Refused("no")), (Refused,)) == 1
