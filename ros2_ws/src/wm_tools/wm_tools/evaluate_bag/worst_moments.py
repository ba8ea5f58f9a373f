"""worst_moments.mp4: what the camera last saw, what each bundle imagined from there, and what really came.

A clip for each moment worth watching; below the pictures are the recorded and planned commands, and the surprise.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from wm_evaluation.video import write_video as write_frames

from wm_tools.evaluate_bag.clip_plots import ALARM, INK, PAPER, SOFT, Curve, Plot, PlotStrip
from wm_tools.evaluate_bag.comparison import Evaluation
from wm_tools.evaluate_bag.moments import Moment, side_by_side

SEEN, IMAGINED, REAL = (110, 118, 130), (240, 140, 20), (60, 196, 174)
BUNDLES = ((110, 163, 255), (179, 148, 255), (226, 160, 67), (242, 127, 184))  # colours, in turn
LARGEST = (1280, 640)  # [px] largest width and height of the enlarged pictures
LARGEST_SCALE = 4
LEAST_WIDTH = 640  # [px] of the video, for the text
BORDER, GAP, LABEL, HEADER, PLOT = 3, 8, 22, 58, 84  # [px]
PAUSE_S = 0.8  # at the moment itself, and after a clip's last frame
FAR = 3.0  # factor of the largest surprise of a clip, above which the threshold is not drawn


def write_video(path: Path, evaluations: Sequence[Evaluation]) -> None:
    """Write the clips of all moments of the first bundle as H.264, at the bundle's rate, atomically.

    Raises ValueError if there is no moment, OSError.
    """
    if not evaluations[0].moments:
        raise ValueError(f"cannot write {path}: there is no moment worth watching")
    write_frames(path, video_frames(evaluations), 1.0 / evaluations[0].manifest.control_period_s)


def video_frames(evaluations: Sequence[Evaluation]) -> Iterator[np.ndarray]:
    """The frames uint8 RGB (H, W, 3), H and W even, all of one size."""
    first = evaluations[0]
    pause = max(1, round(PAUSE_S / first.manifest.control_period_s))
    for number, moment in enumerate(first.moments):
        clip = _Clip(evaluations, number, moment)
        last = len(moment.imagined)
        for step in range(last + 1):
            frame = clip.frame(step)
            yield frame
            if step in (moment.offset, last):
                yield from [frame] * pause


class _Layout(NamedTuple):
    """Where the panels are: ``columns`` of them side by side, each of ``width`` x ``height`` [px] with its label."""

    scale: int
    columns: int
    rows: int
    width: int
    height: int
    video_width: int

    @property
    def pictures_height(self) -> int:
        return self.rows * (self.height + GAP)


def _layout(picture: np.ndarray, panels: int) -> _Layout:
    """Pictures of one camera go side by side; those of several cameras are already wide, and go one below another."""
    channels, height, width = picture.shape
    cameras = channels // 3
    columns, rows = (panels, 1) if cameras == 1 else (1, panels)
    fits = min(LARGEST[0] // (columns * cameras * width), LARGEST[1] // (rows * height), LARGEST_SCALE)
    scale = max(1, fits)
    panel_width = cameras * width * scale + 2 * BORDER
    panel_height = height * scale + 2 * BORDER + LABEL
    video_width = max(LEAST_WIDTH, columns * (panel_width + GAP) + GAP)
    return _Layout(scale, columns, rows, panel_width, panel_height, video_width + video_width % 2)


class _Clip:
    """One moment: what is the same in all its frames is drawn once."""

    def __init__(self, evaluations: Sequence[Evaluation], number: int, moment: Moment):
        self._evaluations, self._number, self._moment = evaluations, number, moment
        self._others = [evaluation.moment_at(moment.frame) for evaluation in evaluations]
        self._layout = _layout(moment.pictures[0], len(evaluations) + 2)
        rows = slice(moment.first, moment.first + len(moment.pictures))
        self._plots = PlotStrip(_plots(evaluations, rows), self._layout.video_width, PLOT, moment.offset)

    def frame(self, step: int) -> np.ndarray:
        """The frame ``step`` steps after the last picture seen."""
        layout = self._layout
        height = HEADER + layout.pictures_height + self._plots.height
        canvas = np.full((height + height % 2, layout.video_width, 3), PAPER, np.uint8)
        self._write_header(canvas, step)
        for place, (label, picture, colour) in enumerate(self._panels(step)):
            left = GAP + place % layout.columns * (layout.width + GAP)
            top = HEADER + place // layout.columns * (layout.height + GAP)
            _write(canvas, label, (left, top + LABEL - 7), layout.width, SOFT)
            area = canvas[top + LABEL : top + layout.height, left : left + layout.width]
            area[:] = colour
            if picture is not None:
                area[BORDER:-BORDER, BORDER:-BORDER] = (
                    side_by_side(picture).repeat(layout.scale, 0).repeat(layout.scale, 1)
                )
        self._plots.draw(canvas[HEADER + layout.pictures_height :], step)
        return canvas

    def _panels(self, step: int) -> list[tuple[str, np.ndarray | None, tuple[int, int, int]]]:
        moment, alone = self._moment, len(self._evaluations) == 1
        panels = [("camera, last seen", moment.pictures[0], SEEN)]
        for evaluation, other in zip(self._evaluations, self._others, strict=True):
            picture, border = _imagined(other, moment, step)
            name = "imagined" if alone else f"imagined: {evaluation.name}"
            panels.append((name if picture is not None else f"{name} (none)", picture, border))
        return [*panels, ("real", moment.pictures[step], ALARM if step == moment.offset else REAL)]

    def _write_header(self, canvas: np.ndarray, step: int) -> None:
        first, moment = self._evaluations[0], self._moment
        frames, frame = first.frames, moment.first + step
        width = canvas.shape[1] - 2 * GAP
        title = f"{self._number + 1} of {len(first.moments)}: {moment}"
        _write(canvas, title, (GAP, 22), width, ALARM if step == moment.offset else INK, 0.6)
        begin = np.flatnonzero(frames.place.drive == frames.place.drive[frame])[0]
        seconds = float(frames.place.stamp_ns[frame] - frames.place.stamp_ns[begin]) * 1e-9
        mode = frames.decided.mode_name(frame)
        reason = f" ({frames.decided.reason[frame]})" if frames.decided.reason[frame] else ""
        surprise = frames.decided.surprise[frame]
        told = f", surprise {surprise:.1f} of {first.manifest.surprise_threshold:.1f}" if np.isfinite(surprise) else ""
        where = f"{seconds:.1f} s, episode {frames.place.episode[frame]}, row {frames.place.row[frame]}"
        _write(canvas, f"{where}, {step} steps ahead{told}, {mode}{reason}", (GAP, 46), width, SOFT)


def _plots(evaluations: Sequence[Evaluation], rows: slice) -> list[Plot]:
    """Commands and surprise of the clip's frames. Pedals are one curve: throttle above zero, brake below."""
    recorded = evaluations[0].frames.recorded[rows]
    steer = [Curve("recorded", recorded[:, 0], INK)]
    pedals = [Curve("recorded", recorded[:, 1] - recorded[:, 2], INK)]
    surprise, limits = [], []
    for number, evaluation in enumerate(evaluations):
        colour = BUNDLES[number % len(BUNDLES)]
        name = "planned" if len(evaluations) == 1 else evaluation.name
        planned = evaluation.frames.decided.planned[rows]
        steer.append(Curve(name, planned[:, 0], colour))
        pedals.append(Curve(name, planned[:, 1] - planned[:, 2], colour))
        surprise.append(Curve(name if len(evaluations) > 1 else "", evaluation.frames.decided.surprise[rows], colour))
        limits.append(evaluation.manifest.surprise_threshold)
    highest = float(np.nanmax([1e-6, *(np.nanmax(curve.values, initial=0.0) for curve in surprise)]))
    # A threshold far above would flatten the curve; the text gives it.
    near = [limit if limit <= FAR * highest else np.nan for limit in limits]
    top = 1.1 * float(np.nanmax([highest, *near]))
    return [
        Plot("steer", steer, (-1.0, 1.0)),
        Plot("throttle - brake", pedals, (-1.0, 1.0)),
        Plot("surprise [nats]", surprise, (0.0, top), tuple(near)),
    ]


def _imagined(other: Moment | None, moment: Moment, step: int) -> tuple[np.ndarray | None, tuple[int, int, int]]:
    """The picture that a bundle shows for a step of the clip, and its border: a bundle may begin to imagine later."""
    if other is None:
        return None, SEEN
    place = moment.first + step - other.first
    if place <= 0:
        return moment.pictures[step], SEEN
    return (other.imagined[place - 1], IMAGINED) if place <= len(other.imagined) else (None, SEEN)


def _write(
    canvas: np.ndarray, text: str, place: tuple[int, int], width: int, colour: tuple[int, int, int], size: float = 0.45
) -> None:
    """Write a line, cut to ``width`` [px]. OpenCV's fonts are ASCII only."""
    text = text.encode("ascii", "replace").decode("ascii")
    font = cv2.FONT_HERSHEY_SIMPLEX
    while len(text) > 4 and cv2.getTextSize(text, font, size, 1)[0][0] > width:
        text = text[:-4] + "..." if text.endswith("...") else text[:-3] + "..."
    cv2.putText(canvas, text, place, font, size, colour, 1, cv2.LINE_AA)
