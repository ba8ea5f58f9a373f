"""Fog and wet ground in the pictures of a pinhole camera, by distance: that of the ground, on which everything stands,
and of each face of what stands on it."""

from dataclasses import replace

import cv2
import numpy as np

from wm_sim.ground_view import SKY, GroundView, Layer, Medium
from wm_sim.weather import FOG, GLOW, WET_GROUND, Weather

FOG_TOP_M = 30.0  # above the camera: the sky is seen through it
MIRROR, GLANCING = 0.05, 0.6  # share of the sky that wet ground reflects, seen from above, and more at a flat angle


class Air(Medium):
    """What is between one camera and the flat world, in one weather."""

    def __init__(self, view: GroundView, weather: Weather):
        self._weather = weather
        up = view.upward  # (height, width) of the canvas
        ground, flat = up < 0.0, np.maximum(np.abs(up), 1e-6)
        left = weather.remaining(np.where(ground, view.camera.mount.z, FOG_TOP_M).astype(np.float32) / flat)
        # What the sky adds to the ground's own colour, and a low sun to the sky's.
        wet, steep = weather.wetness, 1.0 - flat
        shine = np.where(ground, wet * (MIRROR + GLANCING * steep**5), weather.glow * steep**2)
        kept = 255.0 * left * (1.0 - shine) * np.where(ground, 1.0 - (1.0 - WET_GROUND) * wet, 1.0)
        self._kept = cv2.merge([kept.round().astype(np.uint8)] * 3)
        self._added = cv2.merge(
            [
                (left * shine * np.where(ground, sky, glow) + (1.0 - left) * fog).round().astype(np.uint8)
                for sky, glow, fog in zip(SKY, GLOW, FOG, strict=True)
            ]
        )

    def cover(self, canvas: np.ndarray) -> None:
        cv2.multiply(canvas, self._kept, canvas, scale=1 / 255)
        cv2.add(canvas, self._added, canvas)

    def faces(self, layer: Layer, eye: np.ndarray) -> Layer:
        middles = layer.polygons.mean(axis=1)
        away = np.linalg.norm(middles - eye[: middles.shape[1]], axis=1)
        left = self._weather.remaining(away)[:, None]
        return replace(layer, colours=layer.colours * left + np.array(FOG) * (1.0 - left))


def air_of(view: GroundView, weather: Weather) -> Air | None:
    """None where there is nothing to see of it."""
    seen = weather.wetness or weather.glow or weather.visibility_m < float("inf")
    return Air(view, weather) if seen else None
