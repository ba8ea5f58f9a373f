"""The planner node's parameters: one frozen dataclass, every field with its meaning, unit and range."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from wm_planner.errors import ConfigError

SOLVERS = ("cem", "mppi", "actor")


def _option(default, description: str, unit: str = "", low=None, high=None, choices: tuple[str, ...] = ()):
    return field(default=default, metadata={
        "description": description, "unit": unit, "low": low, "high": high, "choices": choices})


@dataclass(frozen=True)
class PlannerConfig:
    """All parameters. Built with ``from_values``, which checks every field and the combinations."""

    bundle: str = _option("", "folder of the model bundle to drive with")
    role_name: str = _option("ego_vehicle", "the vehicle's name in the topics")
    image_topic: str = _option("", "camera images; empty: /carla/<role_name>/<camera of the bundle>/image")
    status_topic: str = _option("", "vehicle status; empty: /carla/<role_name>/vehicle_status")
    step_result_topic: str = _option("", "step results; empty: /carla/<role_name>/step_result")
    control_topic: str = _option("", "commands; empty: /carla/<role_name>/vehicle_control_cmd")
    solver: str = _option("mppi", "how to search for a plan", choices=SOLVERS)
    candidates: int = _option(64, "plans imagined in one iteration, fewer when the deadline is near", low=8, high=4096)
    iterations: int = _option(2, "iterations of the search, fewer when the deadline is near", low=1, high=20)
    elites: int = _option(8, "cem: best candidates that form the next centre", low=1, high=4096)
    temperature: float = _option(1.0, "mppi: softness of the weighting", "std of the returns", 0.01, 100.0)
    steer_std: float = _option(0.05, "width of the search in steer", "of -1..1", 0.0, 1.0)
    longitudinal_std: float = _option(0.05, "width of the search in throttle or brake", "of -1..1", 0.0, 1.0)
    noise_correlation: float = _option(0.8, "correlation of the search noise between steps", "", 0.0, 0.99)
    trust: float = _option(1.0, "how far a plan may be from the actor's", "widths of the search", 0.0, 100.0)
    return_lambda: float = _option(1.0, "weight of long roll-outs against early values", "", 0.0, 1.0)
    action_rate_cost: float = _option(0.0, "cost of changing the action", "reward per unit²", 0.0, 1e6)
    deviation_cost: float = _option(0.0, "cost of leaving the actor's plan", "reward per unit²", 0.0, 1e6)
    model_noise: float = _option(0.0, "scale of the model's noise in imagination; 0: the mean", "std", 0.0, 10.0)
    seed: int = _option(0, "seed of the search", low=0, high=2**31 - 1)
    threads: int = _option(1, "inference threads", low=1, high=256)
    deadline_ms: float = _option(60.0, "time from an image's arrival to its command", "ms", 1.0, 10_000.0)
    image_timeout_s: float = _option(0.3, "brake when no image came for this long", "s", 0.02, 10.0)
    imagined_rate_hz: float = _option(5.0, "most ImaginedRollouts published in a second", "Hz", 0.1, 100.0)
    autostart: bool = _option(False, "configure and activate at once, without a lifecycle manager")

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> "PlannerConfig":
        """Build from names and values. Raises ConfigError for an unknown name, a wrong type or a bad value."""
        fields = {entry.name: entry for entry in dataclasses.fields(cls)}
        unknown = sorted(set(values) - set(fields))
        if unknown:
            raise ConfigError(f"unknown parameter {', '.join(unknown)}; known are {', '.join(fields)}")
        config = cls(**{name: _checked(fields[name], value) for name, value in values.items()})
        if config.solver == "cem" and config.elites > config.candidates:
            raise ConfigError(f"parameter elites: expected at most candidates ({config.candidates}), "
                              f"found {config.elites}")
        return config

    def topic(self, name: str, default_leaf: str) -> str:
        """The topic of parameter ``name``, or ``/carla/<role_name>/<default_leaf>`` where it is empty."""
        return getattr(self, name) or f"/carla/{self.role_name}/{default_leaf}"


def _checked(entry: dataclasses.Field, value):
    kind = type(entry.default)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise ConfigError(f"parameter {entry.name}: expected {kind.__name__}, "
                          f"found {type(value).__name__} ({value!r})")
    choices, low, high = (entry.metadata[key] for key in ("choices", "low", "high"))
    if choices and value not in choices:
        raise ConfigError(f"parameter {entry.name}: expected one of {', '.join(choices)}, found '{value}'")
    if low is not None and not low <= value <= high:  # also refuses NaN
        raise ConfigError(f"parameter {entry.name}: expected {low} to {high}"
                          f"{' ' + entry.metadata['unit'] if entry.metadata['unit'] else ''}, found {value}")
    return value
