"""A policy file (docs/cloning.md) as a function from observations to an action and its deviation."""

from pathlib import Path

import numpy as np
from torch import Tensor
from wm_bundle.onnx_runtime import onnxruntime
from wm_bundle.policy import PolicyError, PolicyManifest
from wm_data.rates import rate_of, same_rate

from wm_training.api import Observations, PretrainedWorldModel
from wm_training.errors import TrainingError

_INPUTS = ("image", "vector", "previous_action")


class OnnxPolicy:
    """A policy file that runs in onnxruntime, on the processor."""

    def __init__(self, file: str | Path, std: tuple[float, float] | None = None, threads: int = 1):
        """``std`` of (steer, longitudinal) is for files without one. Raises TrainingError for an unusable file."""
        self.path = Path(file).expanduser()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        if not self.path.is_file():
            raise TrainingError(f"policy {self.path}: expected an ONNX file, found nothing there")
        try:
            self._session = onnxruntime.InferenceSession(str(self.path), options, providers=["CPUExecutionProvider"])
            metadata = self._session.get_modelmeta().custom_metadata_map
            self.manifest = PolicyManifest.from_metadata(metadata, f"policy {self.path}")
        except PolicyError as error:
            raise TrainingError(str(error)) from None
        except Exception as error:  # onnxruntime raises its own kinds
            reason = str(error).splitlines()[0]
            raise TrainingError(f"policy {self.path}: onnxruntime refuses it ({reason})") from None
        self._inputs = [entry.name for entry in self._session.get_inputs()]
        outputs = [entry.name for entry in self._session.get_outputs()]
        unknown = [name for name in self._inputs if name not in _INPUTS]
        if "action" not in outputs or unknown:
            raise TrainingError(
                f"policy {self.path}: expected the inputs {', '.join(_INPUTS)} and the output action, found "
                f"{', '.join(self._inputs)} and {', '.join(outputs)}"
            )
        self._has_std = "std" in outputs
        self._std = std
        if std is None and not self._has_std:
            raise TrainingError(f"policy {self.path} has no output std: give one with std=(steer, longitudinal)")

    def __call__(self, observation: Observations) -> tuple[np.ndarray, np.ndarray]:
        """The most likely command (…, 3) and the standard deviation (…, 2) of (steer, longitudinal), for one moment or
        a batch (M,) of them. Raises ValueError where the observation lacks what the file needs."""
        shape = observation.image.shape[:-3]
        feeds = {}
        for name in self._inputs:
            value = getattr(observation, name)
            if value is None:
                raise ValueError(f"policy {self.path.name} needs {name}, which the observation lacks")
            rows = value.cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
            rows = rows.reshape(-1, *rows.shape[len(shape) :])
            feeds[name] = rows if name == "image" else rows.astype(np.float32)
        if self._has_std and self._std is None:
            action, std = self._session.run(["action", "std"], feeds)
        else:
            (action,) = self._session.run(["action"], feeds)
            std = np.tile(np.float32(self._std), (len(action), 1))
        return action.reshape(*shape, 3), std.reshape(*shape, 2)

    def check_fits(self, world: PretrainedWorldModel) -> None:
        """Raise TrainingError unless its pictures, vector inputs and rate match a world model's."""
        manifest, meta = self.manifest, world.meta
        size, rate = world.config.image_size, rate_of(meta)
        told = [entry["name"] for entry in meta.get("vector", [])]
        expected = f"{size}x{size} of {world.model.cameras} camera(s), vector inputs {', '.join(told) or 'none'}"
        ours = [entry.name for entry in manifest.vector] if "vector" in self._inputs else told
        image = manifest.image
        fits = (image.height, image.width, image.channels) == (size, size, world.model.channels) and ours == told
        if rate is not None and not same_rate(1.0 / manifest.control_period_s, rate):
            fits, expected = False, f"{expected}, a picture each {1.0 / rate:g} s"
        if not fits:
            raise TrainingError(
                f"policy {self.path}: expected what the world model was trained with, {expected}; found "
                f"{image.width}x{image.height} of {image.channels // 3} camera(s), vector inputs "
                f"{', '.join(ours) or 'none'}, a picture each {manifest.control_period_s:g} s"
            )
