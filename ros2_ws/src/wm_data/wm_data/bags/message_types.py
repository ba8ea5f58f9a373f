"""ROS 2 message types for reading and writing bags without ROS: those of Jazzy, and this workspace's own."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from wm_data.errors import ConversionError

PACKAGES = ("carla_msgs", "wm_msgs")


@cache
def jazzy_typestore() -> Typestore:
    """Types of ROS 2 Jazzy, carla_msgs and wm_msgs, the last two from their installed definitions. Raises
    ConversionError if the workspace is not sourced."""
    store = get_typestore(Stores.ROS2_JAZZY)
    for package in PACKAGES:
        types = {}
        for file in sorted(_definitions(package).glob("*.msg")):
            types.update(get_types_from_msg(file.read_text(encoding="utf-8"), f"{package}/msg/{file.stem}"))
        store.register(types)
    return store


def _definitions(package: str) -> Path:
    from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

    try:
        folder = Path(get_package_share_directory(package)) / "msg"
    except (PackageNotFoundError, LookupError):
        folder = None
    if folder is None or not folder.is_dir():
        raise ConversionError(f"the message definitions of {package} are not installed: source env.sh, then try again")
    return folder


def message_of(store: Typestore, msgtype: str, fields: dict[str, Any]) -> Any:
    """A message with ``fields``, nested messages as dictionaries; all others are zero or empty. Raises TypeError for a
    field that the type lacks."""
    values = {}
    for name, (kind, detail) in store.fielddefs[msgtype][1]:
        given = fields.get(name)
        if kind == Nodetype.NAME:
            values[name] = message_of(store, detail, given or {})
        elif kind == Nodetype.BASE:
            values[name] = given if given is not None else "" if detail[0] == "string" else 0
        else:
            (inner_kind, inner), length = detail
            if inner_kind == Nodetype.NAME:
                values[name] = [message_of(store, inner, each) for each in given or ()]
            elif inner[0] == "string":
                values[name] = given or []
            else:
                zeros = np.zeros(length if kind == Nodetype.ARRAY else 0, inner[0])
                values[name] = zeros if given is None else np.asarray(given, inner[0])
    if unknown := fields.keys() - values.keys():
        raise TypeError(f"{msgtype} has no {unknown}")
    return store.types[msgtype](**values)
