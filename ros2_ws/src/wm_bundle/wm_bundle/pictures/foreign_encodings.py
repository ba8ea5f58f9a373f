"""Passes encodings that ``images`` does not read to cv_bridge, if that is installed and works."""

import functools
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from wm_bundle import ENCODINGS, ImageError, compressed_encoding
from wm_bundle.pictures.frames import RawImage

_TRIAL = """
from cv_bridge import CvBridge
from sensor_msgs.msg import Image
CvBridge().imgmsg_to_cv2(Image(height=2, width=2, encoding="mono16", step=4, data=bytes(8)), desired_encoding="rgb8")
"""
_TRIAL_TIMEOUT_S = 20.0


def readable(image: RawImage) -> RawImage:
    """The image itself if ``images`` reads its encoding, else cv_bridge's conversion to rgb8. A compressed one gets the
    encoding given by its file and the message's format.

    Raises ImageError where cv_bridge is missing or does not work, and where it cannot convert this encoding or data to
    colours. The first such image takes about a second longer."""
    if image.compressed:
        return replace(image, encoding=compressed_encoding(image.encoding, image.data))
    if image.encoding in ENCODINGS:
        return image
    expected = f"image encoding is '{image.encoding}', expected one of {', '.join(ENCODINGS)}"
    to_rgb8, reason = _cv_bridge()
    if to_rgb8 is None:
        raise ImageError(f"{expected}; cv_bridge reads more, but {reason}")
    try:
        picture = np.ascontiguousarray(to_rgb8(image))
    except Exception as error:  # a library's, of several kinds: CvBridgeError, OpenCV's, NumPy's
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ImageError(f"{expected}; cv_bridge does not read it either: {reason}") from error
    if picture.dtype != np.uint8 or picture.shape != (image.height, image.width, 3):
        raise ImageError(f"{expected}; cv_bridge makes {picture.dtype} of shape {picture.shape} of it, not rgb8")
    return replace(image, encoding="rgb8", step=3 * image.width, data=picture.data)


@functools.cache
def _cv_bridge() -> tuple[Callable[[RawImage], np.ndarray] | None, str]:
    """From an image to (height, width, 3) by cv_bridge, or None and why; looked up once, on first use."""
    if importlib.util.find_spec("cv_bridge") is None:
        return None, (
            "is not installed here: install it (package ros-DISTRO-cv-bridge), or set the camera to one of these"
        )
    fault = _fault_in_trial()
    if fault:
        return None, f"what is installed here does not work: {fault}"
    from cv_bridge import CvBridge
    from sensor_msgs.msg import Image

    bridge = CvBridge()

    def to_rgb8(image: RawImage) -> np.ndarray:
        message = Image(
            height=image.height,
            width=image.width,
            encoding=image.encoding,
            step=image.step,
            is_bigendian=int(image.is_bigendian),
            data=image.data,
        )
        return bridge.imgmsg_to_cv2(message, desired_encoding="rgb8")

    return to_rgb8, ""


def _fault_in_trial() -> str:
    """The error of a conversion in a separate process, empty if there is none.

    A cv_bridge that was built for NumPy 1 ends the process with a segmentation fault under NumPy 2.
    """
    try:
        trial = subprocess.run(
            [sys.executable, "-c", _TRIAL],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TRIAL_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error).splitlines()[0]
    if trial.returncode == 0:
        return ""
    last_line = trial.stderr.rstrip().rpartition("\n")[2]
    return f"a trial ended with exit code {trial.returncode} ({last_line}); was it built for NumPy {np.__version__}?"
