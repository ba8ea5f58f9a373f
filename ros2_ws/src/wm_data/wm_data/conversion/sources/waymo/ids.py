"""The id of the scenario in a record, found by skipping everything before it: records have megabytes."""

from typing import BinaryIO

from wm_data.conversion.sources.waymo.schema import SCENARIO_ID_FIELD

_LONGEST_ID = 100
_EXAMPLE_KEY = b"scenario/id"
_HEAD_BYTES = 64  # a tag and a length, and in a tf.Example those around a key, and the key
_BYTES = 2  # wire type of length-delimited fields
_FIRST = 1 << 3 | _BYTES  # tag of a field 1 with a length


def scenario_id(stream: BinaryIO, start: int, length: int) -> str | None:
    """The scenario id of a Scenario or a tf.Example, whose payload begins at ``start``; None where it has none or is
    damaged."""
    end = start + length
    for tag, begin, stop in _fields(stream, start, end):
        if tag == SCENARIO_ID_FIELD << 3 | _BYTES:
            return _text(stream, begin, stop)
        if tag == _FIRST and stop == end:  # a tf.Example is one field, its features
            return _id_of_features(stream, begin, stop)
    return None


def _id_of_features(stream: BinaryIO, start: int, end: int) -> str | None:
    """The id from a map of features: entries of a key and a value, in any order."""
    for _, begin, stop in _fields(stream, start, end):
        parts = {tag: (first, last) for tag, first, last in _fields(stream, begin, stop)}
        key, value = parts.get(_FIRST), parts.get(2 << 3 | _BYTES)
        if key is None or value is None or key[1] - key[0] != len(_EXAMPLE_KEY):
            continue
        stream.seek(key[0])
        if stream.read(len(_EXAMPLE_KEY)) == _EXAMPLE_KEY:
            for _ in range(2):  # the feature's list of bytes, and its only item
                value = next(((first, last) for tag, first, last in _fields(stream, *value) if tag == _FIRST), None)
                if value is None:
                    return None
            return _text(stream, *value)
    return None


def _fields(stream: BinaryIO, position: int, end: int):
    """(tag, begin, end) of every field of a message in this range of ``stream``, up to where it is damaged."""
    while position < end:
        stream.seek(position)
        head = stream.read(min(_HEAD_BYTES, end - position))
        tag, used = _varint(head, 0)
        value, after = _varint(head, used)  # of a field of wire type 0, and the length of one of type 2
        wire_type = tag & 7
        if not used or (wire_type in (0, 2) and after == used) or wire_type not in (0, 1, 2, 5):
            return
        begin = position + (after if wire_type == 2 else used)
        position += {0: after, 1: used + 8, 2: after + value, 5: used + 4}[wire_type]
        if position > end:
            return
        yield tag, begin, position


def _text(stream: BinaryIO, begin: int, end: int) -> str:
    stream.seek(begin)
    return stream.read(min(_LONGEST_ID, end - begin)).decode(errors="replace")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A variable-length number and the position after it; the position is unchanged where there is none."""
    value = 0
    for i, byte in enumerate(data[position : position + 10]):
        value |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return value, position + i + 1
    return 0, position
