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


def mosaic(colour, pattern: str, height: int, width: int, padding: int) -> tuple:
    """A message with one colour seen through a Bayer pattern such as "rggb" (the first two rows, left to right)."""
    rows = np.full((height, width + padding), 255, np.uint8)
    for place, name in enumerate(pattern):
        rows[place // 2 :: 2, place % 2 : width : 2] = colour["rgb".index(name)]
    return height, width, f"bayer_{pattern}8", width + padding, rows.tobytes()


@given(
    st.sampled_from(["rggb", "bggr", "gbrg", "grbg"]),
    st.tuples(*[st.integers(0, 255)] * 3),
    st.integers(3, 12),
    st.integers(3, 12),
    st.integers(0, 5),
)
def test_a_colour_seen_through_any_bayer_pattern_is_that_colour(pattern, colour, height, width, padding):
    picture = ImagePreprocessor(CameraSpec("front", height, width), height, width)(
        *mosaic(colour, pattern, height, width, padding)
    )
    assert np.unique(picture.reshape(3, -1), axis=1).T.tolist() == [list(colour)]


@pytest.mark.parametrize(
    "encoding, order", [("yuv422", "uyvy"), ("uyvy", "uyvy"), ("yuv422_yuy2", "yuyv"), ("yuyv", "yuyv")]
)
@given(st.integers(1, 8), st.integers(1, 6), st.integers(0, 5))
def test_a_red_picture_as_yuv422_is_red(encoding, order, height, pairs, padding):
    # BT.601, video range, as cameras send it: full red is Y 82, U 90, V 240.
    pixels = bytes({"y": 82, "u": 90, "v": 240}[name] for name in order) * pairs + bytes(padding)
    preprocess = ImagePreprocessor(CameraSpec("front", height, 2 * pairs), height, 2 * pairs)
    picture = preprocess(height, 2 * pairs, encoding, len(pixels), pixels * height)
    assert np.abs(picture.astype(int) - np.array([255, 0, 0]).reshape(3, 1, 1)).max() <= 2


def test_a_mosaic_is_read_before_it_is_cropped_and_resized():
    preprocess = ImagePreprocessor(CameraSpec("front", 12, 12, crop=(3, 5, 5, 5)), 2, 2)
    picture = preprocess(*mosaic((10, 20, 30), "rggb", 12, 12, 0))
    assert np.unique(picture.reshape(3, -1), axis=1).T.tolist() == [[10, 20, 30]]


@given(
    st.integers(0, 9),
    st.integers(0, 9),
    st.sampled_from(["bgra8", "bayer_grbg8", "yuv422", "jpeg", "png", "", "x"]),
    st.integers(0, 40),
    st.binary(max_size=200),
)
def test_any_message_gives_a_picture_or_an_image_error(height, width, encoding, step, data):
    preprocess = ImagePreprocessor(CameraSpec("front", 4, 4), 2, 2)
    try:
        assert preprocess(height, width, encoding, step, data).shape == (3, 2, 2)
    except ImageError as error:
        assert str(error)


def test_decoding_is_a_view_of_the_message():
    data = bytearray(2 * 8)
    view = decode_image(2, 2, "bgra8", 8, data)
    data[0] = 7
    assert view[0, 0, 0] == 7


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((4, 4, "32FC1", 16, bytes(64)), ["32FC1", "bgra8"]),
        ((4, 5, "yuv422", 10, bytes(40)), ["5x4", "multiple of 2"]),
        ((2, 4, "bayer_rggb8", 4, bytes(8)), ["4x2", "at least 3"]),
        ((4, 4, "bgra8", 15, bytes(64)), ["step", "16", "15"]),
        ((4, 4, "bgra8", 16, bytes(63)), ["needs 64 bytes", "fewer"]),
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
