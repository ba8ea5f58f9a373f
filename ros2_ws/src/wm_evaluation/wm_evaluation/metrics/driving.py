"""Figures of one drive: distance, comfort, smoothness, progress. Pure functions of what a vehicle reported.

Shapes: M moments in the order of their time. SI units; vectors (M, 2) are x and y in the map, left-hand side positive.
"""

import numpy as np


def distance(positions: np.ndarray) -> float:
    """Length [m] of the way through ``positions`` (M, 2) [m]; 0 for fewer than two."""
    return float(np.linalg.norm(np.diff(positions, axis=0), axis=1).sum())


def distance_from_speed(speeds: np.ndarray, stamps: np.ndarray) -> float:
    """Length [m] of the way of ``speeds`` (M,) [m/s] at ``stamps`` (M,) [s], by the trapezoidal rule."""
    return float((0.5 * (speeds[1:] + speeds[:-1]) * np.diff(stamps)).sum())


def in_vehicle_frame(vectors: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """Map vectors (M, 2) as (forward, left) of a vehicle with the heading ``yaw`` (M,) [rad], anticlockwise from x."""
    cosine, sine = np.cos(yaw), np.sin(yaw)
    forward = cosine * vectors[:, 0] + sine * vectors[:, 1]
    left = cosine * vectors[:, 1] - sine * vectors[:, 0]
    return np.stack([forward, left], axis=1)


def longitudinal_acceleration(speeds: np.ndarray, seconds: float | np.ndarray) -> np.ndarray:
    """Change (M - 1,) [m/s²] of ``speeds`` (M,) [m/s] that are ``seconds`` apart, one number or (M - 1,)."""
    return np.diff(speeds) / seconds


def lateral_acceleration(speeds: np.ndarray, yaw_rates: np.ndarray) -> np.ndarray:
    """Speed times yaw rate (M,) [m/s²] of ``speeds`` [m/s] and ``yaw_rates`` [rad/s]: for one that does not slide."""
    return speeds * yaw_rates


def jerk(accelerations: np.ndarray, seconds: float | np.ndarray) -> np.ndarray:
    """Change [m/s³] of ``accelerations`` [m/s²], (M,) to (M - 1,) or vectors (M, 2) to (M - 1, 2). They are ``seconds``
    apart, one number or (M - 1,). Vectors must be in the map's frame: one that turns has a jerk of its own."""
    changes = np.diff(accelerations, axis=0)
    return (changes.T / seconds).T


def root_mean_square(values: np.ndarray) -> float:
    """NaN without any value."""
    return float(np.sqrt(np.mean(np.square(values)))) if len(values) else float("nan")


def mean_change(values: np.ndarray) -> float:
    """Mean absolute difference between successive values; NaN for fewer than two."""
    return float(np.abs(np.diff(values)).mean()) if len(values) > 1 else float("nan")


def per_minute(count: int, seconds: float) -> float:
    """Events in a minute; NaN without time."""
    return 60.0 * count / seconds if seconds > 0.0 else float("nan")


def per_kilometre(count: int, metres: float) -> float:
    """Events in a kilometre; NaN for a vehicle that did not move."""
    return 1000.0 * count / metres if metres > 0.0 else float("nan")
