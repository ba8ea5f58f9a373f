"""The reward where the simulator sends none: safety, efficiency and comfort from the bridge's own topics."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BridgeReward:
    """Reward of one control interval, version ``bridge-1``, between about -12 and 1.

    ``efficiency_weight`` times the speed as a share of ``target_speed`` [m/s], at most 1;
    minus ``comfort_weight`` times the change of (steer, longitudinal), summed, each in [0, 2];
    minus ``lane_penalty`` for every lane marking crossed; minus ``collision_penalty`` for a collision.
    """

    name = "bridge-1"
    target_speed: float = 8.0
    efficiency_weight: float = 1.0
    comfort_weight: float = 0.1
    lane_penalty: float = 1.0
    collision_penalty: float = 10.0

    def __call__(
        self,
        speed: float,
        control: np.ndarray,
        previous_control: np.ndarray,
        lane_crossings: int,
        collision: bool,
    ) -> float:
        """Reward of the interval that ended with ``speed`` [m/s] under ``control`` (3,); previous_control (3,)."""
        efficiency = self.efficiency_weight * min(max(speed, 0.0) / self.target_speed, 1.0)
        change = np.abs(np.asarray(control, np.float64) - np.asarray(previous_control, np.float64))
        comfort = self.comfort_weight * float(change[0] + change[1] + change[2])
        return efficiency - comfort - self.lane_penalty * lane_crossings - self.collision_penalty * bool(collision)
