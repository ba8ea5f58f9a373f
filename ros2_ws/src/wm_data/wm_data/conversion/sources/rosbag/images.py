"""A camera message's picture at the model's size."""

from types import SimpleNamespace

import cv2
import numpy as np
from rosbags.image import ImageError as RosbagsImageError
from rosbags.image import message_to_cvimage
from wm_bundle import ENCODINGS, ImageError, compressed_encoding

from wm_data.conversion.pictures import CameraView

# OpenCV's conversion names.
_SAME = {"8UC1": "mono8", "8UC3": "bgr8", "8UC4": "bgra8"}
_HALF_COLOUR = {"nv12": cv2.COLOR_YUV2BGR_NV12, "nv21": cv2.COLOR_YUV2BGR_NV21}
_CHANNELS_16_BIT = {"mono16": 1, "bgr16": 3, "rgb16": 3, "bgra16": 4, "rgba16": 4} | {
    f"bayer_{order}16": 1 for order in ("rggb", "bggr", "gbrg", "grbg")
}


def load_picture(view: CameraView, message) -> np.ndarray:
    """(3, size, size) uint8 RGB of a sensor_msgs/Image or CompressedImage. Raises ImageError."""
    try:
        return _load(view, message)
    except ImageError:
        raise
    except (AttributeError, TypeError, ValueError, OverflowError, MemoryError, cv2.error) as error:
        # A bag may define the type differently, and damaged sizes may request any amount of memory.
        raise ImageError(f"not a picture that can be decoded ({type(error).__name__})") from error


def _load(view: CameraView, message) -> np.ndarray:
    if hasattr(message, "format"):
        return view(0, 0, compressed_encoding(message.format, message.data), 0, message.data)
    encoding = _SAME.get(message.encoding, message.encoding)
    if encoding in _HALF_COLOUR:
        return view.from_array(_of_half_colour(message, _HALF_COLOUR[encoding]))
    if encoding in _CHANNELS_16_BIT:
        return view.from_array(_of_16_bit(message, encoding))
    if encoding not in ENCODINGS:
        known = ", ".join((*ENCODINGS, *_HALF_COLOUR, *_CHANNELS_16_BIT))
        raise ImageError(f"image encoding is '{encoding[:40]}', expected one of {known}")
    return view(message.height, message.width, encoding, message.step, message.data)


def _rows(message, rows: int, row_bytes: int) -> np.ndarray:
    """(rows, row_bytes) uint8 without the padding from ``step`` at the end of each row."""
    if message.height <= 0 or message.width <= 0 or message.step < row_bytes:
        raise ImageError(
            f"image of {message.width}x{message.height} '{message.encoding}' needs a step of at least {row_bytes} "
            f"bytes, the message has fewer"
        )
    if len(message.data) < rows * message.step:
        raise ImageError(
            f"image of {rows} rows of {message.step} bytes needs {rows * message.step} bytes, the message has fewer"
        )
    return message.data[: rows * message.step].reshape(rows, message.step)[:, :row_bytes]


def _of_half_colour(message, conversion: int) -> np.ndarray:
    """(height, width, 3) BGR from a picture of luminance with half-size colour below it."""
    if message.height % 2 or message.width % 2:
        raise ImageError(
            f"image of {message.width}x{message.height} cannot be '{message.encoding}': expected even sides"
        )
    return cv2.cvtColor(np.ascontiguousarray(_rows(message, message.height * 3 // 2, message.width)), conversion)


def _of_16_bit(message, encoding: str) -> np.ndarray:
    """(height, width, 3) uint8 BGR."""
    rows = _rows(message, message.height, message.width * 2 * _CHANNELS_16_BIT[encoding])
    plain = SimpleNamespace(
        height=message.height,
        width=message.width,
        encoding=encoding,
        is_bigendian=message.is_bigendian,
        data=np.ascontiguousarray(rows).reshape(-1),
    )
    try:
        return message_to_cvimage(plain, "bgr8")
    except RosbagsImageError as error:
        raise ImageError(f"image of {message.width}x{message.height} '{encoding}' cannot be decoded: {error}") from None
