"""An episode as a bag with the topics of CARLA's bridge, so that it can be played; docs/dataset_tools.md has the list.

A row's observation is sent in the tick of its stamp, the result of its action in the next tick, as in the built-in
simulator. So there is one more tick than rows; it repeats the last row's observation, because an episode does not
contain the one after it.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import StoragePlugin, Writer
from wm_bundle.times import NS_PER_S
from wm_bundle.vector_inputs import SPEED

from wm_data.agreement import names_of
from wm_data.bags.episode_topics import META_FORMAT, META_TOPIC, META_VERSION, TERMS_TOPIC, VECTOR_TOPIC
from wm_data.bags.message_types import jazzy_typestore, message_of
from wm_data.episodes import Episode
from wm_data.files import appearing
from wm_data.to_bag.ticks import camera_names, check_numbers, period_of, tick_stamps

FOREVER = QosTime(9223372036, 854775807)
BAG_VERSION = 9


def _qos(depth: int, durability: QosDurability) -> Qos:
    reliable, automatic = QosReliability.RELIABLE, QosLiveliness.AUTOMATIC
    return Qos(QosHistory.KEEP_LAST, depth, reliable, durability, FOREVER, FOREVER, automatic, FOREVER, False)


RELIABLE = _qos(10, QosDurability.VOLATILE)
LATCHED = _qos(1, QosDurability.TRANSIENT_LOCAL)


def write_bag(folder: Path, episode: Episode, role_name: str = "ego_vehicle") -> None:
    """Write ``episode`` as the rosbag2 ``folder`` (mcap and metadata.yaml), which must not exist yet. Raises
    ConversionError for an episode that no bag can hold, OSError."""
    check_numbers(episode)
    stamps = tick_stamps(episode)
    with Writer(folder, version=BAG_VERSION, storage_plugin=StoragePlugin.MCAP) as writer:
        ticks = _Ticks(writer, episode, stamps, role_name)
        for tick in range(len(stamps)):
            ticks.write(tick)


def write_episode_bag(episode: Episode, dest: str | os.PathLike, role_name: str = "ego_vehicle") -> Path:
    """Write ``episode`` as a bare file where ``dest`` ends in .mcap, else as a rosbag2 folder. Returns its path.

    Raises ConversionError for a ``dest`` that already exists or cannot be written, and for an episode that a bag cannot
    hold.
    """
    dest = Path(os.path.abspath(dest))
    with appearing(dest) as work:
        if dest.suffix != ".mcap":
            write_bag(work / dest.name, episode, role_name)
        else:
            bag = work / dest.stem
            write_bag(bag, episode, role_name)
            os.rename(bag / dest.name, work / dest.name)
    return dest


class _Ticks:
    """Writes tick by tick; a topic is created with its first message."""

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
        """All messages of a tick, 0 to T, in the simulator's order."""
        stamp, row = int(self._stamps[tick]), min(tick, len(self._episode) - 1)
        if tick == 0:
            self._send(META_TOPIC, "std_msgs/msg/String", stamp, LATCHED, data=self._meta())
        status = {"frame": tick, "fixed_delta_seconds": self._period_ns / NS_PER_S}
        status |= {"synchronous_mode": True, "synchronous_mode_running": True}
        self._send("/carla/status", "carla_msgs/msg/CarlaStatus", stamp, **status)
        self._send("/clock", "rosgraph_msgs/msg/Clock", stamp, clock=_time(stamp))
        self._send_status(tick, stamp)
        expert = self._episode.expert_actions[row]
        if np.isfinite(expert).all():
            control = _control(_header(stamp, self._role), expert)
            self._send(f"{self._base}/expert_control", "carla_msgs/msg/CarlaEgoVehicleControl", stamp, **control)
        self._send_result(tick, stamp)
        if self._vector_in == "topic":
            numbers = self._episode.vector[row]
            self._send_numbers(VECTOR_TOPIC, stamp, numbers, names_of(self._episode.meta.get("vector"), len(numbers)))
        for camera in range(len(self._cameras)):
            self._send_picture(camera, row, stamp)

    def _send_status(self, tick: int, stamp: int) -> None:
        episode, header = self._episode, _header(stamp, "map")
        action = episode.actions[tick - 1] if tick else np.zeros(3, np.float32)
        speed = np.nan if self._speed is None else SPEED.reading(self._speed[min(tick, len(episode) - 1)])
        moving = {"velocity": float(speed), "orientation": {"w": 1.0}}
        status = {"header": header, **moving, "control": _control(header, action)}
        self._send(f"{self._base}/vehicle_status", "carla_msgs/msg/CarlaEgoVehicleStatus", stamp, **status)

    def _send_result(self, tick: int, stamp: int) -> None:
        """The previous row's result; at the beginning an empty one, as sent by the simulator after a reset."""
        episode, row = self._episode, tick - 1
        result = {"header": _header(stamp, self._role), "command_latency_ms": float("nan")}
        if tick > 0:
            terminal = bool(episode.terminals[row])
            truncated = bool(episode.dones[row]) and not terminal
            result |= {"reward": float(episode.rewards[row]), "terminated": terminal, "truncated": truncated}
        self._send(f"{self._base}/step_result", "wm_msgs/msg/StepResult", stamp, **result)
        if tick > 0 and episode.reward_terms is not None:
            names = episode.meta.get("reward_terms")
            self._send_numbers(TERMS_TOPIC, stamp, episode.reward_terms[row], names if isinstance(names, list) else [])

    def _send_picture(self, camera: int, row: int, stamp: int) -> None:
        episode = self._episode
        if episode.camera_mask is not None and not episode.camera_mask[row, camera]:
            return
        topic = f"{self._base}/{self._cameras[camera]}"
        picture = np.ascontiguousarray(episode.observations[row, 3 * camera : 3 * camera + 3].transpose(1, 2, 0))
        height, width = picture.shape[:2]
        shape = {"header": _header(stamp, topic.removeprefix("/carla/")), "height": height, "width": width}
        # Nominal 90 degrees, as in the built-in simulator: an episode lacks its camera's lens data.
        matrix = np.array([[width / 2.0, 0.0, width / 2.0], [0.0, width / 2.0, height / 2.0], [0.0, 0.0, 1.0]])
        lens = {"k": matrix, "r": np.eye(3), "p": np.column_stack([matrix, np.zeros(3)])}
        lens = {name: values.reshape(-1) for name, values in lens.items()}
        info = {**shape, "distortion_model": "plumb_bob", "d": np.zeros(5), **lens}
        self._send(f"{topic}/camera_info", "sensor_msgs/msg/CameraInfo", stamp, **info)
        pixels = {"encoding": "rgb8", "step": 3 * width, "data": picture.reshape(-1)}
        self._send(f"{topic}/image", "sensor_msgs/msg/Image", stamp, **shape, **pixels)

    def _send_numbers(self, topic: str, stamp: int, numbers: np.ndarray, names: list[str]) -> None:
        label = ",".join(map(str, names)).encode("utf-8", "replace").decode("utf-8")
        layout = {"dim": [{"label": label, "size": len(numbers), "stride": len(numbers)}]}
        self._send(topic, "std_msgs/msg/Float32MultiArray", stamp, layout=layout, data=numbers)

    def _meta(self) -> str:
        episode = self._episode
        optional = ("stamps_ns", "camera_mask", "reward_terms")
        told = {
            "format": META_FORMAT,
            "version": META_VERSION,
            "rows": len(episode),
            "height": episode.observations.shape[2],
            "width": episode.observations.shape[3],
            "period_ns": self._period_ns,
            "role_name": self._role,
            "cameras": [f"{self._base}/{name}/image" for name in self._cameras],
            "has": {name: getattr(episode, name) is not None for name in optional},
            "vector": self._vector_in,
            "meta": episode.meta,
        }
        return json.dumps(told, sort_keys=True)

    def _send(self, topic: str, kind: str, stamp: int, qos: Qos = RELIABLE, **fields: Any) -> None:
        store = self._store
        if topic not in self._connections:
            added = self._writer.add_connection(topic, kind, typestore=store, offered_qos_profiles=[qos])
            self._connections[topic] = added
        data = store.serialize_cdr(message_of(store, kind, fields), kind)
        self._writer.write(self._connections[topic], stamp, data)


def _control(header: dict, action: np.ndarray) -> dict:
    return {"header": header, **dict(zip(("steer", "throttle", "brake"), map(float, action), strict=True)), "gear": 1}


def _time(stamp: int) -> dict:
    return {"sec": stamp // NS_PER_S, "nanosec": stamp % NS_PER_S}


def _header(stamp: int, frame: str) -> dict:
    return {"stamp": _time(stamp), "frame_id": frame}


def _vector_in(episode: Episode, speed: np.ndarray | None) -> str:
    """Where the vector goes: into the status, if it is only a speed without a sign, or a separate topic."""
    columns = episode.vector.shape[1]
    if columns == 0:
        return "none"
    alone = columns == 1 and speed is not None and not np.signbit(speed).any()
    return "status" if alone else "topic"
