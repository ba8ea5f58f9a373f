"""What light does to every pixel of a picture alike, and the camera's noise."""

import cv2
import numpy as np

from wm_sim.weather import FOG, WET_GROUND, Weather

OVERHEAD_M = 12.0  # a picture from above has no distances: fog covers it as at this one
MIDDLE = 118.0  # [of 255] the brightness that contrast does not change
WARM = (0.22, 0.0, -0.32)  # share by which a warmth of 1 changes red, green and blue
_TILE = 64  # [px] by which the pattern of noise is larger than the picture
_PATTERN = 0x5EA  # so that it is drawn apart from the world


class Lens:
    """For pictures of one size in one episode."""

    def __init__(self, weather: Weather, width: int, height: int, seed: int, overhead: bool):
        """``overhead``: a picture without distances, so fog and wetness change every pixel alike too."""
        self._of = weather, seed
        levels = np.arange(256.0)[:, None].repeat(3, axis=1)  # (256, 3) RGB
        if overhead:
            left = weather.remaining(OVERHEAD_M)
            levels = levels * (1.0 - (1.0 - WET_GROUND) * weather.wetness) * left + np.array(FOG) * (1.0 - left)
        levels = (levels - MIDDLE) * weather.contrast + MIDDLE
        levels = levels * weather.light * (1.0 + weather.warmth * np.array(WARM))
        self._levels = np.clip(np.rint(levels), 0, 255).astype(np.uint8)[None]
        self._noise = None
        if weather.noise:
            rng = np.random.default_rng((seed, _PATTERN))
            size = height + _TILE, width + _TILE, 3
            self._noise = np.rint(rng.standard_normal(size, np.float32) * weather.noise).astype(np.int16)

    def fits(self, weather: Weather, seed: int) -> bool:
        """Whether it was made for this episode."""
        return self._of == (weather, seed)

    def seen(self, picture: np.ndarray, step: int) -> np.ndarray:
        """The picture (height, width, 3) uint8 RGB of this step of the episode, through the lens; a new array."""
        result = cv2.LUT(picture, self._levels)
        if self._noise is None:
            return result
        height, width = picture.shape[:2]
        down, across = 37 * step % _TILE, 23 * step % _TILE  # another part of the pattern in every step
        part = self._noise[down : down + height, across : across + width]
        return cv2.add(result, part, dtype=cv2.CV_8U)
