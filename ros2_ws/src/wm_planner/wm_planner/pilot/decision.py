"""What is commanded for one frame."""

from dataclasses import dataclass

import numpy as np

from wm_planner.pilot.modes import Mode
from wm_planner.planning.plan import Plan

BRAKE = np.array([0.0, 0.0, 1.0], np.float32)  # [steer, throttle, brake]


@dataclass(frozen=True)
class Decision:
    """What to command for one frame.

    ``plan`` is None when braking. ``reason`` says why the mode is not DRIVING (else empty). ``fatal``: no later frame
    can be better, the node ends. ``expected``: a brake that is normal in a healthy drive."""

    command: np.ndarray
    reason: str
    plan: Plan | None = None
    fatal: bool = False
    mode: Mode = Mode.BRAKING
    expected: bool = False
