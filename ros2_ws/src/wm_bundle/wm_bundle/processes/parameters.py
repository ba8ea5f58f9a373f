"""Parameters of ROS nodes: declared, checked and described from a frozen dataclass.

    @dataclass(frozen=True)
    class MyParameters(VehicleParameters):
        role_name: str = role_name_parameter()
        timeout_s: float = parameter(0.2, "brake when no command came for this long", "s", 0.02, 60.0)

    class MyNode(Node):
        def __init__(self):
            super().__init__("my_node", automatically_declare_parameters_from_overrides=True)
            self.config = declare(self, MyParameters)

Imports ROS only when a node declares.
"""

import re
from collections.abc import Callable
from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any, ClassVar, Generic, TypeVar

from wm_bundle.processes.suggestions import did_you_mean

P = TypeVar("P", bound="NodeParameters")
_OFF = "off"  # without quotes, YAML takes it for false
_ROLE_NAME = re.compile(r"[A-Za-z]\w*(/[A-Za-z]\w*)*", re.ASCII)  # namespaces allowed


class ParameterError(ValueError):
    """A parameter that does not exist, or whose value cannot be used; the message names both."""


def parameter(
    default: bool | int | float | str | tuple[str, ...],
    description: str,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    live: bool = False,
) -> Any:
    """A field of a ``NodeParameters``; its type is that of ``default``. ``live``: it may change while the node is
    configured, see ``ChangingParameters``."""
    return field(default=default, metadata=_about(description, unit, low, high, choices, live))


def _about(description: str, unit: str = "", low=None, high=None, choices=(), live: bool = False) -> dict[str, Any]:
    return {"description": description, "unit": unit, "low": low, "high": high, "choices": choices, "live": live}


@dataclass(frozen=True)
class NodeParameters:
    """Base of all parameters of a node. ``from_values`` makes checked ones."""

    refusal: ClassVar[type[Exception]] = ParameterError

    def check(self) -> None:
        """Raise ``refusal`` for inconsistent values."""

    @classmethod
    def from_values(cls: type[P], values: dict[str, Any]) -> P:
        """From names and values; a whole number is accepted for a float.

        Raises ``refusal`` for a name that does not exist, and for a value that is not allowed.
        """
        known = {entry.name: entry for entry in fields(cls)}
        unknown = sorted(set(values) - set(known))
        if unknown:
            near = did_you_mean(unknown[0], known) or f"; known are {', '.join(known)}"
            raise cls.refusal(f"unknown parameter {', '.join(unknown)}{near}")
        config = cls(**{name: cls._checked(known[name], value) for name, value in values.items()})
        config.check()
        return config

    def fixed_changes(self: P, other: P) -> list[str]:
        """Names of the parameters that differ in ``other`` and are not live."""
        return [
            entry.name
            for entry in fields(self)
            if not entry.metadata["live"] and getattr(self, entry.name) != getattr(other, entry.name)
        ]

    @classmethod
    def _checked(cls, entry: Field, value):
        kind, about = type(entry.default), entry.metadata
        if kind is float and type(value) is int:
            value = float(value)
        if kind is tuple and type(value) is list:
            value = tuple(value)
        if value is False and _OFF in about["choices"]:
            value = _OFF
        if type(value) is not kind:
            quoted = "; YAML takes off, yes and numbers for text only in quotes" if kind is str else ""
            raise cls.refusal(
                f"parameter {entry.name}: expected {kind.__name__}, found {type(value).__name__} ({value!r}){quoted}"
            )
        if about["choices"] and value not in about["choices"]:
            raise cls.refusal(f"parameter {entry.name}: expected one of {', '.join(about['choices'])}, found '{value}'")
        low, high, unit = about["low"], about["high"], f" {about['unit']}" if about["unit"] else ""
        if low is not None and not low <= value <= high:  # also refuses NaN
            raise cls.refusal(f"parameter {entry.name}: expected {low} to {high}{unit}, found {value}")
        return value


def role_name_parameter() -> Any:
    """The field ``role_name`` of ``VehicleParameters``."""
    return parameter("ego_vehicle", "the vehicle's name in the topics")


def topic_parameter(what: str, leaf: str) -> Any:
    """A field of ``VehicleParameters``: the topic of ``what``, by default ``leaf`` below the vehicle's."""
    return field(default="", metadata={**_about(f"{what}; empty: /carla/<role_name>/{leaf}"), "leaf": leaf})


class VehicleParameters(NodeParameters):
    """Parameters of a node that uses the topics of one vehicle, /carla/<role_name>/..."""

    role_name: str  # a field of the subclass

    def check(self) -> None:
        """See NodeParameters."""
        if not _ROLE_NAME.fullmatch(self.role_name):
            raise self.refusal(
                "parameter role_name: expected a ROS name (a letter, then letters, digits and _), found "
                f"'{self.role_name}'"
            )

    def topic(self, name: str, leaf: str = "") -> str:
        """The topic of parameter ``name``; where it is empty, or there is none, the vehicle's topic of that parameter's
        leaf, else of ``leaf``, which may also be a whole topic."""
        about = {entry.name: entry.metadata for entry in fields(self)}
        leaf = about.get(name, {}).get("leaf", leaf)
        return getattr(self, name, "") or (leaf if leaf.startswith("/") else f"/carla/{self.role_name}/{leaf}")


def declare(node, kind: type[P], read_only: bool = True) -> P:
    """Read a new node's parameters and declare them all; raises ``kind.refusal``.

    The node must be made with ``automatically_declare_parameters_from_overrides``: the only public way to see the given
    values, and rclpy does not report undeclared names.
    """
    given = {name: found.value for name, found in node.get_parameters_by_prefix("").items() if not _is_of_rclpy(name)}
    config = kind.from_values(given)
    for name in given:
        node.undeclare_parameter(name)
    for entry in fields(kind):
        value, descriptor = getattr(config, entry.name), _descriptor(entry, read_only)
        node.declare_parameter(entry.name, value, descriptor, ignore_override=True)
    return config


class ChangingParameters(Generic[P]):
    """Declared parameters of a node with a life cycle that may change later; ``config`` holds the present values.

    Unconfigured, everything may change; later only live ones. A change is accepted or refused as a whole, with the
    reason.
    """

    def __init__(self, node, kind: type[P], configured: Callable[[], bool], apply: Callable[[P], None]):
        """``configured``: whether the node uses its parameters now; then ``apply`` must apply the live ones, or raise
        ``kind.refusal`` and change nothing.

        Raises ``kind.refusal``, see ``declare``.
        """
        self._configured = configured
        self._apply = apply
        self.config = declare(node, kind, read_only=False)
        node.add_on_set_parameters_callback(self._on_set)

    def _on_set(self, parameters):
        from rcl_interfaces.msg import SetParametersResult

        changes = {changed.name: changed.value for changed in parameters if not _is_of_rclpy(changed.name)}
        if not changes:
            return SetParametersResult(successful=True)
        try:
            config = self.config.from_values({**asdict(self.config), **changes})
            if self._configured():
                if fixed := self.config.fixed_changes(config):
                    raise self.config.refusal(
                        f"read-only while the node is configured: {', '.join(fixed)}; clean the node up first, and "
                        "change it in the state 'unconfigured'"
                    )
                self._apply(config)
        except self.config.refusal as error:
            return SetParametersResult(successful=False, reason=str(error))
        self.config = config
        return SetParametersResult(successful=True)


def help_text(kind: type[NodeParameters], program: str, about: str = "") -> str:
    """For ``--help`` of a ``program`` such as `ros2 run wm_sim bridge`: what it does, and its parameters."""
    live = any(entry.metadata["live"] for entry in fields(kind))
    lines = [f"usage: {program} --ros-args -p NAME:=VALUE ...", ""]
    lines += [about, ""] if about else []
    lines += ["parameters (those with * may change while driving):" if live else "parameters:"]
    for entry in fields(kind):
        about_it = entry.metadata
        limits = f" {about_it['low']}..{about_it['high']}" if about_it["low"] is not None else ""
        choices = f" {'|'.join(about_it['choices'])}" if about_it["choices"] else ""
        star = "*" if about_it["live"] else " "
        lines.append(f" {star}{entry.name:<22} {_described(entry)}{limits}{choices}; default {entry.default!r}")
    return "\n".join(lines)


def _is_of_rclpy(name: str) -> bool:
    """Whether rclpy itself declares it on every node."""
    return name in ("use_sim_time", "start_type_description_service") or name.startswith("qos_overrides.")


def _described(entry: Field) -> str:
    unit = entry.metadata["unit"]
    return entry.metadata["description"] + (f" [{unit}]" if unit else "")


def _descriptor(entry: Field, read_only: bool):
    from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

    about = entry.metadata
    when = "; may change while driving" if about["live"] else ""
    descriptor = ParameterDescriptor(description=_described(entry) + when, read_only=read_only)
    if about["choices"]:
        descriptor.additional_constraints = f"one of {', '.join(about['choices'])}"
    if about["low"] is not None and isinstance(entry.default, float):
        descriptor.floating_point_range = [FloatingPointRange(from_value=about["low"], to_value=about["high"])]
    elif about["low"] is not None:
        descriptor.integer_range = [IntegerRange(from_value=about["low"], to_value=about["high"], step=1)]
    return descriptor
