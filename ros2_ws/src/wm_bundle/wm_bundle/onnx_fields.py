"""The fields of an ONNX file, without the package onnx: it is not needed on the car."""

from collections.abc import Iterator
from typing import NamedTuple

SIZED, _FIXED = 2, {1: 8, 5: 4}  # wire types: length-delimited, and fixed width in bytes


class Field(NamedTuple):
    """A field of a protobuf message: its number, and the offsets of its key, value and end."""

    number: int
    at: int
    begin: int
    end: int


def whole(content: bytes) -> Field:
    """The file as one message, a ModelProto."""
    return Field(0, 0, 0, len(content))


def values(content: bytes, message: Field, number: int) -> list[bytes]:
    """The values of a message's fields of that number."""
    return [content[field.begin : field.end] for field in fields(content, message) if field.number == number]


def fields(content: bytes, message: Field) -> Iterator[Field]:
    """A message's fields. Raises ValueError if it is none."""
    at = message.begin
    while at < message.end:
        key, begin = varint(content, at)
        if key & 7 == SIZED:
            size, begin = varint(content, begin)
            end = begin + size
        elif key & 7 in _FIXED:
            end = begin + _FIXED[key & 7]
        else:
            end = varint(content, begin)[1]
        if end > message.end:
            raise ValueError("not an ONNX file, or its end is missing")
        yield Field(key >> 3, at, begin, end)
        at = end


def varint(content: bytes, begin: int) -> tuple[int, int]:
    """A number, and its end offset."""
    value = shift = 0
    while begin < len(content):
        byte = content[begin]
        value, shift, begin = value | (byte & 0x7F) << shift, shift + 7, begin + 1
        if byte < 0x80:
            return value, begin
    raise ValueError("not an ONNX file, or its end is missing")
