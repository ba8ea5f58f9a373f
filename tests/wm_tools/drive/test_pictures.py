"""Properties: frames keep their order and colours on the way from a message into the page."""

import base64

import cv2
import numpy as np
import pytest
from wm_bundle import CameraSpec, ImageError, ImageSpec
from wm_tools.drive.pictures import DISPLAY_HEIGHT, FrameReader, jpeg_uri, split_frames, tile


def test_a_large_camera_is_shrunk_and_the_model_s_view_is_its_crop():
    camera = CameraSpec("rgb_front", 512, 256, crop=(0, 0, 256, 256))
    message = np.zeros((512, 256, 4), np.uint8)
    message[:256, :, 2] = 200  # bgra: the upper half is red
    frame = FrameReader(ImageSpec(64, 64, (camera,))).read(512, 256, "bgra8", 1024, message.tobytes())
    assert frame.camera.shape == (DISPLAY_HEIGHT, DISPLAY_HEIGHT // 2, 3)
    assert frame.model.shape == (64, 64, 3)
    assert (frame.model == (200, 0, 0)).all()
    assert (frame.camera[-1] == 0).all()


def test_frames_side_by_side_are_split_in_order():
    picture = np.concatenate([np.full((4, 5, 3), number, np.uint8) for number in (1, 2, 3)], axis=1)
    frames = split_frames(4, 15, "rgb8", 45, picture.tobytes(), 3)
    assert frames.shape == (3, 4, 5, 3)
    assert [int(frame.mean()) for frame in frames] == [1, 2, 3]


@pytest.mark.parametrize(("encoding", "count"), [("bgr8", 3), ("rgb8", 4), ("rgb8", 0)])
def test_frames_that_cannot_be_split_are_refused(encoding, count):
    with pytest.raises(ImageError):
        split_frames(4, 15, encoding, 45, bytes(4 * 45), count)


def test_tiles_go_row_by_row():
    sheet = tile([np.full((2, 3, 3), number, np.uint8) for number in (1, 2, 3)], columns=2)
    assert sheet[::2, ::3, 0].tolist() == [[1, 2], [3, 0]]
    apart = tile([np.ones((1, 1, 3), np.uint8)] * 2, columns=2, gap=1)
    assert apart[0, :, 0].tolist() == [1, 0, 1]


def test_the_page_s_picture_has_the_right_colours():
    uri = jpeg_uri(np.full((16, 16, 3), (200, 40, 10), np.uint8))
    data = base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"))
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert bgr[8, 8].tolist() == pytest.approx([10, 40, 200], abs=4)
