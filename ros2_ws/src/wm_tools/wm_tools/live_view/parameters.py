"""The live view's parameters."""

import ipaddress
from dataclasses import dataclass, fields
from dataclasses import field as dataclass_field

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node

TRANSPORTS = ("raw", "compressed")


def _option(default, text: str):
    return dataclass_field(default=default, metadata={"text": text})


@dataclass(frozen=True)
class ViewConfig:
    """All parameters; raises ValueError for a value that is not allowed."""

    address: str = _option(
        "127.0.0.1", "IP address to listen on; with any that is not this machine's alone others can watch"
    )
    port: int = _option(8765, "port to listen on, 0 to 65535; 0 takes any free one")
    role_name: str = _option("ego_vehicle", "the vehicle's name in the topics")
    camera: str = _option("rgb_front", "camera to show")
    image_topic: str = _option(
        "", "camera images, {camera} stands for the camera's name; empty: /carla/<role_name>/{camera}/image"
    )
    image_transport: str = _option("raw", "raw, or compressed for <image_topic>/compressed")
    control_topic: str = _option("", "commands; empty: /carla/<role_name>/vehicle_control_cmd")
    planner_status_topic: str = _option("", "PlannerStatus; empty: /carla/<role_name>/planner/status")
    imagined_topic: str = _option("", "ImaginedRollouts; empty: /carla/<role_name>/planner/imagined")
    status_topic: str = _option("", "vehicle status; empty: /carla/<role_name>/vehicle_status")
    step_result_topic: str = _option("", "step results; empty: /carla/<role_name>/step_result")
    diagnostics_topic: str = _option("/diagnostics", "diagnostics")

    def __post_init__(self):
        if not 0 <= self.port <= 65535:
            raise ValueError(f"parameter port: expected 0 to 65535, found {self.port}")
        if self.image_transport not in TRANSPORTS:
            raise ValueError(
                f"parameter image_transport: expected one of {', '.join(TRANSPORTS)}, found '{self.image_transport}'"
            )
        try:
            ipaddress.ip_address(self.address)
        except ValueError:
            raise ValueError(f"parameter address: expected an IP address, found '{self.address}'") from None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches the address."""
        return ipaddress.ip_address(self.address).is_loopback

    def topic(self, name: str, default_leaf: str) -> str:
        """The topic of parameter ``name``, or ``/carla/<role_name>/<default_leaf>`` where it is empty."""
        return getattr(self, name) or f"/carla/{self.role_name}/{default_leaf}"

    @property
    def camera_topic(self) -> str:
        """The topic of the camera's images."""
        topic = self.topic("image_topic", "{camera}/image").replace("{camera}", self.camera)
        return f"{topic}/compressed" if self.image_transport == "compressed" else topic


def read_parameters(node: Node) -> ViewConfig:
    """Declare the parameters on a new node and read them. Raises ValueError for one that is unknown or not allowed."""
    known = [entry.name for entry in fields(ViewConfig)]
    # rclpy keeps overrides of undeclared parameters without a word: a misspelt name must not go unnoticed.
    allowed = (*known, "use_sim_time", "start_type_description_service")
    unknown = [
        name for name in node._parameter_overrides if name not in allowed and not name.startswith("qos_overrides.")
    ]
    if unknown:
        raise ValueError(f"unknown parameter {', '.join(sorted(unknown))}; known are {', '.join(known)}")
    values = {}
    for entry in fields(ViewConfig):
        descriptor = ParameterDescriptor(description=entry.metadata["text"], read_only=True)
        values[entry.name] = node.declare_parameter(entry.name, entry.default, descriptor).value
    return ViewConfig(**values)


def help_text() -> str:
    """A table of all parameters, for ``--help``."""
    lines = [
        "usage: ros2 run wm_planner live_view --ros-args -p NAME:=VALUE ...",
        "",
        "Serves a page that shows a drive as it happens. Listens to the drive only while a browser looks.",
        "",
        "parameters:",
    ]
    return "\n".join(
        lines
        + [f"  {entry.name:<22} {entry.metadata['text']}; default {entry.default!r}" for entry in fields(ViewConfig)]
    )
