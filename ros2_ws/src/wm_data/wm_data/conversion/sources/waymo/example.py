"""tf.Example messages, the files of the dataset's `tf_example` folder, as scenes: flat tensors, maps as samples."""

from collections import Counter

import numpy as np
from google.protobuf.message import DecodeError

import wm_data.conversion.sources.waymo.scene as parts
from wm_data.conversion.sources.waymo.scene import Scene
from wm_data.conversion.sources.waymo.schema import message_class
from wm_data.errors import ConversionError

_PERIODS = ("past", "current", "future")
_STATES = ("x", "y", "length", "width", "bbox_yaw", "velocity_x", "velocity_y")
_MAP = {1: "lane", 2: "lane", 3: "bike_lane", **dict.fromkeys(range(6, 14), "road_line"), 15: "road_edge"}
_MAP |= {16: "road_edge", 17: "stop_sign", 18: "crosswalk", 19: "speed_bump", 20: "driveway"}


def is_example(payload: bytes) -> bool:
    """Whether a record is a tf.Example of Waymo Motion, judged by its first bytes and content."""
    return payload.startswith(b"\x0a") and b"state/current/x" in payload


def scene_of_example(payload: bytes, place: str) -> Scene:
    """Read a tf.Example. ``place`` is its origin, for messages. Raises ConversionError for a damaged one."""
    tensors = _Tensors(payload, place)
    is_ego = tensors.of("state/is_sdc", 1)[:, 0] == 1
    if is_ego.sum() != 1:
        raise ConversionError(f"{place}: {is_ego.sum()} self-driving cars, expected one")
    agents = len(is_ego)
    periods = [period for period in _PERIODS if f"state/{period}/x" in tensors]
    stamps = np.concatenate([tensors.by_row(f"state/{period}/timestamp_micros", agents) for period in periods], axis=1)
    stamps_ns = parts.sensible_stamps_ns(stamps.max(axis=0) / 1e6, place)  # -1 for agents that are not there
    left_out: Counter = Counter()
    states = np.empty((agents, len(stamps_ns), len(_STATES)))
    for k, name in enumerate(_STATES):
        states[:, :, k] = tensors.over_time(f"state/{{}}/{name}", periods, (agents, len(stamps_ns)))
    valid = tensors.over_time("state/{}/valid", periods, (agents, len(stamps_ns))) == 1
    types = tensors.of("state/type", 1)[:, 0].tolist()
    if len(types) != agents:
        raise ConversionError(f"{place}: state/type has {len(types)} values, there are {agents} agents")
    lines, areas, stop_signs = _map(tensors, place, left_out)
    return Scene(
        stamps_ns=stamps_ns,
        agents=parts.sensible_agents(tuple(parts.AGENTS.get(kind, "other") for kind in types), valid, states, left_out),
        ego=int(np.argmax(is_ego)),
        lines=lines,
        areas=areas,
        stop_signs=stop_signs,
        lights=_lights(tensors, periods, agents, left_out),
        left_out=left_out,
    )


class _Tensors:
    """The features of an example by name, as arrays."""

    def __init__(self, payload: bytes, place: str):
        example = message_class("Example")()
        try:
            example.ParseFromString(payload)
        except DecodeError as error:
            raise ConversionError(f"{place}: no tf.Example ({error}); the file is damaged") from None
        self._place = place
        self._features = {entry.key: entry.value for entry in example.features.feature}

    def __contains__(self, name: str) -> bool:
        return name.encode() in self._features

    def of(self, name: str, columns: int) -> np.ndarray:
        """float64 (n, columns) of a feature; int64 where it has integers."""
        feature = self._features.get(name.encode())
        if feature is None:
            raise ConversionError(f"{self._place}: the tf.Example lacks {name}")
        if feature.HasField("int64_list"):
            values = np.array(feature.int64_list.value, np.int64)
        else:
            with np.errstate(invalid="ignore"):  # non-finite values are skipped later
                values = np.array(feature.float_list.value, np.float64)
        if len(values) % columns:
            raise ConversionError(f"{self._place}: {name} has {len(values)} values, expected a multiple of {columns}")
        return values.reshape(-1, columns)

    def by_row(self, name: str, rows: int) -> np.ndarray:
        flat = self.of(name, 1)[:, 0]
        if len(flat) % rows:
            raise ConversionError(f"{self._place}: {name} has {len(flat)} values, expected a multiple of {rows}")
        return flat.reshape(rows, -1)

    def over_time(self, pattern: str, periods: list[str], shape: tuple[int, int]) -> np.ndarray:
        """``shape`` (rows, T) of the features of all periods, concatenated."""
        whole = np.concatenate([self.by_row(pattern.format(period), shape[0]) for period in periods], axis=1)
        if whole.shape != shape:
            raise ConversionError(
                f"{self._place}: {pattern.format('*')} has {whole.shape[1]} steps, there are {shape[1]} timestamps"
            )
        return whole


def _map(tensors: _Tensors, place: str, left_out: Counter) -> tuple[dict, dict, np.ndarray]:
    points = tensors.of("roadgraph_samples/xyz", 3)[:, :2].astype(np.float64)
    labels = [tensors.of(f"roadgraph_samples/{name}", 1)[:, 0] for name in ("type", "id", "valid")]
    if any(len(label) != len(points) for label in labels):
        raise ConversionError(f"{place}: roadgraph_samples has {len(points)} points, not as many types, ids or flags")
    kept = labels[2] == 1
    kept[kept] = parts.are_sensible(points[kept], left_out)
    points, kinds, identities = points[kept], labels[0][kept], labels[1][kept]
    begins = np.flatnonzero((np.diff(kinds) != 0) | (np.diff(identities) != 0)) + 1
    found: dict[str, list[np.ndarray]] = {kind: [] for kind in (*parts.LINES, *parts.AREAS, "stop_sign")}
    for kind, part in zip(kinds[[0, *begins]].tolist() if len(kinds) else (), np.split(points, begins), strict=False):
        if kind in _MAP:
            found[_MAP[kind]].append(part)
    signs = np.concatenate([np.zeros((0, 2)), *found["stop_sign"]])
    lines, areas = {kind: found[kind] for kind in parts.LINES}, {kind: found[kind] for kind in parts.AREAS}
    return parts.without_stubs(lines, 2), parts.without_stubs(areas, 3), signs


def _lights(tensors: _Tensors, periods: list[str], agents: int, left_out: Counter) -> tuple[dict, ...]:
    """The lights of each step by state; none if the example lacks these features."""
    by_step: list[dict[str, list[tuple[float, float]]]] = []
    for period in periods:
        steps = tensors.by_row(f"state/{period}/x", agents).shape[1]
        by_step += [{} for _ in range(steps)]
        names = [f"traffic_light_state/{period}/{name}" for name in ("state", "x", "y", "valid")]
        if steps == 0 or not all(name in tensors for name in names):
            continue
        columns = [tensors.by_row(name, steps).tolist() for name in names]
        for lights, *values in zip(by_step[-steps:], *columns, strict=True):
            for state, x, y, valid in zip(*values, strict=False):
                if valid == 1:
                    parts.add_light(lights, state, x, y, left_out)
    return tuple(by_step)
