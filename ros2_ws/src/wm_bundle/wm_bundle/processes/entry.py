"""Entry of executables: loading takes a second or more, during which Ctrl-C must end the process silently.

The loaded module first sets its own handlers.
"""

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path

from wm_bundle.processes.stop_signals import quiet_while_loading


def start(modules: Mapping[str, str]) -> int:
    """Run ``main`` of the module for this process's executable; returns the exit code.

    ``modules``: the name of each executable of a package, and the module to load for it.
    """
    quiet_while_loading()
    return importlib.import_module(modules[Path(sys.argv[0]).name]).main()
