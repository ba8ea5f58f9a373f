"""The way that a table's positions tell, which are those of CARLA's world: y points to the right."""

import math
from array import array

import numpy as np

from wm_data.errors import ConversionError
from wm_data.routes.driven import DrivenPath, PathError, facing
from wm_data.routes.following import Recorded

_TURN_RAD, _STEER = 0.01, 0.05  # a row turns and is steered from these on
_ENOUGH, _MOST = 20, 0.8


class Way:
    """Positions, row by row."""

    def __init__(self):
        self._stamps, self._places = array("q"), array("q")
        self._numbers = array("d")

    def add(self, stamp_ns: int, place: int, x: float, y: float, steer: float) -> None:
        """A row's position [m] and steer, positive right; NaN where it has none."""
        if math.isfinite(x + y):
            self._stamps.append(stamp_ns)
            self._places.append(place)
            self._numbers.extend((x, -y, steer))

    def recorded(self, table: str) -> Recorded | None:
        """The path; None without positions. Raises ConversionError where it turns the other way than is steered."""
        if len(self._stamps) < 2:
            return None
        x, y, steer = np.array(self._numbers).reshape(-1, 3).T
        yaws = facing(np.stack([x, y], axis=1))
        left = np.diff(yaws)
        judged = (np.abs(left) > _TURN_RAD) & (np.abs(steer[:-1]) > _STEER)
        against = left[judged] * steer[:-1][judged] > 0.0
        if len(against) >= _ENOUGH and against.mean() > _MOST:
            raise ConversionError(
                f"{table}: its x and y turn the other way than its steer; expected positions in CARLA's world, where y "
                f"points to the right: change the sign of y, or leave out --route"
            )
        try:
            path = DrivenPath(np.array(self._stamps), np.column_stack([x, y, yaws]), np.array(self._places))
        except PathError as error:
            raise ConversionError(f"{table}: {error}") from None
        return Recorded(path, "x and y")
