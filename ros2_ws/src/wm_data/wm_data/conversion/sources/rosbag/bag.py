"""Opening a bag and reading its messages, whatever it is stored in; every failure becomes a ConversionError."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import zstandard
from rosbags.highlevel import AnyReader

from wm_data.conversion.errors import ConversionError
from wm_data.conversion.message_types import jazzy_typestore
from wm_data.conversion.report import DriveReport
from wm_data.conversion.sources.rosbag.finding import MCAP_SUFFIXES, METADATA
from wm_data.conversion.sources.rosbag.recovery import RecoveredMcap

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"  # no message begins with it: the first byte of CDR is 0
_NEWEST_NS = 2**63 - 1


class Message(NamedTuple):
    """One message as it was recorded: its topic, when [ns], and its bytes."""

    topic: str
    log_ns: int
    raw: bytes


@dataclass(frozen=True)
class Topic:
    """A topic of a bag: its name, message type and number of messages."""

    name: str
    type: str
    count: int


class _Storage(Protocol):
    """What holds the messages: connections as those of rosbags, and the types of their messages."""

    connections: list
    typestore: Any

    def messages(self, connections: Collection) -> Iterator[tuple[Any, int, bytes]]: ...

    def deserialize(self, raw: bytes, msgtype: str) -> Any: ...


class Bag:
    """An open bag."""

    def __init__(self, place: str, storage: _Storage, report: DriveReport, recover: bool, advice: str = ""):
        """``place`` names the bag in messages, ``advice`` ends those about damage. ``recover``: a bag that breaks off
        ends there, with a note."""
        self.place = place
        self._advice = advice
        self._storage = storage
        self._report = report
        self._recover = recover
        self.topics = _topics_of(storage.connections, report)

    @property
    def connections(self) -> list:
        """The connections as of rosbags: topic, type and, where the bag knows it, the offered quality of service."""
        return self._storage.connections

    @property
    def typestore(self) -> Any:
        """The message types that the bag defines, as of rosbags."""
        return self._storage.typestore

    def messages(self, topics: Collection[str]) -> Iterator[Message]:
        """The messages of ``topics`` in the order in which they were recorded.

        Raises ConversionError where the bag breaks off.
        """
        wanted = [
            connection
            for connection in self._storage.connections
            if connection.topic in topics and connection.msgtype == self.topics[connection.topic].type
        ]
        if not wanted:  # rosbags takes none for all
            return
        try:
            stored = iter(self._storage.messages(wanted))
        except Exception as error:
            raise self._broken(error) from None
        while True:
            try:
                connection, log_ns, raw = next(stored)
            except StopIteration:
                return
            except Exception as error:  # of a damaged file, the libraries raise exceptions of every kind
                if not self._recover:
                    raise self._broken(error) from None
                self._report.note(f"the bag breaks off ({_short(error)}); what comes before that is used")
                return
            if 0 <= log_ns <= _NEWEST_NS:
                yield Message(connection.topic, log_ns, raw)
            else:
                self._report.skipped[f"message of {connection.topic} with an impossible time of recording"] += 1

    def deserialize(self, message: Message) -> Any:
        """The message as an object with fields, None where its bytes cannot be read (it is counted)."""
        raw, kind = message.raw, self.topics[message.topic].type
        try:
            if raw[:4] == _ZSTD_MAGIC:  # compressed, in a bag that lacks the metadata to tell
                raw = zstandard.decompress(raw)
            return self._storage.deserialize(raw, kind)
        except Exception:  # damaged bytes end in exceptions of every kind
            self.count_unreadable(message.topic)
            return None

    def count_unreadable(self, topic: str) -> None:
        """Count a message whose bytes are not what its type says."""
        self._report.skipped[f"message of {topic} that cannot be read as {self.topics[topic].type}"] += 1

    def check_types(self, topics: Collection[str]) -> None:
        """Raises ConversionError where the messages of ``topics`` have an unknown type."""
        for topic in sorted(topics):
            kind = self.topics[topic].type
            if kind not in self._storage.typestore.fielddefs:
                raise ConversionError(
                    f"{self.place}: topic {topic} is of type {kind}, which the bag does not define, and which is not "
                    f"among those of ROS 2 Jazzy, carla_msgs and wm_msgs: record to mcap, which holds definitions"
                )

    def _broken(self, error: Exception) -> ConversionError:
        return ConversionError(f"{self.place} breaks off or is damaged: {_short(error)}{self._advice}")


class _JazzyWhenNeeded:
    """The types for a bag without definitions; most have some, and making these takes a while."""

    @property
    def fielddefs(self) -> dict:
        """Raises ConversionError where the workspace is not in use."""
        return jazzy_typestore().fielddefs


@contextmanager
def open_bag(paths: list[Path], report: DriveReport, recover: bool) -> Iterator[Bag]:
    """Open the bag that lies in ``paths``: its folder, or its files. With ``recover`` a damaged mcap is read as far as
    it goes. Raises ConversionError."""
    place = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
    try:
        _check_files(paths, report)
        mcap_files = _mcap_files(paths)
    except OSError as error:
        raise ConversionError(f"{place} cannot be read: {error}") from None
    advice = "" if recover or not mcap_files else "; --recover reads what an mcap holds up to there"
    try:
        reader = AnyReader(paths, default_typestore=_JazzyWhenNeeded())
        reader.open()
    except ConversionError as error:
        raise ConversionError(f"{place} holds no message definitions, and {error}") from None
    except Exception as error:  # of a damaged file, the libraries raise exceptions of every kind
        if not (recover and mcap_files):
            raise ConversionError(f"{place} cannot be read as a bag: {_short(error)}{advice}") from None
        reader = None
    if reader is None:
        yield Bag(place, RecoveredMcap(mcap_files, report), report, recover)
        return
    try:
        yield Bag(place, reader, report, recover, advice)
    finally:
        reader.close()


def _topics_of(connections: list, report: DriveReport) -> dict[str, Topic]:
    """Topics by name. Of one with several types the one with the most messages counts."""
    counts: dict[tuple[str, str], int] = {}
    for connection in connections:
        key = connection.topic, connection.msgtype
        if not all(isinstance(name, str) and name.isprintable() for name in key):
            report.note("a topic is left out whose name or type is damaged")
            continue
        count = connection.msgcount if isinstance(connection.msgcount, int) else 0
        counts[key] = counts.get(key, 0) + count
    topics: dict[str, Topic] = {}
    for (name, kind), count in sorted(counts.items()):
        if name not in topics or count > topics[name].count:
            topics[name] = Topic(name, kind, count)
    return topics


def _mcap_files(paths: list[Path]) -> list[Path]:
    """The mcap files of a bag, in order."""
    files = [file for path in paths for file in (path.glob("*.mcap") if path.is_dir() else [path])]

    def place(file: Path) -> tuple[str, int, str]:
        stem, _, number = file.stem.rpartition("_")
        return (stem, int(number), file.name) if number.isdecimal() else (file.stem, 0, file.name)

    return sorted((file for file in files if file.name.endswith(MCAP_SUFFIXES) and file.is_file()), key=place)


def _check_files(paths: list[Path], report: DriveReport) -> None:
    """Refuse what no library's message explains well enough."""
    for path in paths:
        if not path.exists():
            raise ConversionError(f"{path} does not exist any more")
        if path.is_dir():
            files = sorted(path.iterdir())
            if not (path / METADATA).is_file():
                raise ConversionError(f"{path} has no {METADATA}: make one with `ros2 bag reindex {path}`")
        else:
            files = [path]
        for file in files:
            if file.suffix == ".zstd" and file == path:
                raise ConversionError(
                    f"{file} is compressed and has no {METADATA} beside it that says how: make one with "
                    f"`ros2 bag reindex`, or unpack it with `zstd -d`"
                )
            if file.suffix in (".mcap", ".db3", ".bag", ".zstd") and file.stat().st_size == 0:
                raise ConversionError(f"{file} is empty (0 bytes): nothing was recorded to it; delete it")
            log = file.with_name(file.name + "-wal")
            if file.suffix == ".db3" and log.is_file() and log.stat().st_size > 0:
                report.note(f"{log.name} is not read: open {file.name} once with sqlite3, which takes it in")


def _short(error: Exception) -> str:
    """An exception in one line; that of rosbags explains itself."""
    text = " ".join(str(error).split()).rstrip(".")
    if text and type(error).__module__.startswith("rosbags"):
        return text[:300]
    return f"{type(error).__name__}: {text}"[:300] if text else type(error).__name__
