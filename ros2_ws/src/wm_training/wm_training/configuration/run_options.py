"""Options shared by all long runs except `train`: where to compute, and resuming. Does not load torch."""

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, Literal


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Refuses bad values, with the field, the value and what was expected."""

    FILES: ClassVar[tuple[str, ...]] = ()
    """Options that are files and folders."""

    device: str = "auto"
    """Where to compute: auto (a GPU where there is one), cpu, cuda, cuda:1 …"""
    threads: int = 0
    """Processor threads [threads]; 0 for all cores."""
    seed: int = 0
    """Seed of everything random."""
    resume: Literal["auto", "none"] = "auto"
    """auto resumes a stopped run with the same settings, none starts from scratch and replaces it."""

    def __post_init__(self):
        self._check("threads", self.threads >= 0, "0 or more")
        self._check("seed", 0 <= self.seed < 2**32, "from 0 to 4294967295")

    def _check(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise ValueError(f"{name} is {getattr(self, name)!r}, expected {expected}")

    def decisive(self) -> dict[str, Any]:
        """The options that affect the result, by name: not where and how fast it is computed."""
        places = (*self.FILES, "device", "threads", "resume")
        return {name: value for name, value in dataclasses.asdict(self).items() if name not in places}
