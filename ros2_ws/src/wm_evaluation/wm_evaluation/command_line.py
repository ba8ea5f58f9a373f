"""Shared by all commands: options from a dataclass, one-line errors, exit codes, stop signals.

A dataclass states each option once: its name, type, default and, in the text below it, its meaning. Parts that several
commands share are dataclasses too, as fields of those. Exit codes: 0 done, 1 error, 2 invalid arguments, 3 partly done,
128 + the signal's number stopped by one.
"""

import dataclasses
import os
import re
import signal
import sys
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TextIO, TypeVar

from wm_bundle.processes.stop_signals import raise_when_stopped
from wm_bundle.processes.suggestions import did_you_mean

Options = TypeVar("Options")

DONE, ERROR, USAGE, PARTLY, STOPPED = 0, 1, 2, 3, 130


def parse(
    options: type[Options],
    command: str,
    arguments: list[str] | None = None,
    default: Options | None = None,
    refused: type[Exception] = ValueError,
) -> Options:
    """Options from the command line (or ``arguments``), overriding the values of ``default``.

    ``command``: as it is called, `ros2 run PACKAGE NAME` or just NAME; --help shows the dataclass's docstring. Exits
    for --help, and with one line and exit code 2 for unknown options and for values that the dataclass's checks refuse
    with ``refused``.
    """
    given = {} if default is None else {"default": default}
    return _from_words(options, command, arguments, refused, **given)


def parse_some(options: type[Options], command: str, arguments: list[str] | None = None) -> Options:
    """Like ``parse``, but options that are not fields of ``options``, and --help, are left to another parser."""
    return _from_words(options, command, arguments, ValueError, add_help=False, return_unknown_args=True)[0]


def option(
    metavar: str | None = None,
    name: str | None = None,
    *aliases: str,
    default: str | None = None,
    meaning: str | None = None,
) -> object:
    """For ``Annotated``: what --help calls the value, the option's name if it is not the field's, aliases, how --help
    describes a default of None or (), and the meaning if it is not a constant."""
    import tyro

    hint = None if default is None else f"(default: {default})"
    return tyro.conf.arg(metavar=metavar, name=name, aliases=aliases or None, help_behavior_hint=hint, help=meaning)


def several(read: Callable[[str], Any], metavar: str, spell: Callable[[Any], str] = str) -> object:
    """For ``Annotated``: a tuple with one value per word; ``read`` raises ValueError for an invalid word, ``spell`` is
    its inverse, for the default in --help."""
    return words(
        lambda given: tuple(map(read, given)), f"{metavar} [{metavar} ...]", lambda values: list(map(spell, values))
    )


def words(read: Callable[[list[str]], tuple], metavar: str, spell: Callable[[tuple], list[str]]) -> object:
    """For ``Annotated``: a tuple parsed from all words together, instead of one value per word."""
    import tyro

    def read_words(given: list[str]) -> tuple:
        if not given:
            raise ValueError("expected one value or more")
        return read(given)

    return tyro.constructors.PrimitiveConstructorSpec(
        nargs="*",
        metavar=metavar,
        instance_from_str=read_words,
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=spell,
    )


def is_main_process() -> bool:
    """Whether this process prints: with torchrun or srun, all but one are silent."""
    rank = "0"
    if "RANK" in os.environ and "WORLD_SIZE" in os.environ:
        rank = os.environ["RANK"]
    elif "SLURM_STEP_NUM_TASKS" in os.environ:  # not SLURM_NTASKS, which a batch script without srun has too
        rank = os.environ.get("SLURM_PROCID", "0")
    return not rank.isdecimal() or int(rank) == 0  # print if unknown


def say(program: str, text: str) -> None:
    """Print a line on stderr, once for all the processes of a run."""
    if is_main_process():
        print(f"{program}: {text}", file=sys.stderr)


def run(
    program: str,
    work: Callable[[], int],
    expected: tuple[type[Exception], ...] | Mapping[type[Exception], int],
    left: str | None = None,
    output: Path | None = None,
) -> int:
    """Run ``work``; returns the exit code.

    The ``expected`` errors become one line on stderr and exit code 1, or the code of the nearest of their classes. With
    ``left``, which says what is left after a signal, SIGTERM and SIGHUP stop the work as Ctrl-C does. ``output``: what
    an OSError failed to write.
    """
    try:
        if left is not None:
            raise_when_stopped()
        elif signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # since the entry
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code = work()
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of the output has gone
        _discard(sys.stdout)
        _discard(sys.stderr)
        return ERROR
    except tuple(expected) as error:
        failed = "" if output is None or not isinstance(error, OSError) else f"{output} cannot be written: "
        print(f"{program}: {failed}{error}", file=sys.stderr)
        codes = expected if isinstance(expected, Mapping) else {}
        return next((codes[kind] for kind in type(error).__mro__ if kind in codes), ERROR)
    except KeyboardInterrupt as stop:
        return _stopped(program, stop, left)


def _from_words(options: type, command: str, arguments: list[str] | None, refused: type[Exception], **how: Any) -> Any:
    program = command.split()[-1]
    try:
        import tyro  # here, because it takes a while, and Ctrl-C is caught here

        words, flags = list(sys.argv[1:] if arguments is None else arguments), _flags(options)
        try:
            if "return_unknown_args" not in how:
                _refuse_unknown(program, words, flags)
            with tyro._errors.on_parse_error(lambda event: _refuse(program, _reason(event))):
                return tyro.cli(
                    options,
                    prog=command,
                    args=_joined(words, flags),
                    config=(tyro.conf.OmitArgPrefixes,),
                    console_outputs=is_main_process(),
                    **how,
                )
        except refused as error:
            _refuse(program, str(error))
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # … --help | head
        _discard(sys.stdout)
        raise SystemExit(DONE) from None
    except KeyboardInterrupt as stop:
        raise SystemExit(_stopped(program, stop, None)) from None


def _flags(options: type) -> dict[str, bool]:
    """Every spelling of an option, and whether it takes several words."""
    flags, hints = {"--help": False}, typing.get_type_hints(options, include_extras=True)
    for field in dataclasses.fields(options):
        hint = hints[field.name]
        hint, *marks = typing.get_args(hint) if typing.get_origin(hint) is typing.Annotated else (hint,)
        if dataclasses.is_dataclass(hint):
            flags |= _flags(hint)
            continue
        name = next((mark.name for mark in marks if getattr(mark, "name", None)), field.name)
        aliases = [alias for mark in marks for alias in getattr(mark, "aliases", None) or ()]
        takes_several = typing.get_origin(hint) is tuple and typing.get_args(hint)[-1] is Ellipsis
        flags |= dict.fromkeys((_flag(name), *aliases), takes_several)
        if hint is bool:
            flags[f"--no-{_flag(name)[2:]}"] = False
    return flags


def _flag(name: str) -> str:
    """An option in its listed form: `--max_steps=3` and the field max_steps are `--max-steps`."""
    return "--" + name.partition("=")[0].removeprefix("--").replace("_", "-")


def _refuse_unknown(program: str, words: list[str], flags: Mapping[str, bool]) -> None:
    """Exit for an unknown option, before anything missing because of it is reported."""
    for word in words[: words.index("--")] if "--" in words else words:
        if word.startswith("--") and _flag(word) not in flags and not word.startswith("--tyro-"):
            name = word.partition("=")[0]
            _refuse(program, f"unknown option {name}{did_you_mean(name, flags)}")


def _joined(words: list[str], flags: Mapping[str, bool]) -> list[str]:
    """The words, with those of a repeated option that takes several brought together."""
    groups, several_of = [[]], {}
    current = groups[0]
    for index, word in enumerate(words):
        if word == "--":
            groups.append(words[index:])
            break
        name, (_, equals, value) = _flag(word) if word.startswith("--") else word, word.partition("=")
        if flags.get(name):
            if name not in several_of:
                several_of[name] = [name]
                groups.append(several_of[name])
            current = several_of[name]
            current += [value] if equals else []
        elif name.startswith("--") or name in flags:
            current = [word]
            groups.append(current)
        else:
            current.append(word)
    return [word for group in groups for word in group]


def _reason(event: Any) -> str | None:
    """Why tyro refuses, in one line; ``event`` is its description of the error. None for an unknown kind."""
    argument, kind = getattr(event, "argument", None), type(event).__name__
    name = "" if argument is None else f"{_spelling(argument)}: "
    if kind == "UnrecognizedArgs":
        return f"unknown argument {' '.join(event.tokens)}"
    if kind == "MissingArgs":
        return f"expected {', '.join(_spelling(entry.arg) for entry in event.missing_arguments)} as well"
    if kind == "InvalidChoice":
        return f"{name}invalid choice: '{event.value}' (choose from {', '.join(event.choices)})"
    if kind == "BadValue":
        return f"{name}expected a value"
    return name + _plain(event.message) if kind == "InstantiationFailure" else None


def _spelling(argument: Any) -> str:
    if argument.is_positional():
        return str(argument.lowered.metavar)
    return argument.lowered.name_or_flags[-1]


def _plain(message: str) -> str:
    """Python's message about an invalid number, in our words; for an optional type, that about the number."""
    if "\nGot errors:" in message:
        message = re.sub(r"\[/?bold\]", "", message.strip().splitlines()[-1].partition(": ")[2])
    for pattern, expected in ((r"float: ('.*')", "a number"), (r"int\(\) with base 10: ('.*')", "a whole number")):
        if found := re.search(pattern, message):
            return f"expected {expected}, found {found[1]}"
    return " ".join(message.split())


def _refuse(program: str, reason: str | None) -> NoReturn | None:
    """Exit with one line; without a reason, tyro exits with its own message."""
    if reason is not None:
        say(program, f"{reason} (see --help)")
        raise SystemExit(USAGE)


def _discard(stream: TextIO) -> None:
    """Discard remaining output, or Python would complain about the closed pipe at exit."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def _stopped(program: str, stop: KeyboardInterrupt, left: str | None) -> int:
    number = getattr(stop, "number", signal.SIGINT)
    how = "interrupted" if left is None else f"stopped by {signal.Signals(number).name}; {left}"
    print(f"{program}: {how}", file=sys.stderr)
    return 128 + number
