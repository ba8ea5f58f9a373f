"""Recovers a ROS 1 bag that was truncated or never closed: reads from the start, without the index."""

import struct
from collections import Counter
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from rosbags.rosbag1.reader import Header, RecordType, decompressors, normalize, read_bytes, read_uint32
from rosbags.typesys.msg import normalize_msgtype
from wm_bundle.files import open_regular

from wm_data.bags.connection import ROS1, BagFile, Connection
from wm_data.errors import ConversionError
from wm_data.notes import Notes

_MAGIC = b"#ROSBAG V2.0\n"


class RecoveredRos1File(BagFile):
    """Topics and messages of a ROS 1 bag up to where it is truncated, with a note."""

    def __init__(self, path: Path, report: Notes):
        """Reads the file once. Raises ConversionError where nothing can be recovered."""
        super().__init__(path, report)
        counts: Counter = Counter()
        for header, data in self._records():
            if header.get_uint8("op") == RecordType.CONNECTION:
                self._topics.setdefault(header.get_uint32("conn"), _connection(header, data))
            elif header.get_uint32("conn") in self._topics:
                counts[header.get_uint32("conn")] += 1
        self._topics = {number: topic._replace(count=counts[number]) for number, topic in self._topics.items()}
        if not counts:
            raise ConversionError("it holds no message that could be recovered")

    def _read(self, numbers: set[int]) -> Iterator[tuple[int, int, bytes]]:
        for header, data in self._records():
            if header.get_uint8("op") == RecordType.MSGDATA and header.get_uint32("conn") in numbers:
                yield header.get_uint32("conn"), header.get_time("time"), data

    def _records(self) -> Iterator[tuple[Header, bytes]]:
        """Connections and messages. The records of an uncompressed chunk are read as if they were in the file itself:
        its end may be missing, and the length of an unclosed one is unknown."""
        size = self._path.stat().st_size
        with open_regular(self._path, "rb") as stream:
            if stream.readline() != _MAGIC:
                raise ConversionError("it is not a ROS 1 bag of version 2.0")
            while stream.tell() < size:
                begin = stream.tell()
                try:
                    header = Header.read(stream)
                    length = read_uint32(stream)
                    if _is_plain_chunk(header):
                        continue
                    found = list(_of_interest(header, _bytes(stream, length, size)))
                except Exception as error:  # damaged bytes cause all kinds of exceptions
                    self._report.note(
                        f"{self._path.name} breaks off at byte {begin} of {size} ({type(error).__name__}); what comes "
                        f"before that is recovered"
                    )
                    return
                yield from found


def _is_plain_chunk(header: Header) -> bool:
    return header.get_uint8("op") == RecordType.CHUNK and header.get_string("compression") == "none"


def _bytes(stream, length: int, size: int) -> bytes:
    if length > size - stream.tell():  # a damaged length could request any amount of memory
        raise EOFError("a record is longer than the file")
    return read_bytes(stream, length)


def _of_interest(header: Header, data: bytes) -> Iterator[tuple[Header, bytes]]:
    """The record itself, those within a compressed chunk, or none."""
    kind = header.get_uint8("op")
    if kind in (RecordType.CONNECTION, RecordType.MSGDATA):
        yield header, data
    elif kind == RecordType.CHUNK:
        chunk = BytesIO(decompressors[header.get_string("compression")](data))
        length = len(chunk.getbuffer())
        while chunk.tell() < length:
            yield from _of_interest(Header.read(chunk), _bytes(chunk, read_uint32(chunk), length))


def _connection(header: Header, data: bytes) -> Connection:
    told = Header.read(BytesIO(struct.pack("<L", len(data)) + data))
    msgtype = normalize_msgtype(told.get_string("type"))
    definition = told.get_string("message_definition")
    return Connection(normalize(header.get_string("topic")), msgtype, 0, ROS1, "ros1msg", definition)
