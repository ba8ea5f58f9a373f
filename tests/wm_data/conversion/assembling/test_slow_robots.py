"""Small, slow vehicles: their steer comes out right, or the report says that it does not."""

import json
import math

import fixtures_kitti
import numpy as np
import pytest
from any_conversion import converted
from fixtures_nuscenes import SceneSpec, write_dataset
from fixtures_rosbag import CAMERA, MS, Recording, image, stamped, write_bag
from fixtures_waymo import motion, scenario, write_tfrecord
from hypothesis import given, settings
from hypothesis import strategies as st
from wm_bundle.vehicle_commands.definition import angle_of_curvature
from wm_data.conversion.controls import angle_of_yaw_rate, steady_speed_mps
from wm_data.conversion.convert_options import ConvertOptions
from wm_training.commands import convert as command

MAX_STEER = math.radians(70.0)
SPEEDS = (0.23, 0.3, 0.37, 0.45)


def robot(path, ticks: int = 20, yaw_rate=lambda tick: 0.35, speed=lambda tick: SPEEDS[tick % 4]):
    """A robot's odometry, and the same as the command that led to it."""
    recording = Recording()
    for tick in range(ticks):
        stamp = 1_000 * MS + tick * 100 * MS
        twist = {"linear": {"x": speed(tick)}, "angular": {"z": yaw_rate(tick)}}
        recording.add("/odom", "nav_msgs/msg/Odometry", stamp, header=stamped(stamp), twist={"twist": twist})
        recording.add("/cmd_vel", "geometry_msgs/msg/Twist", stamp + MS, **twist)
        picture = image(stamp, np.full((8, 8, 4), tick, np.uint8))
        recording.add(CAMERA, "sensor_msgs/msg/Image", stamp + 2 * MS, **picture)
    return write_bag(path, recording)


@settings(deadline=None)
@given(curvature=st.floats(-5, 5), speed=st.floats(1e-3, 40), wheelbase=st.floats(0.05, 5.0))
def test_a_commanded_curvature_is_exact_at_any_speed(curvature, speed, wheelbase):
    angle = angle_of_curvature(curvature * speed, speed, wheelbase)
    assert angle == pytest.approx(math.atan(wheelbase * curvature), abs=1e-9)
    assert angle_of_curvature(-curvature * speed, -speed, wheelbase) == pytest.approx(angle, abs=1e-12)


@pytest.mark.parametrize(("wheelbase", "expected"), [(2.85, -1.0), (0.16, -math.atan(0.16 * 0.35 / 0.37) / MAX_STEER)])
def test_a_slow_robot_that_is_told_to_turn_steers(tmp_path, wheelbase, expected):
    """At 0.37 m/s and 0.35 rad/s: a curvature of 0.946 per metre."""
    folder = robot(tmp_path / "bag", speed=lambda tick: 0.37)
    (episode,), report = converted("rosbag", folder, wheelbase=wheelbase)
    assert episode.meta["action_source"] == "/cmd_vel" and episode.meta["wheelbase_m"] == wheelbase
    np.testing.assert_allclose(episode.actions[1:, 0], expected, rtol=1e-5 if wheelbase < 1 else 0.05)
    assert not any("held" in note for note in report.notes)


def test_a_command_that_stands_keeps_the_steer_and_one_that_turns_on_the_spot_is_left_out(tmp_path):
    def speed(tick):
        return 0.0 if 5 <= tick < 12 else 0.37

    folder = robot(tmp_path / "bag", speed=speed, yaw_rate=lambda tick: 0.0 if 5 <= tick < 8 else 0.35)
    episodes, report = converted("rosbag", folder, wheelbase=0.16)
    turning = -math.atan(0.16 * 0.35 / 0.37) / MAX_STEER
    np.testing.assert_allclose(episodes[0].actions[1:7, 0], turning, rtol=1e-5)  # also while it stands
    assert report.skipped["command while turning on the spot"] == 4
    assert report.skipped["picture of rgb_front while turning on the spot"] == 4
    assert not any(8 < (stamp // MS - 1_000) / 100 < 12 for e in episodes for stamp in e.stamps_ns)


def test_where_the_steer_of_measured_motion_is_held_the_report_says_how_often_and_what_to_do(tmp_path):
    folder = robot(tmp_path / "bag")
    (episode,), report = converted("rosbag", folder, actions="derived")
    assert not episode.actions[:, 0].any()
    (note,) = [note for note in report.notes if "held" in note]
    assert note.startswith("19 of 19 rows are slower than 1 m/s") and "--wheelbase" in note
    (episode,), report = converted("rosbag", folder, actions="derived", wheelbase=0.16)
    assert (episode.actions[:, 0] < -0.05).all() and not any("held" in note for note in report.notes)
    assert episode.meta["wheelbase_m"] == 0.16


def test_the_speed_from_which_a_yaw_rate_tells_the_steer_grows_with_the_vehicle_up_to_walking_speed():
    assert [steady_speed_mps(wheelbase) for wheelbase in (0.25, 2.5, 2.85, 6.0)] == [0.1, 1.0, 1.0, 1.0]
    held = angle_of_yaw_rate([0.1, 0.5], [1.0, 0.99], 2.85)
    assert held[1] == held[0] == pytest.approx(math.atan(0.285))
    assert angle_of_yaw_rate([0.05], [0.1], 0.25)[0] == pytest.approx(math.atan(0.125))


def kitti(tmp_path):
    fixtures_kitti.write_drive(tmp_path, 20, yaw_rate=lambda frame: 0.2)
    return "kitti", tmp_path, 2.71


def waymo(tmp_path):
    path = motion(20, 0.1, yaw_rates=[0.2] * 20, speed=5.0)
    return "waymo", write_tfrecord(tmp_path / "a.tfrecord", [scenario(path=path)]), 0.57 * 5.286


def nuscenes(tmp_path):
    write_dataset(tmp_path, (SceneSpec(can=False, yaw_rate=lambda time: 0.2),))
    return "nuscenes", tmp_path, 2.588


def bag(tmp_path):
    robot(tmp_path / "bag", speed=lambda tick: 5.0, yaw_rate=lambda tick: 0.2)
    return "rosbag", tmp_path, 2.85


@pytest.mark.parametrize("source", [kitti, waymo, nuscenes, bag])
def test_wheelbase_and_largest_angle_are_the_sources_own_or_those_told_and_the_meta_says_which(tmp_path, source):
    kind, folder, own = source(tmp_path)
    for told, largest in ((None, 70.0), (1.5, 35.0)):
        (episode,), _ = converted(kind, folder, actions="derived", wheelbase=told, max_steer_deg=largest)
        wheelbase = told or own
        expected = -math.atan(wheelbase * 0.2 / 5.0) / math.radians(largest)
        np.testing.assert_allclose(np.median(episode.actions[:, 0]), expected, rtol=2e-3)
        assert episode.meta["wheelbase_m"] == pytest.approx(wheelbase, rel=1e-3)
        assert episode.meta["max_steer_deg"] == largest


@pytest.mark.parametrize("flags", [("--max-steer", "30"), ("--max-steer-deg", "30")])
def test_the_command_takes_both_and_the_manifest_keeps_them(tmp_path, flags):
    folder = robot(tmp_path / "bag")
    dest = tmp_path / "out"
    assert command.main(["rosbag", str(folder), str(dest), "--wheelbase", "0.16", *flags]) == 0
    arguments = json.loads((dest / "manifest.json").read_text())["arguments"]
    assert (arguments["wheelbase"], arguments["max_steer_deg"]) == (0.16, 30.0)


@pytest.mark.parametrize("wheelbase", [0.0, -1.0, 0.04, 21.0, math.nan])
def test_a_wheelbase_that_no_vehicle_has_is_refused(wheelbase):
    with pytest.raises(ValueError, match="wheelbase is .* m, expected 0.05 to 20"):
        ConvertOptions("rosbag", "a", "b", wheelbase=wheelbase)
