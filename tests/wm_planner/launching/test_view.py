"""Which live view the launch files choose."""

import pytest
from ament_index_python.packages import PackageNotFoundError
from wm_planner.launching import view as launch_view


@pytest.mark.parametrize(
    "installed, environment, chosen",
    [
        ({"rviz2", "foxglove_bridge"}, {"DISPLAY": ":0"}, "rviz"),
        ({"rviz2"}, {"WAYLAND_DISPLAY": "wayland-0"}, "rviz"),
        ({"rviz2", "foxglove_bridge"}, {}, "foxglove"),
        ({"foxglove_bridge"}, {"DISPLAY": ":0"}, "foxglove"),
        ({"rviz2"}, {"DISPLAY": ""}, "web"),
        (set(), {"DISPLAY": ":0"}, "web"),
    ],
)
def test_true_takes_the_first_that_is_installed_and_can_show_something(monkeypatch, installed, environment, chosen):
    def prefix(package):
        if package not in installed:
            raise PackageNotFoundError(package)
        return "/opt"

    monkeypatch.setattr(launch_view, "get_package_prefix", prefix)
    assert launch_view._best_kind(environment) == chosen
