import os
import resource
import struct
import zlib

import cv2
import numpy as np
import pytest
from wm_bundle import ImageError
from wm_data.conversion.picture_files import load_picture_file
from wm_data.conversion.pictures import CameraView


def png_of_size(width: int, height: int, shown: np.ndarray) -> bytes:
    """A png whose head tells of another size, with a checksum that fits."""
    data = cv2.imencode(".png", shown)[1].tobytes()
    head = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
    return data[:12] + head + struct.pack(">I", zlib.crc32(head)) + data[33:]


def jpeg_of_size(width: int, height: int, shown: np.ndarray) -> bytes:
    data = cv2.imencode(".jpg", shown)[1].tobytes()
    frame = data.index(b"\xff\xc0") + 5
    return data[:frame] + struct.pack(">HH", height, width) + data[frame + 4 :]


SHOWN = np.full((24, 32, 3), 90, np.uint8)


@pytest.mark.parametrize("encoding, make", [("png", png_of_size), ("jpeg", jpeg_of_size)])
@pytest.mark.parametrize("width, height", [(9000, 9000), (32000, 32000)])
def test_a_head_that_tells_of_gigabytes_is_refused_before_they_are_taken(tmp_path, encoding, make, width, height):
    file = tmp_path / "picture"
    file.write_bytes(make(width, height, SHOWN))
    with pytest.raises(ImageError, match="more pixels|expected at most"):
        load_picture_file(CameraView("front", 8), file, encoding)
    file.write_bytes(make(32, 24, SHOWN))
    assert load_picture_file(CameraView("front", 8), file, encoding).tolist() == np.full((3, 8, 8), 90).tolist()


def test_a_png_with_a_part_that_tells_of_gigabytes_is_refused_before_they_are_taken(tmp_path):
    data = png_of_size(32, 24, SHOWN)
    file = tmp_path / "picture.png"
    file.write_bytes(data[:33] + struct.pack(">I", 0x60000000) + data[37:])
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ImageError, match="not a whole, undamaged png"):
        load_picture_file(CameraView("front", 8), file, "png")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 100_000


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xd9", b"no picture", bytes(1000)])
def test_a_file_that_is_no_picture_is_named(tmp_path, content):
    file = tmp_path / "picture.jpg"
    file.write_bytes(content)
    with pytest.raises(ImageError, match="^image is not a whole, undamaged jpeg file") as damaged:
        load_picture_file(CameraView("front", 8), file, "jpeg")
    assert "picture.jpg" in damaged.value.__notes__[0]
    with pytest.raises(ImageError, match="^its file cannot be read") as missing:
        load_picture_file(CameraView("front", 8), tmp_path / "other.jpg")
    assert "other.jpg" in missing.value.__notes__[0]


def test_a_named_pipe_in_the_place_of_a_picture_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "picture.jpg")
    with pytest.raises(ImageError) as refused:
        load_picture_file(CameraView("front", 8), tmp_path / "picture.jpg", "jpeg")
    assert "named pipe" in refused.value.__notes__[0]


def test_the_beginning_of_a_file_tells_its_kind(tmp_path):
    for suffix in (".png", ".jpg"):
        (tmp_path / "picture").write_bytes(cv2.imencode(suffix, SHOWN)[1].tobytes())
        assert (load_picture_file(CameraView("front", 8), tmp_path / "picture") == 90).all()
