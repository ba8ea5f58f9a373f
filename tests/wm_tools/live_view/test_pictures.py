"""What the live view shows of pictures and of imagined futures."""

import array

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image
from wm_bundle import ImageError
from wm_msgs.msg import ImaginedRollouts
from wm_tools.live_view.expectations import Expectations
from wm_tools.live_view.pictures import BINS, Imagined, OnceEach, Shown, show_camera, show_imagined
from wm_tools.live_view.reading import picture_of, rollouts_of
from wm_tools.live_view.state import Latest


def decoded(jpeg: bytes) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def halves(height: int, width: int) -> np.ndarray:
    """Red on the left, blue on the right."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, : width // 2, 0] = 200
    picture[:, width // 2 :, 2] = 200
    return picture


def image_message(pixels: np.ndarray, encoding: str) -> Image:
    height, width, size = pixels.shape
    return Image(
        height=height,
        width=width,
        encoding=encoding,
        step=size * width,
        data=array.array("B", np.ascontiguousarray(pixels).tobytes()),
    )


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "bgra8"])
def test_a_large_camera_picture_keeps_its_colours_and_shape_and_becomes_320_wide(encoding):
    pixels = halves(600, 800)
    if encoding != "rgb8":
        pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR if encoding == "bgr8" else cv2.COLOR_RGB2BGRA)
    shown = decoded(show_camera(picture_of(image_message(pixels, encoding))).jpeg)
    assert shown.shape == (240, 320, 3)
    assert np.abs(shown[120, 80] - np.array([200.0, 0.0, 0.0])).max() < 12.0
    assert np.abs(shown[120, 240] - np.array([0.0, 0.0, 200.0])).max() < 12.0


def test_a_small_camera_picture_is_not_scaled_up():
    assert decoded(show_camera(picture_of(image_message(halves(96, 96), "rgb8"))).jpeg).shape == (96, 96, 3)


def test_a_compressed_camera_picture_is_shown_like_a_raw_one():
    file = cv2.imencode(".png", cv2.cvtColor(halves(60, 80), cv2.COLOR_RGB2BGR))[1].tobytes()
    picture = picture_of(CompressedImage(format="bgr8; png compressed bgr8", data=array.array("B", file)))
    assert np.array_equal(picture, halves(60, 80))


@pytest.mark.parametrize(
    "message, said",
    [
        (Image(height=4, width=4, encoding="rgb8", step=12, data=array.array("B", bytes(10))), "48 bytes"),
        (Image(height=0, width=4, encoding="rgb8", step=12), "no pixels"),
        (CompressedImage(format="jpeg", data=array.array("B", bytes(50))), "neither JPEG nor PNG"),
    ],
)
def test_a_damaged_picture_becomes_a_note_on_the_page(message, said):
    shown = OnceEach(show_camera).of(Latest(1, lambda: picture_of(message)))
    assert said in shown.facts["error"] and shown.jpeg == b""


def test_returns_become_a_histogram_without_those_that_were_not_scored():
    returns = np.array([0.0, 1.0, 1.0, np.nan, 24.0], np.float32)
    shown = show_imagined(Imagined(returns, best=4, strip=halves(64, 3 * 64), horizon=3, period_s=0.08), Expectations())
    facts = shown.facts
    assert (facts["scored"], facts["low"], facts["high"], facts["best"]) == (4, 0.0, 24.0, 24.0)
    # 24 bins from 0 to 24 are each 1 wide: one in [0, 1), two in [1, 2), one in the last, which includes 24
    assert facts["counts"] == [1, 2, *[0] * (BINS - 3), 1]
    assert decoded(shown.jpeg).shape == (64, 192, 3)


def test_without_a_score_there_are_pictures_and_no_distribution():
    returns = np.full(8, np.nan, np.float32)
    shown = show_imagined(Imagined(returns, best=0, strip=halves(64, 128), horizon=2, period_s=0.08), Expectations())
    assert shown.facts["counts"] == [] and shown.facts["best"] is None and shown.jpeg


def test_wide_imagined_pictures_are_scaled_and_stay_side_by_side():
    shown = show_imagined(Imagined(np.ones(4, np.float32), 0, halves(128, 5 * 192), 5, 0.1), Expectations())
    assert decoded(shown.jpeg).shape == (64, 5 * 96, 3)


def test_rollouts_are_read_as_the_planner_sends_them_and_others_refused():
    strip = image_message(halves(64, 3 * 64), "rgb8")
    message = ImaginedRollouts(
        candidates=2, horizon=3, period_s=0.08, best=1, future=strip, returns=array.array("f", [1.5, 2.5])
    )
    imagined = rollouts_of(message)
    assert imagined.returns.tolist() == [1.5, 2.5] and imagined.best == 1
    assert np.array_equal(imagined.strip, halves(64, 3 * 64))
    message.horizon = 5  # 192 is not five times anything
    with pytest.raises(ImageError, match="5 of them side by side"):
        rollouts_of(message)


def test_a_message_is_made_once_however_many_look():
    made = []

    def load():
        made.append(1)
        return None

    once = OnceEach(lambda _: Shown({}, b"x"))
    for sequence in (1, 1, 1, 2):
        assert once.of(Latest(sequence, load)).jpeg == b"x"
    assert len(made) == 2
