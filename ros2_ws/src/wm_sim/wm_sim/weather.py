"""Light and weather: how a picture of a world differs from the one that is drawn, at noon on a dry day.

Only pictures change; the cars, the experts and every other message are the same. ``noon`` changes nothing, bit for bit.
What depends on the distance is in wm_sim.air, the rest in wm_sim.lens. This module needs only Python itself.
"""

import math
import random
from dataclasses import dataclass, replace

RANDOM = "random"
LEAST_LIGHT, MOST_LIGHT = 0.05, 3.0  # of the factor that a user gives
FOG, GLOW = (196, 200, 204), (255, 150, 80)  # colours, RGB: of fog, and of the sky near a low sun
WET_GROUND = 0.62  # of its brightness
VISIBLE = 0.05  # share of the contrast that is left at the visibility, by its definition in meteorology


@dataclass(frozen=True)
class Weather:
    """One kind of light and weather."""

    light: float = 1.0  # factor of the brightness
    warmth: float = 0.0  # -1 (bluish) to 1 (reddish)
    contrast: float = 1.0
    visibility_m: float = math.inf  # in fog
    glow: float = 0.0  # of a low sun in the sky, 0 to 1
    wetness: float = 0.0  # of the ground, 0 to 1: darker, and it reflects the sky
    noise: float = 0.0  # [of 255] standard deviation of the camera's noise

    def remaining(self, distance_m):
        """Share of a thing's colour that fog leaves at a distance [m], one number or an array; the rest is fog."""
        return VISIBLE ** (distance_m / self.visibility_m)


NOON = Weather()
PRESETS = {
    "noon": NOON,
    "sun": Weather(light=1.08, warmth=0.25, contrast=1.2),
    "cloudy": Weather(light=0.8, warmth=-0.25, contrast=0.85),
    "dusk": Weather(light=0.5, warmth=0.5, contrast=0.9, glow=0.8, noise=4.0),
    "fog": Weather(light=0.95, contrast=0.95, visibility_m=60.0),
    "wet": Weather(light=0.85, warmth=-0.1, wetness=0.8),
    "rain": Weather(light=0.65, warmth=-0.2, contrast=0.9, visibility_m=200.0, wetness=1.0, noise=6.0),
}
WEATHERS = (*PRESETS, RANDOM)


def weather_of(name: str, seed: int, light: float = 1.0) -> Weather:
    """The weather of an episode: a preset, or for ``random`` one that depends on the episode's seed alone. ``light``
    is a further factor of the brightness."""
    weather = _drawn(random.Random(f"weather {seed}")) if name == RANDOM else PRESETS[name]
    return replace(weather, light=weather.light * light)


def _drawn(rng: random.Random) -> Weather:
    """Each property for itself, so that every mixture comes: a third of the days are wet, a third foggy."""
    draw, warmth = rng.uniform, rng.uniform(-0.5, 0.6)
    return Weather(
        light=math.exp(draw(math.log(0.4), math.log(1.2))),
        warmth=warmth,
        contrast=draw(0.8, 1.2),
        visibility_m=math.exp(draw(math.log(40.0), math.log(400.0))) if draw(0, 3) < 1 else math.inf,
        glow=max(0.0, warmth),  # warm light is that of a low sun
        wetness=draw(0.3, 1.0) if draw(0, 3) < 1 else 0.0,
        noise=draw(0.0, 6.0),
    )
