"""The planner's parameters as ROS parameters."""

import dataclasses
from collections.abc import Callable

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node

from wm_planner.config import PlannerConfig
from wm_planner.errors import PlannerError

# What rclpy itself declares on every node.
_OF_RCLPY = ("use_sim_time", "start_type_description_service")


class NodeParameters:
    """Declares ``PlannerConfig`` on a node and guards every later change.

    Unconfigured, everything may change. Later only what is dynamic, and it acts from the next image on. A change is
    accepted or refused as a whole, with the reason.

    The node must be created with ``automatically_declare_parameters_from_overrides``: that is the only public way to
    see what was set on the command line, and rclpy says nothing about names that nobody declares.
    """

    def __init__(self, node: Node, configured: Callable[[], bool], apply: Callable[[PlannerConfig], None]):
        """``configured``: whether the node uses its parameters now; then ``apply`` is to take over the dynamic ones,
        or to raise PlannerError and change nothing.

        Raises ConfigError for an unknown name or a value that is not allowed.
        """
        self._configured = configured
        self._apply = apply
        given = {
            name: parameter.value
            for name, parameter in node.get_parameters_by_prefix("").items()
            if name not in _OF_RCLPY and not name.startswith("qos_overrides")
        }
        self.config = PlannerConfig.from_values(given)
        for name in given:
            node.undeclare_parameter(name)
        for entry in dataclasses.fields(PlannerConfig):
            node.declare_parameter(
                entry.name, getattr(self.config, entry.name), _descriptor(entry), ignore_override=True
            )
        node.add_on_set_parameters_callback(self._on_set)

    def _on_set(self, parameters) -> SetParametersResult:
        changes = {p.name: p.value for p in parameters if p.name not in _OF_RCLPY}
        if not changes:
            return SetParametersResult(successful=True)
        try:
            config = PlannerConfig.from_values({**dataclasses.asdict(self.config), **changes})
            fixed = self.config.fixed_changes(config)
            if self._configured() and fixed:
                return SetParametersResult(
                    successful=False,
                    reason=(
                        f"read-only while the node is configured: {', '.join(fixed)}; clean the node up first, and "
                        f"change it in the state 'unconfigured'"
                    ),
                )
            if self._configured():
                self._apply(config)
        except PlannerError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self.config = config
        return SetParametersResult(successful=True)


def _descriptor(entry: dataclasses.Field) -> ParameterDescriptor:
    meta = entry.metadata
    unit = f" [{meta['unit']}]" if meta["unit"] else ""
    when = "; may change while driving" if meta["dynamic"] else ""
    descriptor = ParameterDescriptor(description=meta["description"] + unit + when)
    if meta["choices"]:
        descriptor.additional_constraints = f"one of {', '.join(meta['choices'])}"
    if meta["low"] is not None:
        if isinstance(entry.default, float):
            descriptor.floating_point_range = [FloatingPointRange(from_value=meta["low"], to_value=meta["high"])]
        else:
            descriptor.integer_range = [IntegerRange(from_value=meta["low"], to_value=meta["high"], step=1)]
    return descriptor


def help_text() -> str:
    """A table of all parameters, for ``--help``."""
    lines = [
        "usage: ros2 run wm_planner planner --ros-args -p NAME:=VALUE ...",
        "",
        "parameters (those with * may change while driving):",
    ]
    for entry in dataclasses.fields(PlannerConfig):
        meta = entry.metadata
        unit = f" [{meta['unit']}]" if meta["unit"] else ""
        limits = f" {meta['low']}..{meta['high']}" if meta["low"] is not None else ""
        choices = f" {'|'.join(meta['choices'])}" if meta["choices"] else ""
        star = "*" if meta["dynamic"] else " "
        lines.append(f" {star}{entry.name:<22} {meta['description']}{unit}{limits}{choices}; default {entry.default!r}")
    return "\n".join(lines)
