import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wm_bundle import CameraSpec, ImageError, ImagePreprocessor
from wm_data.conversion.pictures import CameraView
from wm_training.exporting.cameras import cameras_of_meta

SIDES = st.integers(3, 60)


@st.composite
def sources(draw):
    """A picture (height, width, 4), a crop inside it or none, and how it is made to fit."""
    height, width = draw(SIDES), draw(SIDES)
    crop = None
    if draw(st.booleans()):
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        crop = (top, left, draw(st.integers(1, height - top)), draw(st.integers(1, width - left)))
    pixels = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, (height, width, 4), np.uint8)
    return pixels, crop, draw(st.sampled_from(["stretch", "crop", "letterbox"]))


@given(source=sources(), size=st.integers(1, 32), encoding=st.sampled_from(["bgra8", "rgb8", "mono8", "png"]))
def test_the_planner_makes_of_a_picture_what_the_conversion_made_of_it(source, size, encoding):
    pixels, crop, fit = source
    height, width = pixels.shape[:2]
    channels = {"bgra8": 4, "rgb8": 3, "mono8": 1, "png": 3}[encoding]
    data = np.ascontiguousarray(pixels[..., :channels]).reshape(height, -1)
    if encoding == "png":
        data = cv2.imencode(".png", pixels[..., :3])[1]
    view = CameraView("front", size, fit, crop)
    converted = view(height, width, encoding, width * channels, data)
    (spec,) = cameras_of_meta({"cameras": [view.meta]})
    driven = ImagePreprocessor(spec, size, size)(height, width, encoding, width * channels, data)
    np.testing.assert_array_equal(converted, driven)
    assert converted.shape == (3, size, size) and converted.dtype == np.uint8


@given(height=SIDES, width=SIDES, size=st.integers(4, 40))
def test_a_letterbox_keeps_the_shape_and_is_black_outside(height, width, size):
    view = CameraView("front", size, "letterbox")
    picture = view.from_array(np.full((height, width, 3), 255, np.uint8))
    rows, columns = picture[0].any(axis=1), picture[0].any(axis=0)
    assert max(rows.sum(), columns.sum()) == size  # one side is filled
    assert abs(rows.sum() - min(size, size * height / width)) <= 0.5 + 1e-9 or rows.sum() == 1
    assert abs(columns.sum() - min(size, size * width / height)) <= 0.5 + 1e-9 or columns.sum() == 1
    assert (picture[:, rows][:, :, columns] == 255).all()
    assert abs(int(rows.argmax()) - int(rows[::-1].argmax())) <= 1  # in the middle


def test_crop_takes_the_largest_square_out_of_the_middle():
    pixels = np.zeros((4, 10, 3), np.uint8)
    pixels[:, 3:7] = 200
    view = CameraView("front", 4, "crop")
    assert (view.from_array(pixels) == 200).all() and view.meta["crop"] == [0, 3, 4, 4]


def test_a_picture_of_another_size_than_the_first_and_a_crop_outside_are_refused():
    view = CameraView("front", 4)
    view.from_array(np.zeros((4, 10, 3), np.uint8))
    with pytest.raises(ImageError, match="sends 9x4 images, expected 10x4"):
        view.from_array(np.zeros((4, 9, 3), np.uint8))
    with pytest.raises(ImageError, match="inside the source image"):
        CameraView("front", 4, crop=(0, 0, 5, 5)).from_array(np.zeros((4, 10, 3), np.uint8))


def test_a_jpeg_cut_short_is_refused_though_opencv_would_fill_it_up():
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    data = cv2.imencode(".jpg", pixels)[1]
    with pytest.raises(ImageError, match="its end is missing"):
        CameraView("front", 4)(0, 0, "jpeg", 0, data[: len(data) // 2])


def test_a_camera_spec_of_before_letterbox_still_reads():
    assert cameras_of_meta({"cameras": [{"name": "a", "source_height": 4, "source_width": 5, "crop": None}]}) == (
        CameraSpec("a", 4, 5),
    )
