"""Signals that are asked for: of the registry and of the user's own, complete or with gaps."""

import dataclasses
import json
import re

import numpy as np
import pytest
from any_conversion import converted as converted_any
from carla_conversion import convert as converted_table
from fixtures_carla import table_rows, write_drive
from fixtures_kitti import write_drive as write_kitti
from fixtures_nuscenes import WHEELBASE_M, SceneSpec
from fixtures_nuscenes import write_dataset as write_nuscenes
from fixtures_rosbag import SPEED_MPS, VEHICLE, Recording, drive, stamped, write_bag
from rosbag_conversion import TICKS, converted, error_of, every_tick, options, ordered, pictures, status, tick_ns
from wm_data.agreement import differences, told, traits_of
from wm_data.episodes import EpisodeError, read_episode, write_episode
from wm_data.errors import ConversionError

FLOAT = "std_msgs/msg/Float32"
BATTERY = 'battery: {unit: V, source: "std_msgs/Float32 /my/sensor data", factor: 0.5}'


def numbers(topic: str, kind: str = FLOAT, ticks=range(TICKS)) -> Recording:
    """Each tick's number, recorded just before its picture."""
    recording = Recording()
    for tick in ticks:
        recording.add(topic, kind, tick_ns(tick), data=tick)
    return recording


def base(*more: Recording) -> Recording:
    return ordered(status(), *more, pictures())


def names(episode) -> list[str]:
    return [column["name"] for column in episode.meta["vector"]]


def test_signals_of_the_registry_are_taken_by_their_usual_names_when_asked_for_and_only_then(tmp_path):
    imu = every_tick(
        f"{VEHICLE}/imu",
        "sensor_msgs/msg/Imu",
        lambda t, stamp: {"header": stamped(stamp), "linear_acceleration": {"x": t / 4, "y": -t / 8}},
    )
    bag = write_bag(tmp_path / "bag", base(imu, numbers(f"{VEHICLE}/gap"), numbers(f"{VEHICLE}/speed_limit")))
    (episode,), _ = converted(bag)
    assert names(episode) == ["speed", "yaw_rate"] and "gaps" not in episode.meta["vector"][0]
    asked = ("gap", "acceleration_across", "acceleration_along", "speed_limit", "speed")
    (episode,), _ = converted(bag, signals=asked)
    assert names(episode) == ["speed", "acceleration_along", "acceleration_across", "speed_limit", "gap"]
    rows = [[SPEED_MPS, t / 4, -t / 8, t, t] for t in range(len(episode))]
    np.testing.assert_allclose(episode.vector, rows)


def test_a_command_is_read_from_its_number_and_holds(tmp_path):
    command = numbers(f"{VEHICLE}/high_level_command", "std_msgs/msg/Int8", range(1, TICKS))
    bag = write_bag(tmp_path / "bag", base(command))
    (episode,), _ = converted(bag, signals=("command_left", "command_straight"), min_rows=3)
    # Row 0 has no command yet; 1 is left, 3 straight, from 7 on it is none, and the last one holds.
    np.testing.assert_array_equal(episode.vector[:3], [[1, 0], [0, 0], [0, 1]])


def test_a_steering_angle_is_found_in_autowares_report_and_in_ackermann_commands_where_they_are_named(tmp_path):
    report = every_tick(
        "/vehicle/status/steering_status",
        "autoware_vehicle_msgs/msg/SteeringReport",
        lambda t, stamp: {"stamp": stamped(stamp)["stamp"], "steering_tire_angle": t / 8},
    )
    wanted = every_tick(
        "/drive",
        "ackermann_msgs/msg/AckermannDriveStamped",
        lambda t, stamp: {"header": stamped(stamp), "drive": {"steering_angle": -t / 8}},
    )
    bag = write_bag(tmp_path / "bag", base(report, wanted))
    for topics, sign in (((), 1.0), (("steering=/drive",), -1.0)):
        (episode,), _ = converted(bag, signals=("speed", "steering_angle"), topics=topics)
        np.testing.assert_allclose(episode.vector[:, 1], sign * np.arange(len(episode)) / 8)


def test_a_free_signal_is_read_from_its_topic_and_its_definition_is_in_the_meta(tmp_path):
    bag = write_bag(tmp_path / "bag", base(numbers("/my/sensor")))
    (episode,), report = converted(bag, signals=("speed", BATTERY))
    assert episode.meta["vector"][1] == {
        "name": "battery",
        "unit": "V",
        "source": "std_msgs/msg/Float32 /my/sensor data factor=0.5",
    }
    np.testing.assert_allclose(episode.vector, [[SPEED_MPS, t / 2] for t in range(len(episode))])


@pytest.mark.parametrize(
    ("signals", "message"),
    [
        (("speed", "gap"), r"the recording has no gap \[m\], which is asked for; --signal-gaps gap leaves it open"),
        (('a: {unit: V, source: "std_msgs/Float32 /a data"}',), "no a .V., on std_msgs/msg/Float32 /a data"),
        (('a: {unit: V, source: "std_msgs/Int8 /my/sensor data"}',), "/my/sensor is of type std_msgs/msg/Float32"),
        (('a: {unit: V, source: "std_msgs/Float32 /my/sensor dat"}',), "signal a: .*Float32 has no field dat"),
    ],
)
def test_a_signal_that_a_bag_lacks_fails_its_drive_in_one_line(tmp_path, signals, message):
    recording = base(numbers("/my/sensor"))
    assert re.search(message, error_of(tmp_path / "bag", recording, signals=signals))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"signals": ("sped",)}, "unknown signal sped.*did you mean speed"),
        ({"signals": ("speed: {unit: m/s, source: a/B c d}",)}, "taken by the signal speed"),
        ({"signals_file": "/nowhere.yaml"}, "signals file /nowhere.yaml cannot be read"),
        ({"signal_gaps": ("gap",)}, "signal_gaps has gap, expected some of those of --signals"),
        ({"signal_gaps": ("speed",), "signals": ("speed", "gap")}, "signal_gaps has speed, expected some of gap"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_before_anything_is_read(values, message):
    with pytest.raises(ValueError, match=message):
        options("/a/bag", **values)


def test_a_topic_that_nothing_is_taken_from_is_refused(tmp_path):
    told = error_of(tmp_path / "bag", base(numbers("/my/gap")), topics=("gap=/my/gap",))
    assert "--topics names gap, from which no input is taken" in told
    bag = tmp_path / "bag"
    (episode,), _ = converted(bag, topics=("gap=/my/gap",), signals=("gap",))
    np.testing.assert_allclose(episode.vector[:, 0], range(len(episode)))


def test_without_leave_a_gap_cuts_the_drive_and_with_it_rows_hold_nan(tmp_path):
    """A gap holds for a second: of 12 ticks at 10 Hz, the sample of tick 0 is known until tick 10."""
    bag = write_bag(tmp_path / "bag", base(numbers(f"{VEHICLE}/gap", ticks=[0])))
    (episode,), report = converted(bag, signals=("speed", "gap"), min_rows=3)
    assert len(episode) == 10 and report.skipped["row without gap"] == 1
    (episode,), _ = converted(bag, signals=("speed", "gap", "steering_angle"), signal_gaps=("gap", "steering_angle"))
    assert len(episode) == TICKS - 1 and names(episode) == ["speed", "steering_angle", "gap"]
    assert [column.get("gaps") for column in episode.meta["vector"]] == [None, True, True]
    assert np.isnan(episode.vector[:, 1]).all()
    np.testing.assert_array_equal(np.isnan(episode.vector[:, 2]), np.arange(TICKS - 1) > 10 - 0)


def test_a_signal_that_comes_more_slowly_than_it_holds_is_told(tmp_path):
    line = 'slow: {unit: V, source: "std_msgs/Float32 /my/sensor data", hold_s: 0.25}'
    bag = write_bag(tmp_path / "bag", base(numbers("/my/sensor", ticks=range(0, TICKS, 5))))
    _, report = converted(bag, signals=("speed", line), signal_gaps=("slow",))
    assert "slow comes every 0.5 s, and a sample holds 0.25 s: it is missing in between" in report.notes
    _, report = converted(bag, signals=("speed", line.replace("0.25", "1.0")))
    assert not any("comes every" in note for note in report.notes)


def test_a_table_has_a_column_of_a_signals_name(tmp_path):
    rows = table_rows(12, speed=lambda k: 3.0, speed_limit=lambda k: 8.0 + k)
    write_drive(tmp_path / "drive", rows)
    (episode,), _ = converted_table(tmp_path / "drive", signals=("speed", "speed_limit"), min_rows=3)
    assert names(episode) == ["speed", "speed_limit"]
    np.testing.assert_allclose(episode.vector[:, 1], 8.0 + np.arange(len(episode)))


def with_gaps(tmp_path):
    bag = write_bag(tmp_path / "bag", base())
    (episode,), _ = converted(bag, signals=("speed", "gap"), signal_gaps=("gap",))
    return episode


def test_an_episode_may_lack_numbers_only_where_its_meta_says_so(tmp_path):
    episode = with_gaps(tmp_path)
    read = read_episode(write_episode(tmp_path / "a.npz", episode))
    assert np.isnan(read.vector[:, 1]).all() and read.meta["vector"][1]["gaps"] is True
    for vector in ([{"name": "speed"}, {"name": "gap"}], None, [{"name": "gap", "gaps": True}] * 3):
        with pytest.raises(EpisodeError, match="vector holds numbers that are not finite"):
            write_episode(tmp_path / "b.npz", dataclasses.replace(episode, meta={**episode.meta, "vector": vector}))
    infinite = np.where(np.isnan(episode.vector), np.inf, episode.vector)
    with pytest.raises(EpisodeError, match="not finite"):
        write_episode(tmp_path / "b.npz", dataclasses.replace(episode, vector=infinite))


def test_episodes_with_and_without_gaps_agree_and_together_they_may_have_some(tmp_path):
    episode = with_gaps(tmp_path)
    whole = json.loads(json.dumps(episode.meta))
    del whole["vector"][1]["gaps"]
    complete = dataclasses.replace(episode, vector=np.nan_to_num(episode.vector), meta=whole)
    traits = [traits_of("a", complete), traits_of("b", episode)]
    assert not list(differences(traits))
    assert told(traits)["vector"] == episode.meta["vector"] and told(traits[:1])["vector"] == whole["vector"]


def test_a_drive_of_the_simulator_with_rewards_keeps_its_columns(tmp_path):
    (episode,), _ = converted(write_bag(tmp_path / "bag", drive(ticks=TICKS)))
    assert names(episode) == ["speed"]


def test_kitti_gives_the_accelerations_of_its_inertial_unit(tmp_path):
    write_kitti(tmp_path, frames=15)
    (episode,), _ = converted_any("kitti", tmp_path, signals=("speed", "acceleration_along", "acceleration_across"))
    # Fields 14 and 15 of the fixture hold 77.14 and 77.15.
    np.testing.assert_allclose(episode.vector[:, 1:], np.tile([77.14, 77.15], (len(episode), 1)), rtol=1e-6)
    with pytest.raises(ConversionError, match=r"no steering_angle \[rad\]"):
        converted_any("kitti", tmp_path, signals=("speed", "steering_angle"))


def test_nuscenes_gives_accelerations_and_the_front_wheels_angle_positive_left(tmp_path):
    names = ("speed", "acceleration_along", "acceleration_across", "steering_angle")
    write_nuscenes(tmp_path, [SceneSpec(yaw_rate=lambda t: 0.2)])
    (episode,), _ = converted_any("nuscenes", tmp_path, signals=names)
    assert names == tuple(column["name"] for column in episode.meta["vector"])
    np.testing.assert_allclose(episode.vector[:, 1:3], np.tile([0.5, -0.25], (len(episode), 1)), rtol=1e-6)
    angle = np.arctan(WHEELBASE_M * 0.2 / 5.0)
    np.testing.assert_allclose(episode.vector[:, 3], angle, rtol=1e-3)
    np.testing.assert_allclose(episode.actions[:, 0], -angle / np.radians(70.0), rtol=1e-3)
