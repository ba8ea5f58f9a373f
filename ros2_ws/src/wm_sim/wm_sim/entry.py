"""Where the node ``bridge`` begins: a Ctrl-C while the modules are loaded ends the process without a word."""

import signal


def bridge() -> int:
    """`ros2 run wm_sim bridge`; returns the exit code."""
    # Nothing is to be put in order yet, and Python's own answer would be a traceback. It may be ignored, as in a
    # background job.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from wm_sim.bridge import main

    return main()
