"""Lock-step: simulated time waits for the command, so that a drive does not depend on the machine's speed.

One definition for all its users: `drive`, `benchmark`, `collect`, `evaluate_bag`, the launch files.
"""

WAITS = "synchronous_mode_wait_for_vehicle_control_command"  # parameter of CARLA's bridge and of the built-in simulator
# How long a simulator waits for a command, in wall time, before it continues without one [s].
EMBEDDED_WAIT_S = 10.0  # the built-in one, as configured
BRIDGE_WAIT_S = 1.0  # CARLA's bridge, where it cannot be changed
_CAMERAS_MS = 500.0  # pictures must wait for other cameras less long than the planner waits for images
_SHARE = 0.9  # of the wait, within which the planner always answers
# Simulated time without a command after which the command watchdog brakes: as in real time, but more than the periods
# of two answers that the planner may withhold to find its phase (`wm_planner/pilot/phase.py`).
_WATCHDOG_S, _WATCHDOG_PERIODS = 0.2, 3.5


def planner_parameters(wait_s: float) -> dict[str, bool | int | float]:
    """Planner parameters for a simulator that waits ``wait_s`` [s] for a command.

    A busy machine cuts no search short, makes no plan late, and drops no pictures, and nothing but the answer to an
    image is sent: a brake would count as an answer.
    """
    return {
        "lock_step": True,
        "deadline_ms": 1000.0 * _SHARE * wait_s,
        "deadline_frames": 0,
        "image_timeout_s": _SHARE * wait_s,
        "camera_deadline_ms": _CAMERAS_MS,
    }


def watchdog_parameters(period_s: float) -> dict[str, bool | float]:
    """Parameters of the command watchdog for a simulator that waits for commands, with this control period [s]."""
    return {"lock_step": True, "timeout_s": max(_WATCHDOG_S, _WATCHDOG_PERIODS * period_s)}


def simulator_parameters(waits: bool) -> dict[str, bool | float]:
    """Parameters of the built-in simulator: whether it ``waits`` for commands, and how long."""
    return {WAITS: waits, **({"command_wait": EMBEDDED_WAIT_S} if waits else {})}
