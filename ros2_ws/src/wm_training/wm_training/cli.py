"""What every command line of this package shares: arguments from a dataclass, and errors without tracebacks.

Exit codes: 0 done, 1 error, 2 arguments that cannot be used, 3 done in part, 130 stopped by a signal.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from wm_training.processes import is_main_process

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

Options = TypeVar("Options")

DONE, ERROR, USAGE, PARTLY, STOPPED = 0, 1, 2, 3, 130


def parse(
    options: type[Options],
    description: str,
    program: str,
    arguments: list[str] | None = None,
    default: Options | None = None,
) -> Options:
    """Command-line flags from a dataclass's fields, over the values of ``default``.

    Ends the program for --help, and with exit code 2 for flags that are none and for values that the dataclass's own
    checks refuse.
    """
    given = {} if default is None else {"default": default}
    return _from_flags(program, options, arguments, description=description, **given)


def parse_some(options: type[Options], program: str, arguments: list[str] | None = None) -> Options:
    """As ``parse``, but flags that are no field of ``options``, and --help, are left for somebody else."""
    return _from_flags(program, options, arguments, add_help=False, return_unknown_args=True)[0]


def say(program: str, text: str) -> None:
    """A line on stderr, said once by all the processes of a run."""
    if is_main_process():
        print(f"{program}: {text}", file=sys.stderr)


def run(program: str, work: Callable[[], int], expected: tuple[type[Exception], ...]) -> int:
    """Run ``work``; the expected errors become one line on stderr and exit code 1, Ctrl-C becomes 130."""
    try:
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # since the entry
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code = work()
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever read the output has gone
        _discard(sys.stdout)
        _discard(sys.stderr)
        return ERROR
    except expected as error:
        print(f"{program}: {error}", file=sys.stderr)
        return ERROR
    except KeyboardInterrupt:
        return _interrupted(program)


def run_on_episodes(program: str, work: Callable[[], int]) -> int:
    """``run`` for what reads episodes and trains: their errors are loaded here, so that Ctrl-C while numpy loads gets
    no traceback."""

    def guarded() -> int:
        from wm_data.episodes import EpisodeError

        from wm_training.errors import ConfigurationError, TrainingError

        return run(program, work, (EpisodeError, TrainingError, ConfigurationError, OSError))

    return run(program, guarded, ())


def counting_progress(title: str, console: "Console") -> "Progress":
    """A bar that counts things, with the field ``note`` behind it; silent where ``console`` is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        disable=not console.is_terminal,
    )


def _from_flags(program: str, options: type, arguments: list[str] | None, **how: Any) -> Any:
    try:
        import tyro  # here, because it takes a while, and Ctrl-C is caught here

        given = sys.argv[1:] if arguments is None else arguments
        try:
            return tyro.cli(
                options,
                prog=program,
                args=given,
                config=(tyro.conf.OmitArgPrefixes,),
                console_outputs=is_main_process(),
                **how,
            )
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # … --help | head
        _discard(sys.stdout)
        raise SystemExit(DONE) from None
    except KeyboardInterrupt:
        raise SystemExit(_interrupted(program)) from None


def _discard(stream: TextIO) -> None:
    """Let what is still to be written go nowhere, or Python would complain about the closed pipe when it ends."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def _interrupted(program: str) -> int:
    print(f"{program}: interrupted", file=sys.stderr)
    return STOPPED
