"""Physics frames and control ticks."""

import math

PHYSICS_PERIOD_S = 0.02  # one physics frame


def frames_per_tick(fixed_delta_seconds: float) -> int:
    """Physics frames in a control tick; ValueError unless the period is 0.02, 0.04, 0.06 or 0.08 s."""
    frames = round(fixed_delta_seconds / PHYSICS_PERIOD_S) if math.isfinite(fixed_delta_seconds) else 0
    if not 1 <= frames <= 4 or abs(frames * PHYSICS_PERIOD_S - fixed_delta_seconds) > 1e-6:
        raise ValueError(
            f"fixed_delta_seconds must be 0.02, 0.04, 0.06 or 0.08 (physics runs at 50 Hz and CARLA needs less than "
            f"0.1), got {fixed_delta_seconds}"
        )
    return frames
