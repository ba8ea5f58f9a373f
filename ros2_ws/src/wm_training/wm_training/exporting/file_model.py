"""A bundle's files, run by onnxruntime on one processor thread, for measurements before the bundle is written.

The same functions as wm_planner.engine, without its checks. Shapes: N candidates, H horizon, F belief features,
S stochastic size, M any number.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from wm_bundle import BUNDLE_FILES, BundleManifest
from wm_bundle.onnx_runtime import onnxruntime


class Said(NamedTuple):
    """Imagined futures of N candidates, (N, H) each; ``vector`` (N, H, V) in physical units and ``reward_terms``
    (N, H, R), None without such a head."""

    reward: np.ndarray
    continues: np.ndarray
    value: np.ndarray
    vector: np.ndarray | None = None
    reward_terms: np.ndarray | None = None


def said_of(outputs: dict[str, np.ndarray]) -> Said:
    """The part of imagine.onnx's outputs, by their names, that is compared."""
    scores = (outputs[name] for name in ("reward", "continue", "value"))
    return Said(*scores, outputs.get("vector"), outputs.get("reward_terms"))


def open_file(file: Path) -> onnxruntime.InferenceSession:
    """A session of one file. Raises ValueError where onnxruntime cannot open it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # single frames: more threads only wait for each other
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common base class
        raise ValueError(f"onnxruntime cannot open {file.name}: {str(error).splitlines()[0]}") from error


class Sizes:
    """Sizes, and the inputs of the first step."""

    def __init__(self, belief: int, horizon: int, stochastic: int):
        """The sizes F, H and S."""
        self._belief, self._noise = belief, (horizon, stochastic)

    def initial_belief(self) -> np.ndarray:
        """The belief before the first observation, (1, F)."""
        return np.zeros((1, self._belief), np.float32)

    def zero_noise(self, candidates: int) -> np.ndarray:
        """Noise (N, H, S) for the mean prediction."""
        return np.zeros((candidates, *self._noise), np.float32)


class FileModel(Sizes):
    """The four functions."""

    def __init__(self, manifest: BundleManifest, files: dict[str, Path]):
        """``files`` by their names in a bundle; only the sizes of ``manifest`` are used."""
        super().__init__(manifest.latent.belief, manifest.horizon, manifest.latent.stochastic)
        self.manifest = manifest
        self._sessions = {
            name.removesuffix(".onnx"): open_file(file) for name, file in files.items() if name in BUNDLE_FILES
        }

    def observe(self, image, vector, previous_action, belief, is_first: bool) -> tuple[np.ndarray, float]:
        """The belief (1, F) after an image (C, height, width) with all cameras present, and the surprise [nats]."""
        feeds = {
            "image": image[None],
            "vector": np.asarray(vector, np.float32)[None],
            "previous_action": np.asarray(previous_action, np.float32)[None],
            "belief": belief,
            "is_first": np.array([is_first], np.float32),
        }
        if (cameras := len(self.manifest.image.cameras)) > 1:
            feeds["camera_mask"] = np.ones((1, cameras), np.float32)
        next_belief, surprise = self._sessions["observe"].run(["next_belief", "surprise"], feeds)
        return next_belief, float(surprise[0])

    def imagine(self, belief, actions, noise) -> Said:
        """Imagine ``actions`` (N, H, 3) from ``belief`` (1, F) with ``noise`` (N, H, S)."""
        names = ["reward", "continue", "value"]
        names += ["vector"] * self.manifest.imagines_vector + ["reward_terms"] * bool(self.manifest.reward_terms)
        return said_of(dict(zip(names, self._imagine(names, belief, actions, noise), strict=True)))

    def imagine_beliefs(self, belief, actions, noise) -> np.ndarray:
        """The beliefs (N, H, F) along the way."""
        return self._imagine(["beliefs"], belief, actions, noise)[0]

    def actor(self, belief) -> tuple[np.ndarray, np.ndarray]:
        """The actor's commands (H, 3), and its deviations (2,) now."""
        actions, std = self._sessions["actor"].run(["actions", "std"], {"belief": belief})
        return actions[0], std[0]

    def decode(self, beliefs) -> np.ndarray:
        """Pictures (M, C, height, width) uint8 of beliefs (M, F)."""
        return self._sessions["decode"].run(["image"], {"belief": beliefs})[0]

    def _imagine(self, outputs: list[str], belief, actions, noise) -> list[np.ndarray]:
        return self._sessions["imagine"].run(outputs, {"belief": belief, "actions": actions, "noise": noise})
