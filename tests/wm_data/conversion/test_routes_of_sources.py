"""`--route` in all sources: hindsight by speed and yaw rate, or one clear line; and the commands of CARLA's tables."""

import fixtures_carla
import fixtures_kitti
import fixtures_waymo
import numpy as np
import pytest
from any_conversion import converted
from fixtures_nuscenes import SceneSpec, write_dataset
from wm_bundle.vector_inputs import VECTOR_INPUTS
from wm_data.errors import ConversionError
from wm_data.routes.following import ROUTE_INPUTS

SPEED, TURN = 6.0, 0.3  # a circle of 20 m to the left
HINDSIGHT = {"route": "hindsight", "route_noise": 0.0}


def kitti(folder):
    fixtures_kitti.write_drive(folder, 80, speed=lambda frame: SPEED, yaw_rate=lambda frame: TURN)
    return "kitti", folder


def nuscenes(folder, can=True):
    write_dataset(folder, (SceneSpec(seconds=8.0, speed=lambda time: SPEED, yaw_rate=lambda time: TURN, can=can),))
    return "nuscenes", folder


def waymo(folder):
    path = fixtures_waymo.motion(80, 0.1, yaw_rates=[TURN] * 80, speed=SPEED)
    fixtures_waymo.write_tfrecord(folder / "a.tfrecord-00000-of-00001", [fixtures_waymo.scenario(path=path)])
    return "waymo", folder


def table(folder, **columns):
    moving = {"steer": lambda k: -0.1, "speed": lambda k: SPEED, "yaw_rate": lambda k: TURN, **columns}
    fixtures_carla.write_drive(folder / "drive", fixtures_carla.table_rows(160, **moving))
    return "carla", folder


@pytest.mark.parametrize(
    "write",
    [kitti, nuscenes, lambda folder: nuscenes(folder, can=False), waymo, table],
    ids=["kitti", "nuscenes", "nuscenes by poses", "waymo", "carla"],
)
def test_a_turn_to_the_left_has_its_route_on_the_left(tmp_path, write):
    kind, source = write(tmp_path)
    (episode,), report = converted(kind, source, **HINDSIGHT)
    assert [entry["name"] for entry in episode.meta["vector"]][-13:] == list(ROUTE_INPUTS)
    assert episode.meta["route"] == {"source": "hindsight", "path": "speed and yaw rate", "noise_m": 0.0}
    x, y = (episode.told(VECTOR_INPUTS[f"route_10m_{axis}"]) for axis in "xy")
    known = np.isfinite(x)
    # Some 46 m are driven, and the last 10 m of them have no point 10 m ahead. Half a radian of a circle of 20 m:
    # 20 sin 0.5 = 9.6 m ahead and 20 (1 - cos 0.5) = 2.4 m to the left.
    assert 0.6 < known.mean() < 0.9 and not known[-5:].any()
    np.testing.assert_allclose(x[known], 9.6, atol=0.25)
    np.testing.assert_allclose(y[known], 2.4, atol=0.35)
    assert any("do not know all of their route" in note for note in report.notes)
    (plain,), _ = converted(kind, source)
    assert "route" not in plain.meta and plain.vector.shape[1] == episode.vector.shape[1] - 13
    np.testing.assert_array_equal(plain.vector, episode.vector[:, :-13])


@pytest.mark.parametrize("route", ["auto", "hindsight", "recorded"])
def test_a_recording_without_a_path_has_no_route_and_says_why(tmp_path, route):
    kind, source = table(tmp_path, yaw_rate=None)
    expected = "no route of its own" if route == "recorded" else "cannot be told without yaw rate, so it has no route"
    with pytest.raises(ConversionError, match=expected):
        converted(kind, source, route=route)


@pytest.mark.parametrize("column", ["command", "Command_Near", "road option"])
def test_the_commands_of_a_carla_table_are_read_where_they_are_asked_for(tmp_path, column):
    options = [1, 2, 3, 4, 5, 6, "LEFT", "RoadOption.RIGHT", "LANEFOLLOW", "4"]
    kind, source = table(tmp_path, **{column: lambda k: options[k % 10]})
    asked = ("speed", "command_left", "command_right", "command_straight")
    (episode,), _ = converted(kind, source, signals=asked)
    found = {name: episode.told(VECTOR_INPUTS[name])[:10].tolist() for name in asked[1:]}
    assert found["command_left"] == [1, 0, 0, 0, 0, 0, 1, 0, 0, 0]
    assert found["command_right"] == [0, 1, 0, 0, 0, 0, 0, 1, 0, 0]
    assert found["command_straight"] == [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    _, report = converted(kind, source)
    assert any(column in note for note in report.notes if note.startswith("columns that are not used"))


def test_rows_without_a_command_have_none_made_up(tmp_path):
    kind, source = table(tmp_path, command=lambda k: -1 if k >= 80 else 1)
    (episode,), _ = converted(kind, source, signals=("speed", "command_left"), signal_gaps=("command_left",))
    left = episode.told(VECTOR_INPUTS["command_left"])
    assert (left[:80] == 1.0).all() and np.isnan(left[95:]).all()


def positions(sign: float):
    """Columns x and y of a circle of 20 m to the left at 6 m/s, 20 rows a second; ``sign`` of y: CARLA's is -1."""
    return {
        "location_x": lambda k: 100.0 + 20.0 * np.sin(0.015 * k),
        "location_y": lambda k: 50.0 + sign * 20.0 * (1.0 - np.cos(0.015 * k)),
    }


def test_the_positions_of_a_carla_table_are_a_path_where_y_points_to_the_right(tmp_path):
    kind, source = table(tmp_path, yaw_rate=None, **positions(-1.0))
    (episode,), _ = converted(kind, source, **HINDSIGHT)
    assert episode.meta["route"]["path"] == "x and y"
    x, y = (episode.told(VECTOR_INPUTS[f"route_10m_{axis}"])[2:80] for axis in "xy")
    np.testing.assert_allclose(x, 9.6, atol=0.25)
    np.testing.assert_allclose(y, 2.4, atol=0.35)
    assert np.abs(episode.told(VECTOR_INPUTS["route_offset"])).max() < 0.2
    _, report = converted(kind, source)
    assert any("location_x" in note for note in report.notes if note.startswith("columns that are not used"))


def test_positions_that_turn_the_other_way_than_is_steered_are_refused(tmp_path):
    kind, source = table(tmp_path, **positions(1.0))
    with pytest.raises(ConversionError, match="its x and y turn the other way than its steer; expected"):
        converted(kind, source, **HINDSIGHT)
