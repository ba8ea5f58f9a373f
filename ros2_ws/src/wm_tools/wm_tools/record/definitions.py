"""What an mcap file stores about a topic: its message definition and the offered quality of service."""

import importlib
import re
from collections.abc import Sequence
from pathlib import Path

import yaml
from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from rclpy.duration import Duration
from rclpy.qos import QoSProfile
from rosbags.typesys import TypesysError, get_types_from_msg
from wm_data.bags.message_types import jazzy_typestore

from wm_tools.common.errors import RecordError

_QOS = (
    "history",
    "depth",
    "reliability",
    "durability",
    "deadline",
    "lifespan",
    "liveliness",
    "liveliness_lease_duration",
    "avoid_ros_namespace_conventions",
)


def message_class(kind: str) -> type:
    """The class of a message type such as sensor_msgs/msg/Image. Raises RecordError if it is not installed."""
    try:
        package, _, name = kind.split("/")
        return getattr(importlib.import_module(f"{package}.msg"), name)
    except (ValueError, ImportError, AttributeError):
        raise RecordError(f"the message type {kind} is not installed") from None


def definition(kind: str) -> tuple[str, str]:
    """The definition of a message type and all its nested types, as text, and its type hash (RIHS01). Raises
    RecordError if a definition is not installed."""
    store = jazzy_typestore()
    _learn(kind)
    try:
        return store.generate_msgdef(kind, ros_version=2)[0], store.hash_rihs01(kind)
    except (KeyError, TypesysError) as error:
        raise RecordError(f"the definition of the message type {kind} is incomplete: {error}") from None


def _learn(kind: str) -> None:
    """Read a type that is not in Jazzy, and its nested types, from the installed definitions."""
    store = jazzy_typestore()
    if kind in store.fielddefs:
        return
    package, _, name = kind.split("/")
    try:
        file = Path(get_package_share_directory(package), "msg", f"{name}.msg")
        types = get_types_from_msg(file.read_text(encoding="utf-8"), kind)
    except (PackageNotFoundError, OSError, TypesysError):
        raise RecordError(f"the definition {package}/msg/{name}.msg is not installed") from None
    _, fields = types[kind]
    for part in set(re.findall(r"\w+/msg/\w+", repr(fields))):
        _learn(part)
    store.register(types)


def qos_text(offered: Sequence[QoSProfile]) -> str:
    """The profiles of a topic's publishers in a form that every rosbag2 reads: YAML, with numbers, since names are
    new."""
    profiles = [{name: _plain(getattr(qos, name)) for name in _QOS} for qos in offered]
    return yaml.safe_dump(profiles, sort_keys=False).strip()


def _plain(value: Duration | int) -> dict[str, int] | int:
    if isinstance(value, Duration):
        return dict(zip(("sec", "nsec"), divmod(value.nanoseconds, 10**9), strict=True))
    return value if isinstance(value, bool) else int(value)
