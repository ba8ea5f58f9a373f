"""Scales a camera's pictures to the model's size with the planner's preprocessing, chosen once per drive."""

from typing import Literal

import numpy as np
from wm_bundle import COMPRESSIONS, CameraSpec, ImageError, ImagePreprocessor, decompress_image

Fit = Literal["stretch", "crop", "letterbox"]


def usual_names(cameras: int) -> list[str]:
    """Names for this many unnamed cameras."""
    return ["rgb_front"] if cameras == 1 else [f"camera_{k}" for k in range(cameras)]


def camera_spec(
    name: str, height: int, width: int, fit: Fit, crop: tuple[int, int, int, int] | None = None, size: int = 64
) -> CameraSpec:
    """How a source of height × width [px] is scaled to a square of ``size`` [px].

    ``crop`` (top, left, height, width) [px] is cut out first. Then ``fit``: "stretch" scales each side separately,
    "crop" cuts the largest square out of the middle, "letterbox" keeps the aspect ratio and adds black bars."""
    if crop is not None:
        CameraSpec(name, height, width, tuple(crop))  # raises where it is not inside
    if fit == "crop":
        top, left, rows, columns = crop if crop is not None else (0, 0, height, width)
        side = min(rows, columns)
        crop = (top + (rows - side) // 2, left + (columns - side) // 2, side, side)
    return CameraSpec(name, height, width, None if crop is None else tuple(crop), fit == "letterbox")


class CameraView:
    """One camera of a drive. The first picture sets the size of all others."""

    def __init__(self, name: str, size: int = 64, fit: Fit = "stretch", crop: tuple[int, int, int, int] | None = None):
        """``size`` [px] of the resulting square; see ``camera_spec`` for the rest."""
        self.name = name
        self.size = size
        self._fit = fit
        self._crop = crop
        self._preprocess: ImagePreprocessor | None = None

    def __call__(self, height: int, width: int, encoding: str, step: int, data) -> np.ndarray:
        """(3, size, size) uint8 RGB from a picture as a sensor_msgs/Image has it. For the encodings "jpeg" and "png",
        complete files, height, width and step are ignored. Raises ImageError."""
        if self._preprocess is None:
            if encoding in COMPRESSIONS:
                height, width = decompress_image(encoding, data).shape[:2]
            if height <= 0 or width <= 0:
                raise ImageError(f"camera '{self.name}' has a picture of {width}x{height} pixels, expected some")
            try:
                spec = camera_spec(self.name, height, width, self._fit, self._crop, self.size)
            except ValueError as error:
                raise ImageError(str(error)) from None
            self._preprocess = ImagePreprocessor(spec, self.size, self.size)
        return self._preprocess(height, width, encoding, step, data)

    def from_array(self, picture: np.ndarray) -> np.ndarray:
        """As above, from a decoded picture (height, width, 3) uint8 BGR, as read by OpenCV."""
        height, width = picture.shape[:2]
        return self(height, width, "bgr8", 3 * width, np.ascontiguousarray(picture).reshape(-1))

    def from_rgb(self, picture: np.ndarray) -> np.ndarray:
        """As above, from (3, height, width) uint8 RGB, as in episodes."""
        height, width = picture.shape[1:]
        return self(height, width, "rgb8", 3 * width, np.ascontiguousarray(picture.transpose(1, 2, 0)).reshape(-1))

    @property
    def meta(self) -> dict:
        """For the episodes' ``meta["cameras"]``, once the first picture has set the size."""
        camera = self._preprocess.camera
        return {
            "name": camera.name,
            "source_height": camera.source_height,
            "source_width": camera.source_width,
            "crop": None if camera.crop is None else list(camera.crop),
            "letterbox": camera.letterbox,
        }
