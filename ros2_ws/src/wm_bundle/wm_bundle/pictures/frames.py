"""What the cameras say at one moment, as their messages hold it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RawImage:
    """One camera's picture, not yet understood: ``data`` is the message's buffer, ``step`` the bytes of a row.

    ``is_bigendian`` says how numbers of more than one byte lie in ``data``. ``compressed``: the data is a whole file,
    which knows its size itself.
    """

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
    """The pictures that belong together, one for each camera of the bundle and in its order.

    None where a camera has nothing for this moment. ``stamp_ns`` is the first camera's that has a picture;
    ``received_s`` is when the last picture arrived [s of the node's steady clock].
    """

    stamp_ns: int
    images: tuple[RawImage | None, ...]
    received_s: float
