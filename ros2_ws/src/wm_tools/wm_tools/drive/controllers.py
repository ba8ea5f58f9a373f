"""The controllers of `drive` and `benchmark`, how they drive, and the policies they need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wm_bundle import Bundle, lock_step
from wm_bundle.processes.suggestions import did_you_mean
from wm_planner.engine.policy import PolicyFile, read_policy
from wm_planner.errors import ConfigError
from wm_planner.planning.solvers import SOLVERS

from wm_tools.common.errors import DriveError
from wm_tools.drive.drivers import Driver, EchoDriver, RandomDriver

REFERENCES = ("expert", "random")  # drive without a model
CONTROLLERS = ("planner", *SOLVERS, *REFERENCES)


@dataclass(frozen=True)
class Controller:
    """One controller: ``kind`` is one of CONTROLLERS, ``bundle`` None for the default one, ``policy`` None for the
    planner's parameter ``proposal_policy``."""

    name: str
    kind: str
    bundle: Path | None = None
    policy: Path | None = None

    @property
    def has_model(self) -> bool:
        return self.kind not in REFERENCES

    @property
    def autopilot(self) -> bool:
        """Whether the simulator itself drives."""
        return self.kind == "expert"

    def driver(self) -> Driver | None:
        """What answers the camera if no planner does."""
        return {"expert": EchoDriver, "random": RandomDriver}.get(self.kind, lambda: None)()

    def planner_parameters(
        self, bundle: Bundle, role_name: str, given: Sequence[tuple[str, object]], wait_s: float | None = None, **usual
    ) -> dict:
        """Parameters of the node that drives: the ``usual`` ones, overridden by those ``given`` by the user, then by
        the controller's own. ``wait_s``: how long the simulator waits for a command in lock-step."""
        return {
            "bundle": str(bundle.path),
            "role_name": role_name,
            "autostart": True,
            **usual,
            **({} if wait_s is None else lock_step.planner_parameters(wait_s)),
            **dict(given),
            **({} if self.kind == "planner" else {"solver": self.kind}),
            **({} if self.policy is None else {"proposal_policy": str(self.policy.expanduser().absolute())}),
        }


def controller_of(text: str) -> Controller:
    """``NAME`` of CONTROLLERS, ``NAME=BUNDLE_DIR`` or ``NAME=FILE.onnx`` with another name. Raises DriveError."""
    name, equals, place = text.partition("=")
    if not equals and name in CONTROLLERS:
        return Controller(name, name)
    usable = name.isascii() and name.isidentifier() and name not in CONTROLLERS
    if not equals or not place or not usable:
        raise DriveError(
            f"--controllers: expected some of {', '.join(CONTROLLERS)}, or NAME=BUNDLE_DIR or "
            f"NAME=FILE.onnx with another name, found '{text}'{did_you_mean(name, CONTROLLERS)}"
        )
    if place.endswith(".onnx"):
        return Controller(name, "policy", policy=Path(place))
    return Controller(name, "planner", bundle=Path(place))


def check_controllers(entries: Sequence[Controller], parameters: Sequence[tuple[str, object]]) -> None:
    """Raise DriveError for a duplicate name, or a policy without a file; ``parameters`` are the planner's."""
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
    entries: Sequence[Controller], parameters: Sequence[tuple[str, object]], bundles: Mapping[str, Bundle]
) -> dict[str, PolicyFile]:
    """The policy file of each controller that needs one, checked against its bundle, by controller name. Raises
    DriveError."""
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


def _policy_of(entry: Controller, parameters: Sequence[tuple[str, object]]) -> Path | None:
    """The policy file that a controller uses: none for the actor, which only follows its own plan."""
    if not entry.has_model or entry.kind == "actor":
        return None
    common = dict(parameters).get("proposal_policy")
    return entry.policy or (Path(str(common)) if common else None)
