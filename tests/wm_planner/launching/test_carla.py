"""The car, the bridge and the topics that the launch files give to CARLA and to the nodes."""

import dataclasses
import json

import pytest
from ament_index_python.packages import get_package_share_directory
from tiny_bundle import make_tiny_bundle
from wm_bundle.spawn_file import read_objects
from wm_planner.config import PlannerConfig
from wm_planner.launching import carla as carla_launching
from wm_planner.launching import simulators as launch_simulators
from wm_planner.launching.carla import Bridge, spawned_objects

BRIDGE = Bridge("localhost", 2000, "Town01", "ego_vehicle", 0.08, True)
TOPICS = [entry.name for entry in dataclasses.fields(PlannerConfig) if entry.name.endswith("_topic")]


def shipped(name: str) -> str:
    return f"{get_package_share_directory('wm_planner')}/launch/{name}"


def sensors_of(name: str) -> list[dict]:
    (car,) = read_objects(shipped(name))
    assert car["id"] == "ego_vehicle"
    return car["sensors"]


@pytest.mark.parametrize(
    "name, cameras", [("carla_spawn.json", 1), ("carla_spawn_six_cameras.json", 6), ("wm_sim_four_cameras.json", 4)]
)
def test_the_spawned_car_has_what_the_planner_listens_to(name, cameras):
    sensors = {sensor["id"]: sensor for sensor in sensors_of(name)}
    assert sensors.keys() >= {"rgb_front", "imu", "collision", "lane_invasion", "odometry", "speedometer", "tf"}
    assert len(sensors) == len(sensors_of(name))  # every topic once
    seen = [sensor for sensor in sensors.values() if sensor["type"] == "sensor.camera.rgb"]
    assert list(sensors.values())[-cameras:] == seen, (
        "an answer may come before a sensor that is sent after its picture"
    )
    assert len(seen) == cameras and all({"image_size_x", "image_size_y", "fov", "spawn_point"} <= set(s) for s in seen)


@pytest.mark.parametrize("name", ["carla_spawn.json", "carla_spawn_six_cameras.json", "wm_sim_four_cameras.json"])
def test_shipped_files_can_be_given_to_carla_s_own_spawner_as_they_are(name):
    with open(shipped(name)) as file:
        objects = json.load(file)["objects"]
    assert repr(objects) == repr(read_objects(shipped(name)))  # complete, and no 2 for 2.0


def test_six_cameras_see_all_around_and_overlap():
    cameras = [sensor for sensor in sensors_of("carla_spawn_six_cameras.json") if "fov" in sensor]
    for bearing in range(-180, 180):
        offsets = [abs((camera["spawn_point"]["yaw"] - bearing + 180) % 360 - 180) for camera in cameras]
        assert any(offset <= camera["fov"] / 2 for offset, camera in zip(offsets, cameras, strict=True)), bearing


def test_the_native_example_gets_the_camera_that_the_bridge_s_car_has():
    with open(shipped("carla_native_stack.json")) as file:
        car = json.load(file)
    assert car["id"] == "hero"  # the only name that CARLA itself listens to
    (camera,) = (sensor for sensor in car["sensors"] if sensor["type"] == "sensor.camera.rgb")
    (other,) = (sensor for sensor in sensors_of("carla_spawn.json") if sensor["type"] == "sensor.camera.rgb")
    assert {**camera["attributes"], "spawn_point": camera["spawn_point"]}.items() <= other.items()
    assert all({"type", "id", "spawn_point", "attributes"} == set(sensor) for sensor in car["sensors"])


def test_a_car_without_a_camera_of_the_bundle_is_refused(tmp_path):
    bundle = make_tiny_bundle(tmp_path / "tiny")
    cameras = json.loads((bundle / "bundle.json").read_text())["image"]["cameras"]
    sensors = [
        {
            "type": "sensor.camera.rgb",
            "id": camera["name"],
            "image_size_x": camera["source_width"],
            "image_size_y": camera["source_height"],
        }
        for camera in cameras
    ]
    file = tmp_path / "my.json"

    def spawn(*sensors, bundle=bundle):
        car = {"type": "vehicle.tesla.model3", "id": "hero", "sensors": list(sensors)}
        file.write_text(json.dumps({"objects": [{"type": "sensor.pseudo.objects", "id": "objects"}, car]}))
        return spawned_objects(BRIDGE, str(file), str(bundle))

    assert spawn(*sensors)[1] == {"type": "vehicle.tesla.model3", "id": "ego_vehicle", "sensors": sensors}
    spawn(sensors[0], bundle=tmp_path / "none")  # the planner's to refuse
    small = {**sensors[0], "image_size_x": 8}
    with pytest.raises(RuntimeError, match=f"spawn:={file}: the bundle .* found {small['id']} 8x"):
        spawn(small, *sensors[1:])
    with pytest.raises(RuntimeError, match="found no RGB camera"):
        spawn({"type": "sensor.other.imu", "id": "imu"})
    with pytest.raises(RuntimeError, match="expected a camera of the type sensor.camera.rgb, found none"):
        spawn({"type": "sensor.pseudo.odom", "id": "odometry"}, bundle="")  # nothing to record either


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "expected a JSON file"),
        ("[]", "expected a JSON file"),
        ("{}", "expected a JSON file"),
        ('{"objects": [{"id": "ego_vehicle"}]}', "'type' and 'id' each"),
        (
            '{"objects": [{"type": "sensor.pseudo.objects", "id": "o"}]}',
            "expected a vehicle with sensors, found sensor",
        ),
        ('{"objects": [{"type": "vehicle.tesla.model3", "id": "ego_vehicle"}]}', "expected a vehicle with sensors"),
    ],
)
def test_a_spawn_file_that_is_none_gets_one_message(tmp_path, text, message):
    file = tmp_path / "spawn.json"
    file.write_text(text)
    with pytest.raises(RuntimeError, match=message) as error:
        spawned_objects(BRIDGE, str(file), "none")
    assert str(file) in str(error.value)


def test_a_second_object_of_the_car_s_name_is_refused(tmp_path):
    car = {"type": "vehicle.tesla.model3", "id": "mine", "sensors": [{"type": "sensor.camera.rgb", "id": "rgb"}]}
    file = tmp_path / "spawn.json"
    file.write_text(json.dumps({"objects": [car, {"type": "vehicle.nissan.micra", "id": "ego_vehicle"}]}))
    with pytest.raises(RuntimeError, match="expected one object with the id ego_vehicle .*, found two"):
        spawned_objects(BRIDGE, str(file), "none")


def test_carla_is_not_started_beside_a_running_simulator(monkeypatch):
    rivals = {"/carla/status": ["/carla_ros_bridge"]}
    monkeypatch.setattr(carla_launching, "publishers_of", lambda topics: {t: rivals[t] for t in topics if t in rivals})
    with pytest.raises(RuntimeError, match="/carla/status is published by /carla_ros_bridge already"):
        carla_launching.require_alone("hero")
    rivals = {"/carla/ego_vehicle/vehicle_status": ["/wm_sim"]}
    carla_launching.require_alone("hero")  # another car's


@pytest.mark.parametrize("tick_s", [0.0, -0.1, 0.1, float("nan")])
def test_a_tick_that_carla_s_physics_cannot_take_is_refused(tick_s):
    with pytest.raises(RuntimeError, match="less than 0.1 with CARLA"):
        dataclasses.replace(BRIDGE, tick_s=tick_s)


@pytest.mark.parametrize("simulator", launch_simulators.FILES)
def test_every_topic_of_the_planner_is_in_the_simulator_s_file(simulator):
    role_name = launch_simulators.role_name_of(simulator, "")
    parameters = launch_simulators.node_parameters(simulator, role_name)
    planner, watchdog = (parameters[node] for node in launch_simulators.NODES)
    assert set(TOPICS) <= set(planner)
    PlannerConfig.from_values(planner)  # raises where the planner would
    for name in ("control_topic", "planner_status_topic", "diagnostics_topic"):
        assert watchdog[name] == planner[name]
    assert not any("{role_name}" in str(value) for value in (*planner.values(), *watchdog.values()))
    # wm_sim and the bridge publish what the planner expects by itself.
    expected = PlannerConfig(role_name=role_name)
    assert planner["control_topic"] == "" != expected.topic("control_topic")  # that of command_output
    assert planner["status_topic"] == expected.topic("status_topic", "vehicle_status")


@pytest.mark.parametrize(
    "text, message",
    [
        ("- a", "expected the nodes wm_planner and wm_command_watchdog"),
        ("wm_plannre: {}", "expected the nodes wm_planner and wm_command_watchdog"),
        ("wm_planner: {ros__parameters: [1]}", "wm_planner: ros__parameters: with names and values"),
        (
            "wm_planner: {ros__parameters: {image_topic: [1]}}",
            "expected a number, a word, true or false for image_topic",
        ),
        ("wm_planner: [", "cannot be read"),
    ],
)
def test_a_file_of_topics_that_is_none_gets_one_message(tmp_path, text, message):
    file = tmp_path / "topics.yaml"
    file.write_text(text)
    with pytest.raises(RuntimeError, match=message) as error:
        launch_simulators.node_parameters("none", "car", str(file))
    assert f"topics:={file}" in str(error.value)


def test_a_file_of_topics_may_name_one_node_only(tmp_path):
    file = tmp_path / "topics.yaml"
    file.write_text("wm_planner: {ros__parameters: {image_topic: '/{role_name}/{camera}', threads: 2}}")
    assert launch_simulators.node_parameters("none", "car", str(file)) == {
        "wm_planner": {"image_topic": "/car/{camera}", "threads": 2},
        "wm_command_watchdog": {},
    }
