"""The words of a command line that are ROS's own."""

import sys
from collections.abc import Sequence
from typing import NoReturn

import rclpy
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args
from wm_bundle.processes.ros_errors import reason_of
from wm_evaluation.command_line import USAGE


def own_words(program: str, argv: Sequence[str] | None = None) -> list[str]:
    """Those that are not. Ends the program with one line for --ros-args that cannot be used."""
    try:
        return remove_ros_args(sys.argv if argv is None else argv)[1:]
    except RuntimeError as error:
        _refuse(program, error)


def start_ros(program: str, argv: Sequence[str]) -> None:
    """Start rclpy with its words in ``argv``, and without its handlers of signals: there is something to finish first.

    Ends the program with one line for --ros-args that cannot be used.
    """
    try:
        rclpy.init(args=list(argv), signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:
        _refuse(program, error)


def _refuse(program: str, error: RuntimeError) -> NoReturn:
    print(f"{program}: {reason_of(error)}", file=sys.stderr)
    raise SystemExit(USAGE)
