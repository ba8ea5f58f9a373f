"""Pictures of a drive: from message bytes to small RGB arrays, and from those to images embedded in a page."""

from collections.abc import Sequence

import numpy as np
from wm_bundle import CameraSpec, ImageError, ImagePreprocessor, ImageSpec, decode_image
from wm_evaluation.page_pictures import data_uri, jpeg

from wm_tools.drive.records import Frame

DISPLAY_HEIGHT = 128  # [px] taller camera images are shrunk to this height before they are kept
JPEG_QUALITY = 82


class FrameReader:
    """Converts camera messages to what the report shows."""

    def __init__(self, image: ImageSpec):
        camera = image.cameras[0]
        whole = CameraSpec(camera.name, camera.source_height, camera.source_width)
        scale = min(1.0, DISPLAY_HEIGHT / camera.source_height)
        self._camera_view = ImagePreprocessor(
            whole, round(scale * camera.source_height), max(1, round(scale * camera.source_width))
        )
        self._model_view = ImagePreprocessor(camera, image.height, image.width)

    def read(self, height: int, width: int, encoding: str, step: int, data) -> Frame:
        """A sensor_msgs/Image, given by its fields. Raises ImageError."""
        camera, model = (
            view(height, width, encoding, step, data).transpose(1, 2, 0)
            for view in (self._camera_view, self._model_view)
        )
        return Frame(camera, model)


def split_frames(height: int, width: int, encoding: str, step: int, data, count: int) -> np.ndarray:
    """``count`` rgb8 frames side by side in a message, uint8 (count, height, width / count, 3). Raises ImageError."""
    if encoding != "rgb8":
        raise ImageError(f"frames side by side: encoding is '{encoding}', expected rgb8")
    if count < 1 or width % count:
        raise ImageError(f"{count} frames side by side cannot be {width} px wide")
    picture = decode_image(height, width, encoding, step, data)
    return picture.reshape(height, count, width // count, 3).transpose(1, 0, 2, 3).copy()


def tile(pictures: Sequence[np.ndarray], columns: int, gap: int = 0) -> np.ndarray:
    """Pictures of one size (h, w, 3) in rows of ``columns``, ``gap`` [px] apart; black where there is none."""
    height, width, _ = pictures[0].shape
    rows = -(-len(pictures) // columns)
    sheet = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), np.uint8)
    for place, picture in enumerate(pictures):
        top, left = place // columns * (height + gap), place % columns * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def jpeg_uri(picture: np.ndarray) -> str:
    """A data: URI of an RGB picture (h, w, 3) as JPEG."""
    return data_uri("image/jpeg", jpeg(picture, JPEG_QUALITY))
