"""One .bag file of ROS 1."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rosbags.rosbag1 import Reader
from rosbags.rosbag1.reader import IndexData

from wm_data.bags.connection import ROS1, BagFile, Connection
from wm_data.bags.order_of_writing import is_set_back
from wm_data.notes import Notes


class _Written(IndexData):
    """A message's place, in the order of writing; rosbags reads in the order of its index."""

    def __lt__(self, other: tuple[int, ...]) -> bool:
        return self[1:] < other[1:]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Written) and self[1:] == other[1:]

    __hash__ = IndexData.__hash__


class Ros1File(BagFile):
    """Topics and messages of a ROS 1 bag; ``close`` it after use."""

    def __init__(self, path: Path, report: Notes):
        super().__init__(path, report)
        self._reader = Reader(path)
        self._reader.open()
        written = {number: sorted(map(_Written._make, index)) for number, index in self._reader.indexes.items()}
        times = (np.array([entry.time for entry in index], np.int64) for index in written.values())
        if is_set_back(times, path, report):
            self._reader.indexes = written
        for connection in self._reader.connections:
            promised = sum(chunk.connection_counts.get(connection.id, 0) for chunk in self._reader.chunk_infos)
            self._topics[connection.id] = Connection(
                connection.topic, connection.msgtype, promised, ROS1, "ros1msg", connection.msgdef.data
            )

    def _read(self, numbers: set[int]) -> Iterator[tuple[int, int, bytes]]:
        chosen = [connection for connection in self._reader.connections if connection.id in numbers]
        for connection, log_ns, raw in self._reader.messages(chosen):
            yield connection.id, log_ns, raw

    def close(self) -> None:
        self._reader.close()
