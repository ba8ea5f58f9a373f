"""Bags as recorders write them: a list of messages, stored in any format."""

import sqlite3
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import yaml
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore
from wm_data.conversion.message_types import PACKAGES, jazzy_typestore

MS = 1_000_000
VEHICLE = "/carla/ego_vehicle"
CAMERA = f"{VEHICLE}/rgb_front/image"
ACKERMANN = (
    "float32 steering_angle\nfloat32 steering_angle_velocity\nfloat32 speed\nfloat32 acceleration\nfloat32 jerk\n"
)
SPEED_MPS = 5.0
_BASE, _NAME, _ARRAY = 1, 2, 3


@dataclass
class Recording:
    """Messages in the order of recording: (topic, type, time of recording [ns], fields)."""

    messages: list[tuple[str, str, int, dict]] = field(default_factory=list)

    def add(self, topic: str, msgtype: str, log_ns: int, **fields) -> None:
        self.messages.append((topic, msgtype, log_ns, fields))

    def without(self, *topics: str) -> "Recording":
        return Recording([entry for entry in self.messages if entry[0] not in topics])

    def changed(self, topic: str, change) -> "Recording":
        """``change`` gets and returns (fields, time of recording) of each message of a topic, None to drop it."""
        kept = []
        for name, msgtype, log_ns, fields in self.messages:
            if name == topic:
                changed = change(fields, log_ns)
                if changed is None:
                    continue
                fields, log_ns = changed
            kept.append((name, msgtype, log_ns, fields))
        return Recording(kept)


def stamped(stamp_ns: int, frame: str = "map") -> dict:
    return {"stamp": {"sec": stamp_ns // 10**9, "nanosec": stamp_ns % 10**9}, "frame_id": frame}


def image(stamp_ns: int, picture: np.ndarray, encoding: str = "bgra8", padding: int = 0) -> dict:
    """Fields of a sensor_msgs/Image of ``picture`` (height, width, bytes of a pixel), with ``padding`` behind rows."""
    height, width, size = picture.shape
    rows = np.pad(picture.reshape(height, width * size), ((0, 0), (0, padding)))
    return {
        "header": stamped(stamp_ns),
        "height": height,
        "width": width,
        "encoding": encoding,
        "step": rows.shape[1],
        "data": np.ascontiguousarray(rows).reshape(-1),
    }


def control(steer: float, throttle: float = 0.5, brake: float = 0.0, stamp_ns: int = 0, reverse: bool = False) -> dict:
    return {"header": stamped(stamp_ns), "steer": steer, "throttle": throttle, "brake": brake, "reverse": reverse}


def shade(tick: int) -> int:
    """What all pixels of a tick's picture are."""
    return (7 * tick) % 256


def steer_of(tick: int) -> float:
    """What was steered in the interval that ended at a tick."""
    return round(((tick * 37) % 21 - 10) / 10, 3)


def drive(
    ticks: int = 30,
    period_ns: int = 100 * MS,
    start_ns: int = 1_000_000_000,
    log_offset_ns: int = 0,
    height: int = 12,
    width: int = 16,
) -> Recording:
    """A drive as the built-in simulator publishes it: status, step result and expert before each tick's picture."""
    recording = Recording()
    for tick in range(ticks):
        stamp = start_ns + tick * period_ns
        log = stamp + log_offset_ns + 1 * MS
        recording.add(
            f"{VEHICLE}/vehicle_status",
            "carla_msgs/msg/CarlaEgoVehicleStatus",
            log,
            header=stamped(stamp),
            velocity=SPEED_MPS + tick / 10,
            control=control(steer_of(tick), stamp_ns=stamp),
        )
        recording.add(
            f"{VEHICLE}/expert_control",
            "carla_msgs/msg/CarlaEgoVehicleControl",
            log,
            **control(-steer_of(tick), stamp_ns=stamp),
        )
        recording.add(
            f"{VEHICLE}/step_result", "wm_msgs/msg/StepResult", log + 1, header=stamped(stamp), reward=tick / 100
        )
        picture = np.full((height, width, 4), shade(tick), np.uint8)
        recording.add(CAMERA, "sensor_msgs/msg/Image", log + 2, **image(stamp, picture))
    return recording


@cache
def ros2_store() -> Typestore:
    """Types of Jazzy, this workspace's, and ackermann_msgs."""
    store = get_typestore(Stores.EMPTY)
    types = dict(jazzy_typestore().fielddefs)
    for name, text in _ACKERMANN_TYPES.items():
        types.update(get_types_from_msg(text, name))
    store.register(types)
    return store


@cache
def ros1_store() -> Typestore:
    """Types of Noetic and this workspace's own."""
    store = get_typestore(Stores.ROS1_NOETIC)
    types = {}
    ours = jazzy_typestore()
    for name in ours.fielddefs:
        if name.startswith(tuple(f"{package}/" for package in PACKAGES)):
            text = ours.generate_msgdef(name, ros_version=1)[0].split("=" * 80)[0]
            types.update(get_types_from_msg(text, name))
    store.register(types)
    return store


_ACKERMANN_TYPES = {
    "ackermann_msgs/msg/AckermannDrive": ACKERMANN,
    "ackermann_msgs/msg/AckermannDriveStamped": "std_msgs/Header header\nackermann_msgs/AckermannDrive drive\n",
}


def built(store: Typestore, msgtype: str, fields: dict):
    """A message with ``fields``, all others zero. Raises TypeError for a field that the type lacks."""
    values = {}
    for name, (kind, detail) in store.fielddefs[msgtype][1]:
        given = fields.get(name)
        if kind == _NAME:
            values[name] = built(store, detail, given or {})
        elif kind == _BASE:
            zero = "" if detail[0] == "string" else 0
            values[name] = zero if given is None else given
        else:
            (inner_kind, inner), length = detail
            dtype = None if inner_kind == _NAME or inner[0] == "string" else np.dtype(inner[0])
            count = length if kind == _ARRAY else 0
            if dtype is None:
                values[name] = [] if given is None else given
            else:
                values[name] = np.zeros(count, dtype) if given is None else np.asarray(given, dtype)
    unknown = fields.keys() - values.keys()
    if unknown:
        raise TypeError(f"{msgtype} has no {unknown}")
    return store.types[msgtype](**values)


def write_bag(path: Path, recording: Recording, storage: str = "mcap", compression: str | None = None) -> Path:
    """A rosbag2 folder. ``compression``: "file", "message", "storage" or None."""
    store = ros2_store()
    writer = Writer(path, version=9, storage_plugin=StoragePlugin[storage.upper()])
    if compression is not None:
        writer.set_compression(CompressionMode[compression.upper()], CompressionFormat.ZSTD)
    with writer:
        connections = {}
        for topic, msgtype, log_ns, fields in recording.messages:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, msgtype, typestore=store)
            raw = store.serialize_cdr(built(store, msgtype, fields), msgtype)
            writer.write(connections[topic], log_ns, bytes(raw))
    return path


def write_split_bag(path: Path, recording: Recording, storage: str = "mcap", metadata: bool = True) -> Path:
    """A rosbag2 folder of two files, with or without metadata.yaml."""
    half = len(recording.messages) // 2
    parts = [Recording(recording.messages[:half]), Recording(recording.messages[half:])]
    path.mkdir(parents=True)
    described, suffix = [], {"mcap": ".mcap", "sqlite3": ".db3"}[storage]
    for number, part in enumerate(parts):
        whole = write_bag(path.parent / f".{path.name}_{number}", part, storage)
        next(whole.glob(f"*{suffix}")).rename(path / f"{path.name}_{number}{suffix}")
        described.append(yaml.safe_load((whole / "metadata.yaml").read_text())["rosbag2_bagfile_information"])
    if metadata:
        first, second = described
        first["relative_file_paths"] = [f"{path.name}_{number}{suffix}" for number in range(2)]
        first["message_count"] += second["message_count"]
        counts = {t["topic_metadata"]["name"]: t["message_count"] for t in second["topics_with_message_count"]}
        for topic in first["topics_with_message_count"]:
            topic["message_count"] += counts.get(topic["topic_metadata"]["name"], 0)
        (path / "metadata.yaml").write_text(yaml.safe_dump({"rosbag2_bagfile_information": first}))
    return path


def write_bare_mcap(path: Path, recording: Recording) -> Path:
    """One .mcap file without a folder and metadata."""
    folder = write_bag(path.parent / f".{path.stem}", recording)
    return next(folder.glob("*.mcap")).rename(path)


def write_ros1_bag(path: Path, recording: Recording) -> Path:
    """A ROS 1 .bag file."""
    store = ros1_store()
    with Writer1(path) as writer:
        connections = {}
        for topic, msgtype, log_ns, fields in recording.messages:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, msgtype, typestore=store)
            raw = store.serialize_ros1(built(store, msgtype, fields), msgtype)
            writer.write(connections[topic], log_ns, bytes(raw))
    return path


def write_old_sqlite3(path: Path, recording: Recording) -> Path:
    """A .db3 file as older rosbag2 writes it: without message definitions."""
    store = ros2_store()
    database = sqlite3.connect(path)
    database.executescript(
        "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,"
        " serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL);"
        "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL,"
        " data BLOB NOT NULL);"
        "CREATE INDEX timestamp_idx ON messages (timestamp ASC);"
    )
    topics = {}
    for topic, msgtype, log_ns, fields in recording.messages:
        if topic not in topics:
            topics[topic] = len(topics) + 1
            database.execute("INSERT INTO topics VALUES(?, ?, ?, 'cdr', '')", (topics[topic], topic, msgtype))
        raw = bytes(store.serialize_cdr(built(store, msgtype, fields), msgtype))
        database.execute(
            "INSERT INTO messages(topic_id, timestamp, data) VALUES(?, ?, ?)", (topics[topic], log_ns, raw)
        )
    database.commit()
    database.close()
    return path
