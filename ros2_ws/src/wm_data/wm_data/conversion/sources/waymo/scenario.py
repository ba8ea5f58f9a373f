"""Scenario messages, the files of the dataset's `scenario` folder, as scenes."""

import math
from collections import Counter

import numpy as np
from google.protobuf.message import DecodeError

import wm_data.conversion.sources.waymo.scene as parts
from wm_data.conversion.sources.waymo.scene import Agents, Scene
from wm_data.conversion.sources.waymo.schema import message_class
from wm_data.errors import ConversionError

_BIKE_LANE = 3
_STATE = ("center_x", "center_y", "length", "width", "heading", "velocity_x", "velocity_y")


def scene_of_scenario(payload: bytes, place: str) -> Scene:
    """Read a Scenario. ``place`` is its origin, for messages. Raises ConversionError if it is not one."""
    scenario = message_class("Scenario")()
    try:
        scenario.ParseFromString(payload)
    except DecodeError as error:
        raise ConversionError(f"{place}: no Waymo Scenario ({error}); expected files of Waymo Motion") from None
    if not scenario.tracks:
        raise ConversionError(f"{place}: a record without tracks, so no Waymo Scenario; expected files of Waymo Motion")
    stamps_ns = parts.sensible_stamps_ns(np.array(scenario.timestamps_seconds, np.float64), place)
    if not 0 <= scenario.sdc_track_index < len(scenario.tracks):
        raise ConversionError(
            f"{place}: the self-driving car is track {scenario.sdc_track_index}, there are {len(scenario.tracks)}"
        )
    left_out: Counter = Counter()
    lines, areas, stop_signs = _map(scenario.map_features, left_out)
    return Scene(
        stamps_ns=stamps_ns,
        agents=_agents(scenario.tracks, len(stamps_ns), place, left_out),
        ego=scenario.sdc_track_index,
        lines=lines,
        areas=areas,
        stop_signs=stop_signs,
        lights=_lights(scenario.dynamic_map_states, len(stamps_ns), place, left_out),
        left_out=left_out,
    )


def _agents(tracks, steps: int, place: str, left_out: Counter) -> Agents:
    states = np.zeros((len(tracks), steps, 7))
    valid = np.zeros((len(tracks), steps), bool)
    for a, track in enumerate(tracks):
        if len(track.states) != steps:
            raise ConversionError(f"{place}: track {a} has {len(track.states)} states, there are {steps} timestamps")
        for t, state in enumerate(track.states):
            if state.valid:
                valid[a, t] = True
                states[a, t] = [getattr(state, name) for name in _STATE]
    return parts.sensible_agents(
        tuple(parts.AGENTS.get(track.object_type, "other") for track in tracks), valid, states, left_out
    )


def _map(features, left_out: Counter) -> tuple[dict, dict, np.ndarray]:
    lines: dict[str, list[np.ndarray]] = {kind: [] for kind in parts.LINES}
    areas: dict[str, list[np.ndarray]] = {kind: [] for kind in parts.AREAS}
    signs = []
    for feature in features:
        if feature.HasField("lane"):
            kind = "bike_lane" if feature.lane.type == _BIKE_LANE else "lane"
            lines[kind].append(_points(feature.lane.polyline, left_out))
        for kind in ("road_line", "road_edge"):
            if feature.HasField(kind):
                lines[kind].append(_points(getattr(feature, kind).polyline, left_out))
        for kind in parts.AREAS:
            if feature.HasField(kind):
                areas[kind].append(_points(getattr(feature, kind).polygon, left_out))
        if feature.HasField("stop_sign") and feature.stop_sign.HasField("position"):
            signs.append(feature.stop_sign.position)
    return parts.without_stubs(lines, 2), parts.without_stubs(areas, 3), _points(signs, left_out)


def _points(points, left_out: Counter) -> np.ndarray:
    """(n, 2) [m] of map points, without implausible ones."""
    array = np.array([(point.x, point.y) for point in points], np.float64).reshape(-1, 2)
    return array[parts.are_sensible(array, left_out)]


def _lights(states, steps: int, place: str, left_out: Counter) -> tuple[dict[str, list[tuple[float, float]]], ...]:
    if len(states) not in (0, steps):
        raise ConversionError(f"{place}: {len(states)} states of the traffic lights, there are {steps} timestamps")
    by_step = []
    for state in states:
        lights: dict[str, list[tuple[float, float]]] = {}
        for lane in state.lane_states:
            place_known = lane.HasField("stop_point")
            x, y = (lane.stop_point.x, lane.stop_point.y) if place_known else (math.nan, math.nan)
            parts.add_light(lights, lane.state, x, y, left_out)
        by_step.append(lights)
    return tuple(by_step) or ({},) * steps
