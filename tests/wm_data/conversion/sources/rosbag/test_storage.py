"""What a bag holds is read whatever its writer left out beside it, whatever else it holds, whatever its name."""

import os
import sqlite3
import struct

import pytest
from fixtures_mcap import write_mcap
from fixtures_rosbag import (
    CAMERA,
    VEHICLE,
    drive,
    write_bag,
    write_bare_mcap,
    write_old_sqlite3,
    write_ros1_bag,
    write_split_bag,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.writer import CompressionType, IndexType
from rosbag_conversion import STATUS, check_rows, converted
from wm_data.bags.connection import Connection
from wm_data.bags.definitions import Definitions
from wm_data.conversion.report import DriveReport
from wm_data.errors import ConversionError
from wm_training.commands.convert import main


@settings(max_examples=15, deadline=None)
@given(
    index=st.sampled_from([IndexType.ALL, IndexType.NONE, IndexType.CHUNK, IndexType.MESSAGE]),
    compression=st.sampled_from([CompressionType.NONE, CompressionType.LZ4, CompressionType.ZSTD]),
    flags=st.fixed_dictionaries(
        dict.fromkeys(
            ("repeat_channels", "repeat_schemas", "use_chunking", "use_statistics", "use_summary_offsets"),
            st.booleans(),
        )
    ),
    profile=st.sampled_from(["ros2", "", "other"]),
    recover=st.booleans(),
)
def test_an_mcap_is_read_whole_without_any_of_its_optional_records(
    tmp_path_factory, index, compression, flags, profile, recover
):
    file = tmp_path_factory.mktemp("mcap") / "bag.mcap"
    write_mcap(file, drive(ticks=12), profile, index_types=index, compression=compression, **flags)
    check_rows(file, recover=recover)


def test_a_piece_without_message_index_is_read_with_the_others(tmp_path):
    folder = write_split_bag(tmp_path / "bag", drive(ticks=12))
    recording = drive(ticks=12)
    recording.messages = recording.messages[len(recording.messages) // 2 :]
    write_mcap(folder / "bag_1.mcap", recording, index_types=IndexType.ALL & ~IndexType.MESSAGE)
    check_rows(folder)


def test_an_mcap_of_ros_1_messages_is_read(tmp_path):
    check_rows(write_mcap(tmp_path / "bag.mcap", drive(ticks=12), "ros1", ros1=True))


def test_known_types_need_no_definition(tmp_path):
    check_rows(write_mcap(tmp_path / "bag.mcap", drive(ticks=12), definitions=False))


@pytest.mark.parametrize("definitions", [False, True])
def test_types_may_be_named_as_in_ros_1(tmp_path, definitions):
    file = tmp_path / "bag.mcap"
    check_rows(write_mcap(file, drive(ticks=12), definitions=definitions, short_names=True))


STRANGERS = (
    ("/add/_service_event", "my_srvs/srv/Add_Event", "ros2msg", "service_msgs/ServiceEventInfo info\n", "cdr"),
    ("/go/_action/feedback", "my_srvs/action/Go_FeedbackMessage", "ros2msg", "not a definition {{{", "cdr"),
    ("/undefined", "my_msgs/msg/Own", "", "", "cdr"),
    ("/odd", "my_msgs/msg/Odd", "of another kind", "text", "cdr"),
    ("/web", "my_msgs/msg/Web", "jsonschema", "{}", "json"),
    ("/no_type", "", "", "", "cdr"),
)


@pytest.mark.parametrize("recover", [False, True])
def test_topics_that_nobody_asked_for_refuse_no_bag_whatever_their_type(tmp_path, recover):
    notes = check_rows(write_mcap(tmp_path / "bag.mcap", drive(ticks=12), strangers=STRANGERS), recover=recover)
    assert all(topic in notes for topic, *_ in STRANGERS)


def test_a_topic_of_a_broken_type_is_refused_by_name_where_it_is_asked_for(tmp_path):
    broken = ("/odometry", "nav_msgs/msg/Odd", "ros2msg", "not a definition {{{", "cdr")
    file = write_mcap(tmp_path / "bag.mcap", drive(ticks=3), strangers=(broken,))
    with pytest.raises(ConversionError, match=r"/odometry.*nav_msgs/msg/Odd"):
        converted(file, topics=("odometry=/odometry",))


def test_a_database_with_definitions_of_an_unknown_kind_is_read(tmp_path):
    folder = write_bag(tmp_path / "bag", drive(ticks=12), "sqlite3")
    with sqlite3.connect(folder / "bag.db3") as database:
        database.execute("INSERT INTO topics VALUES(99, '/add/_service_event', 'my/srv/Add_Event', 'cdr', '', '')")
        database.execute(
            "INSERT INTO message_definitions (topic_type, encoding, encoded_message_definition, type_description_hash)"
            " VALUES('my/srv/Add_Event', 'unknown', '', '')"
        )
    database.close()
    check_rows(folder)


RULER = "=" * 80 + "\nIDL: "
TWIST_IDL = f"""{RULER}my_msgs/msg/Turn
module my_msgs {{ module msg {{ struct Turn {{ my_msgs::msg::Rate rate; }}; }}; }};
{RULER}my_msgs/msg/Rate
module my_msgs {{ module msg {{ struct Rate {{ double z; }}; }}; }};
"""


@pytest.mark.parametrize(
    "kind, text",
    [("ros2idl", TWIST_IDL), ("ros2msg", "my_msgs/Rate rate\n" + "=" * 80 + "\nMSG: my_msgs/Rate\nfloat64 z\n")],
)
def test_types_are_learned_from_both_languages_of_definitions(kind, text):
    connection = Connection("/turn", "my_msgs/msg/Turn", 1, "cdr", kind, text)
    report = DriveReport("a")
    store = Definitions([connection], report).store_of("my_msgs/msg/Turn")
    raw = b"\0\1\0\0" + struct.pack("<d", 0.5)
    assert store.deserialize_cdr(raw, "my_msgs/msg/Turn").rate.z == 0.5 and not report.notes
    assert Definitions([connection], report).store_of("my_msgs/msg/Rate") is None  # only what is asked for is learned


@pytest.mark.parametrize("write", [write_old_sqlite3, write_bare_mcap, write_ros1_bag])
def test_any_letters_may_be_in_a_path(tmp_path, write):
    suffix = {write_old_sqlite3: "db3", write_bare_mcap: "mcap", write_ros1_bag: "bag"}[write]
    folder = tmp_path / "Straße #1? 50%20 走行"
    folder.mkdir()
    check_rows(write(folder / f"Größe#?%41.{suffix}", drive(ticks=12)))


def test_names_of_bags_keep_their_letters_and_no_name_ends_the_conversion(tmp_path, capsys):
    source, dest = tmp_path / "source", tmp_path / "dest"
    source.mkdir()
    whole = write_bare_mcap(tmp_path / "whole.mcap", drive(ticks=5)).read_bytes()
    for name in ("Straße 1.mcap", "東京.mcap", "é.mcap", "e\u0301.mcap", os.fsdecode(b"latin-\xe9.mcap")):
        (source / name).write_bytes(whole)
    (source / os.fsdecode(b"broken-\xe9.mcap")).write_bytes(b"broken")
    arguments = ["rosbag", str(source), str(dest), "--min-rows", "3", "--image-size", "8"]
    assert main(arguments) == 3 and "broken-" in capsys.readouterr().err
    names = {"Straße_1_000.npz", "東京_000.npz", "é_000.npz", "é_2_000.npz", "latin-__000.npz"}
    assert {file.name for file in dest.glob("*.npz")} == names
    assert main([*arguments, "--resume"]) == 3 and "5 of 6 drives done already" in capsys.readouterr().err


def test_a_bag_without_pictures_is_refused_with_the_topics_that_are_there(tmp_path):
    path = write_bag(tmp_path / "bag", drive(ticks=5).without(CAMERA))
    with pytest.raises(ConversionError) as refused:
        converted(path)
    for topic in (f"{STATUS} (carla_msgs/msg/CarlaEgoVehicleStatus, 5 messages)", f"{VEHICLE}/step_result (wm_msgs/"):
        assert topic in str(refused.value)
    with pytest.raises(ConversionError, match=rf"no camera 'left', the cameras are: none; the bag has .*{STATUS}"):
        converted(path, cameras=("left",))
