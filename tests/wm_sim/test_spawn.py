"""Spawn files of the CARLA bridge: which sensors come of them, what is skipped, and what is refused."""

import json
import math
from pathlib import Path

import pytest
from wm_bundle.spawn_file import SpawnFileError
from wm_sim.spawn import built_in, read_spawn_file
from wm_sim.worlds import WORLDS

LAUNCH = Path(__file__).parents[2] / "launch"


def written(tmp_path, *sensors, others=()):
    path = tmp_path / "spawn.json"
    car = {"type": "vehicle.tesla.model3", "id": "ego_vehicle", "sensors": list(sensors)}
    path.write_text(json.dumps({"objects": [*others, car]}))
    return str(path)


def test_the_files_that_carla_is_launched_with_can_be_used_whole():
    sensors, left_out = read_spawn_file(LAUNCH / "carla_spawn.json", "ego_vehicle")
    front = next(sensor for sensor in sensors if sensor.id == "rgb_front")
    assert (front.width, front.height, front.fov) == (800, 600, pytest.approx(math.pi / 2))
    assert (front.mount.x, front.mount.z) == (2.0, 2.0)
    assert {"imu", "collision", "lane_invasion", "odometry", "speedometer"} <= {sensor.id for sensor in sensors}
    six, also_left_out = read_spawn_file(LAUNCH / "carla_spawn_six_cameras.json", "ego_vehicle")
    assert sum(sensor.type == "sensor.camera.rgb" for sensor in six) == 6
    assert left_out == also_left_out == []


def test_angles_are_degrees_and_missing_values_are_carlas_defaults(tmp_path):
    path = written(tmp_path, {"type": "sensor.camera.rgb", "id": "rgb", "spawn_point": {"z": "1.5", "yaw": -90}})
    ((camera,), left_out) = read_spawn_file(path, "ego_vehicle")
    assert (camera.width, camera.height, camera.sensor_tick_s) == (800, 600, 0.0)
    assert (camera.mount.z, camera.mount.yaw) == (1.5, pytest.approx(-math.pi / 2))
    assert left_out == []


def test_sensors_keep_the_files_order_and_the_worlds_own_come_where_they_stand(tmp_path):
    path = written(
        tmp_path,
        {"type": "sensor.pseudo.odom", "id": "odometry"},
        {"type": "sensor.camera.native", "id": "above"},
        {"type": "sensor.pseudo.tf", "id": "tf"},
        others=[{"type": "sensor.pseudo.markers", "id": "markers"}],
    )
    sensors, _ = read_spawn_file(path, "ego_vehicle")
    assert [(sensor.id, sensor.on_car) for sensor in sensors] == [
        ("markers", False),
        ("odometry", True),
        ("above", True),
        ("tf", True),
    ]
    assert (sensors[2].width, sensors[2].height) == (96, 96)


def test_what_is_not_simulated_is_named_and_left_out(tmp_path):
    path = written(
        tmp_path,
        {"type": "sensor.lidar.ray_cast", "id": "lidar", "range": 50},
        {"type": "sensor.other.imu", "id": "imu", "noise_gyro_stddev_x": 0.0, "noise_gyro_stddev_y": 0.1},
    )
    sensors, left_out = read_spawn_file(path, "ego_vehicle")
    assert [sensor.id for sensor in sensors] == ["imu"]
    assert len(left_out) == 2
    assert "sensor.lidar.ray_cast 'lidar'" in left_out[0]
    assert "noise_gyro_stddev_y has no effect" in left_out[1] and "stddev_x" not in left_out[1]


@pytest.mark.parametrize(
    "sensor, words",
    [
        ({"id": "rgb"}, r"objects\[0\].sensors\[0\]: expected an object with a type"),
        (
            {"type": "sensor.camera.rgb", "id": "rgb front", "spawn_point": {"z": 2}},
            "id: expected a ROS name.*rgb front",
        ),
        ({"type": "sensor.camera.rgb", "id": "rgb"}, r"spawn_point.z: expected a height above the ground.*0.0"),
        (
            {"type": "sensor.camera.rgb", "id": "rgb", "spawn_point": {"z": 2}, "fov": 180},
            "fov: expected a number.*180",
        ),
        (
            {"type": "sensor.camera.rgb", "id": "rgb", "spawn_point": {"z": 2}, "image_size_x": 10.5},
            "a whole number.*10.5",
        ),
        ({"type": "sensor.camera.rgb", "id": "rgb", "spawn_point": {"z": "high"}}, "z: expected a number.*'high'"),
        ({"type": "sensor.other.imu", "id": "imu", "sensor_tick": float("nan")}, "sensor_tick: expected a number.*nan"),
        (
            {"type": "sensor.other.imu", "id": "imu", "spawn_point": [1, 2]},
            r"spawn_point: expected an object.*\[1, 2\]",
        ),
    ],
)
def test_values_that_cannot_be_used_are_refused_with_their_place(tmp_path, sensor, words):
    with pytest.raises(SpawnFileError, match=words):
        read_spawn_file(written(tmp_path, sensor), "ego_vehicle")


def test_two_sensors_of_one_id_another_car_and_no_file_are_refused(tmp_path):
    path = written(tmp_path, *[{"type": "sensor.pseudo.odom", "id": "odometry"}] * 2)
    with pytest.raises(SpawnFileError, match="different ids.*odometry"):
        read_spawn_file(path, "ego_vehicle")
    with pytest.raises(SpawnFileError, match=r"id 'hero' \(parameter role_name\), got \['ego_vehicle'\]"):
        read_spawn_file(path, "hero")
    with pytest.raises(SpawnFileError, match="cannot be read"):
        read_spawn_file(str(tmp_path / "none.json"), "ego_vehicle")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(SpawnFileError, match="broken.json is not JSON"):
        read_spawn_file(str(tmp_path / "broken.json"), "ego_vehicle")
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(SpawnFileError, match="objects: expected a list of objects"):
        read_spawn_file(str(tmp_path / "list.json"), "ego_vehicle")


@pytest.mark.parametrize("world, kind", [("carracing", "sensor.camera.native"), ("traffic", "sensor.camera.rgb")])
def test_the_built_in_camera_is_the_worlds_own_in_the_size_asked_for(world, kind):
    sensors = built_in(WORLDS[world].make(0.08, 0).camera, 96, 64)
    assert [(camera.type, camera.id, camera.width, camera.height) for camera in sensors if "camera" in camera.type] == [
        (kind, "rgb_front", 96, 64)
    ]
