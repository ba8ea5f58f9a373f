"""Figures of one drive: distance, comfort, smoothness, progress. Pure functions of a vehicle's reported motion.

Shapes: M moments in time order. SI units; vectors (M, 2) are x and y in the map, left positive.
"""

import numpy as np


def distance(positions: np.ndarray) -> float:
    """Length [m] of the path through ``positions`` (M, 2) [m]; 0 for fewer than two."""
    return float(np.linalg.norm(np.diff(positions, axis=0), axis=1).sum())


def distance_from_speed(speeds: np.ndarray, stamps: np.ndarray) -> float:
    """Distance [m] driven at ``speeds`` (M,) [m/s] at ``stamps`` (M,) [s], by the trapezoidal rule."""
    return float((0.5 * (speeds[1:] + speeds[:-1]) * np.diff(stamps)).sum())


def in_vehicle_frame(vectors: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """Map vectors (M, 2) as (forward, left) of a vehicle with the heading ``yaw`` (M,) [rad], counterclockwise from
    x."""
    cosine, sine = np.cos(yaw), np.sin(yaw)
    forward = cosine * vectors[:, 0] + sine * vectors[:, 1]
    left = cosine * vectors[:, 1] - sine * vectors[:, 0]
    return np.stack([forward, left], axis=1)


def longitudinal_acceleration(speeds: np.ndarray, seconds: float | np.ndarray) -> np.ndarray:
    """Acceleration (M - 1,) [m/s²] from ``speeds`` (M,) [m/s] that are ``seconds`` apart, one number or (M - 1,)."""
    return np.diff(speeds) / seconds


def lateral_acceleration(speeds: np.ndarray, yaw_rates: np.ndarray) -> np.ndarray:
    """Lateral acceleration (M,) [m/s²] as ``speeds`` [m/s] times ``yaw_rates`` [rad/s]: valid without sliding."""
    return speeds * yaw_rates


def jerk(accelerations: np.ndarray, seconds: float | np.ndarray) -> np.ndarray:
    """Jerk [m/s³] from ``accelerations`` [m/s²], (M,) to (M - 1,) or vectors (M, 2) to (M - 1, 2). They are ``seconds``
    apart, one number or (M - 1,). Vectors must be in the map's frame: a rotating frame would add to the jerk."""
    changes = np.diff(accelerations, axis=0)
    return (changes.T / seconds).T


def root_mean_square(values: np.ndarray) -> float:
    """NaN without any value."""
    return float(np.sqrt(np.mean(np.square(values)))) if len(values) else float("nan")


def mean_change(values: np.ndarray) -> float:
    """Mean absolute difference between successive values; NaN for fewer than two."""
    return float(np.abs(np.diff(values)).mean()) if len(values) > 1 else float("nan")


def per_minute(count: int, seconds: float) -> float:
    """Events per minute; NaN without time."""
    return 60.0 * count / seconds if seconds > 0.0 else float("nan")


def per_kilometre(count: int, metres: float) -> float:
    """Events per kilometre; NaN for a vehicle that did not move."""
    return 1000.0 * count / metres if metres > 0.0 else float("nan")
