"""Entry points of this package's executables."""

import importlib
import sys

from wm_bundle.processes.entry import start

MODULES = {"planner": "wm_planner.node.planner_node", "command_watchdog": "wm_planner.command_watchdog.node"}


def main() -> int:
    """`ros2 run wm_planner planner` and `command_watchdog`."""
    return start(MODULES)


def tool() -> int:
    """`ros2 run wm_planner drive` and others, which belong to wm_tools; a car may lack that package."""
    try:
        return importlib.import_module("wm_tools.entry").main()
    except ModuleNotFoundError as error:
        if error.name != "wm_tools":
            raise
        print("this command needs the package wm_tools, which is not installed here", file=sys.stderr)
        return 1
