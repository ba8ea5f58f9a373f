"""What every command line of this package shares: arguments from a dataclass, and errors without tracebacks."""

import sys
from collections.abc import Callable
from typing import TypeVar

import tyro

Options = TypeVar("Options")


def parse(options: type[Options], description: str, program: str, arguments: list[str] | None = None) -> Options:
    """Command-line flags from a dataclass's fields. Values that its checks refuse exit with one line and code 2."""
    try:
        return tyro.cli(
            options,
            prog=program,
            description=description,
            args=sys.argv[1:] if arguments is None else arguments,
        )
    except ValueError as error:
        raise SystemExit(f"{program}: {error}") from None


def run(program: str, work: Callable[[], int], expected: tuple[type[Exception], ...]) -> int:
    """Run ``work``; the expected errors become one line on stderr and exit code 1, Ctrl-C becomes 130."""
    try:
        return work()
    except expected as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        return 130
