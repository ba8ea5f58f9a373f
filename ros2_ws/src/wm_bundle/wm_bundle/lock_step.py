"""Lock-step: simulated time stands still until the command comes, so what is driven depends on no machine's speed.

One definition for all that drive or decide so: `drive`, `benchmark`, `collect`, `evaluate_bag`, the launch files.
"""

# How long a simulator waits for a command, of wall time, before it goes on without one [s].
EMBEDDED_WAIT_S = 10.0  # the built-in one, as it is told
BRIDGE_WAIT_S = 1.0  # CARLA's bridge, which cannot be told another
_CAMERAS_MS = 500.0  # pictures that wait for others must not wait for as long as the planner does for images
_SHARE = 0.9  # of the wait, within which the planner answers in any case
WATCHDOG_SHARE = 1.2  # of the wait: a brake within it would count as the answer, and make all later ones one tick late


def planner_parameters(wait_s: float) -> dict[str, int | float]:
    """Of the planner beside a simulator that waits ``wait_s`` [s] for a command.

    No search is cut short, no plan is late, and neither a picture nor the images are given up because this machine is
    busy: a brake that no image asked for would count as an answer.
    """
    return {
        "deadline_ms": 1000.0 * _SHARE * wait_s,
        "deadline_frames": 0,
        "image_timeout_s": _SHARE * wait_s,
        "camera_deadline_ms": _CAMERAS_MS,
    }


def simulator_parameters(waits: bool) -> dict[str, bool | float]:
    """Of the built-in simulator: whether it ``waits`` for commands, and how long."""
    return {
        "synchronous_mode_wait_for_vehicle_control_command": waits,
        **({"command_wait": EMBEDDED_WAIT_S} if waits else {}),
    }
