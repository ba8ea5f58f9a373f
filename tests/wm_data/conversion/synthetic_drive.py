"""A drive made of numbers: the picture of stamp t shows t, so that every row tells which picture it has."""

import numpy as np
from wm_bundle import ImageError
from wm_data.conversion.drive import Drive, Picture, Signal, Signals
from wm_data.conversion.options import ConvertOptions
from wm_data.conversion.pictures import CameraView
from wm_data.conversion.report import DriveReport

MS = 1_000_000


def options(**values) -> ConvertOptions:
    return ConvertOptions("carla", "source", "dest", **{"image_size": 8, "min_rows": 1, **values})


def number_of(picture: np.ndarray) -> int:
    """What ``picture_of`` drew."""
    return int(picture[0, 0, 0]) * 256 + int(picture[1, 0, 0])


def picture_of(number: int) -> np.ndarray:
    return np.broadcast_to(np.array([number // 256, number % 256, 0], np.uint8), (8, 8, 3))


def drive(pictures, signals: Signals | None = None, period_ms: int = 100, cameras=("front",)) -> Drive:
    """``pictures``: (camera, stamp [ms], number shown, or None for a damaged one), in the order of recording."""
    views = tuple(CameraView(name, 8) for name in cameras)

    def load(view, number):
        if number is None:
            raise ImageError("cut short")
        return view.from_rgb(picture_of(number).transpose(2, 0, 1))

    stream = (
        Picture(camera, stamp * MS, lambda view=views[camera], number=number: load(view, number))
        for camera, stamp, number in pictures
    )
    return Drive(views, stream, period_ms * MS, signals or driven(), DriveReport("drive"), "status")


def signal(samples, holds="after", max_hold_s=0.5) -> Signal:
    """From {stamp [ms]: value or values}."""
    one = next(iter(samples.values()))
    made = Signal(len(one) if isinstance(one, tuple) else 1, holds, max_hold_s)
    for stamp, values in samples.items():
        made.add(stamp * MS, *(values if isinstance(values, tuple) else (values,)))
    return made


def driven(**changes) -> Signals:
    """Ten seconds and more of numbers for everything an episode needs, every 50 ms."""
    stamps = range(0, 20_001, 50)
    vector = {"speed": signal({t: t / 1000.0 for t in stamps})}
    return Signals(**{"vector": vector, "control": signal(dict.fromkeys(stamps, (0.0, 0.5, 0.0))), **changes})
