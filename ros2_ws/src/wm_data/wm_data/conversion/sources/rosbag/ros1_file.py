"""One .bag file of ROS 1."""

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
from rosbags.rosbag1 import Reader
from rosbags.rosbag1.reader import IndexData

from wm_data.conversion.report import DriveReport
from wm_data.conversion.sources.rosbag.connection import ROS1, Connection
from wm_data.conversion.sources.rosbag.writing import note_set_back, set_back_ns


class _Written(IndexData):
    """A message's place, in the order of writing; rosbags reads in the order of its index."""

    def __lt__(self, other: tuple[int, ...]) -> bool:
        return self[1:] < other[1:]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Written) and self[1:] == other[1:]

    __hash__ = IndexData.__hash__


class Ros1File:
    """Topics and messages of a ROS 1 bag; ``close`` it after use."""

    def __init__(self, path: Path, report: DriveReport):
        self._reader = Reader(path)
        self._reader.open()
        written = {number: sorted(map(_Written._make, index)) for number, index in self._reader.indexes.items()}
        by_ns = set_back_ns(np.array([entry.time for entry in index], np.int64) for index in written.values())
        note_set_back(report, path, by_ns)
        if by_ns:
            self._reader.indexes = written
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
        """(connection, time of recording [ns], bytes) of each message of ``wanted``, in the order of these times; in
        that of writing where the clock of recording was set back."""
        chosen = [connection for connection in self._reader.connections if self._topics[connection.id] in wanted]
        for connection, log_ns, raw in self._reader.messages(chosen):
            yield self._topics[connection.id], log_ns, raw

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
