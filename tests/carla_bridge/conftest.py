"""These tests run where the real bridge and CARLA's client are; elsewhere they are skipped, with the reason."""

import carla_rig
import pytest
from tiny_bundle import make_tiny_bundle
from wm_bundle import CameraSpec, ImageSpec

SIX = ("rgb_front", "rgb_front_left", "rgb_front_right", "rgb_rear", "rgb_rear_left", "rgb_rear_right")


def pytest_collection_modifyitems(items):
    reason = carla_rig.reason_to_skip()
    for item in items:
        if item.path.is_relative_to(carla_rig.HERE):
            item.add_marker(pytest.mark.timeout(300))
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


def _bundle(folder, cameras, height, width):
    image = ImageSpec(64, 64, tuple(CameraSpec(name, height, width) for name in cameras))
    return make_tiny_bundle(folder, cameras, throttle=0.4, image=image)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    """A bundle for the camera of carla_spawn.json, untrained, whose actor goes ahead."""
    return _bundle(tmp_path_factory.mktemp("bundle"), SIX[:1], 600, 800)


@pytest.fixture(scope="session")
def six_cameras(tmp_path_factory):
    """One for those of carla_spawn_six_cameras.json."""
    return _bundle(tmp_path_factory.mktemp("bundle_six"), SIX, 270, 480)
