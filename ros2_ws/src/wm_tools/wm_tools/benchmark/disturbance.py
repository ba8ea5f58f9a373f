"""The disturbances between a simulator and a planner, and their effect on one frame or command."""

import math
from dataclasses import dataclass

import numpy as np

from wm_tools.common.errors import DriveError


@dataclass(frozen=True)
class Kind:
    """One kind of disturbance. ``none`` is the size at which it disturbs nothing, ``sizes`` are the defaults of a
    sweep; sizes must be from ``low`` to ``high``."""

    label: str
    unit: str
    none: float
    sizes: tuple[float, ...]
    low: float
    high: float
    whole: bool = False


KINDS = {
    "camera_latency": Kind("Camera latency", "ms", 0.0, (80.0, 160.0, 240.0, 320.0), 0.0, 5000.0),
    "camera_jitter": Kind("Camera jitter", "ms", 0.0, (20.0, 40.0, 80.0, 120.0), 0.0, 5000.0),
    "dropped_frames": Kind("Dropped frames", "share", 0.0, (0.05, 0.1, 0.2, 0.4), 0.0, 0.95),
    "image_noise": Kind("Image noise", "std of 255", 0.0, (5.0, 10.0, 20.0, 40.0), 0.0, 255.0),
    "brightness": Kind("Brightness", "factor", 1.0, (0.5, 0.75, 1.25, 1.5), 0.0, 10.0),
    "actuator_delay": Kind("Actuator delay", "ms", 0.0, (80.0, 160.0, 240.0, 320.0), 0.0, 5000.0),
    "steering_gain": Kind("Steering gain", "factor", 1.0, (0.5, 0.75, 1.25, 1.5), 0.0, 10.0),
    "control_divisor": Kind("Control rate divisor", "periods", 1.0, (2.0, 3.0, 4.0, 6.0), 1.0, 100.0, whole=True),
}


@dataclass(frozen=True)
class Disturbance:
    """A kind from KINDS at one size. Raises DriveError for a name or size that does not exist."""

    name: str
    size: float

    def __post_init__(self):
        if self.name not in KINDS:
            raise DriveError(f"expected a disturbance of {', '.join(KINDS)}, found '{self.name}'")
        kind = self.kind
        usable = math.isfinite(self.size) and kind.low <= self.size <= kind.high
        if not usable or (kind.whole and self.size != round(self.size)):
            what = "a whole number" if kind.whole else "a number"
            raise DriveError(f"{self.name}: expected {what} from {kind.low:g} to {kind.high:g}, found {self.size:g}")

    @property
    def kind(self) -> Kind:
        return KINDS[self.name]

    def __str__(self) -> str:
        return f"{self.name}={self.size:g}"


class Effects:
    """The effect of a disturbance. Random ones depend only on the seed and the order of the calls."""

    def __init__(self, disturbance: Disturbance, seed: int):
        self._name, self._size = disturbance.name, disturbance.size
        self._random = np.random.default_rng(seed)

    def loses_frame(self) -> bool:
        return self._name == "dropped_frames" and bool(self._random.random() < self._size)

    def frame_delay_s(self) -> float:
        """Delay of the next frame [s]: the latency, or for jitter the absolute value of a normally distributed
        number."""
        if self._name == "camera_latency":
            return self._size / 1000.0
        if self._name == "camera_jitter":
            return abs(float(self._random.normal(0.0, self._size))) / 1000.0
        return 0.0

    def picture(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels (h, w, channels) uint8 with noise or changed brightness; otherwise returned unchanged, not copied."""
        if self._name == "image_noise":
            noise = self._random.standard_normal(pixels.shape, np.float32) * np.float32(self._size)
            return _as_pixels(pixels + noise)
        if self._name == "brightness":
            return _as_pixels(pixels * np.float32(self._size))
        return pixels

    @property
    def command_delay_s(self) -> float:
        """Delay of every command [s]."""
        return self._size / 1000.0 if self._name == "actuator_delay" else 0.0

    @property
    def command_divisor(self) -> int:
        """One in this many commands reaches the vehicle, which holds it until the next."""
        return int(self._size) if self._name == "control_divisor" else 1

    def steer(self, steer: float) -> float:
        """The steering that the vehicle applies for a command, in [-1, 1]."""
        return float(np.clip(self._size * steer, -1.0, 1.0)) if self._name == "steering_gain" else steer


def _as_pixels(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
