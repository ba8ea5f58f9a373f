"""When rectangles on the map would touch, if each kept its velocity and its heading."""

import math

import numpy as np


def time_to_collision(
    place: np.ndarray,
    yaw: float,
    size: tuple[float, float],
    velocity: np.ndarray,
    places: np.ndarray,
    yaws: np.ndarray,
    sizes: np.ndarray,
    velocities: np.ndarray,
) -> float:
    """Time [s] until the car's rectangle touches the first of n others; 0 for one that it touches now, infinite where
    it meets none.

    ``place`` (2,) is its middle [m], ``size`` its length and width [m], ``velocity`` (2,) [m/s], all on the map; those
    of the others are (n, 2), ``yaws`` (n,) [rad].
    """
    count = len(places)
    if not count:
        return math.inf
    own = _axes(np.full(count, yaw))  # (n, 2, 2): the directions of length and width, as rows
    theirs = _axes(np.asarray(yaws, np.float64))
    # Convex shapes are apart as long as they are on one of the normals of their sides.
    normals = np.concatenate([own, theirs], axis=1)  # (n, 4, 2)
    apart = (normals @ (np.asarray(places, np.float64) - place)[..., None])[..., 0]  # (n, 4) of the middles
    closing = (normals @ (np.asarray(velocities, np.float64) - velocity)[..., None])[..., 0]
    reach = _reach(normals, own, np.broadcast_to(size, (count, 2))) + _reach(normals, theirs, np.asarray(sizes))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        times = np.stack([(-reach - apart) / closing, (reach - apart) / closing])  # (2, n, 4)
    enters, leaves = times.min(axis=0), times.max(axis=0)
    still = closing == 0.0
    inside = np.abs(apart) <= reach
    enters = np.where(still, np.where(inside, -math.inf, math.inf), enters).max(axis=1)
    leaves = np.where(still, np.where(inside, math.inf, -math.inf), leaves).min(axis=1)
    meets = (enters <= leaves) & (leaves >= 0.0)
    return float(np.maximum(enters[meets], 0.0).min(initial=math.inf))


def _axes(yaws: np.ndarray) -> np.ndarray:
    cosine, sine = np.cos(yaws), np.sin(yaws)
    return np.stack([np.stack([cosine, sine], 1), np.stack([-sine, cosine], 1)], 1)


def _reach(normals: np.ndarray, axes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(n, 4): how far rectangles of these ``axes`` (n, 2, 2) and ``sizes`` (n, 2) reach from their middle."""
    return (np.abs(normals @ axes.transpose(0, 2, 1)) * (sizes / 2.0)[:, None]).sum(axis=2)
