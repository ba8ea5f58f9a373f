"""One .bag file of ROS 1."""

from collections.abc import Collection, Iterator
from pathlib import Path

from rosbags.rosbag1 import Reader

from wm_data.conversion.sources.rosbag.connection import ROS1, Connection


class Ros1File:
    """Topics and messages of a ROS 1 bag; ``close`` it after use."""

    def __init__(self, path: Path):
        self._reader = Reader(path)
        self._reader.open()
        self._topics = {}
        for connection in self._reader.connections:
            promised = sum(chunk.connection_counts.get(connection.id, 0) for chunk in self._reader.chunk_infos)
            self._topics[connection.id] = Connection(
                connection.topic, connection.msgtype, promised, ROS1, "ros1msg", connection.msgdef.data
            )

    @property
    def connections(self) -> list[Connection]:
        """All topics; of one there may be several, one for each publisher."""
        return list(self._topics.values())

    def messages(self, wanted: Collection[Connection]) -> Iterator[tuple[Connection, int, bytes]]:
        """(connection, time of recording [ns], bytes) of each message of ``wanted``, in the order of these times."""
        chosen = [connection for connection in self._reader.connections if self._topics[connection.id] in wanted]
        for connection, log_ns, raw in self._reader.messages(chosen):
            yield self._topics[connection.id], log_ns, raw

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
