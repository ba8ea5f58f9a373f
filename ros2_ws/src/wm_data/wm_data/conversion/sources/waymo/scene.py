"""One scenario as arrays: agents, lights and map, in metres of the scenario's own frame (x east, y north)."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from wm_bundle.times import NS_PER_S

from wm_data.errors import ConversionError

_FARTHEST_M = 1e6  # of a coordinate: Waymo's maps are some kilometres wide, and pixels must fit in 32 bits
_LONGEST_M = 100.0  # of an agent's side
_LATEST_S = 9e9  # of a stamp: nanoseconds must fit in 64 bits

LIGHTS = {1: "stop", 4: "stop", 7: "stop", 2: "caution", 5: "caution", 8: "caution", 3: "go", 6: "go"}
AGENTS = {1: "vehicle", 2: "pedestrian", 3: "cyclist"}
LINES = ("lane", "bike_lane", "road_line", "road_edge")
AREAS = ("crosswalk", "speed_bump", "driveway")


@dataclass(frozen=True)
class Agents:
    """Every track: A agents, T steps."""

    kinds: tuple[str, ...]
    """vehicle, pedestrian, cyclist or other, for each agent."""
    valid: np.ndarray
    """bool (A, T); where it is false, the other arrays are meaningless."""
    positions: np.ndarray
    """float64 (A, T, 2): x, y of the box's centre [m]."""
    sizes: np.ndarray
    """float64 (A, T, 2): length, width [m]."""
    headings: np.ndarray
    """float64 (A, T) [rad], counter-clockwise from x."""
    velocities: np.ndarray
    """float64 (A, T, 2) [m/s] along x and y."""


@dataclass(frozen=True)
class Scene:
    """A scenario. ``lines`` and ``areas`` hold polylines (n, 2) and polygons (n, 2) [m] by kind."""

    stamps_ns: np.ndarray
    """int64 (T,)."""
    agents: Agents
    ego: int
    """Index of the self-driving car among the agents."""
    lines: dict[str, list[np.ndarray]]
    """By LINES."""
    areas: dict[str, list[np.ndarray]]
    """By AREAS."""
    stop_signs: np.ndarray
    """float64 (n, 2) [m]."""
    lights: tuple[dict[str, list[tuple[float, float]]], ...]
    """For each of T steps: stop points [m] by state (stop, caution, go, unknown)."""
    left_out: Counter
    """Counts of implausible data that were skipped, by reason."""


def sensible_stamps_ns(stamps_s: np.ndarray, place: str) -> np.ndarray:
    """int64 [ns] of ``stamps_s`` [s]. Raises ConversionError where there are none, and for invalid times."""
    if not len(stamps_s) or not (np.isfinite(stamps_s) & (np.abs(stamps_s) < _LATEST_S)).all():
        raise ConversionError(f"{place}: {len(stamps_s)} timestamps, expected some, all of them numbers of seconds")
    return np.rint(stamps_s * NS_PER_S).astype(np.int64)


def sensible_agents(kinds: tuple[str, ...], valid: np.ndarray, states: np.ndarray, left_out: Counter) -> Agents:
    """Agents without implausible states, which are counted. valid bool (A, T); states float64 (A,
    T, 7): x, y, length, width, heading, velocity along x and y."""
    with np.errstate(invalid="ignore"):
        sensible = (
            np.isfinite(states).all(axis=2)
            & (np.abs(states[:, :, :2]) < _FARTHEST_M).all(axis=2)
            & ((states[:, :, 2:4] >= 0.0) & (states[:, :, 2:4] < _LONGEST_M)).all(axis=2)
            & (np.abs(states[:, :, 4:]) < _FARTHEST_M).all(axis=2)
        )
    wrong = valid & ~sensible
    if wrong.any():
        left_out["agent state whose numbers make no sense"] += int(wrong.sum())
    valid = valid & sensible
    states = np.where(valid[:, :, None], states, 0.0)
    return Agents(kinds, valid, states[:, :, :2], states[:, :, 2:4], states[:, :, 4], states[:, :, 5:])


def are_sensible(points: np.ndarray, left_out: Counter) -> np.ndarray:
    """bool (n,): which points (n, 2) [m] of a map are plausible; the others are counted."""
    sensible = (np.abs(points) < _FARTHEST_M).all(axis=1)  # false for NaN
    if not sensible.all():
        left_out["map point whose numbers make no sense"] += int((~sensible).sum())
    return sensible


def add_light(
    lights: dict[str, list[tuple[float, float]]], state: float, x: float, y: float, left_out: Counter
) -> None:
    """Add a traffic light at its stop point [m] to those of a step; one without a position is counted."""
    if abs(x) < _FARTHEST_M and abs(y) < _FARTHEST_M:
        lights.setdefault(LIGHTS.get(state, "unknown"), []).append((x, y))
    else:
        left_out["traffic light without a place"] += 1


def without_stubs(parts: dict[str, list[np.ndarray]], fewest: int) -> dict[str, list[np.ndarray]]:
    """Only the lines, or areas, of at least ``fewest`` points."""
    return {kind: [points for points in all_points if len(points) >= fewest] for kind, all_points in parts.items()}
