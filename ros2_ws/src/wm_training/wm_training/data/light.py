"""Other light in training pictures, so that a model drives at dusk and towards the sun as well."""

import cv2
import numpy as np


def draw_lights(random: np.random.Generator, sequences: int, strength: float) -> np.ndarray:
    """Factors (sequences, 3) on red, green and blue; half of the sequences keep their light, all ones.

    The others are brighter or darker by a factor from 1 / (1 + strength) to 1 + strength, equally likely below and
    above 1, and each colour by an additional factor of a quarter of that range."""
    reach = np.log1p(strength)
    logarithms = random.uniform(-reach, reach, (sequences, 1)) + random.uniform(-reach, reach, (sequences, 3)) / 4.0
    changed = random.random((sequences, 1)) < 0.5
    return np.exp(logarithms * changed)


def change_light(pictures: np.ndarray, lights: np.ndarray) -> None:
    """Multiply the colours of sequences, in place: pictures (B, T, 3K, H, W) uint8 RGB, lights (B, 3).

    Overexposed parts are white, as in a camera.
    """
    tables = np.clip(np.arange(256) * lights[..., None] + 0.5, 0, 255).astype(np.uint8)
    for sequence, light, table in zip(pictures, lights, tables, strict=True):
        if (light == 1.0).all():
            continue
        for row in sequence:
            for channel, plane in enumerate(row):
                cv2.LUT(plane, table[channel % 3], dst=plane)
