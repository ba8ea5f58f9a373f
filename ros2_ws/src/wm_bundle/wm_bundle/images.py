"""From a camera message's bytes to the picture the model sees, the same in training and in driving."""

import cv2
import numpy as np

from wm_bundle.manifest import CameraSpec

# Channels in memory, and the conversion that gives RGB after the resize (None: already RGB).
_ENCODINGS = {
    "bgra8": (4, cv2.COLOR_BGRA2RGB),
    "rgba8": (4, cv2.COLOR_RGBA2RGB),
    "bgr8": (3, cv2.COLOR_BGR2RGB),
    "rgb8": (3, None),
    "mono8": (1, cv2.COLOR_GRAY2RGB),
}


class ImageError(ValueError):
    """An image that is not what its message, or the model, says it should be."""


def decode_image(height: int, width: int, encoding: str, step: int, data) -> np.ndarray:
    """View the bytes of a sensor_msgs/Image as (height, width, channels) uint8, without a copy.

    ``step`` [bytes per row] may be larger than the row's pixels need: the padding is left out of the view.
    Raises ImageError for an unknown encoding, and for a size that does not fit the bytes.
    """
    if encoding not in _ENCODINGS:
        raise ImageError(f"image encoding is '{encoding}', expected one of {', '.join(_ENCODINGS)}")
    channels = _ENCODINGS[encoding][0]
    if height <= 0 or width <= 0 or step < width * channels:
        raise ImageError(
            f"image of {width}x{height} '{encoding}' needs a step of at least {width * channels} bytes, "
            f"the message has {step}"
        )
    buffer = np.frombuffer(data, np.uint8)
    if buffer.size < height * step:
        raise ImageError(
            f"image of {height} rows of {step} bytes needs {height * step} bytes, the message has {buffer.size}"
        )
    rows = buffer[: height * step].reshape(height, step)
    return rows[:, : width * channels].reshape(height, width, channels)


class ImagePreprocessor:
    """Crops, resizes and orders one camera's picture: message bytes in, (3, height, width) uint8 RGB out."""

    def __init__(self, camera: CameraSpec, height: int, width: int):
        """``camera`` says what must come in, ``height`` and ``width`` [px] what goes out."""
        self.camera = camera
        self.height = height
        self.width = width

    def __call__(self, height: int, width: int, encoding: str, step: int, data) -> np.ndarray:
        """Return (3, self.height, self.width) uint8 RGB. Raises ImageError, naming expected and found."""
        camera = self.camera
        if (height, width) != (camera.source_height, camera.source_width):
            raise ImageError(
                f"camera '{camera.name}' sends {width}x{height} images, expected "
                f"{camera.source_width}x{camera.source_height}: set the camera to the size the model was trained "
                f"with, or train a model for this size"
            )
        picture = decode_image(height, width, encoding, step, data)
        if camera.crop is not None:
            top, left, rows, columns = camera.crop
            picture = picture[top : top + rows, left : left + columns]
        # Resizing first and swapping channels after touches far fewer bytes.
        if picture.shape[:2] != (self.height, self.width):
            picture = cv2.resize(picture, (self.width, self.height), interpolation=cv2.INTER_AREA)
        conversion = _ENCODINGS[encoding][1]
        if conversion is not None:
            picture = cv2.cvtColor(picture, conversion)
        return np.ascontiguousarray(picture.transpose(2, 0, 1))
