"""One .db3 file of a bag, of any version of rosbag2."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cached_property
from pathlib import Path

import numpy as np
from wm_evaluation.wording import counted

from wm_data.bags.connection import BagFile, Connection, full_type
from wm_data.bags.order_of_writing import is_set_back
from wm_data.errors import ConversionError
from wm_data.notes import Notes


class Sqlite3File(BagFile):
    """Topics and messages of a database, opened read-only: a write-ahead log beside it is not read."""

    def __init__(self, path: Path, report: Notes):
        super().__init__(path, report)
        log = path.with_name(path.name + "-wal")
        if log.is_file() and log.stat().st_size > 0:
            report.note(f"{log.name} is not read: open {path.name} once with sqlite3, which takes it in")
        with closing(self._opened()) as database:
            self._topics = _topics_of(database, path, report)

    def _read(self, numbers: set[int]) -> Iterator[tuple[int, int, bytes]]:
        marks, order = ",".join("?" * len(numbers)), "id" if self._as_written else "timestamp"
        chosen = f"SELECT topic_id, timestamp, data FROM messages WHERE topic_id IN ({marks}) ORDER BY {order}"
        with closing(self._opened()) as database:
            yield from database.execute(chosen, list(numbers))

    @cached_property
    def _as_written(self) -> bool:
        """Whether the order of writing counts."""
        with closing(self._opened()) as database:
            rows = database.execute("SELECT topic_id, timestamp FROM messages ORDER BY id").fetchall()
        whole = [row for row in rows if all(isinstance(number, int) for number in row)]
        topics, times = np.array(whole, np.int64).reshape(-1, 2).T
        return is_set_back((times[topics == topic] for topic in np.unique(topics)), self._path, self._report)

    def _opened(self) -> sqlite3.Connection:
        database = sqlite3.connect(f"{self._path.absolute().as_uri()}?immutable=1", uri=True, check_same_thread=False)
        database.text_factory = lambda text: text.decode("utf-8", "replace")
        return database


def _topics_of(database: sqlite3.Connection, path: Path, report: Notes) -> dict[int, Connection]:
    tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"topics", "messages"} <= tables:
        raise ConversionError("it is a database without the tables 'topics' and 'messages'")
    definitions = {}
    if "message_definitions" in tables:
        rows = database.execute("SELECT topic_type, encoding, encoded_message_definition FROM message_definitions")
        definitions = {msgtype: (str(kind), str(text)) for msgtype, kind, text in rows}
    columns = {row[1] for row in database.execute("PRAGMA table_info(topics)")}
    qos = "offered_qos_profiles" if "offered_qos_profiles" in columns else "''"
    counts = dict(database.execute("SELECT topic_id, COUNT(*) FROM messages GROUP BY topic_id"))
    topics = {
        number: Connection(
            str(name), full_type(str(kind)), counts.pop(number, 0), encoding, *definitions.get(kind, ("", "")), text
        )
        for number, name, kind, encoding, text in database.execute(
            f"SELECT id, name, type, serialization_format, {qos} FROM topics"
        )
    }
    if counts:
        missing = counted(sum(counts.values()), "message")
        report.note(f"{missing} of topics that {path.name} does not name are skipped")
    return topics
