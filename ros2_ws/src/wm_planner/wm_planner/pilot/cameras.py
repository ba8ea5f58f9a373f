"""From all cameras' pictures to the one that the model sees, and their faults.

Shapes: K cameras, C = 3 K channels.
"""

import numpy as np
from wm_bundle import ImagePreprocessor, ImageSpec
from wm_bundle.pictures.foreign_encodings import readable
from wm_bundle.pictures.frames import RawImage

from wm_planner.pilot.continuity import FrozenPicture


class Cameras:
    """Preprocesses and stacks pictures, and compares each camera's with its previous ones."""

    def __init__(self, spec: ImageSpec, frozen_frames: int):
        """``frozen_frames``: see ``FrozenPicture``."""
        self._names = [camera.name for camera in spec.cameras]
        self._preprocess = [ImagePreprocessor(camera, spec.height, spec.width) for camera in spec.cameras]
        self._frozen = [FrozenPicture(frozen_frames) for _ in spec.cameras]
        self._picture = np.zeros((spec.channels, spec.height, spec.width), np.uint8)
        self._seen = np.ones(len(spec.cameras), np.float32)
        self.ever_fitted = False
        """Whether any frame had pictures that fit the bundle."""

    @property
    def mask(self) -> np.ndarray | None:
        """(K,) float32, 0.0 where the last frame has no picture; None for a single camera."""
        return self._seen if len(self._names) > 1 else None

    @property
    def missing(self) -> str:
        """Names of the cameras without a picture in the last frame."""
        return ", ".join(name for name, seen in zip(self._names, self._seen, strict=True) if not seen)

    def picture(self, images: tuple[RawImage | None, ...]) -> np.ndarray:
        """The model's picture (C, height, width) uint8 RGB, valid until the next call; zeros where a camera's is
        missing.

        Raises ImageError for a picture that does not fit the bundle.
        """
        for index, image in enumerate(images):
            channels = self._picture[3 * index : 3 * index + 3]
            if image is None:
                channels[:] = 0
            else:
                image = readable(image)
                channels[:] = self._preprocess[index](image.height, image.width, image.encoding, image.step, image.data)
            self._seen[index] = image is not None
        self.ever_fitted = True
        return self._picture

    def frozen(self, moving: bool) -> str | None:
        """Which camera repeats its picture while the vehicle moves, None if none does; call it once per frame."""
        pictures = self._picture.reshape(len(self._names), -1)
        faults = [
            name
            for name, camera, seen, picture in zip(self._names, self._frozen, self._seen, pictures, strict=True)
            if seen and camera.seen(picture.tobytes(), moving)
        ]
        if not faults:
            return None
        return f"camera {', '.join(faults)} repeats the same picture with new stamps while the vehicle moves: frozen"
