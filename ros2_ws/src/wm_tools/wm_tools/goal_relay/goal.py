"""Which goals are passed on."""

import math
from collections.abc import Sequence

_UNIT_WITHIN = 0.1


def refusal(frame: str, position: Sequence[float], orientation: Sequence[float], expected: str) -> str | None:
    """Why a goal (x, y, z) [m] with the orientation (x, y, z, w) in a frame is not passed on; None if it is.

    Who plans does not look at the frame, and would take the numbers for a place in its own, ``expected``."""
    if frame.lstrip("/") != expected:
        return (
            f"the goal is in the frame '{frame}', expected '{expected}': choose that as RViz's Fixed Frame, or set the "
            "parameter frame"
        )
    if not all(map(math.isfinite, (*position, *orientation))):
        return f"the goal is no place: ({', '.join(f'{number:g}' for number in position)})"
    if abs(sum(number * number for number in orientation) - 1.0) > _UNIT_WITHIN:
        return "the goal's orientation is not set: no quaternion of length 1"
    return None
