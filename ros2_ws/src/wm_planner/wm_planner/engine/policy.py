"""A policy file: one onnxruntime session that maps a picture to a command, without a belief.

docs/cloning.md describes the format. Shapes: N rows, here always one; V vector inputs; C channels.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from wm_bundle import BundleManifest, ImageSpec
from wm_bundle.files import sha256_of
from wm_bundle.onnx_runtime import onnxruntime as ort
from wm_bundle.policy import PolicyError, PolicyManifest

from wm_planner.engine.bindings import make_function, run_checked
from wm_planner.engine.providers import CPU, EngineSettings, first_that_works, provider_named
from wm_planner.engine.sessions import open_session
from wm_planner.errors import ConfigError, EngineError

_REMEDY = "write the file with `ros2 run wm_training clone`, or as docs/cloning.md describes"


@dataclass(frozen=True)
class PolicyFile:
    """A checked policy file: its path, manifest, inputs, and the SHA-256 of its bytes."""

    path: Path
    manifest: PolicyManifest
    inputs: tuple[str, ...]
    sha256: str

    @property
    def identity(self) -> str:
        """Its id and the first digits of its hash: two files may have the same id."""
        return f"{self.manifest.policy_id} ({self.sha256[:12]})"

    def check_fits(self, bundle: BundleManifest) -> None:
        """Raise ConfigError unless its pictures, vector inputs and rate match the bundle's."""
        ours = self.manifest
        asked = {
            "pictures": (_spell_image(bundle.image), _spell_image(ours.image)),
            "period": (f"{bundle.control_period_s:g} s", f"{ours.control_period_s:g} s"),
        }
        if "vector" in self.inputs:
            asked["vector inputs"] = tuple(
                ", ".join(f"{entry.name} [{entry.unit}]" for entry in entries) or "none"
                for entries in (bundle.vector, ours.vector)
            )
        for what, (expected, found) in asked.items():
            if expected != found:
                raise ConfigError(
                    f"policy file {self.path}: expected the {what} of bundle {bundle.model_id}: {expected}, found "
                    f"{found}; train the policy on the bundle's data, or take a bundle that it fits"
                )


def read_policy(path: str | Path) -> PolicyFile:
    """Read and check a policy file. Raises ConfigError."""
    file = Path(path).expanduser().resolve()
    if not file.is_file():
        found = "a folder" if file.is_dir() else "nothing there"
        raise ConfigError(f"policy file {file}: expected an ONNX file, found {found}; {_REMEDY}")
    try:
        session = open_session(file, CPU, EngineSettings())
        manifest = PolicyManifest.from_metadata(session.get_modelmeta().custom_metadata_map, f"policy file {file}")
        _check_interface(file, session, manifest)
        return PolicyFile(file, manifest, tuple(entry.name for entry in session.get_inputs()), sha256_of(file))
    except EngineError as error:
        raise ConfigError(
            f"policy file {file}: expected an ONNX file, found one that onnxruntime refuses ({error}); {_REMEDY}"
        ) from error
    except (PolicyError, OSError) as error:
        raise ConfigError(str(error)) from error


class Policy:
    """A policy file that runs. Its action is checked to be finite (NonFiniteError)."""

    def __init__(self, file: PolicyFile, settings: EngineSettings, log: Callable[[str], None]):
        """``log`` gets a line for the chosen provider and each refused one. Raises EngineError when none can run it."""
        self._file = file
        self._log = log
        image = file.manifest.image
        self._shapes = {  # after N
            "image": (image.channels, image.height, image.width),
            "vector": (len(file.manifest.vector),),
            "previous_action": (3,),
        }
        self.provider = first_that_works(settings, self._try, f"policy file {file.path}", log, graphs=False)

    def act(self, image: np.ndarray, vector: np.ndarray, previous_action: np.ndarray) -> np.ndarray:
        """The command (3,) for ``image`` (C, height, width) uint8, ``vector`` (V,) in physical units and the command
        (3,) applied before the image. Raises EngineError."""
        feeds = {
            "image": image[None],
            "vector": np.asarray(vector, np.float32)[None],
            "previous_action": np.asarray(previous_action, np.float32)[None],
        }
        return run_checked(self._file.path, ("action",), self._function, feeds, 1)[0][0].copy()

    def warm_up(self, rounds: int = 3) -> float:
        """Run it ``rounds`` times; returns the last time [ms]. Raises EngineError."""
        for _ in range(rounds):
            begin = time.perf_counter()
            self.act(np.zeros(self._shapes["image"], np.uint8), np.zeros(self._shapes["vector"]), np.zeros(3))
        return 1000.0 * (time.perf_counter() - begin)

    def _try(self, provider: str, graph: bool, settings: EngineSettings) -> None:
        free = {name: self._shapes[name] for name in self._file.inputs}
        session = open_session(self._file.path, provider, settings, graph=graph, free=free, most=1, log=self._log)
        self._function = make_function(session, ("action",), provider_named(provider).device)
        self.warm_up()


def _check_interface(file: Path, session: ort.InferenceSession, manifest: PolicyManifest) -> None:
    """Raise ConfigError unless a file has the inputs and outputs of a policy, in the shapes of its own manifest."""
    image = manifest.image
    inputs = {
        "image": ("tensor(uint8)", (image.channels, image.height, image.width)),
        "vector": ("tensor(float)", (len(manifest.vector),)),
        "previous_action": ("tensor(float)", (3,)),
    }
    outputs = {"action": ("tensor(float)", (3,)), "std": ("tensor(float)", (2,))}
    for kind, expected, needed, found in (
        ("input", inputs, "image", session.get_inputs()),
        ("output", outputs, "action", session.get_outputs()),
    ):
        names = {entry.name for entry in found}
        if needed not in names or not names <= set(expected):
            others = ", ".join(name for name in expected if name != needed)
            raise ConfigError(
                f"policy file {file}: expected the {kind} {needed} and none but {others} beside it, "
                f"found {', '.join(sorted(names)) or 'none'}; {_REMEDY}"
            )
        for entry in found:
            element, rest = expected[entry.name]
            first, *others = entry.shape or (0,)
            one_row = not isinstance(first, int) or first == 1
            if entry.type != element or tuple(others) != rest or not one_row:
                raise ConfigError(
                    f"policy file {file}: expected the {kind} {entry.name} as {element} "
                    f"({', '.join(map(str, ('N', *rest)))}), found {entry.type} "
                    f"({', '.join(map(str, entry.shape))}); {_REMEDY}"
                )


def _spell_image(image: ImageSpec) -> str:
    """All of its fields: specs that differ are spelled differently."""
    cameras = [
        f"{camera.name} {camera.source_width}x{camera.source_height}"
        + (f" cropped to top, left, height, width {camera.crop}" if camera.crop else "")
        + (" letterboxed" if camera.letterbox else "")
        for camera in image.cameras
    ]
    return f"{image.width}x{image.height} from {', '.join(cameras)}"
