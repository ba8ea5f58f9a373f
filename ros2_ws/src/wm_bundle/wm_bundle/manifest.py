"""The contents of ``bundle.json``: one frozen dataclass per part, read strictly."""

import dataclasses
import math
import typing
from dataclasses import dataclass, field

from wm_bundle.strict_json import read, require
from wm_bundle.vector_inputs import VectorInput

FORMAT_VERSION = 1
BUNDLE_FILES = ("observe.onnx", "imagine.onnx", "actor.onnx", "decode.onnx")
SELF_CHECK_FILE = "self_check.npz"


@dataclass(frozen=True)
class CameraSpec:
    """One camera as it must arrive, and how it is scaled to the model's size.

    ``crop`` is (top, left, height, width) [px] of the source, None for all of it. ``letterbox``: the aspect ratio is
    kept, with black bars around the picture; otherwise each side is scaled separately.
    """

    name: str
    source_height: int
    source_width: int
    crop: tuple[int, int, int, int] | None = None
    letterbox: bool = False

    def __post_init__(self):
        require(
            self.source_height > 0 and self.source_width > 0,
            "CameraSpec.source size",
            "positive",
            (self.source_height, self.source_width),
        )
        if self.crop is not None:
            top, left, height, width = self.crop
            inside = (
                top >= 0
                and left >= 0
                and height > 0
                and width > 0
                and top + height <= self.source_height
                and left + width <= self.source_width
            )
            require(inside, "CameraSpec.crop", "inside the source image", self.crop)


@dataclass(frozen=True)
class ImageSpec:
    """The model's picture: every camera is scaled to ``height`` × ``width`` [px] and stacked along the channels."""

    height: int
    width: int
    cameras: tuple[CameraSpec, ...]

    def __post_init__(self):
        require(self.height > 0 and self.width > 0, "ImageSpec size", "positive", (self.height, self.width))
        names = [camera.name for camera in self.cameras]
        require(names and len(set(names)) == len(names), "ImageSpec.cameras", "one or more, names unique", names)

    @property
    def channels(self) -> int:
        """Channels of the stacked picture: three per camera."""
        return 3 * len(self.cameras)


@dataclass(frozen=True)
class VectorSpec:
    """One vector input, its unit, and the mean and standard deviation for its normalisation.

    ``gaps``: the model was trained with rows that lack it, given as NaN; else a missing one brakes. ``source``: where
    it comes from, if it is not one of VECTOR_INPUTS: type, topic and field of the message."""

    name: str
    unit: str
    mean: float
    std: float
    gaps: bool = False
    source: str = ""

    def __post_init__(self):
        require(
            math.isfinite(self.mean) and math.isfinite(self.std) and self.std > 0,
            f"VectorSpec '{self.name}'",
            "finite mean, std above 0",
            (self.mean, self.std),
        )


@dataclass(frozen=True)
class LatentSpec:
    """Sizes of the belief: ``deterministic`` D and ``stochastic`` S, concatenated in this order. ``kind`` is
    gaussian or categorical."""

    kind: str
    deterministic: int
    stochastic: int

    def __post_init__(self):
        require(self.kind in ("gaussian", "categorical"), "LatentSpec.kind", "gaussian or categorical", self.kind)
        require(
            self.deterministic > 0 and self.stochastic > 0,
            "LatentSpec sizes",
            "positive",
            (self.deterministic, self.stochastic),
        )

    @property
    def belief(self) -> int:
        """F = D + S."""
        return self.deterministic + self.stochastic


@dataclass(frozen=True)
class FileSpec:
    """Checksum and size [bytes] of one file of the bundle."""

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Estimate:
    """A measured figure and its 95 % interval, whose ends are None for a single drive."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class OpenLoopScores:
    """Quality of the float32 model's imagination on its validation episodes, compared with model-free baselines.

    ``windows`` windows of ``drives`` drives: the model sees ``context`` rows and imagines from the recorded actions.
    Entry i of every tuple is ``steps[i]`` steps ahead. ``psnr_db`` [dB] of the pictures: ``imagined``, and
    ``copy_last``, the last one seen. ``reward_error`` is the mean absolute error: ``imagined``, and ``mean_reward``,
    the training episodes' mean. ``vector_error``: the mean absolute error of each vector input that is imagined, in its
    unit: ``imagined``, and ``copy_last``, the last one seen."""

    steps: tuple[int, ...]
    context: int
    windows: int
    drives: int
    psnr_db: dict[str, tuple[Estimate, ...]]
    reward_error: dict[str, tuple[Estimate, ...]]
    vector_error: dict[str, dict[str, tuple[Estimate, ...]]] = field(default_factory=dict)

    def __post_init__(self):
        tables = {"psnr_db": self.psnr_db, "reward_error": self.reward_error}
        tables |= {f"vector_error.{name}": table for name, table in self.vector_error.items()}
        for name, table in tables.items():
            for guess, figures in table.items():
                fits = len(figures) == len(self.steps)
                require(fits, f"open_loop.{name}.{guess}", f"{len(self.steps)} figures", len(figures))


@dataclass(frozen=True)
class SelfCheckSpec:
    """How ``self_check.npz`` is evaluated on the machine that drives.

    ``reference``: the arithmetic and the weights of its answers. ``limits``: the largest differences allowed, by the
    names of wm_bundle.self_check_measures; ``measured``: the differences on the machine that made the bundle."""

    reference: str
    limits: dict[str, float]
    measured: dict[str, float]


@dataclass(frozen=True)
class BundleManifest:
    """All of ``bundle.json``.

    ``control_period_s`` [s] is the time between two images, and between two commands. ``horizon`` H [steps] is that of
    imagine.onnx and actor.onnx. ``discount`` per step is the value head's. ``surprise_threshold`` [nats] is the 99.9th
    percentile of the surprise on validation frames. ``validation`` holds one-step errors and the parity of the files
    with torch, both measured at export; ``open_loop`` the scorecard; ``self_check`` its limits, None in bundles of
    earlier versions; ``imagines_vector``: imagine.onnx gives what it expects of the vector inputs; ``reward_terms``
    names the terms of the reward that it gives; ``provenance`` the model's origin: training summary, data and its
    hash."""

    model_id: str
    image: ImageSpec
    vector: tuple[VectorSpec, ...]
    control_period_s: float
    latent: LatentSpec
    horizon: int
    discount: float
    reward_name: str
    surprise_threshold: float
    files: dict[str, FileSpec] = field(default_factory=dict)
    action_names: tuple[str, ...] = ("steer", "throttle", "brake")
    action_low: tuple[float, ...] = (-1.0, 0.0, 0.0)
    action_high: tuple[float, ...] = (1.0, 1.0, 1.0)
    validation: dict[str, float] = field(default_factory=dict)
    open_loop: OpenLoopScores | None = None
    self_check: SelfCheckSpec | None = None
    imagines_vector: bool = False
    reward_terms: tuple[str, ...] = ()
    provenance: dict[str, typing.Any] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION

    def __post_init__(self):
        require(self.format_version == FORMAT_VERSION, "format_version", str(FORMAT_VERSION), self.format_version)
        require(0.0 < self.control_period_s <= 10.0, "control_period_s", "in (0, 10] s", self.control_period_s)
        require(self.horizon > 0, "horizon", "at least 1", self.horizon)
        require(0.0 < self.discount <= 1.0, "discount", "in (0, 1]", self.discount)
        require(bool(self.vector) or not self.imagines_vector, "imagines_vector", "false without a vector", True)
        unique = len(set(self.reward_terms)) == len(self.reward_terms)
        require(unique, "reward_terms", "different names", self.reward_terms)

    def column(self, entry: VectorInput) -> int | None:
        """The index of a registry entry among the vector inputs, None if it is missing or in another unit."""
        told = [(spec.name, spec.unit) for spec in self.vector]
        return told.index((entry.name, entry.unit)) if (entry.name, entry.unit) in told else None

    def to_json(self) -> dict:
        """Plain dictionary for json.dump."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict) -> "BundleManifest":
        """Read strictly: a missing, unknown or wrongly typed key raises ValueError naming it."""
        return read(cls, values, "bundle.json")
