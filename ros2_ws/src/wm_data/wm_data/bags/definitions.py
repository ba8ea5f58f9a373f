"""Message types as defined in a bag, else those of ROS 2 Jazzy, carla_msgs and wm_msgs."""

from collections.abc import Iterable
from typing import Any

from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from wm_data.bags.connection import Connection
from wm_data.bags.message_types import jazzy_typestore
from wm_data.notes import Notes

_IDL_RULER = "=" * 80 + "\nIDL: "


class Definitions:
    """A bag's types, parsed on demand: an unreadable one does not affect topics of other types."""

    def __init__(self, connections: Iterable[Connection], report: Notes):
        self._report = report
        self._stores: dict[str, Typestore | None] = {}
        self._texts: dict[str, tuple[str, str]] = {}
        for connection in connections:
            if connection.definition.strip():
                self._texts.setdefault(connection.msgtype, (connection.definition_kind, connection.definition))

    def store_of(self, msgtype: str) -> Typestore | None:
        """A store with the type and those within it, None where it is undefined. Raises ConversionError where the bag
        does not define it, and the workspace is not sourced."""
        if msgtype not in self._stores:
            self._stores[msgtype] = self._from_bag(msgtype) or self._of_jazzy(msgtype)
        return self._stores[msgtype]

    def _from_bag(self, msgtype: str) -> Typestore | None:
        if msgtype not in self._texts:
            return None
        store = get_typestore(Stores.EMPTY)
        try:
            store.register(_types_of(msgtype, *self._texts[msgtype]))
        except Exception as error:  # rosbags' parsers raise all kinds of exceptions for damaged text
            self._report.note(f"the bag's definition of {msgtype} cannot be read ({type(error).__name__})")
            return None
        return store if msgtype in store.fielddefs else None

    def _of_jazzy(self, msgtype: str) -> Typestore | None:
        store = jazzy_typestore()
        return store if msgtype in store.fielddefs else None


def _types_of(msgtype: str, kind: str, text: str) -> dict[str, Any]:
    """The types in a definition; none if it is of another kind."""
    if kind in ("ros2msg", "ros1msg"):
        return get_types_from_msg(text, msgtype)
    if kind in ("ros2idl", "omgidl"):
        parts = [part.partition("\n")[2] for part in text.split(_IDL_RULER)[1:]] or [text]
        return {name: fields for part in parts for name, fields in get_types_from_idl(part).items()}
    return {}
