"""The bundle's self-check: does the engine that will drive give the expected answers?"""

from dataclasses import dataclass

from wm_bundle import BundleManifest
from wm_bundle.self_check import Answers, Questions
from wm_bundle.self_check_measures import Functions, ask, differences

from wm_planner.errors import EngineError

# For a bundle of an earlier version.
NONE = "not done: the bundle has none; upgrade it with `ros2 run wm_training upgrade_bundle`"


class SelfCheckError(EngineError):
    """A provider that runs the bundle but gives different answers."""


@dataclass(frozen=True)
class SelfCheck:
    """This machine's differences from the bundle's float32 answers, and their limits, by the names of
    wm_bundle.self_check_measures."""

    found: dict[str, float]
    limits: dict[str, float]

    @property
    def failed(self) -> list[str]:
        """Names of the measures beyond their limits."""
        return [name for name, limit in self.limits.items() if not self.found[name] <= limit]  # also NaN

    def __str__(self) -> str:
        told = ", ".join(f"{name} {self.found[name]:.2g} of {limit:.2g}" for name, limit in self.limits.items())
        return f"{'fails' if self.failed else 'holds'} (difference of its limit): {told}"

    def enforce(self) -> None:
        """Raise SelfCheckError where it fails."""
        if self.failed:
            worst = ", ".join(
                f"{name} differs by {self.found[name]:.2g}, allowed is {self.limits[name]:.2g}" for name in self.failed
            )
            raise SelfCheckError(f"the bundle's self-check fails: {worst}")


def check(functions: Functions, asked: tuple[Questions, Answers], manifest: BundleManifest) -> SelfCheck:
    """Run it on ``functions``, those of the bundle with this ``manifest``. Raises EngineError."""
    questions, expected = asked
    found = differences(questions, expected, ask(functions, questions, manifest))
    return SelfCheck(found, manifest.self_check.limits)
