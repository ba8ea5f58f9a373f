"""What every command of this package does alike: one line for a wrong argument, and an orderly end by a signal."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence

from rclpy.utilities import remove_ros_args
from wm_bundle.suggestions import did_you_mean


class CommandParser(argparse.ArgumentParser):
    """Prints the one line that matters, not the whole usage, when an argument is wrong; exit code 2."""

    def __init__(self, command: str, **how):
        """``command`` is the name behind `ros2 run wm_planner`, ``how`` what argparse takes."""
        super().__init__(prog=f"ros2 run wm_planner {command}", allow_abbrev=False, **how)
        self._command = command

    def parse_known_args(self, args=None, namespace=None):
        """As argparse's, but an option that is none is told first, before what is missing because of it."""
        args = sys.argv[1:] if args is None else list(args)
        for word in args[: args.index("--")] if "--" in args else args:
            name = word.partition("=")[0]
            if name.startswith("--") and name not in self._option_string_actions:
                self.error(f"unknown option {name}{did_you_mean(name, self._option_string_actions)}")
        return super().parse_known_args(args, namespace)

    def error(self, message: str):
        """End the process."""
        self.exit(2, f"{self._command}: {message} (see --help)\n")


def told_when_stopped(command: str, stop: KeyboardInterrupt, left: str) -> tuple[int, str]:
    """The exit code, 128 + the signal's number, and the line that tells what is ``left`` behind."""
    number = getattr(stop, "number", signal.SIGINT)
    return 128 + number, f"{command}: stopped by {signal.Signals(number).name}; {left}"


def node_words_refused(command: str, argv: Sequence[str], help_text: Callable[[], str]) -> int | None:
    """A node takes parameters and no words: prints its help where that is asked, or refuses in one line.

    Returns the exit code, None where there are no words. RuntimeError is rclpy's, for bad --ros-args.
    """
    words = remove_ros_args(argv)[1:]
    if words in (["--help"], ["-h"]):
        _print_while_read(help_text())
        return 0
    if words:
        print(
            f"{command}: unknown argument {' '.join(words)}: parameters are given as --ros-args -p NAME:=VALUE, "
            f"see --help",
            file=sys.stderr,
        )
        return 2
    return None


def _print_while_read(text: str) -> None:
    """As print, but without an error when the reader has gone: `… --help | head`."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python writes the rest when it ends
