"""Which objects and cameras a spawn file gives, and what is said of files that cannot be used."""

import json

import pytest
from wm_bundle.spawn_file import SpawnFileError, cameras_in, publishing_sensors, read_objects
from wm_sim.spawn import read_spawn_file


def written(tmp_path, *sensors, **car):
    file = tmp_path / "spawn.json"
    entry = {"type": "vehicle.tesla.model3", "id": "ego_vehicle", "sensors": list(sensors), **car}
    file.write_text(json.dumps({"objects": [{"type": "sensor.pseudo.objects", "id": "objects"}, entry]}))
    return file


def test_cameras_have_the_files_order_and_carlas_size_where_none_is_named(tmp_path):
    file = written(
        tmp_path,
        {"type": "sensor.camera.rgb", "id": "rear"},
        {"type": "sensor.other.imu", "id": "imu"},
        {"type": "sensor.camera.rgb", "id": "front", "image_size_x": "320", "image_size_y": 240},
        {"type": "sensor.camera.depth", "id": "depth"},
        {"type": "sensor.camera.native", "id": "above"},
    )
    cameras = cameras_in(file, "ego_vehicle")
    assert list(cameras.items()) == [("rear", (800, 600)), ("front", (320, 240)), ("above", (96, 96))]


@pytest.mark.parametrize(
    "sensors, car, message",
    [
        ([{"type": "sensor.camera.rgb", "id": "front"}], {"id": "hero"}, "the id ego_vehicle, found hero"),
        ([], {}, "the id ego_vehicle, found none"),
        ([{"type": "sensor.other.imu", "id": "imu"}], {}, "expected a camera of the type sensor.camera.rgb"),
        ([{"type": "sensor.camera.rgb", "id": "front", "image_size_x": "wide"}], {}, "image_size_x: .* found wide"),
        (["sensor.camera.rgb"], {}, "sensors.0.: expected an object with 'type' and 'id'"),
    ],
)
def test_a_car_without_usable_cameras_is_refused_with_the_files_name(tmp_path, sensors, car, message):
    file = written(tmp_path, *sensors, **car)
    with pytest.raises(SpawnFileError, match=message) as error:
        cameras_in(file, "ego_vehicle")
    assert str(file) in str(error.value)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"objects": [{"id": "ego_vehicle"}]}', '{"objects": [7]}', '\ufeff{"objects": []}']
)
def test_a_file_without_objects_is_refused(tmp_path, text):
    file = tmp_path / "spawn.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SpawnFileError, match="'objects'"):
        cameras_in(file, "ego_vehicle")


def test_the_simulator_reads_the_same_cameras(tmp_path):
    file = written(
        tmp_path,
        {"type": "sensor.camera.rgb", "id": "rear", "spawn_point": {"z": 2.0}},
        {"type": "sensor.camera.native", "id": "above"},
        {"type": "sensor.camera.rgb", "id": "front", "spawn_point": {"z": 2.0}, "image_size_y": "48"},
    )
    sensors, _ = read_spawn_file(str(file), "ego_vehicle")
    assert {sensor.id: (sensor.width, sensor.height) for sensor in sensors} == cameras_in(file, "ego_vehicle")


def test_sensors_that_have_topics_in_carla_are_told_from_those_that_may_have_none():
    kinds = ("camera.depth", "camera.rgb", "lidar.ray_cast", "other.imu", "other.obstacle", "pseudo.tf")
    sensors = [{"type": f"sensor.{kind}", "id": kind.partition(".")[2]} for kind in kinds]
    assert publishing_sensors({"sensors": sensors}) == ["depth", "rgb", "ray_cast", "imu"]


AHEAD = {"x": 2.0, "y": 0.0, "z": 2.0, "roll": 0.0, "pitch": 0.0, "yaw": 0.0}


def test_a_spawn_point_has_six_floats_whatever_the_file_has(tmp_path):
    # Of a whole number in a message's float64, ROS 2 reads the memory of Python's int: 2 becomes 5e-324, -3 nan.
    camera = {
        "type": "sensor.camera.rgb",
        "id": "front",
        "spawn_point": {"x": 2, "z": "2.0"},
        "attached_objects": [{"type": "sensor.other.imu", "id": "imu", "spawn_point": {"yaw": -90}}],
    }
    file = written(tmp_path, camera, {"type": "sensor.pseudo.tf", "id": "tf"}, spawn_point={"x": 50, "y": -3, "z": 1})
    car = read_objects(file)[1]
    front, transforms = car["sensors"]
    points = [car["spawn_point"], front["spawn_point"], front["attached_objects"][0]["spawn_point"]]
    assert points == [{**AHEAD, "x": 50, "y": -3, "z": 1}, AHEAD, {**dict.fromkeys(AHEAD, 0), "yaw": -90}]
    assert all(type(value) is float for point in points for value in point.values())
    assert "spawn_point" not in transforms  # and no car without one gets one: the bridge chooses a place


@pytest.mark.parametrize(
    "car, message",
    [
        ({"spawn_point": {"x": 1.0, "y": 2.0}}, "objects.1..spawn_point: expected x, y and z, found no z"),
        ({"spawn_point": {**AHEAD, "yaww": 1.0}}, "expected no keys but x, y, z, roll, pitch, yaw, found yaww"),
        ({"spawn_point": {**AHEAD, "x": "ahead"}}, "spawn_point.x: expected a number, found ahead"),
        ({"spawn_point": {**AHEAD, "x": True}}, "spawn_point.x: expected a number, found True"),
        ({"spawn_point": {**AHEAD, "x": float("nan")}}, "spawn_point.x: expected a number, found nan"),
        ({"spawn_point": [1.0, 2.0, 0.5]}, "spawn_point: expected an object with x, y, z"),
        ({"sensors": [{"type": "sensor.other.imu", "id": "7up"}]}, "sensors.0..id: expected a ROS name .*, found 7up"),
        (
            {"sensors": [{"type": "sensor.other.imu", "id": "i"}, {"type": "sensor.other.gnss", "id": "i"}]},
            "another id",
        ),
        ({"sensors": [{"type": "sensor.other.imu", "id": "i", "attributes": {}}]}, "attributes: expected a number or"),
        ({"sensors": [{"type": "sensor.other.imu", "id": 7}]}, "expected an object with 'type' and 'id'"),
        ({"sensors": {}}, "sensors: expected a list"),
        ({"type": "actor.pseudo.control"}, "objects.1..type: expected a vehicle, a walker or a sensor"),
        ({"type": "walker.pedestrian.0001", "id": "objects"}, "objects.1..id: expected another id"),
    ],
)
def test_what_carlas_spawner_would_take_in_another_sense_is_refused_with_its_place(tmp_path, car, message):
    with pytest.raises(SpawnFileError, match=message) as error:
        read_objects(written(tmp_path, **car))
    assert str(error.value).startswith(str(tmp_path))
