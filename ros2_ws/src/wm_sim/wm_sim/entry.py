"""Where the node ``bridge`` begins: a Ctrl-C while the modules are loaded ends the process silently."""

import signal


def bridge() -> int:
    """`ros2 run wm_sim bridge`; returns the exit code."""
    # There is nothing to clean up yet, and Python would print a traceback. A background job may ignore the signal.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from wm_sim.bridge import main

    return main()
