"""Start of every node with parameters: help, one line for an invalid argument, and an orderly end by a signal."""

import contextlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from wm_bundle.processes.parameters import NodeParameters, help_text
from wm_bundle.processes.ros_errors import reason_of

EXIT_REFUSED = 2
N = TypeVar("N")


def start_node(
    program: str,
    parameters: type[NodeParameters],
    make: Callable[[], N],
    argv: Sequence[str] | None = None,
    about: str = "",
) -> N:
    """Start rclpy and create the node of a ``program`` such as `ros2 run wm_sim bridge`.

    Raises SystemExit: 0 after ``--help``, 2 with one line for invalid arguments, names or parameters.
    """
    import rclpy
    from rclpy.exceptions import NameValidationException, ParameterException
    from rclpy.signals import SignalHandlerOptions

    argv = list(sys.argv if argv is None else argv)
    try:
        _refuse_words(rclpy.utilities.remove_ros_args(argv)[1:], program, parameters, about)
        # No handlers of rclpy's: they would close the context before the node's last messages.
        rclpy.init(args=argv, signal_handler_options=SignalHandlerOptions.NO)
        return make()
    # rclpy refuses bad parameters, names and --ros-args with exceptions of several modules.
    except (ValueError, RuntimeError, ParameterException, NameValidationException) as error:
        rclpy.try_shutdown()
        _refuse(program, reason_of(error))


@contextlib.contextmanager
def serving(node) -> Iterator:
    """An executor that serves the node; both end with the block."""
    from rclpy.executors import SingleThreadedExecutor

    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    try:
        yield executor
    finally:
        executor.shutdown(timeout_sec=1.0)
        node.destroy_node()


def _refuse_words(words: list[str], program: str, parameters: type[NodeParameters], about: str) -> None:
    """A node accepts parameters, and no words except ``--help``."""
    if words in (["--help"], ["-h"]):
        _print_while_read(help_text(parameters, program, about))
        raise SystemExit(0)
    if words:
        given = f"unknown argument {' '.join(words)}"
        _refuse(program, f"{given}: parameters are given as --ros-args -p NAME:=VALUE, see --help")


def _refuse(program: str, reason: str) -> None:
    print(f"{re.split('[ .]', program)[-1]}: {reason}", file=sys.stderr)
    raise SystemExit(EXIT_REFUSED)


def _print_while_read(text: str) -> None:
    """Like print, but without an error when the reader is gone: `... --help | head`."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python writes the rest when it ends
