"""Which cameras a spawn file gives to a car, and what is said of files that are none."""

import json

import pytest
from wm_bundle.spawn_file import SpawnFileError, cameras_in
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
        ([{"type": "sensor.camera.rgb", "id": "front", "image_size_x": "wide"}], {}, "found .*'wide'"),
        (["sensor.camera.rgb"], {}, "expected cameras with 'id'"),
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
