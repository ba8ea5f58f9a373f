"""What somebody who uses data should know about how it was read."""

from collections import Counter


def printable(text: str) -> str:
    """``text`` with marks for the parts of a file name that are not UTF-8 and could not be written."""
    return text.encode("utf-8", "replace").decode()


class Notes:
    """``skipped`` counts what was skipped, by reason; ``notes`` tell of fallbacks and choices, each once."""

    def __init__(self):
        self.skipped: Counter = Counter()
        self.notes: list[str] = []

    def leave_out(self, reason: str, number: int = 1) -> None:
        """Count what was skipped; a reason that did not occur is not named."""
        if number:
            self.skipped[reason] += number

    def note(self, text: str) -> None:
        text = printable(text)
        if text not in self.notes:
            self.notes.append(text)
