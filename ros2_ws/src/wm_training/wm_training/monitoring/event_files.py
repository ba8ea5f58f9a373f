"""TensorBoard event files: curves, animated pictures, and the configuration as text."""

import io
import time
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import SummaryWriter

FRAME_MS = 100
"""Display time of each frame of a video."""


class EventFiles:
    """Writes what `tensorboard --logdir` shows. Everything is on disk when a method returns."""

    def __init__(self, folder: Path, first_update: int, config: Any):
        """Begin a new event file in ``folder``; points beyond ``first_update`` in older files are no longer shown.

        A run that starts from scratch (``first_update`` 0) removes the event files of an older one. Raises OSError.
        """
        older = list(folder.glob("events.out.tfevents.*"))
        if first_update == 0:
            for file in older:
                file.unlink()
        elif any(file.stat().st_ctime >= int(time.time()) for file in older):
            # TensorBoard reads files by the second in their names, and this one must be read after the older ones.
            time.sleep(1.0)
        # Steps count updates done, so the first step to be shown again is the next one.
        self._writer = SummaryWriter(str(folder), purge_step=first_update + 1)
        if is_dataclass(config):
            lines = [f"| {name} | {value} |" for name, value in asdict(config).items()]
            text = "\n".join(["| setting | value |", "|---|---|", *lines])
            self._writer.add_text("configuration", text, global_step=first_update)
        self._writer.flush()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """One point for every curve named in ``values``."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def video(self, name: str, step: int, frames: np.ndarray) -> None:
        """An animated picture; frames uint8 (T, H, W, 3)."""
        gif = encode_gif(frames)
        image = Summary.Image(height=frames.shape[1], width=frames.shape[2], colorspace=3, encoded_image_string=gif)
        self._writer.file_writer.add_summary(Summary(value=[Summary.Value(tag=name, image=image)]), step)
        self._writer.flush()

    def close(self) -> None:
        """Finish the event file."""
        self._writer.close()


def encode_gif(frames: np.ndarray) -> bytes:
    """Frames uint8 (T, H, W, 3) as an endlessly repeated GIF. Raises ValueError for another type or shape."""
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[0] == 0 or frames.shape[3] != 3:
        raise ValueError(f"video frames are {frames.dtype} {frames.shape}, expected uint8 (T, H, W, 3) with T > 0")
    pictures = [Image.fromarray(frame) for frame in frames]
    stream = io.BytesIO()
    pictures[0].save(stream, "GIF", save_all=True, append_images=pictures[1:], duration=FRAME_MS, loop=0)
    return stream.getvalue()
