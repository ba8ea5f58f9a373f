"""The one writer of videos: H.264 in MP4, which every browser plays, and the same bytes for the same frames."""

import os
from collections.abc import Iterable
from fractions import Fraction

import av
import numpy as np
from wm_bundle.files import replacing

# Same frames, same bytes: x264's own fast paths round differently from run to run, also on one thread.
# The preset gives these pictures the size and quality of the default one in less than half the time.
H264 = {"crf": "18", "preset": "veryfast", "x264-params": "cpu-independent=1"}


def write_video(path: str | os.PathLike, frames: Iterable[np.ndarray], rate_hz: float, hold_s: float = 0.0) -> None:
    """Write frames uint8 RGB (H, W, 3) as a video, whole or not at all; the last one stays for ``hold_s`` more.

    Raises ValueError without any frame, for frames of several sizes, or of an odd one, which H.264 cannot hold;
    OSError, also where PyAV has no such encoder.
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
