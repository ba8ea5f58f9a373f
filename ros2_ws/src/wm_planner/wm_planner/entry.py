"""Where the executables of this package begin: a Ctrl-C while the modules are loaded ends the process without a word.

Loading takes a second or more, there is nothing to put in order yet, and Python's own answer would be a traceback. What
is loaded sets its own handlers first (``command_line``).
"""

import importlib
import signal


def _start(module: str) -> int:
    """Load the module and run its ``main``; returns the exit code."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # it may be ignored, as in a background job
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return importlib.import_module(module).main()


def planner() -> int:
    """`ros2 run wm_planner planner`"""
    return _start("wm_planner.planner_node")


def command_watchdog() -> int:
    """`ros2 run wm_planner command_watchdog`"""
    return _start("wm_planner.command_watchdog_node")


def drive() -> int:
    """`ros2 run wm_planner drive`"""
    return _start("wm_planner.drive.__main__")


def evaluate_bag() -> int:
    """`ros2 run wm_planner evaluate_bag`"""
    return _start("wm_planner.evaluation.__main__")


def benchmark() -> int:
    """`ros2 run wm_planner benchmark`"""
    return _start("wm_planner.benchmark.__main__")


def record() -> int:
    """`ros2 run wm_planner record`"""
    return _start("wm_planner.recording.__main__")


def play_bag() -> int:
    """`ros2 run wm_planner play_bag`"""
    return _start("wm_planner.replay.play")


def replay_monitor() -> int:
    """`ros2 run wm_planner replay_monitor`"""
    return _start("wm_planner.replay.monitor_node")


def live_view() -> int:
    """`ros2 run wm_planner live_view`"""
    return _start("wm_planner.view.node")


def loop_picture() -> int:
    """`ros2 run wm_planner loop_picture`"""
    return _start("wm_planner.loop_picture.__main__")


def verify_bundle() -> int:
    """`ros2 run wm_planner verify_bundle`"""
    return _start("wm_planner.verification.__main__")
