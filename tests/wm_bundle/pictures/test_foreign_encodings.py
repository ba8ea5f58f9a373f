"""What cv_bridge is asked for, with a stand-in for it that knows 16 bits of grey."""

import importlib.util
import sys

import cv2
import numpy as np
import pytest
from wm_bundle import CameraSpec, ImageError, ImageSpec
from wm_bundle.pictures import foreign_encodings
from wm_bundle.pictures.foreign_encodings import readable
from wm_bundle.pictures.frames import RawImage
from wm_planner.pilot.cameras import Cameras

STAND_IN = """
import numpy as np

MADE = []


class CvBridge:
    def __init__(self):
        MADE.append(self)

    def imgmsg_to_cv2(self, message, desired_encoding):
        assert desired_encoding == "rgb8"
        if message.encoding != "mono16":
            raise RuntimeError(f"[{message.encoding}] is not a color format\\nand more")
        grey = np.frombuffer(bytes(message.data), ">u2" if message.is_bigendian else "<u2")
        grey = grey.reshape(message.height, message.step // 2)[:, :message.width]
        return np.repeat((grey >> 8).astype(np.uint8)[:, :, None], 3, axis=2)
"""
CRASHING = """
import os


class CvBridge:
    def imgmsg_to_cv2(self, message, desired_encoding):
        os.abort()
"""


@pytest.fixture(autouse=True)
def install(monkeypatch, tmp_path):
    """Puts a module's text in the place of cv_bridge, for this process and those it starts."""

    def install_text(text: str) -> None:
        (tmp_path / "cv_bridge.py").write_text(text)

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    monkeypatch.delitem(sys.modules, "cv_bridge", raising=False)
    foreign_encodings._cv_bridge.cache_clear()
    yield install_text
    foreign_encodings._cv_bridge.cache_clear()
    sys.modules.pop("cv_bridge", None)


def mono16(is_bigendian=False, encoding="mono16") -> RawImage:
    """8×8, rows 0x0100 apart, a padded step of 20 bytes."""
    rows = np.repeat(np.arange(8, dtype=np.uint16)[:, None] << 8, 10, axis=1)
    data = rows.astype(">u2" if is_bigendian else "<u2").tobytes()
    return RawImage(0, 8, 8, encoding, 20, data, is_bigendian)


@pytest.mark.parametrize("is_bigendian", [False, True])
def test_an_encoding_of_cv_bridge_reaches_the_models_picture(install, is_bigendian):
    install(STAND_IN)
    cameras = Cameras(ImageSpec(8, 8, (CameraSpec("rgb_front", 8, 8),)), 3)
    for _ in range(2):
        picture = cameras.picture((mono16(is_bigendian),))
        assert (picture == np.arange(8)[None, :, None]).all()
    assert len(sys.modules["cv_bridge"].MADE) == 1


def test_our_own_encodings_never_reach_cv_bridge(install):
    install(CRASHING)
    for encoding in ("rgb8", "bayer_rggb8"):
        image = mono16(encoding=encoding)
        assert readable(image) is image
    assert "cv_bridge" not in sys.modules


def test_what_cv_bridge_refuses_is_refused_in_one_line(install):
    install(STAND_IN)
    with pytest.raises(ImageError, match=r"is '32FC1', expected one of bgra8.*\[32FC1\] is not a color format$"):
        readable(mono16(encoding="32FC1"))


def test_a_cv_bridge_that_crashes_does_not_take_the_planner_with_it(install):
    install(CRASHING)
    with pytest.raises(ImageError, match="is 'mono16'.* does not work: a trial ended with exit code -6"):
        readable(mono16())
    assert "cv_bridge" not in sys.modules


def test_without_cv_bridge_the_refusal_names_it_as_the_remedy(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImageError, match="is 'mono16', expected .* is not installed here: install it .*cv-bridge"):
        readable(mono16())


def test_compressed_images_get_the_encoding_of_their_file_and_depth_is_refused():
    def compressed(form: str, picture) -> RawImage:
        return RawImage(0, 0, 0, form, 0, cv2.imencode(".png", picture)[1].tobytes(), compressed=True)

    assert readable(compressed("bgr8; jpeg compressed bgr8", np.zeros((4, 4, 3), np.uint8))).encoding == "png"
    mosaic = np.zeros((4, 4), np.uint8)
    mosaic[::2, ::2] = 200  # red alone
    cameras = Cameras(ImageSpec(4, 4, (CameraSpec("front", 4, 4),)), 3)
    picture = cameras.picture((compressed("bayer_rggb8; png compressed ", mosaic),))
    assert picture[0].min() == 200 and picture[1:].max() == 0
    for form in ("16UC1; png compressed ", "png"):
        with pytest.raises(ImageError, match="16UC1|depth"):
            cameras.picture((compressed(form, np.full((4, 4), 1500, np.uint16)),))
