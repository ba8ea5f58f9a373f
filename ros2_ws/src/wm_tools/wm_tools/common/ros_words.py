"""The ROS arguments of a command line."""

import sys
from collections.abc import Sequence
from typing import NoReturn

import rclpy
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args
from wm_bundle.processes.ros_errors import reason_of
from wm_evaluation.command_line import USAGE


def own_words(program: str, argv: Sequence[str] | None = None) -> list[str]:
    """The arguments that are not ROS's. Exits with one line for invalid --ros-args."""
    try:
        return remove_ros_args(sys.argv if argv is None else argv)[1:]
    except RuntimeError as error:
        _refuse(program, error)


def start_ros(program: str, argv: Sequence[str]) -> None:
    """Start rclpy with its arguments in ``argv``, but without its signal handlers: there is work to finish first.

    Exits with one line for invalid --ros-args.
    """
    try:
        rclpy.init(args=list(argv), signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:
        _refuse(program, error)


def _refuse(program: str, error: RuntimeError) -> NoReturn:
    print(f"{program}: {reason_of(error)}", file=sys.stderr)
    raise SystemExit(USAGE)
