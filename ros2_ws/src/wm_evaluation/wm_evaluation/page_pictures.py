"""Pictures for embedding in pages: JPEG files, and files as data: URIs."""

import base64

import cv2
import numpy as np
from wm_bundle import ImageError


def jpeg(picture: np.ndarray, quality: int) -> bytes:
    """RGB uint8 (h, w, 3) as JPEG; ``quality`` is 0 to 100. Raises ImageError."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, quality))
    if not done:
        raise ImageError(f"a picture of {picture.shape[1]}x{picture.shape[0]} cannot be written as JPEG")
    return data.tobytes()


def data_uri(kind: str, data: bytes) -> str:
    """A file of MIME type ``kind`` as a data: URI."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
