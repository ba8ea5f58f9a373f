import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wm_bundle import CameraSpec, ImageError, ImagePreprocessor, decode_image

ORDER = {"rgb8": (0, 1, 2), "bgr8": (2, 1, 0), "rgba8": (0, 1, 2, 0), "bgra8": (2, 1, 0, 0)}


def message(picture: np.ndarray, encoding: str, padding: int) -> tuple:
    """height, width, encoding, step, data of an RGB picture (H, W, 3), every row followed by padding bytes."""
    height, width, _ = picture.shape
    pixels = picture[:, :, ORDER[encoding]].reshape(height, -1)
    rows = np.concatenate([pixels, np.full((height, padding), 255, np.uint8)], axis=1)
    return height, width, encoding, rows.shape[1], rows.tobytes()


@given(st.sampled_from(sorted(ORDER)), st.integers(1, 12), st.integers(1, 12), st.integers(0, 5), st.randoms())
def test_every_encoding_and_row_padding_gives_the_same_rgb(encoding, height, width, padding, random):
    picture = np.random.default_rng(random.randrange(2**32)).integers(0, 256, (height, width, 3), dtype=np.uint8)
    preprocess = ImagePreprocessor(CameraSpec("front", height, width), height, width)
    np.testing.assert_array_equal(preprocess(*message(picture, encoding, padding)), picture.transpose(2, 0, 1))


def test_resize_averages_and_crop_takes_the_named_rectangle():
    picture = np.zeros((4, 6, 3), np.uint8)
    picture[2:4, 2:4] = [[[0, 40, 80], [20, 40, 80]], [[40, 40, 80], [60, 40, 80]]]
    preprocess = ImagePreprocessor(CameraSpec("front", 4, 6, crop=(2, 2, 2, 2)), 1, 1)
    # (0 + 20 + 40 + 60) / 4 = 30
    assert preprocess(*message(picture, "bgra8", 0)).tolist() == [[[30]], [[40]], [[80]]]


def test_decoding_is_a_view_of_the_message():
    data = bytearray(2 * 8)
    view = decode_image(2, 2, "bgra8", 8, data)
    data[0] = 7
    assert view[0, 0, 0] == 7


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((4, 4, "yuv422", 16, bytes(64)), ["yuv422", "bgra8"]),
        ((4, 4, "bgra8", 15, bytes(64)), ["step", "16", "15"]),
        ((4, 4, "bgra8", 16, bytes(63)), ["64", "63"]),
        ((0, 4, "bgra8", 16, b""), ["4x0"]),
    ],
)
def test_wrong_message_is_refused_with_what_was_expected_and_found(arguments, words):
    with pytest.raises(ImageError) as error:
        decode_image(*arguments)
    assert all(word in str(error.value) for word in words)


def test_other_camera_size_is_refused():
    with pytest.raises(ImageError, match="128x128.*96x96"):
        ImagePreprocessor(CameraSpec("front", 96, 96), 64, 64)(128, 128, "bgra8", 512, bytes(128 * 512))
