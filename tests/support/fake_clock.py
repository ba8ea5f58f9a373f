"""A clock that only moves when told."""


class FakeClock:
    """Seconds that stand still until ``advance``."""

    def __init__(self):
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds
