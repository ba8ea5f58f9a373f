"""What an episode's turns say of its yaw rate."""

import numpy as np
from wm_bundle.times import NS_PER_S
from wm_bundle.turn_check import TurnCheck
from wm_bundle.vector_inputs import SPEED, YAW_RATE

from wm_data.episodes import Episode
from wm_data.rates import rate_of


def add_turns(check: TurnCheck, episode: Episode) -> None:
    """Add an episode's turns, if it has a yaw rate of its own: not one that its actions were derived from."""
    yaw_rate, speed, rate = episode.told(YAW_RATE), episode.told(SPEED), rate_of(episode.meta)
    if yaw_rate is None or episode.meta.get("action_source") == "derived":
        return
    stamps = episode.stamps_ns
    if stamps is None:
        stamps = np.arange(len(episode)) * (NS_PER_S / rate if rate else np.inf)
    speeds = [None] * len(episode) if speed is None else np.asarray(speed, float).tolist()
    steers = [0.0, *np.asarray(episode.actions[:-1, 0], float).tolist()]  # row t acts until t + 1
    for moment in zip(np.asarray(stamps).tolist(), steers, speeds, np.asarray(yaw_rate, float).tolist(), strict=True):
        check.add(*moment)
