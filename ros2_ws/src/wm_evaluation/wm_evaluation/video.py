"""Writes videos as H.264 in MP4, which every browser plays, and loops as animated WebP, which pages show as pictures:
the same bytes for the same frames."""

import os
from collections.abc import Iterable, Sequence
from fractions import Fraction

import av
import numpy as np
from PIL import Image
from wm_bundle.files import replacing

# For reproducible bytes: x264's fast paths round differently from run to run, also on one thread.
# The preset gives these pictures the size and quality of the default one in less than half the time.
H264 = {"crf": "18", "preset": "veryfast", "x264-params": "cpu-independent=1"}
# Lossless: for enlarged pixels it is a third of the size of the lossy kind, and has no blurred edges. More effort than
# this takes thirty times as long for the same size.
WEBP = {"lossless": True, "method": 4, "quality": 50}


def write_video(path: str | os.PathLike, frames: Iterable[np.ndarray], rate_hz: float, hold_s: float = 0.0) -> None:
    """Write frames uint8 RGB (H, W, 3) as a video, atomically; the last one is held for ``hold_s`` more.

    Raises ValueError without any frame, for different sizes, or for odd ones, which H.264 does not support; OSError,
    also if PyAV lacks the encoder.
    """
    rate = Fraction(rate_hz).limit_denominator(1000)
    with replacing(path) as partial, av.open(str(partial), "w", format="mp4", options={"movflags": "faststart"}) as out:
        stream, size = None, None
        for pixels in frames:
            if stream is None:
                size = pixels.shape
                stream = _stream(out, rate, size, path)
            if pixels.shape != size:
                raise ValueError(f"a frame is {pixels.shape}, expected {size} as the first one")
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        if stream is None:
            raise ValueError(f"cannot write {path}: there is no frame")
        for _ in range(round(hold_s * rate_hz)):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(stream.encode())


def write_loop(path: str | os.PathLike, frames: Iterable[np.ndarray], durations_ms: Sequence[int]) -> None:
    """Write frames uint8 RGB (H, W, 3), each shown for its duration [ms], as an endless loop, atomically. All frames
    are in memory at once.

    Raises ValueError without any frame, for different sizes, or unless there is one duration per frame; OSError.
    """
    pictures = [Image.fromarray(pixels) for pixels in frames]
    if len(pictures) != len(durations_ms) or not pictures:
        raise ValueError(
            f"cannot write {path}: {len(pictures)} frames, {len(durations_ms)} durations; expected as "
            f"many, and at least one"
        )
    for picture in pictures:
        if picture.size != pictures[0].size or picture.mode != "RGB":
            raise ValueError(f"a frame is {picture.size} {picture.mode}, expected {pictures[0].size} RGB")
    with replacing(path) as partial:
        pictures[0].save(
            partial, "WEBP", save_all=True, append_images=pictures[1:], duration=list(durations_ms), loop=0, **WEBP
        )


def _stream(out, rate: Fraction, size: tuple[int, ...], path: str | os.PathLike):
    if size[0] % 2 or size[1] % 2 or size[2:] != (3,):
        raise ValueError(f"a frame is {size}, expected (H, W, 3) with H and W even")
    try:
        stream = out.add_stream("h264", rate=rate, options=H264)
    except ValueError as error:
        raise OSError(f"cannot write {path}: {error}; install PyAV's wheel, it has H.264") from None
    stream.height, stream.width = size[:2]
    stream.pix_fmt = "yuv420p"
    stream.codec_context.thread_count = 1
    return stream
