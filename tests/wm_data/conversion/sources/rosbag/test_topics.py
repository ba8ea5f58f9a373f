"""Which topics are read, and what their messages mean."""

import math

import numpy as np
import pytest
from extra_input import register
from fixtures_rosbag import CAMERA, MS, SPEED_MPS, VEHICLE, Recording, control, drive, image, stamped, write_bag
from rosbag_conversion import (
    IMAGE_TYPE,
    RESULT,
    START,
    STATUS,
    TICKS,
    converted,
    error_of,
    every_tick,
    options,
    ordered,
    pictures,
    status,
    tick_ns,
)
from wm_data.conversion.sources.rosbag import find_drives, open_drive

COMMANDS = f"{VEHICLE}/vehicle_control_cmd"
CONTROL_TYPE = "carla_msgs/msg/CarlaEgoVehicleControl"


def odometry(topic: str = f"{VEHICLE}/odometry", speed=lambda tick: SPEED_MPS, yaw_rate=lambda tick: 0.0) -> Recording:
    return every_tick(
        topic,
        "nav_msgs/msg/Odometry",
        lambda tick, stamp: {
            "header": stamped(stamp),
            "twist": {"twist": {"linear": {"x": speed(tick)}, "angular": {"z": yaw_rate(tick)}}},
        },
    )


def twist(linear: float, angular: float) -> dict:
    return {"linear": {"x": linear}, "angular": {"z": angular}}


# The impulse: one interval is steered, from tick 5 to 6, and the picture of tick 6 is the first that shows it.
IMPULSE = 5


def impulse_pictures() -> Recording:
    recording = Recording()
    for tick in range(TICKS):
        picture = np.full((8, 8, 4), 200 if tick > IMPULSE else 10, np.uint8)
        recording.add(CAMERA, IMAGE_TYPE, tick_ns(tick) + MS, **image(tick_ns(tick), picture))
    return recording


def commanded(tick: int) -> float:
    """What is commanded at a tick, until the next one."""
    return 1.0 if tick == IMPULSE else 0.0


def yawing(tick: int) -> float:
    """The yaw rate that only the interval after IMPULSE explains: ends of two intervals see half of it."""
    return -0.4 if tick in (IMPULSE, IMPULSE + 1) else 0.0


ANGLE = math.radians(70.0)
IMPULSES = {
    "applied": status(lambda tick: commanded(tick - 1)),
    "CarlaEgoVehicleControl": ordered(
        status(), every_tick(COMMANDS, CONTROL_TYPE, lambda t, stamp: control(commanded(t), stamp_ns=stamp), 20 * MS)
    ),
    "AckermannDriveStamped": ordered(
        odometry(),
        every_tick(
            "/cmd",
            "ackermann_msgs/msg/AckermannDriveStamped",
            lambda t, stamp: {"header": stamped(stamp), "drive": {"steering_angle": -ANGLE * commanded(t)}},
            20 * MS,
        ),
    ),
    "AckermannDrive": ordered(
        odometry(),
        every_tick("/cmd", "ackermann_msgs/msg/AckermannDrive", lambda t, _: {"steering_angle": -ANGLE * commanded(t)}),
    ),
    "TwistStamped": ordered(
        odometry(),
        every_tick(
            "/cmd_vel",
            "geometry_msgs/msg/TwistStamped",
            lambda t, stamp: {"header": stamped(stamp), "twist": twist(5.0, -2.0 * commanded(t))},
            20 * MS,
        ),
    ),
    "Twist": ordered(
        odometry(), every_tick("/cmd_vel", "geometry_msgs/msg/Twist", lambda t, _: twist(5.0, -2.0 * commanded(t)))
    ),
    "Autoware": ordered(
        odometry(),
        every_tick(
            "/control/command/control_cmd",
            "autoware_control_msgs/msg/Control",
            lambda t, stamp: {
                "stamp": stamped(stamp)["stamp"],
                "lateral": {"steering_tire_angle": -ANGLE * commanded(t)},
            },
            20 * MS,
        ),
    ),
    "derived": odometry(yaw_rate=yawing),
}


@pytest.mark.parametrize("kind", IMPULSES)
def test_an_impulse_of_steering_is_the_action_of_the_row_before_the_picture_changes(tmp_path, kind):
    actions = "commanded" if kind not in ("applied", "derived") else kind
    bag = write_bag(tmp_path / "bag", ordered(IMPULSES[kind], impulse_pictures()))
    (episode,), _ = converted(bag, actions=actions)
    first = int(episode.stamps_ns[0] - START) // (100 * MS)
    brightness = episode.observations[:, 0, 0, 0].astype(int)
    (changed,) = np.flatnonzero(np.diff(brightness))
    assert changed + first == IMPULSE
    steer = episode.actions[:, 0]
    assert steer.argmax() == changed and steer[changed] > 0.05
    assert abs(np.delete(steer, [changed - 1, changed, changed + 1])).max() < 1e-6
    assert max(steer[changed - 1], steer[changed + 1]) < 0.6 * steer[changed]


def test_angles_and_yaw_rates_become_the_fraction_of_the_largest_angle_positive_right(tmp_path):
    # A wheel at 0.2 rad to the left of at most 70 degrees, 1.2217 rad: steer -0.1637.
    drive_fields = {"steering_angle": 0.2, "speed": 7.0, "acceleration": 1.0}
    commands = every_tick("/cmd", "ackermann_msgs/msg/AckermannDrive", lambda t, _: drive_fields)
    (episode,), _ = converted(write_bag(tmp_path / "a", ordered(odometry(), commands, pictures())))
    np.testing.assert_allclose(episode.actions[1:, 0], -0.2 / 1.221730, atol=1e-5)
    # At 5 m/s, wanting 7 m/s in 1 s, at most 1 m/s^2; with 0.15 + 4e-4 * 25 of drag, out of 4: throttle 0.29.
    np.testing.assert_allclose(episode.actions[1:, 1], (1.0 + 0.15 + 0.01) / 4.0, atol=1e-5)
    # The bicycle: atan(2.85 m * 0.5 rad/s / 4 m/s) = 0.3422 rad; braking from 5 to 4 m/s: (-1 + 0.16) / 8.
    commands = every_tick("/cmd_vel", "geometry_msgs/msg/Twist", lambda t, _: twist(4.0, 0.5))
    (episode,), _ = converted(write_bag(tmp_path / "b", ordered(odometry(), commands, pictures())))
    np.testing.assert_allclose(episode.actions[1:, 0], -math.atan(2.85 * 0.5 / 4.0) / 1.221730, atol=1e-5)
    np.testing.assert_allclose(episode.actions[1:, 2], (1.0 - 0.16) / 8.0, atol=1e-5)
    assert not episode.actions[1:, 1].any()


def test_autoware_s_acceleration_counts_where_it_says_so_and_else_its_speed(tmp_path):
    """At 5 m/s, with 0.15 + 4e-4 * 25 of drag: 1 m/s^2 out of 4, or 7 m/s in 1 s."""
    for defined, acceleration in ((True, 1.0), (False, 2.0)):
        wanted = {"velocity": 7.0, "acceleration": 1.0, "is_defined_acceleration": defined}
        commands = every_tick(
            "/cmd", "autoware_control_msgs/msg/Control", lambda t, _, wanted=wanted: {"longitudinal": wanted}
        )
        (episode,), _ = converted(write_bag(tmp_path / str(defined), ordered(odometry(), commands, pictures())))
        np.testing.assert_allclose(episode.actions[1:, 1], (acceleration + 0.15 + 0.01) / 4.0, atol=1e-5)


def test_the_largest_angle_is_that_of_the_options(tmp_path):
    commands = every_tick("/cmd", "ackermann_msgs/msg/AckermannDrive", lambda t, _: {"steering_angle": 0.2})
    bag = write_bag(tmp_path / "bag", ordered(odometry(), commands, pictures()))
    (episode,), _ = converted(bag, max_steer_deg=35.0)
    np.testing.assert_allclose(episode.actions[1:, 0], -0.2 / math.radians(35.0), atol=1e-5)


def test_applied_control_comes_first_and_a_flag_forces_the_commanded(tmp_path):
    commands = every_tick(COMMANDS, CONTROL_TYPE, lambda t, stamp: control(-0.25, stamp_ns=stamp))
    bag = write_bag(tmp_path / "bag", ordered(status(lambda t: 0.5), commands, pictures()))
    (episode,), _ = converted(bag)
    assert (episode.actions[:, 0] == 0.5).all() and episode.meta["action_source"] == "vehicle_status.control"
    (episode,), _ = converted(bag, actions="commanded")
    assert (episode.actions[:, 0] == -0.25).all() and episode.meta["action_source"] == COMMANDS


@pytest.mark.parametrize(
    ("actions", "expected"), [("applied", "CarlaEgoVehicleStatus"), ("commanded", "commands"), ("derived", "yaw rate")]
)
def test_actions_that_a_bag_lacks_are_refused_with_what_it_has(tmp_path, actions, expected):
    message = error_of(tmp_path, pictures(), actions=actions)
    assert expected in message and f"{CAMERA} (sensor_msgs/msg/Image, {TICKS} messages)" in message


def test_wanted_speeds_without_a_measured_speed_are_refused(tmp_path):
    commands = every_tick("/cmd_vel", "geometry_msgs/msg/Twist", lambda t, _: twist(4.0, 0.5))
    assert "measured speed" in error_of(tmp_path, ordered(commands, pictures()))


def test_a_speedometer_is_read_where_it_is_named_and_counts_from_when_it_was_recorded(tmp_path):
    told = every_tick("/speedometer", "std_msgs/msg/Float32", lambda t, _: {"data": -2.0 - t})
    imu = every_tick("/imu", "sensor_msgs/msg/Imu", lambda t, stamp: {"header": stamped(stamp)})
    commands = every_tick(COMMANDS, CONTROL_TYPE, lambda t, stamp: control(0.1, stamp_ns=stamp))
    bag = write_bag(tmp_path / "bag", ordered(told, imu, commands, pictures()))
    for topics, names in (((), ["yaw_rate"]), (("speedometer=/speedometer",), ["speed", "yaw_rate"])):
        (episode,), _ = converted(bag, topics=topics)
        assert [column["name"] for column in episode.meta["vector"]] == names
    np.testing.assert_allclose(episode.vector[:, 0], [2.0 + t for t in range(TICKS - 1)])


def test_a_measured_twist_is_not_taken_for_a_command(tmp_path):
    velocity = every_tick(
        "/vehicle/velocity",
        "geometry_msgs/msg/TwistStamped",
        lambda t, stamp: {"header": stamped(stamp), "twist": twist(3.0, 0.1)},
    )
    bag = write_bag(tmp_path / "bag", ordered(velocity, pictures()))
    (episode,), _ = converted(bag, topics=("odometry=/vehicle/velocity",))
    assert episode.meta["action_source"] == "derived"
    np.testing.assert_allclose(episode.vector, [[3.0, 0.1]] * len(episode), atol=1e-6)


def test_speed_comes_from_the_status_and_the_yaw_rate_from_odometry_else_the_imu(tmp_path):
    imu = every_tick(
        "/imu", "sensor_msgs/msg/Imu", lambda t, stamp: {"header": stamped(stamp), "angular_velocity": {"z": 0.25}}
    )
    rest = ordered(status(), imu, pictures())
    (episode,), _ = converted(write_bag(tmp_path / "a", rest))
    np.testing.assert_allclose(episode.vector, [[SPEED_MPS, 0.25]] * len(episode))
    both = write_bag(tmp_path / "b", ordered(rest, odometry(speed=lambda t: 1.0, yaw_rate=lambda t: 0.5)))
    (episode,), _ = converted(both)
    np.testing.assert_allclose(episode.vector, [[SPEED_MPS, 0.5]] * len(episode))
    (episode,), _ = converted(both, topics=("imu=/imu",))
    np.testing.assert_allclose(episode.vector, [[SPEED_MPS, 0.25]] * len(episode))


def test_an_input_that_is_entered_in_the_registry_is_one_more_column_of_the_vector(tmp_path, monkeypatch):
    register(monkeypatch)
    imu = every_tick(
        f"{VEHICLE}/imu",
        "sensor_msgs/msg/Imu",
        lambda t, stamp: {"header": stamped(stamp), "linear_acceleration": {"x": t / 4}},
    )
    (episode,), report = converted(write_bag(tmp_path / "a", ordered(status(), odometry(), imu, pictures())))
    assert episode.meta["vector"] == [
        {"name": "speed", "unit": "m/s"},
        {"name": "yaw_rate", "unit": "rad/s"},
        {"name": "acceleration_along", "unit": "m/s^2"},
    ]
    np.testing.assert_allclose(episode.vector, [[SPEED_MPS, 0.0, t / 4] for t in range(TICKS - 1)])
    assert f"imu: {VEHICLE}/imu" in report.notes
    # Of a simulator that sends rewards it is taken where it is named.
    recording = ordered(drive(ticks=TICKS), imu)
    for topics, names in (((), ["speed"]), ((f"imu={VEHICLE}/imu",), ["speed", "yaw_rate", "acceleration_along"])):
        (episode,), _ = converted(write_bag(tmp_path / f"b{len(topics)}", recording), topics=topics)
        assert [column["name"] for column in episode.meta["vector"]] == names


def test_a_bag_of_the_built_in_simulator_has_the_vector_that_collect_writes(tmp_path):
    recording = ordered(drive(ticks=TICKS), odometry())
    (episode,), _ = converted(write_bag(tmp_path / "bag", recording))
    assert episode.meta["vector"] == [{"name": "speed", "unit": "m/s"}] and episode.meta["reward"] == "step_result"


def test_an_end_told_by_a_step_result_ends_the_episode(tmp_path):
    def ending(fields, log_ns):
        tick = round((log_ns - START) / (100 * MS))
        return fields | {"terminated": tick == 4, "truncated": tick == 8}, log_ns

    episodes, _ = converted(write_bag(tmp_path / "bag", drive(ticks=TICKS).changed(RESULT, ending)))
    # Rows 0 to 3 lead to the end at tick 4, row 4 leads from there to a new beginning; 5 to 7 to the end at tick 8.
    assert [len(episode) for episode in episodes] == [4, 3, 2]
    assert [bool(episode.terminals[-1]) for episode in episodes] == [True, False, False]


def test_collisions_and_lane_invasions_count_for_the_interval_that_they_happened_in(tmp_path):
    events = Recording()
    events.add(
        f"{VEHICLE}/lane_invasion",
        "carla_msgs/msg/CarlaLaneInvasionEvent",
        tick_ns(3) + MS,
        header=stamped(tick_ns(3)),
        crossed_lane_markings=[1, 2],
    )
    events.add(
        f"{VEHICLE}/collision",
        "carla_msgs/msg/CarlaCollisionEvent",
        tick_ns(7) + MS,
        header=stamped(tick_ns(7)),
        other_actor_id=3,
    )
    settings = options(write_bag(tmp_path / "bag", ordered(status(), events, pictures())))
    (ref,) = find_drives(settings)
    with open_drive(ref, settings) as opened:
        assert sum(1 for _ in opened.pictures) == TICKS
        stamps, values, *_ = opened.signals.lane_invasion.samples
        assert (stamps.tolist(), values.tolist()) == ([tick_ns(3)], [[2.0]])
        stamps, values, *_ = opened.signals.collision.samples
        assert (stamps.tolist(), values.tolist()) == ([tick_ns(7)], [[1.0]])
        assert opened.signals.step is None


def test_a_sensor_of_events_that_recorded_none_says_that_nothing_happened(tmp_path):
    folder = write_bag(tmp_path / "bag", ordered(status(), pictures()))
    settings = options(folder)
    (ref,) = find_drives(settings)
    with open_drive(ref, settings) as opened:
        assert opened.signals.collision is None
    recording = ordered(status(), pictures())
    recording.add(f"{VEHICLE}/collision", "carla_msgs/msg/CarlaCollisionEvent", tick_ns(50), header=stamped(0))
    folder = write_bag(tmp_path / "other", recording)
    text = (folder / "metadata.yaml").read_text()
    assert text.count("message_count: 1\n") == 1
    (folder / "metadata.yaml").write_text(text.replace("message_count: 1\n", "message_count: 0\n"))
    settings = options(folder)
    (ref,) = find_drives(settings)
    with open_drive(ref, settings) as opened:
        assert opened.signals.collision is not None and not len(opened.signals.collision.samples[0])


def test_rows_in_reverse_gear_are_left_out_and_counted(tmp_path):
    def reversing(fields, log_ns):
        tick = round((log_ns - START) / (100 * MS))
        return fields | {"control": control(0.0, reverse=4 <= tick <= 6)}, log_ns

    recording = ordered(status(), pictures()).changed(STATUS, reversing)
    episodes, report = converted(write_bag(tmp_path / "bag", recording))
    rows = [[round((stamp - START) / (100 * MS)) for stamp in episode.stamps_ns] for episode in episodes]
    # The intervals that end at ticks 4, 5 and 6 were driven backwards: rows 3, 4 and 5.
    assert rows == [[0, 1, 2], [7, 8, 9, 10]]
    assert report.skipped["command in reverse gear"] == 3
    assert report.skipped["picture of rgb_front in reverse gear"] == 3


def test_numbers_that_are_none_are_left_out_and_counted(tmp_path):
    def spoiled(fields, log_ns):
        tick = round((log_ns - START) / (100 * MS))
        bad = control(math.nan) if tick == 5 else fields["control"]
        return fields | {"control": bad, "velocity": math.inf if tick == 8 else 5.0}, log_ns

    recording = ordered(status(), pictures()).changed(STATUS, spoiled)
    episodes, report = converted(write_bag(tmp_path / "bag", recording))
    assert report.skipped["control that is not a number"] == 1 and report.skipped["speed that is not a number"] == 1
    assert all(np.isfinite(episode.actions).all() and np.isfinite(episode.vector).all() for episode in episodes)


def test_the_vehicle_of_the_camera_is_preferred_and_others_are_ambiguous(tmp_path):
    elsewhere = every_tick(
        "/carla/other/vehicle_status",
        "carla_msgs/msg/CarlaEgoVehicleStatus",
        lambda t, stamp: {"header": stamped(stamp), "control": control(0.9)},
    )
    (episode,), _ = converted(write_bag(tmp_path / "a", ordered(status(lambda t: 0.5), elsewhere, pictures())))
    assert (episode.actions[:, 0] == 0.5).all()
    both = ordered(
        elsewhere, Recording([("/carla/third/vehicle_status", *m[1:]) for m in elsewhere.messages]), pictures()
    )
    message = error_of(tmp_path, both)
    assert "status could be /carla/other/vehicle_status, /carla/third/vehicle_status" in message
    assert "--topics status=" in message


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"topics": ("status",)}, "expected KIND=TOPIC"),
        ({"topics": ("status=/carla/ego_vehicle/vehicle_statos",)}, "did you mean /carla/ego_vehicle/vehicle_status"),
        ({"topics": (f"control={STATUS}",)}, "expected carla_msgs/msg/CarlaEgoVehicleControl or"),
        ({"topics": (f"stauts={STATUS}",)}, "'stauts' is not one of status, control"),
        ({"topics": (f"imu={STATUS}", f"imu={STATUS}")}, "expected sensor_msgs/msg/Imu"),
        ({"topics": (f"a={CAMERA}",), "cameras": ("rgb_front",)}, "camera a that --cameras lacks"),
        ({"cameras": ("rgb_rear",)}, "no camera 'rgb_rear'"),
        ({"cameras": ("rgb_front", "rgb_front")}, "names one twice"),
    ],
)
def test_names_that_do_not_fit_the_bag_are_refused(tmp_path, values, expected):
    assert expected in error_of(tmp_path, ordered(status(), pictures()), **values)
