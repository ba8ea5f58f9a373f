"""The points of a serialised nav_msgs/Path. ROS's own reading makes objects of every pose, 20 us each: of a long route
that takes longer than a planner has for an image."""

import struct

import numpy as np

_HEADER = 4  # bytes before the data; alignment counts from after it
_LITTLE_ENDIAN = 1
_POSE = 56  # three doubles of the position, four of the orientation


def points_of_path(data: bytes) -> tuple[np.ndarray, str] | None:
    """The positions (n, 2) [m] and the frame of a Path in CDR. None where its poses are not laid out alike, because
    they have frames of different lengths, or it is no such message: then ROS has to read it."""
    try:
        if data[:2] != bytes((0, _LITTLE_ENDIAN)):
            return None
        frame, at = _text(data, _HEADER + 8)
        at = _aligned(at, 4)
        (count,) = struct.unpack_from("<I", data, at)
        at += 4
        if not count:
            return np.zeros((0, 2)), frame
        _, first_end = _text(data, at + 8)
        first = _aligned(first_end, 8)
        second = first + _POSE  # aligned, as all later ones
        (length,) = struct.unpack_from("<I", data, at + 8)
        size = _aligned(second + 12 + length, 8) - second + _POSE
        if second + (count - 1) * size != len(data):
            return None
        rest = np.frombuffer(data, np.uint8, (count - 1) * size, second).reshape(count - 1, size)
        if (rest[:, 8:12] != np.frombuffer(data, np.uint8, 4, at + 8)).any():
            return None
        positions = rest[:, size - _POSE : size - _POSE + 16].copy().view("<f8")
        return np.concatenate([np.frombuffer(data, "<f8", 2, first)[None], positions]), frame
    except (struct.error, ValueError):
        return None


def _aligned(at: int, to: int) -> int:
    return at + (_HEADER - at) % to


def _text(data: bytes, at: int) -> tuple[str, int]:
    """A string, and where it ends."""
    (length,) = struct.unpack_from("<I", data, at)
    text = data[at + 4 : at + 4 + length]
    if not length or len(text) < length or text[-1]:
        raise ValueError("no string")
    return text[:-1].decode(), at + 4 + length
