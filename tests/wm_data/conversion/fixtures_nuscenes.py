"""A nuScenes dataset on disk: the tables of v1.0 with the columns of the original, pictures, and CAN bus messages."""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

START_US = 1_532_402_927_600_000
CAMERAS = ("CAM_FRONT", "CAM_FRONT_LEFT", "CAM_FRONT_RIGHT", "CAM_BACK", "CAM_BACK_LEFT", "CAM_BACK_RIGHT")
SENSORS = (*CAMERAS, "LIDAR_TOP")
WHEELBASE_M = 2.588


@dataclass(frozen=True)
class SceneSpec:
    """One scene to write; times [s] are from its first picture. ``yaw_rate`` [rad/s] and ``wheel`` [rad] positive left.

    Of picture k of the front camera all is of brightness 10 k; camera i is 3 i ms later, and brighter by 2 i.
    """

    name: str = "scene-0001"
    log: str = "n015-2018-07-24-11-22-45+0800"
    seconds: float = 2.0
    speed: Callable[[float], float] = lambda time: 5.0
    yaw_rate: Callable[[float], float] = lambda time: 0.0
    throttle: Callable[[float], float] = lambda time: 0.0
    brake: Callable[[float], float] = lambda time: 0.0
    ratio: float = 15.0
    can: bool = True

    def wheel(self, time: float) -> float:
        return self.ratio * math.atan(WHEELBASE_M * self.yaw_rate(time) / max(self.speed(time), 0.1))


def token(*parts) -> str:
    return hashlib.md5("/".join(map(str, parts)).encode()).hexdigest()


def start_us(number: int) -> int:
    """Stamp of the first picture of the scene with this number [us]."""
    return START_US + number * 100_000_000


def write_dataset(
    root: Path, scenes: tuple[SceneSpec, ...] = (SceneSpec(),), version: str = "v1.0-mini", period_us: int = 100_000
) -> Path:
    """Returns the folder of the tables. Keyframes are 0.5 s apart; ego poses have the stamps of their pictures."""
    tables: dict[str, list[dict]] = {
        name: [] for name in ("log", "scene", "sample", "sample_data", "ego_pose", "calibrated_sensor", "sensor")
    }
    for sensor in SENSORS:
        modality = "camera" if sensor in CAMERAS else "lidar"
        tables["sensor"].append({"token": token(sensor), "channel": sensor, "modality": modality})
    for number, scene in enumerate(scenes):
        _write_scene(root, tables, number, scene, period_us)
        if scene.can:
            write_can_bus(root, scene, start_us(number))
    folder = root / version
    folder.mkdir(parents=True)
    for name, rows in tables.items():
        (folder / f"{name}.json").write_text(json.dumps(rows, indent=0))
    return folder


def edit(folder: Path, name: str, change: Callable[[list], object]) -> None:
    """Change the rows of a table, in place or by what ``change`` returns."""
    file = folder / f"{name}.json"
    rows = json.loads(file.read_text())
    file.write_text(json.dumps(change(rows) or rows, indent=0))


def _write_scene(root: Path, tables: dict, number: int, scene: SceneSpec, period_us: int) -> None:
    if not any(row["token"] == token(scene.log) for row in tables["log"]):
        tables["log"].append(
            {
                "token": token(scene.log),
                "logfile": scene.log,
                "vehicle": "n015",
                "date_captured": "2018-07-24",
                "location": "singapore-onenorth",
            }
        )
        for sensor in SENSORS:
            tables["calibrated_sensor"].append(
                {
                    "token": token(scene.log, sensor),
                    "sensor_token": token(sensor),
                    "translation": [1.7, 0.0, 1.5],
                    "rotation": [0.5, -0.5, 0.5, -0.5],
                    "camera_intrinsic": [],
                }
            )
    count = math.ceil(scene.seconds * 1e6 / period_us)
    keyframes = range(0, count, max(1, 500_000 // period_us))
    samples = [token(scene.name, "sample", k) for k in keyframes]
    for i, k in enumerate(keyframes):
        tables["sample"].append(
            {
                "token": samples[i],
                "timestamp": start_us(number) + k * period_us,
                "scene_token": token(scene.name),
                "prev": samples[i - 1] if i else "",
                "next": samples[i + 1] if i + 1 < len(samples) else "",
            }
        )
    tables["scene"].append(
        {
            "token": token(scene.name),
            "log_token": token(scene.log),
            "nbr_samples": len(samples),
            "name": scene.name,
            "first_sample_token": samples[0],
            "last_sample_token": samples[-1],
            "description": 'Parked truck, "construction", {intersection}',
        }
    )
    path = _path(scene)
    for k in range(count):
        for sensor in SENSORS:
            time_us = k * period_us + 3000 * SENSORS.index(sensor)
            _write_picture(root, tables, scene, sensor, start_us(number), time_us, k, keyframes, path)


def _write_picture(root, tables, scene, sensor, begin_us, time_us, k, keyframes, path) -> None:
    """Picture k of a sensor; ``keyframes`` range of all pictures, in steps from one keyframe to the next."""
    stamp = begin_us + time_us
    is_key = k in keyframes
    camera = sensor in CAMERAS
    sample = token(scene.name, "sample", k - k % keyframes.step)
    name = f"{scene.log}__{sensor}__{stamp}.{'jpg' if camera else 'pcd.bin'}"
    filename = f"{'samples' if is_key else 'sweeps'}/{sensor}/{name}"
    x, y, yaw = (float(np.interp(time_us / 1e3, np.arange(len(way)), way)) for way in path)
    own = token(scene.name, sensor, k)
    tables["sample_data"].append(
        {
            "token": own,
            "sample_token": sample,
            "ego_pose_token": own,
            "calibrated_sensor_token": token(scene.log, sensor),
            "timestamp": stamp,
            "fileformat": "jpg" if camera else "pcd",
            "is_key_frame": is_key,
            "height": 9 if camera else 0,
            "width": 16 if camera else 0,
            "filename": filename,
            "prev": token(scene.name, sensor, k - 1) if k else "",
            "next": token(scene.name, sensor, k + 1) if k + 1 < keyframes.stop else "",
        }
    )
    tables["ego_pose"].append(
        {
            "token": own,
            "timestamp": stamp,
            "rotation": [math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2)],
            "translation": [x, y, 0.0],
        }
    )
    if camera:
        path = root / filename
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((9, 16, 3), (10 * k + 2 * SENSORS.index(sensor)) % 256, np.uint8))


def _path(scene: SceneSpec) -> np.ndarray:
    """x [m], y [m] and yaw [rad] after every millisecond; the heading begins near the seam at pi."""
    middles = (np.arange(round(scene.seconds * 1000) + 100) + 0.5) / 1000
    turns = np.array([scene.yaw_rate(t) for t in middles]) / 1000
    yaw = 3.1 + np.concatenate([[0.0], np.cumsum(turns)])
    steps = np.array([scene.speed(t) for t in middles]) / 1000
    along = np.stack([np.cos(yaw[:-1] + turns / 2), np.sin(yaw[:-1] + turns / 2)]) * steps
    x, y = np.concatenate([[[400.0], [1100.0]], [[400.0], [1100.0]] + np.cumsum(along, axis=1)], axis=1)
    return np.stack([x, y, yaw])


def write_can_bus(root: Path, scene: SceneSpec, begin_us: int) -> None:
    """The messages that are read, at their rates, from 0.1 s before the first picture on."""

    def times(rate_hz: int):
        return (i / rate_hz - 0.1 for i in range(round((scene.seconds + 0.2) * rate_hz)))

    def utime(time: float) -> int:
        return begin_us + round(time * 1e6)

    messages = {
        "pose": [
            {
                "utime": utime(t),
                "pos": [0.0, 0.0, 0.0],
                "orientation": [1.0, 0.0, 0.0, 0.0],
                "vel": [scene.speed(t), 0.01, 0.0],
                "accel": [0.0, 0.0, 9.8],
                "rotation_rate": [0.001, -0.001, scene.yaw_rate(t)],
            }
            for t in times(50)
        ],
        "steeranglefeedback": [{"utime": utime(t), "value": scene.wheel(t)} for t in times(100)],
        "zoe_veh_info": [
            {"utime": utime(t), "pedal_cc": 1000.0 * scene.throttle(t), "steer_raw": 0.0} for t in times(100)
        ],
        "zoesensors": [
            {
                "utime": utime(t),
                "brake_sensor": 0.166 + 0.465 * scene.brake(t),
                "throttle_sensor": 0.105 + 0.306 * scene.throttle(t),
            }
            for t in times(800)
        ],
    }
    folder = root / "can_bus"
    folder.mkdir(parents=True, exist_ok=True)
    for message, rows in messages.items():
        (folder / f"{scene.name}_{message}.json").write_text(json.dumps(rows))


def edit_messages(root: Path, scene: str, message: str, change: Callable[[list], object]) -> None:
    """Change the messages of one kind, as ``edit`` does with tables."""
    edit(root / "can_bus", f"{scene}_{message}", change)
