"""What the options of every long run but `train` have in common: where to compute, and how to go on. Loads no torch."""

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, Literal


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Refuses bad values, with the field, the value and what was expected."""

    FILES: ClassVar[tuple[str, ...]] = ()
    """The options that name files and folders."""

    device: str = "auto"
    """Where to compute: auto (a GPU where there is one), cpu, cuda, cuda:1 …"""
    threads: int = 0
    """Processor threads [threads]; 0 for all cores."""
    seed: int = 0
    """Seed of everything random."""
    resume: Literal["auto", "none"] = "auto"
    """auto continues a run of the same settings that was stopped, none begins anew in its place."""

    def __post_init__(self):
        self._check("threads", self.threads >= 0, "0 or more")
        self._check("seed", 0 <= self.seed < 2**32, "from 0 to 4294967295")

    def _check(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise ValueError(f"{name} is {getattr(self, name)!r}, expected {expected}")

    def decisive(self) -> dict[str, Any]:
        """The options that decide what comes out, by name: not where and how fast it is computed."""
        places = (*self.FILES, "device", "threads", "resume")
        return {name: value for name, value in dataclasses.asdict(self).items() if name not in places}
