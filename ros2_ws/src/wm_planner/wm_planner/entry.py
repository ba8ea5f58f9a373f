"""Where the executables of this package begin."""

import importlib
import sys

from wm_bundle.processes.entry import start

MODULES = {"planner": "wm_planner.node.planner_node", "command_watchdog": "wm_planner.command_watchdog.node"}


def main() -> int:
    """`ros2 run wm_planner planner` and `command_watchdog`."""
    return start(MODULES)


def tool() -> int:
    """`ros2 run wm_planner drive` and others: their earlier names. wm_tools has them, which a car may lack."""
    try:
        return importlib.import_module("wm_tools.entry").main()
    except ModuleNotFoundError as error:
        if error.name != "wm_tools":
            raise
        print("expected the package wm_tools, which has this command; it is not installed here", file=sys.stderr)
        return 1
