"""From a camera message's bytes to the model's picture, the same in training and driving."""

from dataclasses import dataclass

import cv2
import numpy as np

from wm_bundle.manifest import CameraSpec
from wm_bundle.pictures.compressed import COMPRESSIONS, ImageError, decompress_image


@dataclass(frozen=True)
class _Layout:
    """Memory layout of an encoding with 8 bits per channel.

    ``size`` [bytes] of a pixel; ``conversion`` to RGB (None: it is RGB). ``mixes_pixels``: the colour of a pixel
    depends on its neighbours, so the conversion needs the full picture, before cropping and resizing. ``smallest`` [px]
    side and ``multiple`` [px] of the width that the conversion supports.
    """

    size: int
    conversion: int | None
    mixes_pixels: bool = False
    smallest: int = 1
    multiple: int = 1


# Named as in sensor_msgs/image_encodings.hpp; yuv422 and uyvy are one layout, as are yuv422_yuy2 and yuyv.
_UYVY = _Layout(2, cv2.COLOR_YUV2RGB_UYVY, mixes_pixels=True, multiple=2)
_YUYV = _Layout(2, cv2.COLOR_YUV2RGB_YUY2, mixes_pixels=True, multiple=2)
_LAYOUTS = {
    "bgra8": _Layout(4, cv2.COLOR_BGRA2RGB),
    "rgba8": _Layout(4, cv2.COLOR_RGBA2RGB),
    "bgr8": _Layout(3, cv2.COLOR_BGR2RGB),
    "rgb8": _Layout(3, None),
    "mono8": _Layout(1, cv2.COLOR_GRAY2RGB),
    "bayer_rggb8": _Layout(1, cv2.COLOR_BayerRGGB2RGB, mixes_pixels=True, smallest=3),
    "bayer_bggr8": _Layout(1, cv2.COLOR_BayerBGGR2RGB, mixes_pixels=True, smallest=3),
    "bayer_gbrg8": _Layout(1, cv2.COLOR_BayerGBRG2RGB, mixes_pixels=True, smallest=3),
    "bayer_grbg8": _Layout(1, cv2.COLOR_BayerGRBG2RGB, mixes_pixels=True, smallest=3),
    "yuv422": _UYVY,
    "uyvy": _UYVY,
    "yuv422_yuy2": _YUYV,
    "yuyv": _YUYV,
}
ENCODINGS = tuple(_LAYOUTS)  # of uncompressed images
_DECOMPRESSED = _Layout(3, cv2.COLOR_BGR2RGB)


def decode_image(height: int, width: int, encoding: str, step: int, data) -> np.ndarray:
    """View the bytes of a sensor_msgs/Image as (height, width, bytes of a pixel) uint8, without a copy.

    ``step`` [bytes per row] may be larger than the row's pixels need: the view skips the padding.
    Raises ImageError for an unknown encoding, and for a size that does not fit the bytes or the encoding.
    """
    layout = _LAYOUTS.get(encoding)
    if layout is None:
        raise ImageError(
            f"image encoding is '{encoding}', expected one of {', '.join(_LAYOUTS)}, or a whole jpeg or png file"
        )
    if height <= 0 or width <= 0 or step < width * layout.size:
        raise ImageError(
            f"image of {width}x{height} '{encoding}' needs a step of at least {width * layout.size} bytes, "
            f"the message has {step}"
        )
    if min(height, width) < layout.smallest or width % layout.multiple:
        raise ImageError(
            f"image of {width}x{height} cannot be '{encoding}': expected a width that is a multiple of "
            f"{layout.multiple}, and both sides at least {layout.smallest}"
        )
    buffer = np.frombuffer(data, np.uint8)
    if buffer.size < height * step:
        raise ImageError(f"image of {height} rows of {step} bytes needs {height * step} bytes, the message has fewer")
    rows = buffer[: height * step].reshape(height, step)
    return rows[:, : width * layout.size].reshape(height, width, layout.size)


class ImagePreprocessor:
    """Crops, resizes and orders one camera's picture: message bytes in, (3, height, width) uint8 RGB out."""

    def __init__(self, camera: CameraSpec, height: int, width: int):
        """``camera`` describes the input, ``height`` and ``width`` [px] the output."""
        self.camera = camera
        self.height = height
        self.width = width

    def __call__(self, height: int, width: int, encoding: str, step: int, data) -> np.ndarray:
        """Return (3, self.height, self.width) uint8 RGB. Raises ImageError, naming expected and found.

        For the encodings in ``COMPRESSIONS`` height, width and step are ignored: the file has its size.
        """
        if encoding in COMPRESSIONS:
            picture, layout = decompress_image(encoding, data), _DECOMPRESSED
            self._check_size(*picture.shape[:2])
        else:
            self._check_size(height, width)
            picture, layout = decode_image(height, width, encoding, step, data), _LAYOUTS[encoding]
        conversion = layout.conversion
        if layout.mixes_pixels:
            picture, conversion = cv2.cvtColor(picture, conversion), None
        if self.camera.crop is not None:
            top, left, rows, columns = self.camera.crop
            picture = picture[top : top + rows, left : left + columns]
        # Resizing first and swapping channels after touches far fewer bytes.
        rows, columns = self._scaled_size(*picture.shape[:2])
        if picture.shape[:2] != (rows, columns):
            picture = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA)
        if conversion is not None:
            picture = cv2.cvtColor(picture, conversion)
        if (rows, columns) == (self.height, self.width):
            return np.ascontiguousarray(picture.transpose(2, 0, 1))
        whole = np.zeros((3, self.height, self.width), np.uint8)
        top, left = (self.height - rows) // 2, (self.width - columns) // 2
        whole[:, top : top + rows, left : left + columns] = picture.transpose(2, 0, 1)
        return whole

    def _scaled_size(self, rows: int, columns: int) -> tuple[int, int]:
        """The size to scale to: the model's, or for letterbox the largest of the same shape within it."""
        if not self.camera.letterbox:
            return self.height, self.width
        scale = min(self.height / rows, self.width / columns)
        return max(1, min(self.height, round(rows * scale))), max(1, min(self.width, round(columns * scale)))

    def _check_size(self, height: int, width: int) -> None:
        camera = self.camera
        if (height, width) != (camera.source_height, camera.source_width):
            raise ImageError(
                f"camera '{camera.name}' sends {width}x{height} images, expected "
                f"{camera.source_width}x{camera.source_height}: set the camera to the size the model was trained "
                f"with, or train a model for this size"
            )
