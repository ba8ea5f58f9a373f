"""Where executables begin: a Ctrl-C while the modules are loaded ends the process silently.

Loading takes a second or more, there is nothing to clean up yet, and Python's own answer would be a traceback. What is
loaded sets its own handlers first.
"""

import importlib
import signal
import sys
from collections.abc import Mapping
from pathlib import Path


def start(modules: Mapping[str, str]) -> int:
    """Run ``main`` of the module that belongs to this process's executable; returns the exit code.

    ``modules``: the name of each executable of a package, and the module to load for it.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # it may be ignored, as in a background job
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return importlib.import_module(modules[Path(sys.argv[0]).name]).main()
