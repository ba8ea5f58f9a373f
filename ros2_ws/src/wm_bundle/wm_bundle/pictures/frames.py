"""The cameras' data of one moment, as in their messages."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RawImage:
    """One camera's picture, not yet decoded: ``data`` is the message's buffer, ``step`` the bytes of a row.

    ``is_bigendian`` is the byte order of larger numbers in ``data``. ``compressed``: the data is a complete file, with
    its own size."""

    stamp_ns: int
    height: int
    width: int
    encoding: str
    step: int
    data: object
    is_bigendian: bool = False
    compressed: bool = False


@dataclass(frozen=True)
class Frame:
    """The pictures that belong together, one for each camera of the bundle, in its order.

    None where a camera has none. ``stamp_ns`` is that of the first camera with a picture;
    ``received_s`` is when the last picture arrived [s of the node's steady clock].
    """

    stamp_ns: int
    images: tuple[RawImage | None, ...]
    received_s: float
