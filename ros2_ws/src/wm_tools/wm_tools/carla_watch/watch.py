"""Decides when a drive through CARLA's bridge cannot go on although the bridge's process runs.

The bridge ticks in a thread: an error there (another client changes the town, a topic's name is invalid) ends the ticks
and not the process. The spawner only logs a sensor that it cannot spawn. Neither sees that the car was destroyed, or
that there are two of its name.
"""

import time
from collections.abc import Callable, Mapping, Sequence

STATUS = "/carla/status"  # comes with every tick
START_S = 180.0  # for the first tick: a large map takes minutes to load
SILENCE_S = 30.0  # the bridge itself waits this long for its server: a shorter stall may pass
SPAWN_S = 60.0  # from the first tick to the car
GONE_S = 5.0
RIVAL_S = 1.0
SENSORS_S = 10.0  # from the car to its sensors


class CarlaWatch:
    """Each fault is a state that lasts too long; the monotonic clock is injected."""

    def __init__(self, role_name: str, sensors: Sequence[str], clock: Callable[[], float] = time.monotonic):
        """``sensors``: ids of those that must publish."""
        self._role_name = role_name
        self._sensors = sensors
        self._clock = clock
        self._since_s: dict[str, float] = {}
        self._ticked = self._paused = False  # since the last look
        self._begun = self._spawned = False

    def tick(self, running: bool) -> None:
        """The bridge's status came; not ``running``: somebody paused it."""
        self._ticked = self._begun = True
        self._paused = not running

    def look(self, publishers: Mapping[str, int]) -> str | None:
        """Why the drive cannot go on, if so. ``publishers``: how many there are, by topic."""
        name, prefix = self._role_name, f"/carla/{self._role_name}"
        cars = publishers.get(f"{prefix}/vehicle_status", 0)
        self._spawned |= cars > 0
        missing = [sensor for sensor in self._sensors if not _publishes(publishers, f"{prefix}/{sensor}")]
        silent = not (self._ticked or self._paused)
        self._ticked = False
        return (
            self._lasts(
                "bridges",
                publishers.get(STATUS, 0) > 1,
                RIVAL_S,
                f"two simulators publish {STATUS}: a second bridge was started, and loads the map again under this one",
            )
            or self._lasts(
                "first",
                not self._begun,
                START_S,
                "the bridge has not ticked within {} s: its lines say what it waits for",
            )
            or self._lasts(
                "silent",
                self._begun and silent,
                SILENCE_S,
                "the bridge has not ticked for {} s though its process runs: another client changed the town or "
                "removed what the bridge used, or the server hangs; the bridge's last error says which",
            )
            or self._lasts(
                "unspawned",
                self._begun and not self._spawned,
                SPAWN_S,
                f"no car named {name} within {{}} s: the spawner's lines say why",
            )
            or self._lasts("gone", self._spawned and cars == 0, GONE_S, f"the car {name} was destroyed {{}} s ago")
            or self._lasts(
                "rival",
                cars > 1,
                RIVAL_S,
                f"{cars} cars are named {name} and share all topics: the server had one before, or there is a second "
                "spawner; end it, load the map again, or use another role_name",
            )
            or self._lasts(
                "sensors",
                cars > 0 and bool(missing),
                SENSORS_S,
                f"the car {name} has no {', '.join(missing)} {{}} s after it was spawned: the spawner's line 'will not "
                "be spawned' says why",
            )
        )

    def _lasts(self, state: str, holds: bool, limit_s: float, text: str) -> str | None:
        """The text, with the limit [s], where the state has held for so long."""
        now_s = self._clock()
        if not holds:
            self._since_s.pop(state, None)
            return None
        over = now_s - self._since_s.setdefault(state, now_s) >= limit_s
        return text.format(f"{limit_s:g}") if over else None


def _publishes(publishers: Mapping[str, int], base: str) -> bool:
    return any(count and (topic == base or topic.startswith(f"{base}/")) for topic, count in publishers.items())
