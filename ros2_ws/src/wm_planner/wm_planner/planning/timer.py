"""How many candidates fit before a deadline."""


class CandidateTimer:
    """Learns how long it takes to imagine and score one candidate."""

    def __init__(self):
        self.expected_s = 0.0

    def record(self, seconds: float, candidates: int) -> None:
        """Add one measured evaluation: an increase counts at once, a decrease slowly."""
        measured_s = seconds / candidates
        self.expected_s = max(measured_s, 0.8 * self.expected_s + 0.2 * measured_s)

    def fitting(self, seconds: float) -> int:
        """How many candidates should fit into some time."""
        if seconds <= 0.0:
            return 0
        return int(min(seconds / max(self.expected_s, 1e-9), 1e9))

    def skipped(self) -> None:
        """A frame had no time for any evaluation: lower the estimate, or one slow call would stop planning forever."""
        self.expected_s *= 0.5
