"""Which clock the stamps are of."""

import numpy as np
import pytest
from fixtures_rosbag import (
    CAMERA,
    MS,
    VEHICLE,
    Recording,
    control,
    drive,
    stamped,
    steer_of,
    write_bag,
    write_ros1_bag,
    write_split_bag,
)
from rosbag_conversion import converted, ordered
from wm_data.conversion.sources.rosbag.clock import Clock, epochs_differ
from wm_data.errors import ConversionError

STATUS = f"{VEHICLE}/vehicle_status"
EPOCH = 1_700_000_000 * 1000 * MS
START = 1_000 * MS


def unstamped(fields, log_ns):
    return fields | {"header": stamped(0)}, log_ns


def test_simulated_stamps_are_used_though_recording_went_by_the_wall_clock(tmp_path):
    (episode,), report = converted(write_bag(tmp_path / "bag", drive(ticks=6, log_offset_ns=EPOCH)))
    assert (episode.stamps_ns == START + np.arange(5) * 100 * MS).all()
    assert report.summary()["topics"][CAMERA]["latency_ms"] == pytest.approx(EPOCH / MS + 1, abs=1)


def test_without_stamps_the_times_of_recording_are_used(tmp_path):
    recording = drive(ticks=6)
    for topic in {message[0] for message in recording.messages}:
        recording = recording.changed(topic, lambda fields, log_ns: unstamped(fields, log_ns // MS * MS))
    (episode,), _ = converted(write_bag(tmp_path / "bag", recording))
    assert (episode.stamps_ns == START + MS + np.arange(5) * 100 * MS).all()
    assert len(episode) == 5


def test_topics_of_different_epochs_are_joined_by_the_times_of_recording(tmp_path):
    recording = drive(ticks=6, log_offset_ns=EPOCH).changed(STATUS, unstamped).without(f"{VEHICLE}/step_result")
    (episode,), report = converted(write_bag(tmp_path / "bag", recording))
    # The status is recorded just before its picture: of the last interval it tells all but the last 2 ns.
    assert (episode.stamps_ns - EPOCH - START - MS - 2 == np.arange(4) * 100 * MS).all()
    assert any("different beginnings" in note for note in report.notes)


def test_one_message_without_a_stamp_is_placed_by_how_far_the_clocks_lie_apart(tmp_path):
    def one_unstamped(fields, log_ns):
        tick = round((log_ns - EPOCH - START) / (100 * MS))
        return (fields | {"header": stamped(0)} if tick == 3 else fields), log_ns

    recording = drive(ticks=6, log_offset_ns=EPOCH).changed(STATUS, one_unstamped)
    (episode,), report = converted(write_bag(tmp_path / "bag", recording))
    assert len(episode) == 5 and (episode.stamps_ns == START + np.arange(5) * 100 * MS).all()
    assert not any("different" in note for note in report.notes)


def test_stamps_that_stand_still_give_way_to_the_times_of_recording(tmp_path):
    recording = drive(ticks=6)
    for topic in {message[0] for message in recording.messages}:
        recording = recording.changed(topic, lambda fields, log_ns: (fields | {"header": stamped(START)}, log_ns))
    recording = recording.without(f"{VEHICLE}/step_result")
    (episode,), report = converted(write_bag(tmp_path / "bag", recording))
    assert len(episode) == 4 and any("do not advance" in note for note in report.notes)


def test_stamps_that_repeat_or_go_backwards_are_left_out_and_counted(tmp_path):
    def muddled(fields, log_ns):
        tick = round((log_ns - START) / (100 * MS))
        wrong = {5: 4, 9: 7}.get(tick, tick)
        return fields | {"header": stamped(START + wrong * 100 * MS)}, log_ns

    episodes, report = converted(write_bag(tmp_path / "bag", drive(ticks=14).changed(CAMERA, muddled)))
    assert report.skipped["picture of rgb_front whose stamp repeats"] == 1
    assert report.skipped["picture of rgb_front whose stamp goes backwards"] == 1
    assert report.summary()["topics"][CAMERA]["backwards"] == 2
    assert all((np.diff(episode.stamps_ns) == 100 * MS).all() for episode in episodes)


def test_one_picture_alone_has_no_rate(tmp_path):
    with pytest.raises(ConversionError, match=r"1 pictures .*expected two"):
        converted(write_bag(tmp_path / "bag", drive(ticks=1)))


def test_a_camera_that_begins_late_is_waited_for(tmp_path):
    early = Recording()
    for number in range(3000):
        early.add(
            STATUS,
            "carla_msgs/msg/CarlaEgoVehicleStatus",
            number * 1000,
            header=stamped(1 + number * 1000),
            control=control(0.0),
        )
    (episode,), _ = converted(write_bag(tmp_path / "bag", ordered(early, drive(ticks=6))))
    assert len(episode) == 5


def test_clocks_less_than_ten_seconds_apart_have_one_beginning():
    second = 1000 * MS
    assert not epochs_differ({"a": [0, second], "b": [-9 * second]})
    assert epochs_differ({"a": [0, second], "b": [-11 * second]})
    assert not epochs_differ({})


def test_a_missing_stamp_of_the_same_clock_is_the_time_of_recording():
    clock = Clock(by_recording=False, offsets={"a": [], "b": []})
    assert clock.stamp_ns("a", 1_000 * MS, 1_030 * MS) == 1_000 * MS
    assert clock.stamp_ns("b", None, 1_100 * MS) == 1_100 * MS
    assert clock.stamp_ns("a", 1_000 * MS, 2_900 * MS) == 1_000 * MS  # a slow camera, as far as one topic can tell
    assert clock.stamp_ns("b", None, 2_900 * MS) == 2_900 * MS


def test_the_topic_that_comes_least_late_tells_how_far_the_clocks_are_apart():
    clock = Clock(by_recording=False, offsets={"camera": [], "motion": []})
    for tick_ns in range(0, 1_000 * MS, 100 * MS):
        clock.stamp_ns("motion", tick_ns, tick_ns + 3_000 * MS)
        clock.stamp_ns("camera", tick_ns, tick_ns + 3_400 * MS)
    clock.stamp_ns("motion", 9_000 * MS, 3_950 * MS)  # a single odd one
    assert clock.stamp_ns("command", None, 4_000 * MS) == 1_000 * MS


@pytest.mark.parametrize("apart_ns", [3_000 * MS, -3_000 * MS, 800 * MS])
def test_commands_without_stamps_act_in_their_own_rows_where_the_clock_of_recording_is_another(tmp_path, apart_ns):
    """A bag that was played and recorded anew, or two machines whose clocks differ."""
    recording = drive(ticks=60, start_ns=EPOCH, log_offset_ns=apart_ns).without(f"{VEHICLE}/step_result")
    commands = Recording()
    for tick in range(60):
        commands.add(
            "/cmd",
            "carla_msgs/msg/CarlaEgoVehicleControl",
            EPOCH + apart_ns + tick * 100 * MS + 2 * MS,
            **control(steer_of(tick)),
        )
    bag = write_bag(tmp_path / "bag", ordered(recording, commands))
    (episode,), _ = converted(bag, actions="commanded", topics=("control=/cmd",))
    ticks = (episode.stamps_ns - EPOCH) // (100 * MS)
    assert len(ticks) >= 55
    wanted = np.array([0.01 * steer_of(tick - 1) + 0.99 * steer_of(tick) for tick in ticks.tolist()])
    assert episode.actions[1:, 0] == pytest.approx(wanted[1:], abs=0.02)


def test_topics_that_are_recorded_much_later_than_others_are_named(tmp_path):
    late = drive(ticks=40, start_ns=EPOCH).changed(CAMERA, lambda fields, log_ns: (fields, log_ns + 3_000 * MS))
    _, report = converted(write_bag(tmp_path / "late", Recording(sorted(late.messages, key=lambda one: one[2]))))
    assert [note for note in report.notes if f"{CAMERA} is recorded 3.00 s later" in note and "clocks" in note]
    _, report = converted(write_bag(tmp_path / "usual", drive(ticks=40, start_ns=EPOCH)))
    assert not [note for note in report.notes if "clocks" in note]


def in_two_times(back_ns: int, ticks: int = 40) -> Recording:
    """A drive in whose middle the clock of the machine, by which both stamps and recording go, is set back."""

    def later(fields, log_ns):
        return set_back(fields, -back_ns), log_ns - back_ns

    second = drive(ticks=ticks, start_ns=EPOCH + ticks * 100 * MS)
    for topic in {message[0] for message in second.messages}:
        second = second.changed(topic, later)
    return Recording(drive(ticks=ticks, start_ns=EPOCH).messages + second.messages)


def set_back(fields, by_ns):
    header = fields["header"]["stamp"]
    return fields | {"header": stamped(header["sec"] * 10**9 + header["nanosec"] + by_ns)}


def in_pieces(path, recording):
    return write_split_bag(path, recording, metadata=False)


@pytest.mark.parametrize("back_ms", [250, 2030, 3_600_000])
@pytest.mark.parametrize(
    "write",
    [
        write_bag,
        lambda path, bag: write_bag(path, bag, "sqlite3"),
        in_pieces,
        lambda path, bag: write_ros1_bag(path.with_suffix(".bag"), bag),
    ],
)
def test_where_the_clock_of_recording_was_set_back_the_order_of_writing_tells_the_times_apart(tmp_path, write, back_ms):
    episodes, report = converted(write(tmp_path / "bag", in_two_times(back_ms * MS)))
    assert [len(episode) for episode in episodes] == [39, 39]
    for episode in episodes:
        assert (np.diff(episode.stamps_ns) == 100 * MS).all()
        # Both halves are of the same ticks: what was steered until the picture after.
        assert episode.actions[:, 0].tolist() == pytest.approx([steer_of(tick) for tick in range(1, 40)])
    assert any("set back" in split["reason"] or "jumped back" in split["reason"] for split in report.splits)


def test_a_file_that_was_written_topic_by_topic_is_read_by_the_times_of_recording(tmp_path):
    recording = drive(ticks=12)
    by_topic = Recording(sorted(recording.messages, key=lambda message: message[0]))
    (episode,), report = converted(write_bag(tmp_path / "bag", by_topic))
    (usual,), _ = converted(write_bag(tmp_path / "usual", recording))
    assert (episode.actions == usual.actions).all() and len(episode) == 11
    assert not any("order of writing" in note for note in report.notes)


@pytest.mark.parametrize("apart_ms", [700, 2030, 90_000])
def test_two_cameras_on_one_topic_are_refused_and_make_no_alternating_drive(tmp_path, apart_ms):
    other = Recording(
        [
            (topic, kind, log_ns + 40 * MS, set_back(fields, apart_ms * MS))
            for topic, kind, log_ns, fields in drive(ticks=60).messages
            if topic == CAMERA
        ]
    )
    told = r"stamps of .*rgb_front.* go to and fro .* two sources write on one topic"
    with pytest.raises(ConversionError, match=told):
        converted(write_bag(tmp_path / "bag", ordered(drive(ticks=60), other)))


@pytest.mark.parametrize(
    "other_frame, apart_ms, told",
    [
        ("map", 20, "come 20 and 80 ms after one another in turns"),
        ("right", 50, "of the frames 'map' and 'right' in turns"),
        ("map", 0, "have the same stamp again and again"),
    ],
)
def test_two_cameras_of_one_clock_on_one_topic_are_refused(tmp_path, other_frame, apart_ms, told):
    others = []
    for topic, kind, log_ns, fields in drive(ticks=60).messages:
        if topic == CAMERA:
            stamp = fields["header"]["stamp"]
            header = stamped(stamp["sec"] * 10**9 + stamp["nanosec"] + apart_ms * MS, other_frame)
            fields = fields | {"header": header, "data": fields["data"] + 1}
            others.append((topic, kind, log_ns + apart_ms * MS + 3, fields))
    with pytest.raises(ConversionError, match=f"two cameras publish on .*: .*{told}|{told}.*: two cameras publish"):
        converted(write_bag(tmp_path / "bag", ordered(drive(ticks=60), Recording(others))))


def test_a_camera_that_sends_every_picture_twice_is_one(tmp_path):
    twice = [message for message in drive(ticks=60).messages for _ in range(1 + (message[0] == CAMERA))]
    (episode,), report = converted(write_bag(tmp_path / "bag", Recording(twice)))
    assert len(episode) == 59 and report.skipped["picture of rgb_front whose stamp repeats"] == 60


def test_two_sources_of_one_signal_are_refused(tmp_path):
    other = Recording(
        [
            (topic, kind, log_ns + 40 * MS, set_back(fields, 700 * MS))
            for topic, kind, log_ns, fields in drive(ticks=60).messages
            if topic == STATUS
        ]
    )
    with pytest.raises(ConversionError, match=r"stamps of control go to and fro .* two sources write on one topic"):
        converted(write_bag(tmp_path / "bag", ordered(drive(ticks=60), other)))


def test_numbers_of_a_type_without_a_header_leave_the_stamps_to_the_others(tmp_path):
    """A sensor's Float32, beside a simulator that counts from zero and runs faster than the wall clock."""
    recording = drive(ticks=40)
    limit = Recording()
    for tick in range(40):
        recorded_ns = EPOCH + START + tick * 50 * MS
        limit.add(f"{VEHICLE}/speed_limit", "std_msgs/msg/Float32", recorded_ns + 2 * MS, data=float(tick))
    for topic in {message[0] for message in recording.messages}:
        recording = recording.changed(topic, lambda fields, log_ns: (fields, EPOCH + START + (log_ns - START) // 2))
    (episode,), report = converted(write_bag(tmp_path / "bag", ordered(recording, limit)), signals=("speed_limit",))
    assert (np.diff(episode.stamps_ns) == 100 * MS).all() and len(episode) >= 38
    limits = episode.vector[:, 0]
    assert np.abs(limits - (episode.stamps_ns - START) / (100 * MS)).max() <= 1.0
    assert not any("different beginnings" in note for note in report.notes)


@pytest.mark.parametrize("unstamped", [3, 40])
def test_what_has_no_stamp_before_the_clock_comes_costs_no_row(tmp_path, unstamped):
    """Nodes that use simulated time stamp zero until the first /clock."""
    recording = drive(ticks=12, log_offset_ns=EPOCH)
    before = Recording()
    for number in range(unstamped):
        before.add(
            STATUS,
            "carla_msgs/msg/CarlaEgoVehicleStatus",
            START + EPOCH - (unstamped - number) * 100 * MS,
            header=stamped(0),
            velocity=99.0,
            control=control(0.9),
        )
    (episode,), report = converted(write_bag(tmp_path / "bag", ordered(before, recording)))
    (usual,), _ = converted(write_bag(tmp_path / "usual", recording))
    assert (episode.stamps_ns == usual.stamps_ns).all() and (episode.actions == usual.actions).all()
    assert not any("different beginnings" in note for note in report.notes)
    assert report.skipped[f"message of {STATUS} without a stamp, placed by when it was recorded"] == unstamped


EVENTS = {
    "collision": ("carla_msgs/msg/CarlaCollisionEvent", {"other_actor_id": 3}),
    "lane_invasion": ("carla_msgs/msg/CarlaLaneInvasionEvent", {"crossed_lane_markings": [1]}),
}


def full_drive(ticks: int = 40, events=()) -> Recording:
    """Every topic that is read, but without step results, so that events and yaw rate count."""
    recording = drive(ticks=ticks, start_ns=60_000 * MS).without(f"{VEHICLE}/step_result")
    extra = Recording()
    for tick in range(ticks):
        stamp = 60_000 * MS + tick * 100 * MS
        extra.add(
            f"{VEHICLE}/odometry",
            "nav_msgs/msg/Odometry",
            stamp + MS,
            header=stamped(stamp),
            twist={"twist": {"angular": {"z": tick / 100}}},
        )
        for leaf in EVENTS:
            if (leaf, tick) in events:
                kind, fields = EVENTS[leaf]
                extra.add(f"{VEHICLE}/{leaf}", kind, stamp + MS, header=stamped(stamp), **fields)
    return ordered(recording, extra)


@pytest.mark.parametrize("offset_s", [5, -5])
@pytest.mark.parametrize("leaf", ["vehicle_status", "odometry", "expert_control", *EVENTS])
def test_one_odd_stamp_on_any_topic_loses_nothing_else_and_is_counted(tmp_path, leaf, offset_s):
    events = {("lane_invasion", tick) for tick in (5, 20, 30)} | {("collision", 20)}
    usual, _ = converted(write_bag(tmp_path / "usual", full_drive(events=events)))

    def odd(fields, log_ns):
        is_odd = (log_ns - 60_000 * MS) // (100 * MS) == 20
        return (set_back(fields, offset_s * 1000 * MS) if is_odd else fields), log_ns

    recording = full_drive(events=events).changed(f"{VEHICLE}/{leaf}", odd)
    episodes, report = converted(write_bag(tmp_path / "bag", recording))
    assert [len(episode) for episode in episodes] == [len(episode) for episode in usual]
    for found, expected in zip(episodes, usual, strict=True):
        assert (found.stamps_ns == expected.stamps_ns).all() and (found.terminals == expected.terminals).all()
        changed = (np.abs(found.actions - expected.actions) > 1e-6).any(axis=1)
        changed |= (np.abs(found.vector - expected.vector) > 1e-6).any(axis=1)
        assert changed.sum() <= (leaf in ("vehicle_status", "odometry"))
        names = found.meta["reward_terms"]
        for name in EVENTS:
            column = names.index(name)
            assert (found.reward_terms[:, column] == expected.reward_terms[:, column]).all()
    told = [count for reason, count in report.skipped.items() if "does not fit the pictures around it" in reason]
    assert told == [1] * (2 if leaf == "vehicle_status" else 1)  # a status tells the control and the speed


@pytest.mark.parametrize("offset_s", [5, 1, -1, -5])
def test_one_odd_stamp_of_a_result_costs_the_row_it_is_of_and_no_other_its_reward(tmp_path, offset_s):
    """A result is of the interval that its stamp names, so where that is wrong its row has none."""

    def odd(fields, log_ns):
        is_odd = (log_ns - 60_000 * MS) // (100 * MS) == 20
        return (set_back(fields, offset_s * 1000 * MS) if is_odd else fields), log_ns

    recording = drive(ticks=40, start_ns=60_000 * MS)
    (usual,), _ = converted(write_bag(tmp_path / "usual", recording))
    changed = recording.changed(f"{VEHICLE}/step_result", odd)
    episodes, report = converted(write_bag(tmp_path / "bag", changed))
    rewards = {int(stamp): reward for e in episodes for stamp, reward in zip(e.stamps_ns, e.rewards, strict=True)}
    expected = dict(zip(usual.stamps_ns.tolist(), usual.rewards, strict=True))
    lost = set(expected) - set(rewards)
    assert lost == {60_000 * MS + 19 * 100 * MS}
    assert rewards == {stamp: reward for stamp, reward in expected.items() if stamp not in lost}
    assert report.skipped["row without step_result"] == 1
    assert sum(count for reason, count in report.skipped.items() if "does not fit the pictures" in reason) == 1
