"""What a steer and two pedals cannot tell: driving backwards and turning on the spot make no action, in any source."""

import fixtures_kitti
import numpy as np
import pytest
from any_conversion import converted
from fixtures_carla import table_rows, write_drive
from fixtures_nuscenes import SceneSpec, write_dataset
from fixtures_rosbag import CAMERA, MS, VEHICLE, Recording, control, image, stamped, write_bag
from fixtures_waymo import motion, scenario, write_tfrecord
from synthetic_drive import drive, options, signal
from wm_data.conversion.assembling.assembly import episodes_of_drive
from wm_data.conversion.drive import Signals

BACKWARDS = "row driven backwards, which no action expresses"
PERIOD_S = 0.1


def speed_at(second: float) -> float:
    """Forwards at 4 m/s, a stop, then backwards, faster and slower again, and a stop."""
    return float(np.interp(second, (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0), (4.0, 4.0, 0.0, 0.0, -3.0, 0.0, 0.0)))


def kitti(tmp_path):
    fixtures_kitti.write_drive(tmp_path, 61, speed=lambda frame: speed_at(PERIOD_S * frame))
    return converted("kitti", tmp_path)


def waymo(tmp_path):
    slopes = [(speed_at(PERIOD_S * (t + 1)) - speed_at(PERIOD_S * t)) / PERIOD_S for t in range(61)]
    path = motion(61, PERIOD_S, accelerations=slopes, speed=4.0)
    return converted("waymo", write_tfrecord(tmp_path / "a.tfrecord", [scenario(path=path)]))


def nuscenes_without_can_bus(tmp_path):
    write_dataset(tmp_path, (SceneSpec(can=False, seconds=6.1, speed=speed_at),))
    return converted("nuscenes", tmp_path)


def nuscenes_with_can_bus(tmp_path):
    write_dataset(tmp_path, (SceneSpec(seconds=6.1, speed=speed_at, throttle=lambda second: 0.3),))
    return converted("nuscenes", tmp_path)


def table(tmp_path, **columns):
    usual = {"speed": lambda k: speed_at(PERIOD_S * k), "time": lambda k: PERIOD_S * k}
    write_drive(tmp_path, table_rows(61, **{**usual, **columns}))
    return converted("carla", tmp_path)


def table_to_derive_from(tmp_path):
    return table(tmp_path, yaw_rate=lambda k: 0.0, steer=None, throttle=None, brake=None)


def table_of_controls(tmp_path):
    return table(tmp_path)


def bag(tmp_path):
    recording = Recording()
    for tick in range(61):
        stamp = 1_000 * MS + tick * 100 * MS
        twist = {"twist": {"linear": {"x": speed_at(PERIOD_S * tick)}}}
        recording.add(f"{VEHICLE}/odometry", "nav_msgs/msg/Odometry", stamp, header=stamped(stamp), twist=twist)
        recording.add(CAMERA, "sensor_msgs/msg/Image", stamp + MS, **image(stamp, np.full((8, 8, 4), tick, np.uint8)))
    return converted("rosbag", write_bag(tmp_path / "bag", recording))


@pytest.mark.parametrize(
    "source",
    [bag, kitti, waymo, nuscenes_without_can_bus, nuscenes_with_can_bus, table_to_derive_from, table_of_controls],
)
def test_rows_driven_backwards_are_left_out_and_counted(tmp_path, source):
    """Backwards from 3.0 to 5.0 s: 20 rows, one less where the first of them is still as slow as noise."""
    episodes, report = source(tmp_path)
    assert 18 <= report.skipped[BACKWARDS] <= 22
    assert "the vehicle drives backwards" in [split["reason"] for split in report.splits]
    first, second = episodes
    begin_ns = int(first.stamps_ns[0]) - 61 * 10**8 % 10**8
    assert (first.stamps_ns[-1] - begin_ns) / 1e9 < 3.1 and (second.stamps_ns[0] - begin_ns) / 1e9 > 4.7
    assert all((episode.vector[:, 0] >= 0.0).all() for episode in episodes)
    for held in [note for note in report.notes if "held" in note]:  # of the rows that are there, or of Waymo's steps
        assert int(held.split()[2]) - (source is waymo) == len(first) + len(second)
    if first.meta["action_source"] == "derived":
        braking = np.flatnonzero(first.actions[:, 2])  # only while it comes to its stop
        assert len(braking) and ((first.vector[braking, 0] > 0.1) & (first.actions[braking, 1] == 0.0)).all()
        assert not second.actions[:, 1:].any()


def test_the_noise_of_a_vehicle_that_stands_is_not_driving_backwards():
    """An OXTS unit's, the largest of five minutes."""
    noise = np.random.default_rng(1).normal(0.0, 0.012, 3000)
    stamps = range(0, 300_000, 100)
    signals = Signals(
        {"speed": signal(dict(zip(stamps, noise, strict=True))), "yaw_rate": signal(dict.fromkeys(stamps, 0.0))}
    )
    made = drive([(0, stamp, 0) for stamp in stamps], signals)
    made.action_source = "derived"
    assert [len(episode) for episode in episodes_of_drive(made, options(max_rows=5000))] == [2999]


def test_a_status_in_reverse_gear_tells_derived_actions_too_whose_speed_has_no_sign(tmp_path):
    recording = Recording()
    for tick in range(20):
        stamp = 1_000 * MS + tick * 100 * MS
        reverse = 8 <= tick < 14
        recording.add(
            f"{VEHICLE}/vehicle_status",
            "carla_msgs/msg/CarlaEgoVehicleStatus",
            stamp,
            header=stamped(stamp),
            velocity=abs(tick - 10.0),
            control=control(0.0, reverse=reverse),
        )
        recording.add(f"{VEHICLE}/odometry", "nav_msgs/msg/Odometry", stamp, header=stamped(stamp))
        recording.add(
            f"{VEHICLE}/expert_control",
            "carla_msgs/msg/CarlaEgoVehicleControl",
            stamp,
            **control(0.1, stamp_ns=stamp, reverse=reverse),
        )
        recording.add(CAMERA, "sensor_msgs/msg/Image", stamp + MS, **image(stamp, np.full((8, 8, 4), tick, np.uint8)))
    episodes, report = converted("rosbag", write_bag(tmp_path / "bag", recording), actions="derived")
    ticks = [[(int(stamp) // MS - 1_000) // 100 for stamp in episode.stamps_ns] for episode in episodes]
    assert ticks == [[0, 1, 2, 3, 4, 5, 6], [14, 15, 16, 17, 18]]
    assert report.skipped["picture of rgb_front in reverse gear"] == 6
    assert report.skipped["expert's command in reverse gear"] == 6


@pytest.mark.parametrize("column", ["reverse", "control_reverse", "gear"])
def test_rows_of_a_table_in_reverse_gear_are_left_out_whatever_the_sign_of_the_speed(tmp_path, column):
    told = {column: lambda k: (-1 if column == "gear" else True) if 5 <= k < 9 else (1 if column == "gear" else False)}
    write_drive(tmp_path, table_rows(20, speed=lambda k: 3.0, **told))
    episodes, report = converted("carla", tmp_path)
    assert [len(episode) for episode in episodes] == [4, 10]
    assert report.skipped["row in reverse gear"] == 4


def test_a_table_that_tells_the_gear_may_roll_back_in_a_forward_gear(tmp_path):
    write_drive(tmp_path, table_rows(20, speed=lambda k: -1.0, reverse=lambda k: False))
    (episode,), report = converted("carla", tmp_path)
    assert len(episode) == 19 and not report.skipped
    np.testing.assert_array_equal(episode.vector[:, 0], 1.0)  # a speed has no sign for the model


def test_turning_on_the_spot_makes_no_derived_action():
    stamps = range(0, 3_001, 100)
    speed = {t: 0.0 if 1000 <= t <= 2000 else 0.4 for t in stamps}
    signals = Signals({"speed": signal(speed), "yaw_rate": signal(dict.fromkeys(stamps, 0.5))})
    made = drive([(0, stamp, 0) for stamp in stamps], signals)
    made.action_source = "derived"
    first, second = episodes_of_drive(made, options())
    assert made.report.skipped["row that turns on the spot, which no action expresses"] == 10
    assert (len(first), len(second)) == (10, 10)
