"""Who can be asked to drive: the controllers of `drive` and `benchmark`, and the policies they need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wm_bundle import Bundle
from wm_bundle.suggestions import did_you_mean
from wm_planner.engine.policy import PolicyFile, read_policy
from wm_planner.errors import ConfigError
from wm_planner.planning.solvers import SOLVERS

from wm_tools.common.errors import DriveError

REFERENCES = ("expert", "random")  # drive without a model
CONTROLLERS = ("planner", *SOLVERS, *REFERENCES)


@dataclass(frozen=True)
class Entry:
    """One controller: ``kind`` is one of CONTROLLERS, ``bundle`` None for the common one, ``policy`` None for the
    planner's parameter ``proposal_policy``."""

    name: str
    kind: str
    bundle: Path | None = None
    policy: Path | None = None

    @property
    def has_model(self) -> bool:
        """Whether a planner node drives."""
        return self.kind not in REFERENCES


def entry_of(text: str) -> Entry:
    """``NAME`` of CONTROLLERS, ``NAME=BUNDLE_DIR`` or ``NAME=FILE.onnx`` with another name. Raises DriveError."""
    name, equals, place = text.partition("=")
    if not equals and name in CONTROLLERS:
        return Entry(name, name)
    usable = name.isascii() and name.isidentifier() and name not in CONTROLLERS
    if not equals or not place or not usable:
        raise DriveError(
            f"--controllers: expected some of {', '.join(CONTROLLERS)}, or NAME=BUNDLE_DIR or "
            f"NAME=FILE.onnx with another name, found '{text}'{did_you_mean(name, CONTROLLERS)}"
        )
    if place.endswith(".onnx"):
        return Entry(name, "policy", policy=Path(place))
    return Entry(name, "planner", bundle=Path(place))


def check_entries(entries: Sequence[Entry], parameters: Sequence[tuple[str, object]]) -> None:
    """Raise DriveError where a name stands twice, or a policy drives without a file; ``parameters`` of the planner."""
    names = [entry.name for entry in entries]
    if not names or len(set(names)) < len(names):
        found = ", ".join(names) or "none"
        raise DriveError(f"--controllers: expected one or more, each name once, found {found}")
    without = [entry.name for entry in entries if entry.kind == "policy" and not _policy_of(entry, parameters)]
    if without:
        raise DriveError(
            f"--controllers: expected a policy file for {without[0]}, found none; give --set "
            f"proposal_policy=FILE.onnx, or NAME=FILE.onnx as the controller"
        )


def read_policies(
    entries: Sequence[Entry], parameters: Sequence[tuple[str, object]], bundles: Mapping[str, Bundle]
) -> dict[str, PolicyFile]:
    """The policy file of each controller that asks one, by controller, checked against its bundle in ``bundles``.

    Raises DriveError.
    """
    policies = {}
    for entry in entries:
        path = _policy_of(entry, parameters)
        if path is None:
            continue
        try:
            policies[entry.name] = read_policy(path)
            policies[entry.name].check_fits(bundles[entry.name].manifest)
        except ConfigError as error:
            raise DriveError(f"{entry.name}: {error}") from None
    return policies


def _policy_of(entry: Entry, parameters: Sequence[tuple[str, object]]) -> Path | None:
    """The file of the policy that a controller asks: the actor's plan is nobody else's."""
    if not entry.has_model or entry.kind == "actor":
        return None
    common = dict(parameters).get("proposal_policy")
    return entry.policy or (Path(str(common)) if common else None)
