"""What every file of a bag says about its topics, whatever it is stored in."""

from collections.abc import Collection, Iterator
from typing import NamedTuple, Protocol

CDR, ROS1 = "cdr", "ros1"


class Connection(NamedTuple):
    """A topic of one type in a file. ``count``: messages that the file itself says it holds of it.

    ``encoding``: of the messages, CDR, ROS1 or another word. ``definition``: of the type, as ``definition_kind`` says
    (ros2msg, ros1msg, ros2idl, omgidl); empty where the file has none. ``offered_qos``: YAML, as it was recorded.
    """

    topic: str
    msgtype: str
    count: int
    encoding: str = CDR
    definition_kind: str = ""
    definition: str = ""
    offered_qos: str = ""


def full_type(name: str) -> str:
    """package/msg/Type of a message type that some writers call package/Type, as ROS 1 did."""
    package, slash, kind = name.partition("/")
    return f"{package}/msg/{kind}" if slash and "/" not in kind else name


class BagFile(Protocol):
    """One file of a bag. Making one raises exceptions of every kind about a damaged file, and so does reading it."""

    connections: list[Connection]

    def messages(self, wanted: Collection[Connection]) -> Iterator[tuple[Connection, int, bytes]]:
        """(connection, time of recording [ns], bytes) of each message of ``wanted``."""
        ...
