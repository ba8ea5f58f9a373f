"""Reads messages with pictures and futures for the page."""

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image
from wm_bundle import COMPRESSIONS, CameraSpec, ImageError, ImagePreprocessor, decompress_image
from wm_bundle.pictures.foreign_encodings import readable
from wm_bundle.times import ns_of
from wm_msgs.msg import ImaginedRollouts
from wm_planner.node.messages import raw_image_of

from wm_tools.live_view.expectations import signals_of
from wm_tools.live_view.pictures import CAMERA_WIDTH, Imagined


def picture_of(message: Image | CompressedImage) -> np.ndarray:
    """A camera's picture as RGB (height, width, 3) uint8, scaled down if it is wider than the page shows. Raises
    ImageError if it cannot be read."""
    raw = readable(raw_image_of(message))
    if raw.encoding in COMPRESSIONS:
        return cv2.cvtColor(decompress_image(raw.encoding, raw.data), cv2.COLOR_BGR2RGB)
    if raw.height < 1 or raw.width < 1:
        raise ImageError(f"an image of {raw.width}x{raw.height} has no pixels")
    width = min(raw.width, CAMERA_WIDTH)
    height = max(round(raw.height * width / raw.width), 1)
    preprocess = ImagePreprocessor(CameraSpec("camera", raw.height, raw.width), height, width)
    return preprocess(raw.height, raw.width, raw.encoding, raw.step, raw.data).transpose(1, 2, 0)


def rollouts_of(message: ImaginedRollouts) -> Imagined:
    """Imagined futures as the page shows them. Raises ImageError for pictures in a form that the planner does not
    send."""
    strip, horizon = message.future, message.horizon
    expected = strip.height * strip.width * 3
    if strip.encoding != "rgb8" or len(strip.data) != expected or (horizon and strip.width % horizon):
        raise ImageError(
            f"the pictures of the imagined future are {strip.width}x{strip.height} '{strip.encoding}' of "
            f"{len(strip.data)} bytes, expected rgb8 of {expected} bytes, {horizon} of them side by side"
        )
    pixels = np.frombuffer(strip.data, np.uint8).reshape(strip.height, strip.width, 3)
    stamp_ns, values = ns_of(message.header.stamp), message.signal_values
    signals = signals_of(stamp_ns, message.period_s, message.in_flight, message.signals, message.signal_units, values)
    return Imagined(
        np.frombuffer(message.returns, np.float32), message.best, pixels, horizon, message.period_s, signals
    )
