"""An episode as a bag with the topics of CARLA's bridge, so that it can be played; docs/dataset_tools.md has the list.

A row's observation is sent in the tick of its stamp, what its action led to in the tick after, as the built-in
simulator does it. So there is one more tick than there are rows; it repeats the last row's observation, as an episode
does not hold what came after it.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import StoragePlugin, Writer
from wm_bundle.vector_inputs import SPEED

from wm_data.conversion.errors import ConversionError
from wm_data.conversion.message_types import jazzy_typestore
from wm_data.episodes import Episode

META_TOPIC = "/wm_training/episode_meta"
VECTOR_TOPIC = "/wm_training/vector"
TERMS_TOPIC = "/wm_training/reward_terms"
META_FORMAT = "wm_training/episode_bag"
META_VERSION = 1
NS_PER_S = 1_000_000_000
LAST_STAMP_NS = 2**31 * NS_PER_S  # seconds of a ROS stamp are an int32
UNKNOWN_PERIOD_NS = 100_000_000  # for one row without a rate
FOREVER = QosTime(9223372036, 854775807)
BAG_VERSION = 9


def _qos(depth: int, durability: QosDurability) -> Qos:
    return Qos(
        QosHistory.KEEP_LAST,
        depth,
        QosReliability.RELIABLE,
        durability,
        FOREVER,
        FOREVER,
        QosLiveliness.AUTOMATIC,
        FOREVER,
        False,
    )


RELIABLE = _qos(10, QosDurability.VOLATILE)
LATCHED = _qos(1, QosDurability.TRANSIENT_LOCAL)


def period_of(episode: Episode) -> int:
    """Time between two rows [ns]: the usual one of the stamps, else of ``meta["rate_hz"]``, else a tenth of a second.

    Raises ConversionError for a rate that is none.
    """
    rate = episode.meta.get("rate_hz")
    if rate is not None and not (type(rate) in (int, float) and 0.0 < rate <= 1e6):
        raise ConversionError(f"the episode's rate_hz is {rate!r}, expected a number of rows per second above 0")
    if episode.stamps_ns is not None and len(episode) > 1:
        return max(1, int(np.median(np.diff(episode.stamps_ns))))
    return UNKNOWN_PERIOD_NS if rate is None else round(NS_PER_S / rate)


def tick_stamps(episode: Episode) -> np.ndarray:
    """Stamps int64 (T + 1,) [ns] of all ticks. Raises ConversionError for stamps that no bag can have."""
    period = period_of(episode)
    if episode.stamps_ns is None:
        return period * np.arange(1, len(episode) + 2, dtype=np.int64)
    stamps = np.asarray(episode.stamps_ns, np.int64)
    if (np.diff(stamps) <= 0).any():
        row = int(np.argmax(np.diff(stamps) <= 0)) + 1
        raise ConversionError(
            f"the episode's stamps_ns go from {stamps[row - 1]} to {stamps[row]} at row {row}, expected rising stamps"
        )
    # Python's numbers, which do not wrap around.
    if stamps[0] < 0 or int(stamps[-1]) + period >= LAST_STAMP_NS:
        found = f"{stamps[0]} to {stamps[-1]}"
        raise ConversionError(f"the episode's stamps_ns are from {found}, expected 0 to {LAST_STAMP_NS}")
    return np.append(stamps, stamps[-1] + period)


def camera_names(episode: Episode) -> list[str]:
    """Names of the cameras as parts of topics, in the order in which they are stacked."""
    count = episode.observations.shape[1] // 3
    known = episode.meta.get("cameras")
    if isinstance(known, list) and len(known) == count and all(isinstance(c, dict) and c.get("name") for c in known):
        names = [re.sub(r"[^A-Za-z0-9_]", "_", str(camera["name"])) for camera in known]
        names = [name if not name[0].isdigit() else f"camera_{name}" for name in names]
        if len(set(names)) == count:
            return names
    return ["rgb_front"] if count == 1 else [f"camera_{k}" for k in range(count)]


def write_bag(folder: Path, episode: Episode, role_name: str = "ego_vehicle") -> None:
    """Write ``episode`` as the rosbag2 ``folder`` (mcap and metadata.yaml), which must not exist yet.

    Raises ConversionError for an episode that no bag can hold, OSError.
    """
    _check(episode)
    stamps = tick_stamps(episode)
    with Writer(folder, version=BAG_VERSION, storage_plugin=StoragePlugin.MCAP) as writer:
        ticks = _Ticks(writer, episode, stamps, role_name)
        for tick in range(len(stamps)):
            ticks.write(tick)


def _check(episode: Episode) -> None:
    for key in ("actions", "expert_actions"):
        width = getattr(episode, key).shape[1]
        if width != 3:
            raise ConversionError(f"the episode's {key} have {width} numbers, expected steer, throttle and brake")
    largest = np.finfo(np.float32).max
    for key in ("actions", "rewards", "vector"):
        if (np.abs(getattr(episode, key)) > largest).any():
            raise ConversionError(f"the episode's {key} hold numbers beyond {largest:.3g}, the largest of a message")


class _Ticks:
    """Writes tick after tick; a topic is begun with its first message."""

    def __init__(self, writer: Writer, episode: Episode, stamps: np.ndarray, role_name: str):
        self._writer, self._episode, self._stamps, self._role = writer, episode, stamps, role_name
        self._store = jazzy_typestore()
        self._connections: dict[str, Any] = {}
        self._base = f"/carla/{role_name}"
        self._period_ns = period_of(episode)
        self._cameras = camera_names(episode)
        self._speed = episode.told(SPEED)
        self._vector_in = _vector_in(episode, self._speed)

    def write(self, tick: int) -> None:
        """Everything of tick 0 to T, in the order in which the simulator sends it."""
        stamp, row = int(self._stamps[tick]), min(tick, len(self._episode) - 1)
        if tick == 0:
            self._send(META_TOPIC, "std_msgs/msg/String", stamp, LATCHED, data=self._meta())
        self._send(
            "/carla/status",
            "carla_msgs/msg/CarlaStatus",
            stamp,
            frame=tick,
            fixed_delta_seconds=self._period_ns / NS_PER_S,
            synchronous_mode=True,
            synchronous_mode_running=True,
        )
        self._send("/clock", "rosgraph_msgs/msg/Clock", stamp, clock=self._time(stamp))
        self._send_status(tick, stamp)
        expert = self._episode.expert_actions[row]
        if np.isfinite(expert).all():
            self._send(
                f"{self._base}/expert_control",
                "carla_msgs/msg/CarlaEgoVehicleControl",
                stamp,
                **self._control(self._header(stamp, self._role), expert),
            )
        self._send_result(tick, stamp)
        if self._vector_in == "topic":
            self._send_numbers(VECTOR_TOPIC, stamp, self._episode.vector[row], _vector_names(self._episode))
        for camera in range(len(self._cameras)):
            self._send_picture(camera, row, stamp)

    def _send_status(self, tick: int, stamp: int) -> None:
        episode, header = self._episode, self._header(stamp, "map")
        zero = self._make("geometry_msgs/msg/Vector3", x=0.0, y=0.0, z=0.0)
        action = episode.actions[tick - 1] if tick else np.zeros(3, np.float32)
        speed = np.nan if self._speed is None else SPEED.reading(self._speed[min(tick, len(episode) - 1)])
        control = self._make("carla_msgs/msg/CarlaEgoVehicleControl", **self._control(header, action))
        self._send(
            f"{self._base}/vehicle_status",
            "carla_msgs/msg/CarlaEgoVehicleStatus",
            stamp,
            header=header,
            velocity=float(speed),
            acceleration=self._make("geometry_msgs/msg/Accel", linear=zero, angular=zero),
            orientation=self._make("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0),
            control=control,
        )

    def _send_result(self, tick: int, stamp: int) -> None:
        """What the row before led to; at the beginning a result of nothing, as the simulator sends it after a reset."""
        episode, row = self._episode, tick - 1
        terminal = tick > 0 and bool(episode.terminals[row])
        self._send(
            f"{self._base}/step_result",
            "wm_msgs/msg/StepResult",
            stamp,
            header=self._header(stamp, self._role),
            reward=float(episode.rewards[row]) if tick > 0 else 0.0,
            terminated=terminal,
            truncated=tick > 0 and bool(episode.dones[row]) and not terminal,
            wheels_off_road=0,
            command_latency_ms=float("nan"),
        )
        if tick > 0 and episode.reward_terms is not None:
            names = episode.meta.get("reward_terms")
            self._send_numbers(TERMS_TOPIC, stamp, episode.reward_terms[row], names if isinstance(names, list) else [])

    def _send_picture(self, camera: int, row: int, stamp: int) -> None:
        episode = self._episode
        if episode.camera_mask is not None and not episode.camera_mask[row, camera]:
            return
        topic = f"{self._base}/{self._cameras[camera]}"
        header = self._header(stamp, topic.removeprefix("/carla/"))
        picture = np.ascontiguousarray(episode.observations[row, 3 * camera : 3 * camera + 3].transpose(1, 2, 0))
        height, width = picture.shape[:2]
        self._send(
            f"{topic}/camera_info", "sensor_msgs/msg/CameraInfo", stamp, **self._camera_info(header, height, width)
        )
        self._send(
            f"{topic}/image",
            "sensor_msgs/msg/Image",
            stamp,
            header=header,
            height=height,
            width=width,
            encoding="rgb8",
            is_bigendian=0,
            step=3 * width,
            data=picture.reshape(-1),
        )

    def _camera_info(self, header: Any, height: int, width: int) -> dict:
        """Nominal 90 degrees, as the built-in simulator's: an episode does not know its camera's lens."""
        focal, middle, centre = width / 2.0, width / 2.0, height / 2.0
        region = self._make(
            "sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
        )
        return {
            "header": header,
            "height": height,
            "width": width,
            "distortion_model": "plumb_bob",
            "d": np.zeros(5),
            "k": np.array([focal, 0.0, middle, 0.0, focal, centre, 0.0, 0.0, 1.0]),
            "r": np.eye(3).reshape(-1),
            "p": np.array([focal, 0.0, middle, 0.0, 0.0, focal, centre, 0.0, 0.0, 0.0, 1.0, 0.0]),
            "binning_x": 0,
            "binning_y": 0,
            "roi": region,
        }

    def _send_numbers(self, topic: str, stamp: int, numbers: np.ndarray, names: list[str]) -> None:
        label = ",".join(map(str, names)).encode("utf-8", "replace").decode("utf-8")
        count = len(numbers)
        axis = self._make("std_msgs/msg/MultiArrayDimension", label=label, size=count, stride=count)
        layout = self._make("std_msgs/msg/MultiArrayLayout", dim=[axis], data_offset=0)
        self._send(topic, "std_msgs/msg/Float32MultiArray", stamp, layout=layout, data=np.asarray(numbers, np.float32))

    def _meta(self) -> str:
        episode = self._episode
        return json.dumps(
            {
                "format": META_FORMAT,
                "version": META_VERSION,
                "rows": len(episode),
                "height": episode.observations.shape[2],
                "width": episode.observations.shape[3],
                "period_ns": self._period_ns,
                "role_name": self._role,
                "cameras": [f"{self._base}/{name}/image" for name in self._cameras],
                "has": {
                    "stamps_ns": episode.stamps_ns is not None,
                    "camera_mask": episode.camera_mask is not None,
                    "reward_terms": episode.reward_terms is not None,
                },
                "vector": self._vector_in,
                "meta": episode.meta,
            },
            sort_keys=True,
        )

    @staticmethod
    def _control(header: Any, action: np.ndarray) -> dict:
        steer, throttle, brake = (float(number) for number in action)
        return {
            "header": header,
            "throttle": throttle,
            "steer": steer,
            "brake": brake,
            "hand_brake": False,
            "reverse": False,
            "gear": 1,
            "manual_gear_shift": False,
        }

    def _time(self, stamp: int) -> Any:
        return self._make("builtin_interfaces/msg/Time", sec=stamp // NS_PER_S, nanosec=stamp % NS_PER_S)

    def _header(self, stamp: int, frame: str) -> Any:
        return self._make("std_msgs/msg/Header", stamp=self._time(stamp), frame_id=frame)

    def _make(self, kind: str, **fields: Any) -> Any:
        make: Callable = self._store.types[kind]
        return make(**fields)

    def _send(self, topic: str, kind: str, stamp: int, qos: Qos = RELIABLE, **fields: Any) -> None:
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic, kind, typestore=self._store, offered_qos_profiles=[qos]
            )
        data = self._store.serialize_cdr(self._make(kind, **fields), kind)
        self._writer.write(self._connections[topic], stamp, data)


def _vector_names(episode: Episode) -> list[str]:
    spec = episode.meta.get("vector")
    if not isinstance(spec, list) or not all(isinstance(column, dict) for column in spec):
        return []
    return [str(column.get("name", "")) for column in spec]


def _vector_in(episode: Episode, speed: np.ndarray | None) -> str:
    """Where the vector is: in the status, if it is a speed without a sign and nothing else, or in a topic."""
    columns = episode.vector.shape[1]
    if columns == 0:
        return "none"
    alone = columns == 1 and speed is not None and not np.signbit(speed).any()
    return "status" if alone else "topic"
