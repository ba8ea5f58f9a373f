"""The car of a spawn file in the real bridge, what others may do in the server, and when a drive is over.

Most tests share one launch, in their order: a change of town ends it."""

import json
import time

import carla_rig
import pytest
from wm_tools.carla_watch.watch import SILENCE_S

CAR_AT = {"x": 50, "y": -3, "z": 1, "yaw": 90}  # whole numbers, and what may be left out; ROS's axes
CAMERA_AT = {"x": 2, "y": 1, "z": 2}


@pytest.fixture(scope="module")
def run(bundle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("spawned")
    file = folder / "spawn.json"
    camera = {"type": "sensor.camera.rgb", "id": "rgb_front", "spawn_point": CAMERA_AT, "image_size_x": 800}
    sensors = [camera, {"type": "sensor.pseudo.speedometer", "id": "speedometer"}]
    car = {"type": "vehicle.tesla.model3", "id": "mine", "spawn_point": CAR_AT, "sensors": sensors}
    file.write_text(json.dumps({"objects": [car]}))
    with carla_rig.drive(bundle, f"spawn:={file}", folder=folder) as run:
        run.wait_for_output("]: driving", carla_rig.START_S)
        yield run


def test_whole_numbers_in_a_spawn_file_end_up_where_they_say(run):
    car, camera = (entry for entry in run.entries() if entry["event"] == "spawn")
    assert car["place"] == [50.0, 3.0, 1.0] and car["turn"][1] == pytest.approx(-90.0)  # CARLA's y is to the right
    assert camera["place"] == [2.0, -1.0, 2.0]


@pytest.mark.parametrize("kind", ["vehicle.nissan.micra", "sensor.camera.rgb"])
@pytest.mark.parametrize("name", ["", "ego"])
def test_what_another_client_spawns_does_not_stop_the_ticks(run, kind, name):
    run.order("spawn", kind=kind, attributes={"role_name": name})
    run.wait_for_rows(20, since_s=time.time())


def test_a_change_of_town_ends_the_launch_with_one_line(run):
    run.order("load_world", name="Town02")
    assert run.wait(SILENCE_S + 30.0) == 1
    assert f"the bridge has not ticked for {SILENCE_S:g} s though its process runs" in run.output()


def test_a_sensor_that_cannot_be_spawned_ends_the_launch_with_its_name(bundle, tmp_path):
    file = tmp_path / "spawn.json"
    sensors = [
        {"type": "sensor.camera.rgb", "id": "rgb_front"},
        {"type": "sensor.other.imu", "id": "imu", "colour": "red"},
    ]
    car = {"type": "vehicle.tesla.model3", "id": "ego_vehicle", "sensors": sensors}
    file.write_text(json.dumps({"objects": [car]}))
    with carla_rig.drive(bundle, f"spawn:={file}", folder=tmp_path) as run:
        assert run.wait(carla_rig.START_S) == 1
        assert "the car ego_vehicle has no imu 10 s after it was spawned" in run.output(), run.output()[-3000:]
