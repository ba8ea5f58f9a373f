"""Where the node ``collect`` begins: a Ctrl-C while the modules are loaded ends the process without a word."""

import signal


def collect() -> int:
    """`ros2 run wm_training collect`; returns the exit code."""
    # Nothing is to be put in order yet, and Python's own answer would be a traceback. It may be ignored, as in a
    # background job.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from wm_training.collect import main

    return main()
