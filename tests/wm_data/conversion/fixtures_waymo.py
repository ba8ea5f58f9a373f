"""Waymo Motion files, written byte by byte as the dataset has them, without the reader's own descriptor."""

import math
import struct
from pathlib import Path

import google_crc32c


def varint(value: int) -> bytes:
    """A variable-length number; negative ones as 64 bits."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: bytes | str | int | float, wire: str = "d") -> bytes:
    """One field of a message: bytes and text with their length, int as varint, float as "d"ouble or "f"loat."""
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(number << 3 | {"d": 1, "f": 5}[wire]) + struct.pack(f"<{wire}", value)
    return varint(number << 3) + varint(value)


def point(x: float, y: float) -> bytes:
    """A MapPoint."""
    return field(1, float(x)) + field(2, float(y)) + field(3, 12.5)


def state(x: float, y: float, heading: float, speed: float, size=(4.8, 2.0), valid: bool = True) -> bytes:
    """An ObjectState that moves along its heading."""
    if not valid:
        return field(11, 0)
    numbers = [(5, size[0]), (6, size[1]), (7, 1.6), (8, (heading + math.pi) % (2 * math.pi) - math.pi)]
    numbers += [(9, speed * math.cos(heading)), (10, speed * math.sin(heading))]
    return (
        b"".join(field(number, float(value)) for number, value in ((2, x), (3, y), (4, 12.5)))
        + b"".join(field(number, float(value), "f") for number, value in numbers)
        + field(11, 1)
    )


def track(identity: int, kind: int, states: list[bytes]) -> bytes:
    """A Track."""
    return field(1, identity) + field(2, kind) + b"".join(field(3, one) for one in states)


def polyline(number: int, points, kind: int | None = None, kind_field: int = 1) -> bytes:
    """A lane, line, edge or polygon whose points are in field ``number``."""
    head = b"" if kind is None else field(kind_field, kind)
    return head + b"".join(field(number, point(*xy)) for xy in points)


def light(place: tuple[float, float], state_number: int) -> bytes:
    """A TrafficSignalLaneState."""
    return field(1, 77) + field(2, state_number) + field(3, point(*place))


def motion(steps: int, step_s: float, yaw_rates=None, accelerations=None, speed: float = 8.0, start=(100.0, 50.0)):
    """States (x, y, heading, speed) of a car, whose yaw rate [rad/s] and acceleration are given for each step."""
    x, y, heading = *start, 0.3
    path = []
    for t in range(steps):
        path.append((x, y, heading, speed))
        x += speed * math.cos(heading) * step_s
        y += speed * math.sin(heading) * step_s
        heading += step_s * (0.0 if yaw_rates is None else yaw_rates[t])
        speed += step_s * (0.0 if accelerations is None else accelerations[t])
    return path


def scenario(
    identity: str = "19a486cd29abd7a7",
    path=None,
    others=(),
    features=(),
    lights=(),
    invalid=(),
    stamps=None,
    size=(5.286, 2.332),
    sdc_index: int | None = None,
) -> bytes:
    """A Scenario of one car that follows ``path``, with fields in the order in which protobuf writes them.

    others: Tracks that come before it; features: MapFeatures; lights: for each step a list of TrafficSignalLaneStates;
    invalid: steps at which the car's state is invalid.
    """
    path = motion(20, 0.1) if path is None else path
    stamps = [0.1 * t for t in range(len(path))] if stamps is None else stamps
    states = [state(*pose, size=size, valid=t not in invalid) for t, pose in enumerate(path)]
    parts = [field(1, float(stamp)) for stamp in stamps]
    parts += [field(2, other) for other in others] + [field(2, track(4711, 1, states))]
    parts += [field(4, 4711), field(5, identity), field(6, len(others) if sdc_index is None else sdc_index)]
    parts += [field(7, b"".join(field(1, one) for one in at_step)) for at_step in lights]
    parts += [field(8, feature) for feature in features]
    parts += [field(10, 10), field(11, field(1, 0) + field(2, 1)), field(12, b"lidar" * 50), field(13, b"token" * 50)]
    return b"".join(parts)


def framed(payload: bytes) -> bytes:
    """A TFRecord."""

    def masked(data: bytes) -> bytes:
        crc = google_crc32c.value(data)
        return struct.pack("<I", ((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) % 2**32)

    length = struct.pack("<Q", len(payload))
    return length + masked(length) + payload + masked(payload)


def write_tfrecord(path: Path, payloads: list[bytes]) -> Path:
    """A file of TFRecords."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(framed(payload) for payload in payloads))
    return path


def street(length_m: float = 300.0, start=(60.0, 37.6), heading: float = 0.3) -> list[bytes]:
    """MapFeatures of a straight street of two lanes with lines, edges, a crosswalk, a bump, a driveway and a sign."""

    def along(left_m: float, first_m: float = 0.0, last_m: float = length_m, every_m: float = 0.5):
        c, s = math.cos(heading), math.sin(heading)
        count = int((last_m - first_m) / every_m)
        distances = [first_m + every_m * i for i in range(count + 1)]
        return [(start[0] + c * d - s * left_m, start[1] + s * d + c * left_m) for d in distances]

    def area(first_m: float, last_m: float, right_m: float, left_m: float):
        near, far = along(right_m, first_m, last_m, last_m - first_m), along(left_m, first_m, last_m, last_m - first_m)
        return [near[0], near[1], far[1], far[0]]

    return [
        field(1, 1) + field(3, field(1, 25.0) + polyline(8, along(0.0), 2, 2)),
        field(1, 2) + field(3, polyline(8, along(3.6), 2, 2)),
        field(1, 3) + field(3, polyline(8, along(-3.0), 3, 2)),
        field(1, 4) + field(4, polyline(2, along(1.8), 1)),
        field(1, 5) + field(5, polyline(2, along(-4.5), 1)),
        field(1, 6) + field(5, polyline(2, along(5.8), 2)),
        field(1, 7) + field(8, polyline(1, area(70.0, 74.0, -4.5, 5.8))),
        field(1, 8) + field(9, polyline(1, area(90.0, 91.0, -1.8, 5.4))),
        field(1, 9) + field(10, polyline(1, area(80.0, 84.0, -10.0, -4.5))),
        field(1, 10) + field(7, field(1, 1) + field(2, point(*along(-4.0, 100.0, 101.0)[0]))),
    ]


def feature(values) -> bytes:
    """A Feature of text, floats or integers; numbers are packed, as TensorFlow writes them."""
    if isinstance(values, str):
        return field(1, field(1, values))
    if all(isinstance(value, int) for value in values):
        return field(3, field(1, b"".join(varint(value) for value in values)))
    return field(2, field(1, struct.pack(f"<{len(values)}f", *values)))


def example(path, others=(), samples=(), lights=(), past: int = 3, agents: int = 8, changes=None) -> bytes:
    """A tf.Example of a car that follows ``path`` as agent 1; unused agents are filled up with -1.

    others: (type, path, (length, width)) of agents before and after it; samples: (x, y, type, id) of the map; lights:
    for each step a list of (x, y, state). ``changes`` replaces features by name; None leaves one out.
    """
    tracks = [*others[:1], (1, path, (5.286, 2.332)), *others[1:]]
    columns = {name: [] for name in ("x", "y", "bbox_yaw", "velocity_x", "velocity_y", "length", "width")}
    for _, poses, size in tracks:
        rows = [(x, y, h, v * math.cos(h), v * math.sin(h), *size) for x, y, h, v in poses]
        for name, values in zip(columns, zip(*rows, strict=True), strict=True):
            columns[name].append([float(value) for value in values])
    empty = [[-1.0] * len(path)] * (agents - len(tracks))
    there = [[1] * len(path)] * len(tracks) + [[0] * len(path)] * (agents - len(tracks))
    micros = [[100_000 * t for t in range(len(path))]] * len(tracks) + [[-1] * len(path)] * (agents - len(tracks))
    tables = {name: rows + empty for name, rows in columns.items()} | {"valid": there, "timestamp_micros": micros}
    features = {
        "scenario/id": "19a486cd29abd7a7",
        "state/is_sdc": [int(a == min(1, len(others))) for a in range(agents)],
        "state/type": [float(kind) for kind, _, _ in tracks] + [-1.0] * (agents - len(tracks)),
        "roadgraph_samples/xyz": [v for x, y, _, _ in samples for v in (float(x), float(y), 12.5)] + [-1.0] * 6,
        "roadgraph_samples/type": [kind for _, _, kind, _ in samples] + [-1] * 2,
        "roadgraph_samples/id": [identity for _, _, _, identity in samples] + [-1] * 2,
        "roadgraph_samples/valid": [1] * len(samples) + [0] * 2,
    }
    most = max([len(one) for one in lights], default=0) + 1
    padded = [[*one, *[(-1.0, -1.0, -1)] * (most - len(one))] for one in lights or [[]] * len(path)]
    periods = {"past": slice(0, past), "current": slice(past, past + 1), "future": slice(past + 1, None)}
    for period, part in periods.items():
        for name, rows in tables.items():
            features[f"state/{period}/{name}"] = [value for row in rows for value in row[part]]
        flat = [light for one in padded[part] for light in one]
        for k, name in enumerate(("x", "y", "state")):
            features[f"traffic_light_state/{period}/{name}"] = [light[k] for light in flat]
        features[f"traffic_light_state/{period}/valid"] = [int(light[2] >= 0) for light in flat]
    features |= changes or {}
    entries = [
        field(1, field(1, name) + field(2, feature(values))) for name, values in features.items() if values is not None
    ]
    return field(1, b"".join(entries))
