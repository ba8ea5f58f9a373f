"""A definition on a page."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A definition. ``better`` is "higher", "lower" or empty; ``source`` is the literature."""

    name: str
    definition: str
    unit: str = ""
    better: str = ""
    source: str = ""

    def __post_init__(self):
        if self.better not in ("", "higher", "lower"):
            raise ValueError(f"metric '{self.name}': better is '{self.better}', expected 'higher', 'lower' or nothing")
