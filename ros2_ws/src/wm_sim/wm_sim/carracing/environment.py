"""gymnasium's CarRacing-v3, drawn on demand, and its world as polygons on the ground."""

import math
import os
from functools import lru_cache

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # no window and no sound device is ever needed
os.environ.setdefault("SDL_AUDIODRIVER", "dummy")
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import numpy as np  # noqa: E402  (the variables above must be set before pygame is imported)
import pygame  # noqa: E402
from gymnasium.envs.box2d.car_racing import (  # noqa: E402
    GRASS_DIM,
    MAX_SHAPE_DIM,
    PLAYFIELD,
    TRACK_WIDTH,
    WINDOW_H,
    WINDOW_W,
    CarRacing,
)

from wm_sim.ground_view import Layer  # noqa: E402

_kept_font = lru_cache(pygame.font.Font)  # gymnasium opens it for every picture: a third of the time of drawing

ROAD_HALF_WIDTH_M = TRACK_WIDTH  # gymnasium's TRACK_WIDTH is measured from the centre line to the edge

# (400, 4, 2) [m] vertices of the brighter squares of grass, in gymnasium's order
_GRASS = (
    np.array([[(x + 1, y), (x, y), (x, y + 1), (x + 1, y + 1)] for x in range(-20, 20, 2) for y in range(-20, 20, 2)])
    * GRASS_DIM
)


def _near(polygons: np.ndarray, place, reach_m: float) -> np.ndarray:
    """Indices, in order, of the polygons (P, 4, 2) with a vertex within ``reach_m`` of a place."""
    squared = ((polygons - (place[0], place[1])) ** 2).sum(axis=2)
    return np.nonzero(squared.min(axis=1) < reach_m**2)[0]


def _ground_polygons(road: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Field, grass and road (P, 4, 2) as polygons (Q, 4, 2) and which of their edges are not seams (Q, 4)."""
    edge = PLAYFIELD
    field = np.array([[(edge, edge), (edge, -edge), (-edge, -edge), (-edge, edge)]])
    exact = np.ones((1 + len(_GRASS) + len(road), 4), bool)
    exact[1 + len(_GRASS) :, ::2] = False  # across the road; the next tile or kerb begins there
    return np.concatenate([field, _GRASS, road]), exact


def _car_layer(car) -> Layer:
    """The car's shapes on the ground, in CarRacing's order: wheels, then the hull."""
    shapes, colours = [], []
    for body in car.drawlist:
        for fixture in body.fixtures:
            shapes.append([tuple(body.transform * vertex) for vertex in fixture.shape.vertices])
            colours.append([int(part * 255) for part in body.color])
    corners = max(len(shape) for shape in shapes)
    padded = [shape + shape[-1:] * (corners - len(shape)) for shape in shapes]
    return Layer(np.array(padded), np.array(colours, np.uint8))


class LazyCarRacing(CarRacing):
    """CarRacing whose ``step`` does not draw: the picture of the current frame is drawn by ``draw``.

    gymnasium draws inside ``step``, before that frame's -0.1 is counted, and the score is part of the picture. So the
    score at that moment is stored and restored while drawing; nothing else in the picture changes afterwards.
    """

    _score_in_picture = 0.0

    def _render(self, mode: str):
        self._score_in_picture = self.reward
        return None

    def _render_road(self, zoom: float, translation, angle: float) -> None:
        """Like gymnasium's, but skips polygons far outside the picture in one operation.

        gymnasium rotates each of some 730 polygons in Python to find the 50 visible ones, which took most of the time.
        The check here is coarse; gymnasium's own still decides about the rest."""
        # The car is drawn at (W/2, H/4): nothing farther away than the farthest corner, plus a polygon, is visible.
        reach = math.hypot(WINDOW_W / 2 + MAX_SHAPE_DIM, WINDOW_H * 3 / 4 + MAX_SHAPE_DIM) / zoom + 1.0
        if max(map(abs, self.car.hull.position)) + reach < PLAYFIELD:
            self.surf.fill(self.bg_color)
        else:  # the field's edge may be visible
            field = [(PLAYFIELD, PLAYFIELD), (PLAYFIELD, -PLAYFIELD), (-PLAYFIELD, -PLAYFIELD), (-PLAYFIELD, PLAYFIELD)]
            self._draw_colored_polygon(self.surf, field, self.bg_color, zoom, translation, angle, clip=False)
        for k in _near(_GRASS, self.car.hull.position, reach):
            self._draw_colored_polygon(self.surf, _GRASS[k], self.grass_color, zoom, translation, angle)
        for k in _near(self.road_vertices(), self.car.hull.position, reach):
            polygon, color = self.road_poly[k]
            self._draw_colored_polygon(self.surf, polygon, [int(part) for part in color], zoom, translation, angle)

    def reset(self, **arguments):
        self._road_vertices = self._ground = None  # of the new track, made at its first drawing
        return super().reset(**arguments)

    def road_vertices(self) -> np.ndarray:
        """(P, 4, 2) [m] corners of the road's tiles and kerbs, in the order of their painting."""
        if self._road_vertices is None:
            self._road_vertices = np.array([polygon for polygon, _ in self.road_poly])
        return self._road_vertices

    def draw(self) -> np.ndarray:
        """The current frame: (96, 96, 3) uint8 RGB, equal to what plain CarRacing returns for it."""
        score, font = self.reward, pygame.font.Font
        self.reward, pygame.font.Font = self._score_in_picture, _kept_font
        try:
            return super()._render("state_pixels")
        finally:
            self.reward, pygame.font.Font = score, font

    def layers(self) -> list[Layer]:
        """The ground now, in painting order: field, grass, road with kerbs; then the car."""
        if self._ground is None:
            self._ground = _ground_polygons(self.road_vertices())
        polygons, exact = self._ground
        # As in CarRacing: colours are truncated. Tiles change colour when first driven on.
        road = np.array([color for _, color in self.road_poly], np.float64)
        colours = np.vstack([self.bg_color, np.tile(self.grass_color, (len(_GRASS), 1)), road]).astype(np.uint8)
        return [Layer(polygons, colours, exact), _car_layer(self.car)]
