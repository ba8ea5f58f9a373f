"""Whether two cameras publish on one image topic, where their stamps do not show it."""

from wm_data.errors import ConversionError

_OFTEN = 20  # from this many pictures on it is not an accident


class OnePublisher:
    """Checks the pictures of a topic, and refuses those of two alternating cameras."""

    def __init__(self, topic: str):
        self._topic = topic
        self._frames: list[str] = []  # in the order of first appearance
        self._last: tuple[int, str, bytes] | None = None
        self._returns = self._twins = 0

    def look(self, frame: str, stamp_ns: int, raw: bytes) -> None:
        """The next picture's frame_id, stamp and bytes. Raises ConversionError."""
        if frame not in self._frames:
            self._frames.append(frame)
        elif self._last is not None and frame != self._last[1]:
            self._returns += 1
        if self._last is not None and stamp_ns == self._last[0] and raw != self._last[2]:
            self._twins += 1
        self._last = stamp_ns, frame, raw
        found = None
        if self._returns > _OFTEN:
            found = f"its pictures are of the frames {' and '.join(map(repr, self._frames[:2]))} in turns"
        elif self._twins > _OFTEN:
            found = "different pictures of it have the same stamp again and again"
        if found:
            raise ConversionError(
                f"two cameras publish on {self._topic}: {found}; give each its own topic, or record one of them"
            )
