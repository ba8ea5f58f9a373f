import av
import numpy as np
import pytest
from PIL import Image, ImageSequence
from wm_evaluation.video import write_loop, write_video


def counted(count, height=48, width=64):
    """Frames of which each is brighter than the last, with a red square that moves."""
    for i in range(count):
        frame = np.full((height, width, 3), 10 + 15 * i, np.uint8)
        frame[8:24, 2 * i : 2 * i + 16] = (220, 20, 20)
        yield frame


def test_a_video_decodes_to_the_frames_it_was_made_of_and_holds_the_last(tmp_path):
    write_video(tmp_path / "a.mp4", counted(12), rate_hz=12.5, hold_s=0.4)
    with av.open(str(tmp_path / "a.mp4")) as video:
        stream = video.streams.video[0]
        assert stream.codec_context.name == "h264" and stream.codec_context.pix_fmt == "yuv420p"
        assert float(stream.average_rate) == 12.5 and (stream.width, stream.height) == (64, 48)
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(stream)]
    assert len(frames) == 12 + 5
    for found, real in zip(frames, [*counted(12)] + [list(counted(12))[-1]] * 5, strict=True):
        assert np.abs(found.astype(int) - real).mean() < 6  # colours are stored at half the resolution


def test_the_same_frames_give_the_same_bytes(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, counted(8), rate_hz=10)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (lambda: [], "there is no frame"),
        (lambda: counted(2, width=63), r"is \(48, 63, 3\), expected .* H and W even"),
        (lambda: [*counted(1), *counted(1, height=50)], r"a frame is \(50, 64, 3\), expected \(48, 64, 3\)"),
    ],
)
def test_what_is_no_video_is_refused_and_leaves_no_file(tmp_path, frames, message):
    with pytest.raises(ValueError, match=message):
        write_video(tmp_path / "a.mp4", frames(), rate_hz=10)
    assert list(tmp_path.iterdir()) == []


def test_a_loop_holds_every_pixel_for_its_time_and_begins_again_for_ever(tmp_path):
    durations_ms = [80, 80, 880, 81]
    for name in ("a.webp", "b.webp"):
        write_loop(tmp_path / name, counted(4), durations_ms)
    with Image.open(tmp_path / "a.webp") as picture:
        assert picture.format == "WEBP" and picture.info["loop"] == 0 and picture.size == (64, 48)
        found = [
            (np.asarray(frame.convert("RGB")), frame.info["duration"]) for frame in ImageSequence.Iterator(picture)
        ]
    assert [duration for _, duration in found] == durations_ms
    for (pixels, _), real in zip(found, counted(4), strict=True):
        assert np.array_equal(pixels, real)
    assert (tmp_path / "a.webp").read_bytes() == (tmp_path / "b.webp").read_bytes()


@pytest.mark.parametrize(
    ("frames", "durations_ms", "message"),
    [
        (lambda: [], [], "0 frames, 0 durations"),
        (lambda: counted(3), [80, 80], "3 frames, 2 durations; expected as many"),
        (lambda: [*counted(1), *counted(1, height=50)], [80, 80], r"a frame is \(64, 50\) RGB, expected \(64, 48\)"),
    ],
)
def test_what_is_no_loop_is_refused_and_leaves_no_file(tmp_path, frames, durations_ms, message):
    with pytest.raises(ValueError, match=message):
        write_loop(tmp_path / "a.webp", frames(), durations_ms)
    assert list(tmp_path.iterdir()) == []
