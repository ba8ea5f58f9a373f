"""Entry point of the executable ``bridge``."""

from wm_bundle.processes.entry import start


def bridge() -> int:
    """`ros2 run wm_sim bridge`; returns the exit code."""
    return start({"bridge": "wm_sim.bridge"})
