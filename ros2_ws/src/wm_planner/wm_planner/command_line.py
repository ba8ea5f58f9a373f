"""What every command of this package does alike: one line for a wrong argument, and an orderly end by a signal."""

import argparse
import signal
import sys

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
