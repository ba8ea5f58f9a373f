"""TFRecord framing: length, masked CRC of the length, payload, masked CRC of the payload; read without TensorFlow."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import google_crc32c
from wm_bundle.files import open_regular

from wm_data.errors import ConversionError

_HEADER = struct.Struct("<QI")  # length of the payload, masked CRC of these eight bytes
_FOOTER = struct.Struct("<I")
_MASK_DELTA = 0xA282EAD8


def masked_crc(data: bytes) -> int:
    """CRC-32C of ``data``, rotated and shifted as TFRecord stores it."""
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def frames(stream: BinaryIO, path: Path) -> Iterator[tuple[int, int, int]]:
    """Number, offset and payload length [bytes] of each record; payloads are skipped, only the lengths are checked.
    Raises ConversionError, naming record and offset, where a length is damaged or the file is cut."""
    end = os.fstat(stream.fileno()).st_size
    offset = number = 0
    while offset < end:
        length = _length(stream, path, number, offset, end)
        yield number, offset, length
        offset += _HEADER.size + length + _FOOTER.size
        number += 1


def payload(path: Path, number: int, offset: int) -> bytes:
    """The payload of the record at ``offset`` [bytes]; ``number`` is for messages. Raises ConversionError for a damaged
    length or payload, and OSError."""
    with open_regular(path, "rb") as stream:
        length = _length(stream, path, number, offset, os.fstat(stream.fileno()).st_size)
        data = stream.read(length)
        footer = stream.read(_FOOTER.size)
    if len(data) < length or len(footer) < _FOOTER.size:
        raise ConversionError(f"{path} became shorter while it was read: record {number} at byte {offset} is cut")
    found, expected = masked_crc(data), _FOOTER.unpack(footer)[0]
    if found != expected:
        raise ConversionError(
            f"{path}, record {number} at byte {offset}: the payload has the CRC {found:08x}, expected {expected:08x}; "
            f"the file is damaged, download it again"
        )
    return data


def payload_start(offset: int) -> int:
    """Where the payload of the record at ``offset`` begins [bytes]."""
    return offset + _HEADER.size


def _length(stream: BinaryIO, path: Path, number: int, offset: int, end: int) -> int:
    stream.seek(offset)
    header = stream.read(_HEADER.size)
    place = f"{path}, record {number} at byte {offset}"
    if len(header) < _HEADER.size:
        raise ConversionError(f"{place}: the file is cut in the record's header; download it again")
    length, expected = _HEADER.unpack(header)
    found = masked_crc(header[:8])
    if found != expected:
        raise ConversionError(
            f"{place}: the length has the CRC {found:08x}, expected {expected:08x}; the file is damaged or no "
            f"uncompressed TFRecord file"
        )
    if offset + _HEADER.size + length + _FOOTER.size > end:
        raise ConversionError(
            f"{place}: the file is cut: the record needs {_HEADER.size + length + _FOOTER.size} bytes, "
            f"{end - offset} are left; download it again"
        )
    return length
