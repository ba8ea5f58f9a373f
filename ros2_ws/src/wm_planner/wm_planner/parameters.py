"""The planner's parameters as ROS parameters."""

import dataclasses

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node

from wm_planner.config import PlannerConfig
from wm_planner.errors import ConfigError

# What rclpy itself declares on every node.
_OF_RCLPY = ("use_sim_time", "start_type_description_service")


class NodeParameters:
    """Declares ``PlannerConfig`` on a node and guards every later change.

    The node must be created with ``automatically_declare_parameters_from_overrides``: that is the only public way to
    see what was set on the command line, and rclpy says nothing about names that nobody declares.
    """

    def __init__(self, node: Node, may_change):
        """``may_change``: function that says whether parameters may be set now.

        Raises ConfigError for an unknown name or a value that is not allowed.
        """
        self._node = node
        self._may_change = may_change
        given = {name: parameter.value for name, parameter in node.get_parameters_by_prefix("").items()
                 if name not in _OF_RCLPY and not name.startswith("qos_overrides")}
        self.config = PlannerConfig.from_values(given)
        for name in given:
            node.undeclare_parameter(name)
        for entry in dataclasses.fields(PlannerConfig):
            node.declare_parameter(entry.name, getattr(self.config, entry.name), _descriptor(entry),
                                   ignore_override=True)
        node.add_on_set_parameters_callback(self._on_set)

    def _on_set(self, parameters) -> SetParametersResult:
        changes = {p.name: p.value for p in parameters if p.name not in _OF_RCLPY}
        if changes and not self._may_change():
            return SetParametersResult(successful=False, reason="change parameters in the state 'unconfigured'")
        try:
            self.config = PlannerConfig.from_values({**dataclasses.asdict(self.config), **changes})
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)


def _descriptor(entry: dataclasses.Field) -> ParameterDescriptor:
    meta = entry.metadata
    unit = f" [{meta['unit']}]" if meta["unit"] else ""
    descriptor = ParameterDescriptor(description=meta["description"] + unit)
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
    lines = ["usage: ros2 run wm_planner planner --ros-args -p NAME:=VALUE ...", "", "parameters:"]
    for entry in dataclasses.fields(PlannerConfig):
        meta = entry.metadata
        unit = f" [{meta['unit']}]" if meta["unit"] else ""
        limits = f" {meta['low']}..{meta['high']}" if meta["low"] is not None else ""
        choices = f" {'|'.join(meta['choices'])}" if meta["choices"] else ""
        lines.append(f"  {entry.name:<20} {meta['description']}{unit}{limits}{choices}; default {entry.default!r}")
    return "\n".join(lines)
