"""The built-in simulator in this process: the inputs of a model with one camera and the speed."""

from collections.abc import Callable

import numpy as np
from wm_bundle import ImagePreprocessor

from benchmarks.errors import BenchmarkError


def eye_of(manifest, source) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """A function from a simulation and its tick to the image and the vector inputs of a model.

    Raises BenchmarkError if the model of ``source`` has other cameras or vector inputs than the simulator.
    """
    cameras, inputs = manifest.image.cameras, [entry.name for entry in manifest.vector]
    if len(cameras) != 1 or inputs != ["speed"]:
        raise BenchmarkError(
            f"{source} has {len(cameras)} cameras and the vector inputs {inputs}: the built-in simulator has one "
            "camera and the speed"
        )
    preprocess = ImagePreprocessor(cameras[0], manifest.image.height, manifest.image.width)

    def seen(simulation, tick) -> tuple[np.ndarray, np.ndarray]:
        picture = np.ascontiguousarray(simulation.world.image())
        height, width = picture.shape[:2]
        image = preprocess(height, width, "rgb8", 3 * width, picture.data)
        return image, np.array([tick.state.speed], np.float32)

    return seen
