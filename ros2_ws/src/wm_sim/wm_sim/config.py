"""Settings of the bridge: one field for each parameter of the node."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields

from wm_sim.world import frames_per_tick
from wm_sim.worlds import CARRACING, TRAFFIC_CARS, WORLDS


def _setting(default, text: str, low: float | None = None, high: float | None = None, choices: tuple[str, ...] = ()):
    return field(default=default, metadata={"text": text, "low": low, "high": high, "choices": choices})


@dataclass(frozen=True)
class BridgeConfig:
    """Checked settings; a value that cannot be used raises ValueError naming the parameter and the value."""

    role_name: str = _setting("ego_vehicle", "name of the car in its topics: /carla/<role_name>/...")
    world: str = _setting(
        CARRACING, "what is simulated; carracing: a race track; traffic: a road with other cars", choices=WORLDS
    )
    traffic_cars: int = _setting(TRAFFIC_CARS, "other cars on the road, in the world traffic", 0, 60)
    seed: int = _setting(0, "track of the first episode; every further episode takes the next number", 0, 2**62)
    fixed_delta_seconds: float = _setting(0.08, "[s] length of a control tick: 0.02, 0.04, 0.06 or 0.08", 0.02, 0.08)
    synchronous_mode: bool = _setting(True, "whether /carla/control can pause and step, and a tick can wait")
    synchronous_mode_wait_for_vehicle_control_command: bool = _setting(
        False, "whether every tick waits for one command on the active channel"
    )
    command_wait: float = _setting(
        1.0, "[s] how long a tick waits for its command at most, of wall time; the CARLA bridge's is 1.0", 0.1, 60.0
    )
    real_time_factor: float = _setting(
        1.0, "simulated seconds in a second of wall time; 0 means as fast as possible", 0.0, 1000.0
    )
    objects_definition_file: str = _setting(
        "", "JSON file of the car's sensors, as the CARLA bridge's spawner takes it; empty: the built-in ones"
    )
    image_width: int = _setting(96, "[px] width of the built-in camera's image", 8, 4096)
    image_height: int = _setting(96, "[px] height of the built-in camera's image", 8, 4096)
    autopilot: bool = _setting(False, "whether the scripted expert drives until enable_autopilot says otherwise")
    episodes: int = _setting(0, "number of episodes after which the bridge ends with code 0; 0 means endless", 0, 2**31)
    auto_reset: bool = _setting(
        True, "whether episodes begin by themselves; otherwise the world stands until the reset service is called"
    )
    wait_for_driver: float = _setting(
        0.0,
        "[s] how long the first tick waits for a node that subscribes to the image and publishes commands",
        0.0,
        3600.0,
    )

    def __post_init__(self):
        for item in fields(self):
            value = getattr(self, item.name)
            object.__setattr__(self, item.name, _converted(item, value))
        try:
            frames_per_tick(self.fixed_delta_seconds)
        except ValueError as error:
            raise ValueError(f"parameter {error}") from None
        if not _is_ros_name(self.role_name):
            raise ValueError(
                f"parameter role_name must be a ROS name (a letter, then letters, digits, _), got {self.role_name!r}"
            )
        if not self.synchronous_mode and self.synchronous_mode_wait_for_vehicle_control_command:
            raise ValueError(
                "parameter synchronous_mode_wait_for_vehicle_control_command needs synchronous_mode to be true"
            )
        if not self.synchronous_mode and self.real_time_factor == 0.0:
            raise ValueError("parameter real_time_factor 0 (as fast as possible) needs synchronous_mode to be true")

    @property
    def tick_wall_s(self) -> float:
        """Wall time of a tick [s], 0 for as fast as possible."""
        return self.fixed_delta_seconds / self.real_time_factor if self.real_time_factor else 0.0

    @classmethod
    def from_parameters(cls, values: dict) -> BridgeConfig:
        """From parameter names and values; raises ValueError for a name that does not exist."""
        known = [item.name for item in fields(cls)]
        for name in values:
            if name not in known:
                raise ValueError(f"there is no parameter {name!r}; the parameters are {', '.join(known)}")
        return cls(**values)


def _converted(item, value):
    """``value`` as the field's type and inside its range; whole numbers are accepted for a float."""
    kind = type(item.default)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not kind:
        raise ValueError(f"parameter {item.name} must be of type {kind.__name__}, got {value!r}")
    low, high, choices = (item.metadata[key] for key in ("low", "high", "choices"))
    if choices and value not in choices:
        raise ValueError(f"parameter {item.name} must be one of {', '.join(choices)}, got {value!r}")
    if low is not None and not (math.isfinite(value) and low <= value <= high):
        raise ValueError(f"parameter {item.name} must be from {low} to {high}, got {value}")
    return value


def _is_ros_name(name: str) -> bool:
    return name.isascii() and name.isidentifier() and not name.startswith("_")
