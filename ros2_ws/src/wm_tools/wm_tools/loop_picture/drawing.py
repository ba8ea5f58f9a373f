"""The frames of the animation: camera and model side by side, the commands as bars, and a timeline of the turns."""

from collections.abc import Iterator

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from wm_evaluation.report.palette import BY_NAME, COLOURS

from wm_tools.loop_picture.clip import Clip

WIDTH = 800  # [px] about the width of a picture on GitHub
PANEL, MARGIN, BORDER = 384, 8, 4  # [px]; a panel is six times 64 and four times 96 pixels
CAPTION, FOOT, TIMELINE = 58, 62, 6  # [px] height
HOLD_S = 0.8  # pause on the last picture of each imagination, to compare
_BAR = (96, 246, 10)  # [px] start and end of a bar in its third of the width, and its height
_LARGE, _SMALL = 22, 15  # [px] font sizes


def _dark(name: str) -> str:
    """A colour for a dark background, which looks the same on light and dark pages."""
    return COLOURS[name][1]


_PAPER, _INK, _SOFT, _RULE = _dark("card"), _dark("ink"), _dark("soft"), _dark("rule")
_SEEN, _IMAGINED = _dark("grey"), _dark("amber")


def durations_ms(clip: Clip) -> list[int]:
    """How long each frame is shown: the recording's own pace, with a pause at the end of each imagination."""
    ends_ms = np.rint(1000.0 * clip.period_s * np.arange(len(clip.ahead) + 1)).astype(int)
    held = np.append(np.diff(clip.ahead) < 0, True)
    return (np.diff(ends_ms) + np.where(held, round(1000.0 * HOLD_S), 0)).tolist()


def draw_frames(clip: Clip) -> Iterator[np.ndarray]:
    """The frames uint8 RGB (H, WIDTH, 3), one for each row of the clip, all of one size."""
    cameras, models = (_fitting(pictures.shape[1:3]) for pictures in (clip.camera, clip.model))
    tallest = max(cameras[0], models[0])
    background = _background(clip, tallest)
    for row, ahead in enumerate(clip.ahead):
        canvas = background.copy()
        draw = ImageDraw.Draw(canvas)
        right = WIDTH - MARGIN - PANEL
        for left, pictures, size, colour in (
            (MARGIN, clip.camera, cameras, _SEEN),
            (right, clip.model, models, _IMAGINED if ahead else _SEEN),
        ):
            _draw_panel(canvas, draw, enlarged(pictures[row], size), left, tallest, colour)
        _write_captions(draw, int(ahead), clip.period_s, right)
        _draw_commands(draw, clip.commands[row], canvas.height - FOOT)
        _draw_place(draw, row, len(clip.ahead), canvas.height)
        yield np.asarray(canvas)


def enlarged(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture (h, w, 3) at ``size`` (height, width) [px]; if that is a whole multiple, its pixels stay sharp
    squares."""
    height, width = picture.shape[:2]
    if size == (height, width):
        return picture
    if size[0] % height == 0 and size[1] % width == 0:
        return picture.repeat(size[0] // height, 0).repeat(size[1] // width, 1)
    smaller = size[0] < height
    return cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def _fitting(size: tuple[int, int]) -> tuple[int, int]:
    """The size (height, width) at which a picture fills a panel, at a whole multiple if it is small."""
    scale = PANEL / max(size)
    if scale >= 2.0:
        scale = int(scale)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _font(size: int) -> ImageFont.FreeTypeFont:
    # Pillow's own font, which is the same on every machine.
    return ImageFont.load_default(size)


def _background(clip: Clip, tallest: int) -> Image.Image:
    """What is the same in all frames: names and empty bars of the commands, and the timeline."""
    canvas = Image.new("RGB", (WIDTH, CAPTION + tallest + 2 * BORDER + FOOT), _PAPER)
    draw = ImageDraw.Draw(canvas)
    top = canvas.height - FOOT
    for place, name in enumerate(("steer", "throttle", "brake")):
        left, right, height = _bar(place)
        draw.text((left - 10, top + 22), name, _SOFT, _font(_SMALL), anchor="rm")
        draw.rectangle((left, top + 22 - height // 2, right, top + 22 + height // 2), _RULE)
    count = len(clip.ahead)
    for row, ahead in enumerate(clip.ahead):
        draw.rectangle(
            (
                *_moment(row, count, canvas.height),
                _moment(row + 1, count, canvas.height)[0] - 1,
                canvas.height - MARGIN,
            ),
            _IMAGINED if ahead else _SEEN,
        )
    return canvas


def _draw_panel(
    canvas: Image.Image, draw: ImageDraw.ImageDraw, picture: np.ndarray, left: int, tallest: int, colour: str
) -> None:
    height, width = picture.shape[:2]
    left += (PANEL - width) // 2
    top = CAPTION + BORDER + (tallest - height) // 2
    draw.rectangle((left - BORDER, top - BORDER, left + width + BORDER - 1, top + height + BORDER - 1), colour)
    canvas.paste(Image.fromarray(picture), (left, top))


def _write_captions(draw: ImageDraw.ImageDraw, ahead: int, period_s: float, right: int) -> None:
    if ahead:
        told = f"for {ahead * period_s:.2f} s, from the commands alone"
        lines = (
            ("Camera", _INK, "hidden from the model", _IMAGINED),
            ("The model imagines", _IMAGINED, told, _IMAGINED),
        )
    else:
        lines = (("Camera", _INK, "shown to the model", _SOFT), ("The model sees", _INK, "the camera's picture", _SOFT))
    for left, (title, colour, told, told_colour) in zip((MARGIN, right), lines, strict=True):
        draw.text((left - BORDER, 26), title, colour, _font(_LARGE), anchor="ls")
        draw.text((left - BORDER, 47), told, told_colour, _font(_SMALL), anchor="ls")


def _draw_commands(draw: ImageDraw.ImageDraw, command: np.ndarray, top: int) -> None:
    """Steer from the middle of its bar, positive to the right; throttle and brake from the left."""
    for place, (name, value) in enumerate(zip(("steer", "throttle", "brake"), command, strict=True)):
        left, right, height = _bar(place)
        begin, span = ((left + right) // 2, (right - left) / 2) if name == "steer" else (left, right - left)
        end = begin + round(float(value) * span)
        box = (min(begin, end), top + 22 - height // 2, max(begin, end), top + 22 + height // 2)
        if begin != end:
            draw.rectangle(box, _dark(BY_NAME[name]))
        if name == "steer":
            draw.line((begin, box[1] - 4, begin, box[3] + 4), _INK)


def _draw_place(draw: ImageDraw.ImageDraw, row: int, count: int, height: int) -> None:
    left, top = _moment(row, count, height)
    draw.rectangle((left, top - 5, _moment(row + 1, count, height)[0] - 1, height - MARGIN + 5), _INK)


def _bar(place: int) -> tuple[int, int, int]:
    begin = place * (WIDTH // 3)
    return begin + _BAR[0], begin + _BAR[1], _BAR[2]


def _moment(row: int, count: int, height: int) -> tuple[int, int]:
    """Left and top of a row's part of the timeline, in a frame ``height`` [px] high."""
    return MARGIN - BORDER + (WIDTH - 2 * (MARGIN - BORDER)) * row // count, height - MARGIN - TIMELINE
