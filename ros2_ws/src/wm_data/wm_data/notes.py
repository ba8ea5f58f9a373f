"""Notes for users of data on how it was read."""

from collections import Counter


def printable(text: str) -> str:
    """``text`` with replacement marks for parts of a file name that are not UTF-8."""
    return text.encode("utf-8", "replace").decode()


class Notes:
    """``skipped`` counts skipped data by reason; ``notes`` are about fallbacks and choices, each once."""

    def __init__(self):
        self.skipped: Counter = Counter()
        self.notes: list[str] = []

    def leave_out(self, reason: str, number: int = 1) -> None:
        """Count skipped data; a reason with 0 is not listed."""
        if number:
            self.skipped[reason] += number

    def note(self, text: str) -> None:
        text = printable(text)
        if text not in self.notes:
            self.notes.append(text)
