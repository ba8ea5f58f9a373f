"""Pictures in whole JPEG and PNG files: read whole or refused, with reasons that add up."""

import resource

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wm_bundle import CameraSpec, ImageError, ImagePreprocessor, compressed_encoding, decompress_image

RAMP = np.linspace(0, 255, 32 * 48).reshape(32, 48)
PICTURE = np.stack([RAMP, RAMP[::-1], np.full_like(RAMP, 128)], axis=2).astype(np.uint8)  # RGB
GREY = np.full((32, 48, 3), 128, np.uint8)
JPEG_KINDS = {
    "plain": [],
    "with restarts": [cv2.IMWRITE_JPEG_RST_INTERVAL, 2],
    "progressive": [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
}


def file_of(suffix: str, picture: np.ndarray = PICTURE, settings=()) -> bytes:
    bgr = picture[:, :, ::-1] if picture.ndim == 3 else picture
    return cv2.imencode(suffix, np.ascontiguousarray(bgr), list(settings))[1].tobytes()


@pytest.mark.parametrize("encoding, suffix, tolerance", [("png", ".png", 0), ("jpeg", ".jpg", 12)])
def test_files_are_read_and_damaged_ones_refused(encoding, suffix, tolerance):
    data = file_of(suffix)
    preprocess = ImagePreprocessor(CameraSpec("front", 32, 48), 32, 48)
    read = preprocess(0, 0, encoding, 0, data)
    assert np.abs(read.astype(int) - PICTURE.transpose(2, 0, 1)).max() <= tolerance
    for damaged in (b"", b"no picture", data[: len(data) // 2], data[:-1]):
        with pytest.raises(ImageError, match=f"is not a whole, undamaged {encoding}"):
            preprocess(0, 0, encoding, 0, damaged)
    with pytest.raises(ImageError, match="48x32 images, expected 64x64"):
        ImagePreprocessor(CameraSpec("front", 64, 64), 64, 64)(0, 0, encoding, 0, data)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@given(padding=st.one_of(st.integers(0, 3000).map(bytes), st.binary(max_size=300)))
def test_whatever_lies_behind_the_end_of_a_file_is_padding(suffix, padding):
    encoding, data = {".png": "png", ".jpg": "jpeg"}[suffix], file_of(suffix)
    assert (decompress_image(encoding, data + padding) == decompress_image(encoding, data)).all()


@pytest.mark.parametrize("kind", JPEG_KINDS)
@settings(max_examples=25, deadline=None)
@given(share=st.floats(0.0, 0.98), ending=st.sampled_from([b"", bytes(100), bytes(5000), b"\xff\xd9", b"\xff\xd9\0\0"]))
def test_a_cut_jpeg_is_never_shown_half_grey(kind, share, ending):
    noise = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)
    data = file_of(".jpg", noise, JPEG_KINDS[kind])
    begin = data.index(b"\xff\xda") + 14  # the pixels' data
    cut = data[: begin + int(share * (len(data) - begin))] + ending
    try:
        shown = decompress_image("jpeg", cut)
    except ImageError:
        return
    assert (shown[-1, -1] != 128).any()
    if kind != "progressive":  # where all is there, and less sharp
        # At most a part of the last 16 x 16 pixels is missing, seen up to two pixels around it.
        changed = (shown != decompress_image("jpeg", data)).any(axis=2)
        assert changed.sum() == changed[-18:, -18:].sum()


@pytest.mark.parametrize("kind", JPEG_KINDS)
@pytest.mark.parametrize("picture", [GREY, np.concatenate([PICTURE, GREY])])
def test_a_whole_jpeg_that_is_grey_where_a_cut_one_would_be_is_read(kind, picture, capfd):
    shown = decompress_image("jpeg", file_of(".jpg", picture, JPEG_KINDS[kind]))
    assert (shown[-1, -1] == 128).all() and shown.shape == picture.shape
    assert capfd.readouterr().err == ""


def test_the_end_of_a_thumbnail_is_not_that_of_the_picture():
    data = file_of(".jpg")
    thumbnail = file_of(".jpg", PICTURE[:8, :8])
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    whole = data[:2] + segment + data[2:]
    assert (decompress_image("jpeg", whole) == decompress_image("jpeg", data)).all()
    with pytest.raises(ImageError, match="its end is missing"):
        decompress_image("jpeg", whole[:-2])


@given(st.integers(0, 2000), st.integers(0, 255), st.sampled_from([".jpg", ".png"]))
def test_reasons_of_damage_name_no_number(place, byte, suffix):
    data = bytearray(file_of(suffix))
    data[place % len(data)] = byte
    del data[len(data) - place % 5 :]
    try:
        decompress_image({".jpg": "jpeg", ".png": "png"}[suffix], bytes(data))
    except ImageError as error:
        assert not any(character.isdigit() for character in str(error).replace("33554432", "").replace("16 bits", ""))


SOURCES = {
    "jpeg": "",
    "png": "",
    "JPG": "",
    "": "",
    "jpeg; quality 90": "",
    "rgb8; jpeg compressed bgr8": "",
    "bgr8; png compressed ": "",
    "BGR8; JPEG compressed RGB8": "",
    "8UC3; png compressed ": "",
    "mono8; jpeg compressed mono8": "",
    "nv12; jpeg compressed bgr8": "",
    "rgb16; png compressed bgr16": "",
    "bayer_rggb16; png compressed bgr8": "",
    "h264x; jpeg compressed bgr8": "",
    "bayer_rggb8; jpeg compressed ": "bayer_rggb8; ",
    "bayer_grbg8; png compressed bgr8": "bayer_grbg8; ",
}


@pytest.mark.parametrize("form", SOURCES)
@pytest.mark.parametrize("suffix, kind", [(".png", "png"), (".jpg", "jpeg")])
def test_the_file_tells_its_kind_and_the_format_what_was_compressed(form, suffix, kind):
    assert compressed_encoding(form, file_of(suffix)) == SOURCES[form] + kind


@pytest.mark.parametrize(
    "form",
    [
        "16UC1; png compressed ",
        "32FC1; png compressed ",
        "16UC1; compressedDepth png",
        "16UC1; compressedDepth",
        "16SC1; png compressed 16SC1",
        "bayer_rggb16; png compressed ",
        "8SC1; jpeg compressed ",
    ],
)
def test_depth_and_what_is_no_colour_is_refused_by_its_format(form):
    with pytest.raises(ImageError, match=form[:5]):
        compressed_encoding(form, file_of(".png"))


def test_files_of_other_kinds_are_refused_by_their_format():
    for data in (b"", b"RIFF1234WEBP"):
        with pytest.raises(ImageError, match="neither JPEG nor PNG.*'webp'"):
            compressed_encoding("webp", data)


def test_a_png_of_depth_is_refused_and_16_bits_of_grey_and_colour_are_read():
    deep = np.full((4, 6), 0x4321, np.uint16)
    data = file_of(".png", deep)
    with pytest.raises(ImageError, match="depth"):
        decompress_image(compressed_encoding("png", data), data)
    grey = decompress_image(compressed_encoding("mono16; png compressed mono16", data), data)
    assert grey.shape == (4, 6, 3) and (grey == 0x43).all()
    colour = file_of(".png", np.repeat(deep[:, :, None], 3, axis=2))
    assert (decompress_image(compressed_encoding("rgb16; png compressed bgr16", colour), colour) == 0x43).all()


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("suffix, tolerance", [(".png", 0), (".jpg", 12)])
def test_a_bayer_mosaic_gets_its_colours_and_coloured_pictures_keep_theirs(pattern, suffix, tolerance):
    colour = dict(zip("rgb", (140, 120, 100), strict=True))
    mosaic = np.array([[colour[pattern[0]], colour[pattern[1]]], [colour[pattern[2]], colour[pattern[3]]]], np.uint8)
    for picture in (np.tile(mosaic, (8, 8)), np.tile(np.uint8([140, 120, 100]), (16, 16, 1))):
        data = file_of(suffix, picture, [cv2.IMWRITE_JPEG_QUALITY, 100])
        shown = decompress_image(compressed_encoding(f"bayer_{pattern}8; any compressed ", data), data)
        assert np.abs(shown.astype(int) - (100, 120, 140)).max() <= tolerance
    with pytest.raises(ImageError, match="at least 3"):
        small = file_of(suffix, mosaic)
        decompress_image(compressed_encoding(f"bayer_{pattern}8; any compressed ", small), small)


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_a_bayer_mosaic_as_png_gives_the_same_picture_as_raw(pattern):
    mosaic = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
    preprocess = ImagePreprocessor(CameraSpec("front", 20, 30), 20, 30)
    raw = preprocess(20, 30, f"bayer_{pattern}8", 30, mosaic.tobytes())
    assert (preprocess(0, 0, f"bayer_{pattern}8; png", 0, file_of(".png", mosaic)) == raw).all()


def test_a_damaged_size_of_a_file_does_not_take_the_memory_it_asks_for():
    data = bytearray(cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = b"\xff\xdc\xff\xdc"  # 65,500 pixels each way
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ImageError, match="pixels"):
        ImagePreprocessor(CameraSpec("front", 8, 8), 8, 8)(0, 0, "jpeg", 0, bytes(data))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 100_000  # kB; the picture would have 12 GB
