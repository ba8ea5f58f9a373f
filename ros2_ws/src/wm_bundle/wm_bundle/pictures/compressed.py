"""Pictures as complete JPEG or PNG files: in CompressedImage messages, and in folders of data sets.

Damaged ones are refused, where OpenCV would fill up with grey, or accept what is not a picture. Reasons have no sizes,
so that those of many pictures are the same.
"""

import io
import re
import struct
import zlib

import cv2
import numpy as np
from PIL import Image

MAX_PIXELS = 1 << 25  # 8K
_BAYER = {
    "bayer_rggb8": cv2.COLOR_BayerRGGB2BGR,
    "bayer_bggr8": cv2.COLOR_BayerBGGR2BGR,
    "bayer_gbrg8": cv2.COLOR_BayerGBRG2BGR,
    "bayer_grbg8": cv2.COLOR_BayerGRBG2BGR,
}
# Source encodings whose files have the picture's colours; in lower case.
_PLAIN = frozenset(
    ("jpeg", "jpg", "png", "8uc1", "8uc3", "8uc4", "yuv422", "uyvy", "yuv422_yuy2", "yuyv", "nv12", "nv21")
    + tuple(f"{colours}{bits}" for colours in ("rgb", "bgr", "rgba", "bgra", "mono") for bits in (8, 16))
)
_KINDS = ("jpeg", "png")
_DEEP_GREY = "mono16; png"  # one channel of 16 bits, which without this name means depth
# Encodings whose data is a complete file: its kind, prefixed with what the file itself does not say.
COMPRESSIONS = (*_KINDS, _DEEP_GREY, *(f"{pattern}; {kind}" for pattern in _BAYER for kind in _KINDS))

_MAGIC = {b"\xff\xd8": "jpeg", b"\x89P": "png"}
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")  # of a JPEG; not those within a scan
_START, _END, _LONE, _PROGRESSIVE = 0xD8, 0xD9, 0x01, (0xC2, 0xC6, 0xCA, 0xCE)
_GREY = 128  # the decoders' fill where a JPEG's data ends early
_MORE_DATA = bytes(range(240))


class ImageError(ValueError):
    """An image that does not match its message or the model."""


def compressed_encoding(form: str, data) -> str:
    """The encoding, one of ``COMPRESSIONS``, of a CompressedImage with the format ``form``.

    The format is written in many ways, as "jpeg", "rgb8; jpeg compressed bgr8", "16UC1; png compressed "; the kind
    comes from the file itself. Raises ImageError for other files, and for depth pictures."""
    kind = _MAGIC.get(bytes(data[:2]))
    source, semicolon, how = form.partition(";")
    source, target = source.strip().lower(), how.partition("compressed")[2].strip().lower()
    if kind is None or "compressedDepth" in form:
        raise ImageError(f"it is neither JPEG nor PNG{form and f', its format is {form[:60]!r}'}")
    if semicolon and source in _BAYER:
        return f"{source}; {kind}"
    if source == "mono16" and kind == "png":
        return _DEEP_GREY
    if semicolon and not {source, target} & _PLAIN:
        raise ImageError(
            f"compressed image has the format '{form[:60]}', expected colours or grey, not '{source[:20]}'"
        )
    return kind


def decompress_image(encoding: str, data) -> np.ndarray:
    """Decode a complete file of an encoding in ``COMPRESSIONS`` as (height, width, 3) uint8 BGR.

    Raises ImageError for a damaged file, and for a depth PNG.
    """
    source, _, kind = encoding.rpartition("; ")
    buffer = np.frombuffer(data, np.uint8)
    mode = _checked_mode(kind, buffer)
    if mode.startswith("I") and encoding != _DEEP_GREY:
        raise ImageError("png file has one channel of 16 bits, as pictures of depth have: expected colours or 8 bits")
    picture = _decoded(buffer)
    if picture is None or (kind == "jpeg" and _is_cut(buffer, picture)):
        raise ImageError(f"image is not a whole, undamaged {kind} file")
    if source in _BAYER and mode == "L":  # compressed raw sensor data
        if min(picture.shape[:2]) < 3:
            raise ImageError(f"image cannot be '{source}': expected both sides at least 3 pixels")
        return cv2.cvtColor(np.ascontiguousarray(picture[:, :, 0]), _BAYER[source])
    return picture


def _decoded(buffer: np.ndarray) -> np.ndarray | None:
    try:
        # Keep the camera's orientation: a tag in the file must not rotate the picture.
        return cv2.imdecode(buffer, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error:
        return None


def _checked_mode(kind: str, buffer: np.ndarray) -> str:
    """Pillow's name for the colours of a file, "L" for 8 bits of grey.

    Raises ImageError where OpenCV would not: it fills up a truncated file with grey, and allocates what a damaged size
    says, gigabytes, before it finds that there is no such picture.
    """
    if kind == "jpeg" and _end_of_jpeg(buffer)[0] is None:
        raise ImageError("image is not a whole, undamaged jpeg file: its end is missing")
    try:
        with Image.open(io.BytesIO(buffer), formats=(kind,)) as picture:
            width, height = picture.size
            mode = picture.mode
            picture.verify()
    except Image.DecompressionBombError:
        raise ImageError(f"image has far more pixels than {MAX_PIXELS}: is it damaged?") from None
    except (OSError, ValueError, SyntaxError, EOFError, LookupError, struct.error, zlib.error) as error:
        raise ImageError(f"image is not a whole, undamaged {kind} file") from error
    if width * height > MAX_PIXELS:
        raise ImageError(f"image has more pixels than the {MAX_PIXELS} expected at most: is it damaged?")
    return mode


def _end_of_jpeg(buffer: np.ndarray) -> tuple[int | None, bool]:
    """Offset of the marker that ends the picture, None without one, and whether it is progressive.

    The rest is padding. Ends within segments, such as a thumbnail's, do not count.
    """
    place, progressive = 2, False
    while found := _MARKER.search(buffer, place):
        marker = found[1][0]
        progressive |= marker in _PROGRESSIVE
        if marker == _END:
            return found.start(), progressive
        if marker == _START:  # of another picture: this one is truncated
            break
        place = found.end()
        if marker != _LONE:
            place += int.from_bytes(buffer[place : place + 2].tobytes(), "big")
    return None, progressive


def _is_cut(buffer: np.ndarray, picture: np.ndarray) -> bool:
    """Whether a JPEG's data is incomplete although its end is marked.

    Decoders fill up with grey, progressive ones with something close. So a picture that may be filled up is decoded
    with more data before the end: a complete one does not change."""
    end, progressive = _end_of_jpeg(buffer)
    if not progressive and (picture[-1, -1] != _GREY).any():
        return False
    restarts = b"".join(bytes((0xFF, 0xD0 + number)) + _MORE_DATA for number in range(8))
    longer = buffer[:end].tobytes() + _MORE_DATA + restarts + bytes((0xFF, _END))
    try:  # Pillow's decoder stays silent, OpenCV's writes to the terminal
        return not np.array_equal(*(np.asarray(Image.open(io.BytesIO(data))) for data in (buffer, longer)))
    except (OSError, ValueError, SyntaxError):
        return True
