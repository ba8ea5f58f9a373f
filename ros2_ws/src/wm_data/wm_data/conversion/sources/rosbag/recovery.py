"""What an mcap file holds up to where it breaks off: read from the front, without the index at its end."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mcap.records import Channel, Message, Schema
from mcap.stream_reader import StreamReader
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore

from wm_data.conversion.errors import ConversionError
from wm_data.conversion.report import DriveReport

_LARGEST_RECORD = 2**30  # bytes; a longer one is damage
_IDL_RULER = "=" * 80 + "\nIDL: "


class RecoveredConnection(NamedTuple):
    """A topic of one type, named as rosbags' connections are."""

    topic: str
    msgtype: str
    msgcount: int


class RecoveredMcap:
    """The messages of damaged mcap files, in the order in which they were written."""

    def __init__(self, files: list[Path], report: DriveReport):
        """Reads all files once. Raises ConversionError where nothing is left in them."""
        self._files = files
        self._report = report
        self.typestore = get_typestore(Stores.EMPTY)
        counts: dict[tuple[str, str], int] = {}
        for file in files:
            for schema, topic, _ in self._records(file, note=True):
                key = topic, schema.name
                if key not in counts:
                    self._learn(schema)
                counts[key] = counts.get(key, 0) + 1
        if not counts:
            raise ConversionError(f"{files[0]} holds no message that could be recovered")
        self.connections = [RecoveredConnection(*key, count) for key, count in counts.items()]

    def _learn(self, schema: Schema) -> None:
        """Take in the types that a schema defines; of a damaged one ``Bag.check_types`` says that it is missing."""
        try:
            self.typestore.register(_types_of(schema))
        except Exception:  # rosbags' parsers raise exceptions of every kind about damaged text
            return

    def messages(self, connections: Collection[RecoveredConnection]) -> Iterator[tuple[Any, int, bytes]]:
        """(connection, time of recording [ns], bytes) of each message."""
        wanted = {(connection.topic, connection.msgtype): connection for connection in connections}
        for file in self._files:
            for schema, topic, message in self._records(file):
                connection = wanted.get((topic, schema.name))
                if connection is not None:
                    yield connection, message.log_time, message.data

    def deserialize(self, raw: bytes, msgtype: str) -> Any:
        """A message as an object with fields."""
        return self.typestore.deserialize_cdr(raw, msgtype)

    def _records(self, file: Path, note: bool = False) -> Iterator[tuple[Schema, str, Message]]:
        """Messages with their schema and topic, up to where the file breaks off; ``note`` where that is."""
        schemas: dict[int, Schema] = {}
        channels: dict[int, Channel] = {}
        count = 0
        with open(file, "rb") as stream:
            records = iter(StreamReader(stream, validate_crcs=True, record_size_limit=_LARGEST_RECORD).records)
            while True:
                try:
                    record = next(records)
                except StopIteration:
                    return
                except Exception as error:  # damaged bytes end in exceptions of every kind
                    if note:
                        self._report.note(
                            f"{file.name} breaks off at byte {stream.tell()} of {file.stat().st_size} "
                            f"({type(error).__name__}); the {count} messages before it are recovered"
                        )
                    return
                if isinstance(record, Schema):
                    schemas[record.id] = record
                elif isinstance(record, Channel):
                    channels[record.id] = record
                elif isinstance(record, Message):
                    channel = channels.get(record.channel_id)
                    schema = schemas.get(channel.schema_id) if channel is not None else None
                    if schema is not None:
                        count += 1
                        yield schema, channel.topic, record


def _types_of(schema: Schema) -> dict[str, Any]:
    """The types that a schema defines; none where it is of another kind."""
    text = schema.data.decode()
    if schema.encoding == "ros2msg":
        return get_types_from_msg(text, schema.name)
    if schema.encoding in ("ros2idl", "omgidl"):
        parts = [part.partition("\n")[2] for part in text.split(_IDL_RULER)[1:]] or [text]
        return {name: fields for part in parts for name, fields in get_types_from_idl(part).items()}
    return {}
