"""How many messages never reached the recorder, by the numbers that publishers give them.

The middleware reports only what it lost on the way, not what a full queue of the recorder replaced.
"""


class Losses:
    """Of all topics."""

    def __init__(self):
        self._last: dict[str, int] = {}
        self._missing: dict[str, int] = {}  # between the numbers of a topic's only publisher
        self._reported: dict[str, int] = {}  # by the middleware

    @property
    def total(self) -> int:
        """Messages lost so far."""
        return sum({**self._reported, **self._missing}.values())

    def take(self, topic: str, number: int | None) -> None:
        """A message arrived, with its publisher's number; None where the middleware has none.

        Numbers that do not rise come from several publishers, and tell nothing about such a topic."""
        if number is None or (topic in self._last and topic not in self._missing):
            return
        last = self._last.get(topic, number - 1)
        self._last[topic] = number
        if number > last:
            self._missing[topic] = self._missing.get(topic, 0) + number - last - 1
        else:
            del self._missing[topic]

    def report(self, topic: str, count: int) -> None:
        """The middleware reports ``count`` more lost messages."""
        self._reported[topic] = self._reported.get(topic, 0) + count
