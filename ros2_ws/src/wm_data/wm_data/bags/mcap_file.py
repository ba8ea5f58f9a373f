"""One mcap file of a bag: by its index if complete, else from the start, up to where it is truncated.

Only the messages and the records they refer to are needed: indexes, statistics and the summary are all optional, and a
file whose writer skipped one of them must not appear to hold less.
"""

import struct
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
from mcap.reader import SeekingReader
from mcap.records import Channel, Chunk, ChunkIndex, Message, Schema
from mcap.stream_reader import MAGIC_SIZE, StreamReader, breakup_chunk
from mcap.summary import Summary
from mcap.writer import MCAP0_MAGIC
from wm_bundle.files import open_regular
from wm_evaluation.wording import counted

from wm_data.bags.connection import CDR, BagFile, Connection, full_type
from wm_data.bags.order_of_writing import is_set_back
from wm_data.errors import ConversionError
from wm_data.notes import Notes

_LARGEST_RECORD = 2**30  # bytes; a longer one is damage
_QOS = "offered_qos_profiles"
_INDEX_HEAD = struct.Struct("<BQHI")  # of a record of message indexes: kind, length, channel, bytes of the entries


class McapFile(BagFile):
    """Topics and messages of an mcap file. With ``recover``, what is damaged is skipped, with a note."""

    def __init__(self, path: Path, report: Notes, recover: bool):
        super().__init__(path, report)
        self._recover = recover
        self._chunks: list[ChunkIndex] = []
        try:
            summary = read_summary(path)
        except Exception:  # damaged bytes cause all kinds of exceptions
            if not recover:
                raise
            summary = None
        if summary is not None and _is_complete(summary):
            self._take(summary.channels, summary.schemas, summary.statistics.channel_message_counts)
            self._chunks = summary.chunk_indexes if _indexes_all(summary) else []
            return
        channels: dict[int, Channel] = {}
        schemas: dict[int, Schema] = {}
        counts: Counter = Counter()
        for record in self._records():
            if isinstance(record, Schema):
                schemas[record.id] = record
            elif isinstance(record, Channel):
                channels[record.id] = record
            elif record.channel_id in channels:
                counts[record.channel_id] += 1
        self._take(channels, schemas, counts)
        if recover and not counts:
            raise ConversionError("it holds no message that could be recovered")

    def _read(self, numbers: set[int]) -> Iterator[tuple[int, int, bytes]]:
        for record in self._indexed(numbers) if self._chunks else self._records():
            if isinstance(record, Message) and record.channel_id in numbers:
                yield record.channel_id, record.log_time, record.data

    def _take(self, channels: dict[int, Channel], schemas: dict[int, Schema], counts: dict[int, int]) -> None:
        for number, channel in channels.items():
            schema = schemas.get(channel.schema_id, Schema(0, b"", "", ""))
            self._topics[number] = Connection(
                channel.topic,
                full_type(schema.name),
                counts.get(number, 0),
                channel.message_encoding or CDR,
                schema.encoding,
                schema.data.decode("utf-8", "replace"),
                channel.metadata.get(_QOS, ""),
            )

    def _indexed(self, numbers: set[int]) -> Iterator[Message]:
        """Messages in the order of recording time. Chunks with overlapping times are merged."""
        held: list[Message] = []
        with open_regular(self._path, "rb") as stream:
            for index in sorted(self._chunks, key=self._order):
                within = index.message_index_offsets  # empty: contents unknown
                if within and not numbers & within.keys():
                    continue
                if self._as_written:
                    yield from self._of_chunk(stream, index, numbers)
                    continue
                ready = [message for message in held if message.log_time < index.message_start_time]
                yield from ready
                held = [*held[len(ready) :], *self._of_chunk(stream, index, numbers)]
                held.sort(key=lambda message: message.log_time)
        yield from held

    def _order(self, index: ChunkIndex) -> tuple[int, int]:
        return (0 if self._as_written else index.message_start_time), index.chunk_start_offset

    @cached_property
    def _as_written(self) -> bool:
        """Whether the order of writing counts. Damage is reported when the messages are read."""
        times: dict[int, list[np.ndarray]] = {}
        with open_regular(self._path, "rb") as stream:
            for index in sorted(self._chunks, key=lambda index: index.chunk_start_offset):
                try:
                    of_chunk = self._times(stream, index)
                except Exception:  # damaged bytes cause all kinds of exceptions
                    continue
                for number, several in of_chunk.items():
                    times.setdefault(number, []).append(several)
        return is_set_back((np.concatenate(several) for several in times.values()), self._path, self._report)

    def _times(self, stream, index: ChunkIndex) -> dict[int, np.ndarray]:
        """Times of recording [ns] in a chunk by channel, in the order of writing; from its message index where it has
        one."""
        found = {}
        for number, offset in index.message_index_offsets.items():
            stream.seek(offset)
            *_, size = _INDEX_HEAD.unpack(stream.read(_INDEX_HEAD.size))
            entries = np.frombuffer(stream.read(size), "<i8").reshape(-1, 2)
            found[number] = entries[np.argsort(entries[:, 1], kind="stable"), 0]
        if not found:
            messages: dict[int, list[int]] = {}
            for message in self._of_chunk(stream, index, set(self._topics)):
                messages.setdefault(message.channel_id, []).append(message.log_time)
            found = {number: np.array(several, np.int64) for number, several in messages.items()}
        return found

    def _of_chunk(self, stream, index: ChunkIndex, numbers: set[int]) -> list[Message]:
        try:
            stream.seek(index.chunk_start_offset)
            reader = StreamReader(stream, skip_magic=True, emit_chunks=True, record_size_limit=_LARGEST_RECORD)
            chunk = next(reader.records)
            if not isinstance(chunk, Chunk):
                raise ConversionError(f"expected a chunk at byte {index.chunk_start_offset}")
            records = breakup_chunk(chunk, validate_crc=True)
        except Exception as error:  # damaged bytes cause all kinds of exceptions
            if not self._recover:
                raise
            self._report.note(
                f"{self._path.name}: the damaged chunk at byte {index.chunk_start_offset} is skipped "
                f"({type(error).__name__})"
            )
            return []
        return [record for record in records if isinstance(record, Message) and record.channel_id in numbers]

    def _records(self) -> Iterator[Schema | Channel | Message]:
        """Schemas, channels and messages in the order of writing, up to where the file is truncated."""
        count = 0
        with open_regular(self._path, "rb") as stream:
            records = iter(StreamReader(stream, validate_crcs=True, record_size_limit=_LARGEST_RECORD).records)
            while True:
                try:
                    record = next(records)
                except StopIteration:
                    return
                except Exception as error:  # damaged bytes cause all kinds of exceptions
                    if not self._recover:
                        raise
                    self._report.note(
                        f"{self._path.name} breaks off at byte {stream.tell()} of {self._path.stat().st_size} "
                        f"({type(error).__name__}); recovered before it: {counted(count, 'message')}"
                    )
                    return
                if isinstance(record, Schema | Channel | Message):
                    count += isinstance(record, Message)
                    yield record


def read_summary(path: Path) -> Summary | None:
    """The summary at a file's end, None where it has none. Raises all kinds of exceptions for a damaged file."""
    with open_regular(path, "rb") as stream:
        stream.seek(max(path.stat().st_size - MAGIC_SIZE, 0))
        if stream.read() != MCAP0_MAGIC:
            raise ConversionError("its end is missing: it was cut short or never closed, or it is not an mcap")
        stream.seek(0)
        return SeekingReader(stream, record_size_limit=_LARGEST_RECORD).get_summary()


def _is_complete(summary: Summary) -> bool:
    """Whether it lists all topics and their message counts."""
    statistics = summary.statistics
    if statistics is None:
        return False
    counts = statistics.channel_message_counts
    return (
        sum(counts.values()) == statistics.message_count
        and counts.keys() <= summary.channels.keys()
        and all(channel.schema_id in {0, *summary.schemas} for channel in summary.channels.values())
    )


def _indexes_all(summary: Summary) -> bool:
    return len(summary.chunk_indexes) == summary.statistics.chunk_count
