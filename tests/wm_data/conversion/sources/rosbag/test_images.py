"""Pictures of every encoding, and such that cannot be decoded."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from fixtures_rosbag import CAMERA, MS, Recording, drive, image, stamped, write_bag
from rosbag_conversion import converted
from wm_bundle import ImageError
from wm_data.conversion.pictures import CameraView
from wm_data.conversion.sources.rosbag.images import load_picture

SIZE = 16
RED, GREEN, BLUE = 200, 120, 40  # of the picture that every encoding shows
GREY = round(0.299 * RED + 0.587 * GREEN + 0.114 * BLUE)


def raw(encoding: str, pixels: np.ndarray, padding: int = 0, big_endian: bool = False) -> SimpleNamespace:
    """A message of pixels (rows, width, channels); of the heights of nv12 and nv21, two thirds are the picture's."""
    rows = np.ascontiguousarray(pixels).reshape(len(pixels), -1).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (0, padding)))
    return SimpleNamespace(
        height=SIZE,
        width=SIZE,
        encoding=encoding,
        step=rows.shape[1],
        is_bigendian=big_endian,
        data=np.ascontiguousarray(rows).reshape(-1),
    )


def flat(*values: int, dtype=np.uint8) -> np.ndarray:
    return np.broadcast_to(np.array(values, dtype), (SIZE, SIZE, len(values)))


def bayer(order: str, dtype=np.uint8, scale: int = 1) -> np.ndarray:
    """A mosaic; ``order`` names the colours of its first two rows."""
    colours = {"r": RED, "g": GREEN, "b": BLUE}
    block = np.array([colours[letter] for letter in order], dtype).reshape(2, 2) * dtype(scale)
    return np.tile(block, (SIZE // 2, SIZE // 2))[:, :, None]


def of_video() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Brightness (SIZE, SIZE), and the two colours at half the size, in the range of video."""
    planes = cv2.cvtColor(np.ascontiguousarray(flat(BLUE, GREEN, RED)), cv2.COLOR_BGR2YUV_I420)
    u, v = planes[SIZE:].reshape(2, SIZE // 2, SIZE // 2)
    return planes[:SIZE], u, v


def half_colour(v_first: bool) -> np.ndarray:
    """Brightness above the mixed colours: nv12, or nv21 with ``v_first``."""
    brightness, u, v = of_video()
    mixed = np.stack((v, u) if v_first else (u, v), axis=2).reshape(SIZE // 2, SIZE)
    return np.concatenate([brightness, mixed])[:, :, None]


def packed(colour_first: bool) -> np.ndarray:
    """Two bytes a pixel: uyvy with ``colour_first``, else yuyv."""
    y, u, v = (plane[0, 0] for plane in of_video())
    pair = [[u, y], [v, y]] if colour_first else [[y, u], [y, v]]
    return np.tile(np.array(pair, np.uint8), (SIZE, SIZE // 2, 1))


COLOURS = {
    "rgb8": flat(RED, GREEN, BLUE),
    "bgr8": flat(BLUE, GREEN, RED),
    "rgba8": flat(RED, GREEN, BLUE, 9),
    "bgra8": flat(BLUE, GREEN, RED, 9),
    "8UC3": flat(BLUE, GREEN, RED),
    "8UC4": flat(BLUE, GREEN, RED, 9),
    "rgb16": flat(RED * 257, GREEN * 257, BLUE * 257, dtype=np.uint16),
    "bgr16": flat(BLUE * 257, GREEN * 257, RED * 257, dtype=np.uint16),
    "rgba16": flat(RED * 257, GREEN * 257, BLUE * 257, 9, dtype=np.uint16),
    "bgra16": flat(BLUE * 257, GREEN * 257, RED * 257, 9, dtype=np.uint16),
    "nv12": half_colour(False),
    "nv21": half_colour(True),
    "yuv422": packed(True),
    "uyvy": packed(True),
    "yuv422_yuy2": packed(False),
    "yuyv": packed(False),
    **{f"bayer_{order}8": bayer(order) for order in ("rggb", "bggr", "gbrg", "grbg")},
    **{f"bayer_{order}16": bayer(order, np.uint16, 257) for order in ("rggb", "bggr", "gbrg", "grbg")},
}
GREYS = {"mono8": flat(GREY), "8UC1": flat(GREY), "mono16": flat(GREY * 257, dtype=np.uint16)}


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize("encoding", [*COLOURS, *GREYS])
def test_every_encoding_shows_the_same_picture_whatever_its_rows_are_padded_with(encoding, padding):
    picture = load_picture(CameraView("camera", 8), raw(encoding, (COLOURS | GREYS)[encoding], padding))
    expected = (GREY,) * 3 if encoding in GREYS else (RED, GREEN, BLUE)
    assert picture.shape == (3, 8, 8)
    off = np.abs(picture[:, 2:6, 2:6].astype(int) - np.array(expected)[:, None, None]).max()
    assert off <= 3  # video rounds colours


def test_the_order_of_bytes_is_respected():
    swapped = raw("rgb16", COLOURS["rgb16"].byteswap(), big_endian=True)
    picture = load_picture(CameraView("camera", 8), swapped)
    assert picture[:, 4, 4].tolist() == [RED, GREEN, BLUE]


def compressed(format_text: str, data) -> SimpleNamespace:
    return SimpleNamespace(format=format_text, data=np.frombuffer(bytes(data), np.uint8))


@pytest.mark.parametrize("text", ["jpeg", "png", "bgra8; jpeg compressed bgr8", "rgb8; png compressed bgr8", ""])
def test_compressed_pictures_are_read_however_their_format_is_written(text):
    suffix = ".png" if "png" in text else ".jpg"
    data = cv2.imencode(suffix, np.ascontiguousarray(flat(BLUE, GREEN, RED)))[1].tobytes()
    picture = load_picture(CameraView("camera", 8), compressed(text, data))
    assert np.abs(picture[:, 4, 4].astype(int) - (RED, GREEN, BLUE)).max() <= 3


PNG = cv2.imencode(".png", np.zeros((SIZE, SIZE, 3), np.uint8))[1].tobytes()
JPEG = cv2.imencode(".jpg", np.zeros((SIZE, SIZE, 3), np.uint8))[1].tobytes()
BROKEN = {
    "an unknown encoding": (raw("h264", flat(1)), "'h264', expected one of"),
    "depth": (raw("32FC1", flat(1, 1, 1, 1)), "'32FC1', expected one of"),
    "a step below the row": (SimpleNamespace(**{**vars(raw("bgr8", flat(1, 2, 3))), "step": 20}), "step of at least"),
    "a step below the 16-bit row": (
        SimpleNamespace(**{**vars(raw("mono16", flat(1, dtype=np.uint16))), "step": 20}),
        "step of at least 32",
    ),
    "too few bytes": (SimpleNamespace(**{**vars(raw("bgr8", flat(1, 2, 3))), "data": np.zeros(9, np.uint8)}), "needs"),
    "too few bytes of 16-bit": (
        SimpleNamespace(**{**vars(raw("mono16", flat(1, dtype=np.uint16))), "data": np.zeros(9, np.uint8)}),
        "needs 512 bytes",
    ),
    "an odd nv12": (SimpleNamespace(**{**vars(raw("nv12", half_colour(False))), "height": 15}), "even sides"),
    "no size": (SimpleNamespace(**{**vars(raw("bgr8", flat(1, 2, 3))), "height": 0}), "expected some"),
    "a jpeg cut short": (compressed("jpeg", JPEG[:-40]), "not a whole"),
    "a png cut short": (compressed("png", PNG[:-20]), "not a whole"),
    "compressed depth": (compressed("16UC1; compressedDepth png", bytes(12) + PNG), "compressedDepth"),
    "a compression that is none": (compressed("webp", b"RIFF1234WEBP"), "neither JPEG nor PNG.*'webp'"),
    "no bytes": (compressed("jpeg", b""), "neither JPEG nor PNG"),
    "a type that is defined otherwise": (SimpleNamespace(encoding="bgr8", width="wide"), "cannot|not a picture"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_cannot_be_decoded_says_why(kind):
    message, expected = BROKEN[kind]
    with pytest.raises(ImageError, match=expected):
        load_picture(CameraView("camera", 8), message)


def test_a_damaged_picture_in_a_bag_is_left_out_and_counted_and_cuts_the_episode(tmp_path):
    recording = drive(ticks=12)
    jpegs = Recording()
    for topic, msgtype, log_ns, fields in recording.messages:
        if topic == CAMERA:
            tick = round((log_ns - 1_000 * MS) / (100 * MS))
            picture = np.full((SIZE, SIZE, 3), 10 * tick, np.uint8)
            data = cv2.imencode(".jpg", picture)[1].reshape(-1)
            jpegs.add(
                "/camera/image_raw/compressed",
                "sensor_msgs/msg/CompressedImage",
                log_ns,
                header=fields["header"],
                format="jpeg",
                data=data[:-30] if tick == 5 else data,
            )
        else:
            jpegs.messages.append((topic, msgtype, log_ns, fields))
    episodes, report = converted(write_bag(tmp_path / "bag", jpegs))
    assert [len(episode) for episode in episodes] == [4, 5]
    assert sum(count for reason, count in report.skipped.items() if "jpeg" in reason) == 1
    assert report.splits[0]["reason"] == "a damaged picture of camera"
    assert np.abs(episodes[1].observations[:, 0, 4, 4].astype(int) - 10 * np.arange(6, 11)).max() <= 2


def test_padded_rows_and_other_sizes_survive_the_bag(tmp_path):
    recording = Recording()
    for topic, msgtype, log_ns, fields in drive(ticks=4).messages:
        if topic == CAMERA:
            fields = image(log_ns, np.full((6, 10, 3), 90, np.uint8), "rgb8", padding=2) | {"header": fields["header"]}
        recording.messages.append((topic, msgtype, log_ns, fields))
    (episode,), _ = converted(write_bag(tmp_path / "bag", recording))
    assert (episode.observations == 90).all()
    assert episode.meta["cameras"][0]["source_width"] == 10
    assert stamped(1_500_000_000)["stamp"] == {"sec": 1, "nanosec": 500_000_000}
