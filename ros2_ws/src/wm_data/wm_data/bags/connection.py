"""A bag file's topics, for every storage format."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from wm_data.notes import Notes

CDR, ROS1 = "cdr", "ros1"


class Connection(NamedTuple):
    """A topic of one type in a file. ``count``: its messages, according to the file.

    ``encoding``: of the messages, CDR, ROS1 or another. ``definition``: of the type, in the format ``definition_kind``
    (ros2msg, ros1msg, ros2idl, omgidl); empty where the file has none. ``offered_qos``: YAML, as recorded.
    """

    topic: str
    msgtype: str
    count: int
    encoding: str = CDR
    definition_kind: str = ""
    definition: str = ""
    offered_qos: str = ""


def full_type(name: str) -> str:
    """package/msg/Type of a message type that some writers call package/Type, as in ROS 1."""
    package, slash, kind = name.partition("/")
    return f"{package}/msg/{kind}" if slash and "/" not in kind else name


class BagFile(ABC):
    """One file of a bag. Opening or reading a damaged one raises all kinds of exceptions."""

    def __init__(self, path: Path, report: Notes):
        self._path = path
        self._report = report
        self._topics: dict[int, Connection] = {}  # by their number in the file; a topic may have several

    @property
    def connections(self) -> list[Connection]:
        return list(self._topics.values())

    def messages(self, wanted: Collection[Connection]) -> Iterator[tuple[Connection, int, bytes]]:
        """(connection, time of recording [ns], bytes) of each message of ``wanted``: in the order of these times if the
        file has an index, else, and where the recording clock was set back, in the order of writing."""
        for number, log_ns, raw in self._read({number for number, one in self._topics.items() if one in wanted}):
            yield self._topics[number], log_ns, raw

    @abstractmethod
    def _read(self, numbers: set[int]) -> Iterator[tuple[int, int, bytes]]:
        """(number of the topic, time of recording [ns], bytes) of each message of these topics."""

    def close(self) -> None:  # noqa: B027  most need no closing
        """Close the file."""
