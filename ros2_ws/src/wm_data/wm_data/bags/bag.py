"""Opens a bag of any storage format and reads its messages; every failure becomes a ConversionError."""

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import zstandard
from rosbags.interfaces import Qos
from rosbags.rosbag2.metadata import parse_qos
from rosbags.typesys.store import Typestore
from wm_bundle.files import open_regular

from wm_data.bags.connection import CDR, ROS1, BagFile, Connection
from wm_data.bags.definitions import Definitions
from wm_data.bags.layout import MCAP_SUFFIXES, ROS1_SUFFIXES, Layout, layout_of
from wm_data.bags.mcap_file import McapFile
from wm_data.bags.ros1_file import Ros1File
from wm_data.bags.ros1_recovery import RecoveredRos1File
from wm_data.bags.sqlite3_file import Sqlite3File
from wm_data.errors import ConversionError
from wm_data.notes import Notes

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"  # no message begins with it: the first byte of CDR is 0
_NEWEST_NS = 2**63 - 1
# Advice about a damaged file, by its suffix.
_ADVICE = {
    **dict.fromkeys(MCAP_SUFFIXES, "--recover reads what an mcap holds up to there"),
    **dict.fromkeys(
        ROS1_SUFFIXES, "--recover reads what it holds up to there; `rosbag reindex`, of ROS 1, mends a bag"
    ),
    ".db3": "`sqlite3 FILE .recover` writes down what can be saved of a database",
}


class Message(NamedTuple):
    """One recorded message: its topic, time [ns] and bytes."""

    topic: str
    log_ns: int
    raw: bytes


@dataclass(frozen=True)
class Topic:
    """A topic of a bag: its name, message type, number of messages, and how they are serialised, CDR or ROS1."""

    name: str
    type: str
    count: int
    encoding: str = CDR


class Bag:
    def __init__(self, place: str, files: list[BagFile], layout: Layout, report: Notes, recover: bool):
        """``place`` names the bag in messages. ``recover``: a truncated file ends there, with a note."""
        self.place = place
        self._files = files
        self._layout = layout
        self._report = report
        self._recover = recover
        connections = [connection for file in files for connection in file.connections]
        self.topics = _topics_of(connections, report)
        self._connections = [
            connection for connection in connections if _is_of(connection, self.topics.get(connection.topic))
        ]
        self._definitions = Definitions(self._connections, report)

    def messages(self, topics: Collection[str]) -> Iterator[Message]:
        """The messages of ``topics``, file by file, each in the order of recording. Messages that the bag lists but
        does not hold are counted at the end. Raises ConversionError where the bag is truncated."""
        read: Counter = Counter()
        for file, path in zip(self._files, self._layout.files, strict=True):
            wanted = [
                connection
                for connection in file.connections
                if connection.topic in topics and _is_of(connection, self.topics.get(connection.topic))
            ]
            for connection, log_ns, raw in self._stored(file, path, wanted):
                read[connection.topic, connection.msgtype] += 1
                message = self._checked(connection.topic, log_ns, raw)
                if message is not None:
                    yield message
        self._count_missing(topics, read)

    def _stored(self, file: BagFile, path: Path, wanted: list[Connection]) -> Iterator[tuple[Connection, int, bytes]]:
        """A file's messages of ``wanted``, up to where it is truncated."""
        try:
            if wanted:
                yield from file.messages(wanted)
        except Exception as error:  # the libraries raise all kinds of exceptions for a damaged file
            if not self._recover:
                raise ConversionError(
                    f"{path} breaks off or is damaged: {_short(error)}{_advice(path, self._recover)}"
                ) from None
            self._report.note(f"{path.name} breaks off ({_short(error)}); what comes before that is used")

    def _checked(self, topic: str, log_ns: Any, raw: Any) -> Message | None:
        """The message, unpacked; None for an invalid one, which is counted."""
        if not (isinstance(log_ns, int) and 0 <= log_ns <= _NEWEST_NS):
            self._report.skipped[f"message of {topic} with an impossible time of recording"] += 1
            return None
        try:
            if raw[:4] == _ZSTD_MAGIC:
                raw = zstandard.decompress(raw)
        except (TypeError, zstandard.ZstdError):
            self.count_unreadable(topic)
            return None
        return Message(topic, log_ns, raw)

    def _count_missing(self, topics: Collection[str], read: Counter) -> None:
        held: Counter = Counter()
        for connection in self._connections:
            held[connection.topic, connection.msgtype] += connection.count
        for name in self.topics.keys() & topics:
            key = name, self.topics[name].type
            missing = max(held[key], self._layout.promised[key], read[key]) - read[key]
            self._report.leave_out(f"message of {name} that the bag says it holds, and that is not there", missing)

    def deserialize(self, message: Message) -> Any:
        """The message as an object with fields, None where its bytes cannot be read (it is counted)."""
        topic = self.topics[message.topic]
        try:
            store = self._definitions.store_of(topic.type)
            read = store.deserialize_ros1 if topic.encoding == ROS1 else store.deserialize_cdr
            return read(message.raw, topic.type)
        except ConversionError:
            raise
        except Exception:  # damaged bytes cause all kinds of exceptions
            self.count_unreadable(message.topic)
            return None

    def count_unreadable(self, topic: str) -> None:
        self._report.skipped[f"message of {topic} that cannot be read as {self.topics[topic].type}"] += 1

    def typestore(self, msgtype: str) -> Typestore | None:
        """A store of rosbags that knows a type and those within it; None where it is undefined."""
        return self._definitions.store_of(msgtype)

    def offered_qos(self, topic: str) -> list[Qos]:
        """The publishers' quality of service, where the bag has it."""
        found = []
        for connection in self._connections:
            if connection.topic == topic:
                with suppress(Exception):  # the library raises several kinds for an invalid one
                    found += parse_qos(connection.offered_qos)
        return found

    def check_types(self, topics: Collection[str]) -> None:
        """Raises ConversionError where the messages of ``topics`` have an unknown type."""
        for topic in sorted(topics):
            kind = self.topics[topic].type
            try:
                known = self._definitions.store_of(kind) is not None
            except ConversionError as error:
                raise ConversionError(f"{self.place} holds no definition of {kind}, and {error}") from None
            if not known:
                raise ConversionError(
                    f"{self.place}: topic {topic} is of type {kind}, which the bag does not define, and which is not "
                    f"among those of ROS 2 Jazzy, carla_msgs and wm_msgs: record to mcap, which holds definitions"
                )


@contextmanager
def open_bag(paths: list[Path], report: Notes, recover: bool) -> Iterator[Bag]:
    """Open the bag in ``paths``: its folder, or its files. With ``recover``, damaged parts are skipped as far as
    possible, with notes. Raises ConversionError."""
    place = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
    with ExitStack() as stack:
        try:
            layout = layout_of(paths, report, recover)
        except OSError as error:
            raise ConversionError(f"{place} cannot be read: {error}") from None
        files, read = [], []
        for path in layout.files:
            try:
                _check_content(path)
                files.append(_opened(path, stack, report, recover))
                read.append(path)
            except Exception as error:  # the libraries raise all kinds of exceptions for a damaged file
                if not recover or len(layout.files) == 1:
                    advice = "" if isinstance(error, _NotABag) else _advice(path, recover)
                    told = f"{path} cannot be read as a bag: {_short(error)}{advice}"
                    raise ConversionError(told) from None
                report.note(f"{path.name} is skipped: {_short(error)}")
        if not files:
            raise ConversionError(f"{place} cannot be read as a bag: none of its files can be read")
        yield Bag(place, files, Layout(read, layout.promised), report, recover)


class _NotABag(ConversionError):
    """Not a bag, so advice about damage does not apply."""


def _check_content(path: Path) -> None:
    try:
        with open_regular(path, "rb") as stream:
            if not stream.read(1):
                raise _NotABag("it is empty (0 bytes): nothing was recorded to it; delete it")
    except OSError as error:
        raise _NotABag(error.strerror or str(error)) from None


def _opened(path: Path, stack: ExitStack, report: Notes, recover: bool) -> BagFile:
    """Open one file; its resources go onto the ``stack``. Raises all kinds of exceptions."""
    if path.suffix == ".zstd":
        folder = stack.enter_context(TemporaryDirectory())
        path = _unpacked(path, Path(folder))
    if path.name.endswith(MCAP_SUFFIXES):
        return McapFile(path, report, recover)
    if path.name.endswith(ROS1_SUFFIXES):
        try:
            file = Ros1File(path, report)
        except Exception:  # the library raises all kinds of exceptions for a damaged file
            if not recover:
                raise
            return RecoveredRos1File(path, report)
        stack.callback(file.close)
        return file
    return Sqlite3File(path, report)


def _unpacked(path: Path, folder: Path) -> Path:
    """Unpack a file that was compressed as a whole. Raises ConversionError where its end is missing."""
    unpacked = folder / path.stem
    unpacker = zstandard.ZstdDecompressor().decompressobj()
    with open_regular(path, "rb") as source, open(unpacked, "wb") as target:
        while part := source.read(1 << 20):
            target.write(unpacker.decompress(part))
    if not unpacker.eof:
        raise ConversionError("its end is missing: it is not a complete zstd file")
    return unpacked


def _is_of(connection: Connection, topic: Topic | None) -> bool:
    return topic is not None and (connection.msgtype, connection.encoding) == (topic.type, topic.encoding)


def _topics_of(connections: list[Connection], report: Notes) -> dict[str, Topic]:
    """Topics by name. For one with several types, the one with the most messages is used."""
    counts: Counter = Counter()
    for connection in connections:
        if not (connection.topic.isprintable() and connection.msgtype.isprintable()):
            report.note("a topic whose name or type is damaged is skipped")
        elif connection.encoding not in (CDR, ROS1):
            report.note(f"not used: {connection.topic}, whose messages are {connection.encoding}")
        else:
            counts[connection.topic, connection.msgtype, connection.encoding] += connection.count
    topics: dict[str, Topic] = {}
    for (name, kind, encoding), count in sorted(counts.items()):
        other = topics.get(name)
        if other is None or count > other.count:
            topics[name] = Topic(name, kind, count, encoding)
        if other is not None:
            report.note(f"{name} has messages of several types: those of {topics[name].type} are used")
    return topics


def _advice(path: Path, recover: bool) -> str:
    for suffix, advice in _ADVICE.items():
        if path.name.removesuffix(".zstd").endswith(suffix) and not (recover and "--recover" in advice):
            return f"; {advice}"
    return ""


def _short(error: Exception) -> str:
    """An exception as one line; rosbags' messages are clear."""
    text = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, ConversionError) or (text and type(error).__module__.startswith("rosbags")):
        return text[:300]
    return f"{type(error).__name__}: {text}"[:300] if text else type(error).__name__
