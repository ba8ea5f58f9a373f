"""The file of a recording: a bounded queue and a thread that compresses and writes, so that receiving never blocks.

Written under another name and renamed at the end. If the process is killed, what was written so far can be read: chunks
are closed at least every second.
"""

import os
import queue
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mcap.writer import CompressionType, Writer

from wm_tools.common.errors import RecordError

PROFILE = "ros2"
_LIBRARY = "wm_tools record"
_CHUNK_BYTES = 4 * 1024 * 1024
_FLUSH_S = 1.0


class RecordedMessage(NamedTuple):
    """One received message: topic, receive and send times [ns since 1970], sequence number and bytes."""

    topic: str
    received_ns: int
    sent_ns: int
    sequence: int
    data: bytes


@dataclass(frozen=True)
class RecordedTopic:
    """A topic as described in the file. ``text`` is the message definition, ``qos`` the offered profiles as YAML."""

    name: str
    kind: str
    text: str
    hash: str
    qos: str


@dataclass(frozen=True)
class Totals:
    """How many messages of each topic were written and dropped; size of the file in bytes."""

    written: dict[str, int]
    dropped: dict[str, int]
    file_bytes: int


class McapRecording:
    """An mcap file being written. ``add`` never waits for the disk; beyond ``queue_bytes`` it drops and counts
    messages."""

    def __init__(self, path: Path, partial: Path, queue_bytes: int):
        """Write to ``partial`` until ``close`` renames it to ``path``. Raises RecordError if that is impossible."""
        self._path, self._partial = path, partial
        self._queue_bytes = queue_bytes
        self._waiting: queue.SimpleQueue[RecordedTopic | RecordedMessage | None] = queue.SimpleQueue()  # None: the end
        self._waiting_bytes = 0
        self._counting = threading.Lock()
        self._written: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._failure: str | None = None
        self._channels: dict[str, int] = {}
        self._schemas: dict[str, int] = {}
        try:
            partial.parent.mkdir(parents=True, exist_ok=True)
            self._stream = open(partial, "xb")
        except OSError as error:
            raise RecordError(f"{partial} cannot be written: {error.strerror}") from None
        self._writer = Writer(self._stream, chunk_size=_CHUNK_BYTES, compression=CompressionType.ZSTD)
        self._thread = threading.Thread(target=self._write_all, name="mcap", daemon=True)
        self._thread.start()

    @property
    def failure(self) -> str | None:
        """Why writing failed, None if it has not."""
        return self._failure

    @property
    def dropped(self) -> int:
        return sum(self._dropped.values())

    def add_topic(self, topic: RecordedTopic) -> None:
        """Add a topic; must come before its messages."""
        self._waiting.put(topic)

    def add(self, message: RecordedMessage) -> None:
        """Queue a message, or drop and count it if the queue is full."""
        with self._counting:
            if self._waiting_bytes + len(message.data) > self._queue_bytes:
                self._dropped[message.topic] += 1
                return
            self._waiting_bytes += len(message.data)
        self._waiting.put(message)

    def close(self) -> Totals:
        """Write the queue, finish the file and rename it; a file without messages is removed. Raises RecordError if it
        could not be written; what was written keeps its temporary name."""
        self._waiting.put(None)
        self._thread.join()
        if self._failure is not None:
            raise RecordError(f"{self._failure}; what was recorded until then is in {self._partial}")
        size = self._partial.stat().st_size
        if not self._written:
            self._partial.unlink()
        elif self._path.exists():
            raise RecordError(f"{self._path} was created by another process; the recording is in {self._partial}")
        else:
            os.replace(self._partial, self._path)
        return Totals(dict(self._written), dict(self._dropped), size if self._written else 0)

    def _write_all(self) -> None:
        try:
            self._writer.start(profile=PROFILE, library=_LIBRARY)
            self._write_until_closed()
            self._writer.finish()
            self._stream.flush()
            os.fsync(self._stream.fileno())
        except OSError as error:
            self._failure = f"{self._partial} cannot be written: {error.strerror}"
        except Exception as error:  # in a thread, it would otherwise go unnoticed
            self._failure = f"{self._partial} cannot be written: {type(error).__name__}: {error}"
        finally:
            try:
                self._stream.close()
            except OSError as error:  # with a full disk, flushing the buffer fails
                self._failure = self._failure or f"{self._partial} cannot be written: {error.strerror}"

    def _write_until_closed(self) -> None:
        flushed_s = time.monotonic()
        while True:
            try:
                entry = self._waiting.get(timeout=_FLUSH_S)
            except queue.Empty:
                pass
            else:
                if entry is None:
                    return
                self._write(entry)
            if time.monotonic() - flushed_s > _FLUSH_S:
                self._writer.flush()
                flushed_s = time.monotonic()

    def _write(self, entry: RecordedTopic | RecordedMessage) -> None:
        if isinstance(entry, RecordedTopic):
            self._begin(entry)
            return
        with self._counting:
            self._waiting_bytes -= len(entry.data)
        channel = self._channels[entry.topic]
        self._writer.add_message(channel, entry.received_ns, entry.data, entry.sent_ns, entry.sequence)
        self._written[entry.topic] += 1

    def _begin(self, topic: RecordedTopic) -> None:
        if topic.kind not in self._schemas:
            self._schemas[topic.kind] = self._writer.register_schema(topic.kind, "ros2msg", topic.text.encode())
        self._channels[topic.name] = self._writer.register_channel(
            topic.name,
            "cdr",
            self._schemas[topic.kind],
            {"offered_qos_profiles": topic.qos, "topic_type_hash": topic.hash},
        )
