"""The built-in simulator for a bundle: which cameras it must have, and what it is told."""

import json
from pathlib import Path

import pytest
from ament_index_python.packages import get_package_share_directory
from tiny_bundle import make_tiny_bundle
from wm_bundle import CameraSpec, ImageSpec, load_bundle
from wm_sim.config import BridgeConfig
from wm_tools.common.errors import DriveError
from wm_tools.drive.drive_options import DriveOptions
from wm_tools.drive.embedded import check_cameras, simulator_parameters

FOUR = Path(get_package_share_directory("wm_planner"), "launch", "wm_sim_four_cameras.json")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    cameras = ("rgb_front", "rgb_rear")
    image = ImageSpec(64, 64, tuple(CameraSpec(name, 96, 128) for name in cameras))
    return load_bundle(make_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny", cameras, image=image))


def test_a_spawn_file_with_the_bundle_s_cameras_is_given_to_the_simulator(bundle):
    options = DriveOptions(objects_definition_file=FOUR, start_timeout=70.0)
    check_cameras(options, bundle)
    parameters = simulator_parameters(bundle.manifest, options, 7, 0.0, False)
    BridgeConfig.from_values(parameters)  # raises where the simulator would refuse them
    assert parameters["objects_definition_file"] == str(FOUR)
    # Who starts it gives up on the planner before it gives up on both.
    assert parameters["wait_for_driver"] > options.start_timeout


def test_light_and_weather_are_given_to_the_simulator(bundle):
    parameters = simulator_parameters(bundle.manifest, DriveOptions(weather="random", light=0.5), 7, 0.0, False)
    config = BridgeConfig.from_values(parameters)
    assert (config.weather, config.light) == ("random", 0.5)


def test_several_cameras_need_a_spawn_file(bundle):
    with pytest.raises(DriveError, match="expects rgb_front 128x96, rgb_rear 128x96, and .* has rgb_front only: give"):
        check_cameras(DriveOptions(), bundle)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"id": "rgb_back"}, "found rgb_front 128x96, rgb_back 128x96: change the file"),
        ({"image_size_x": 64}, "found rgb_front 128x96, rgb_rear 64x96: change the file"),
    ],
)
def test_a_spawn_file_whose_cameras_differ_is_refused(bundle, tmp_path, change, message):
    content = json.loads(FOUR.read_text())
    car = content["objects"][0]
    cameras = {sensor["id"]: sensor for sensor in car["sensors"]}
    car["sensors"] = [cameras["rgb_front"], {**cameras["rgb_rear"], **change}]
    file = tmp_path / "spawn.json"
    file.write_text(json.dumps(content))
    with pytest.raises(DriveError, match=message) as error:
        check_cameras(DriveOptions(objects_definition_file=file), bundle)
    assert f"--objects-definition-file {file}" in str(error.value)


def test_a_spawn_file_of_another_car_is_refused(bundle):
    with pytest.raises(DriveError, match="with sensors and the id hero, found ego_vehicle"):
        check_cameras(DriveOptions(objects_definition_file=FOUR, role_name="hero"), bundle)
