"""What a bag holds is read whatever its writer left out beside it, and what is missing is said."""

import os
import sqlite3
import struct

import numpy as np
import pytest
import yaml
from fixtures_mcap import write_mcap
from fixtures_rosbag import (
    CAMERA,
    VEHICLE,
    drive,
    steer_of,
    write_bag,
    write_bare_mcap,
    write_old_sqlite3,
    write_ros1_bag,
    write_split_bag,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.writer import CompressionType, IndexType
from test_rosbag_formats import converted, options
from wm_data.conversion.errors import ConversionError
from wm_data.conversion.sources.rosbag import find_drives, mcap_file, open_drive
from wm_training.convert import main

STATUS = f"{VEHICLE}/vehicle_status"
MISSING = "that the bag says it holds, and that is not there"


def check_rows(source, rows: int = 11, **values):
    """The first ``rows`` rows of ``drive`` come out, nothing is left out; returns the notes."""
    (episode,), report = converted(source, **values)
    np.testing.assert_allclose(episode.actions[:, 0], [steer_of(t + 1) for t in range(rows)], atol=1e-6)
    assert len(episode) == rows and not report.skipped
    return "\n".join(report.notes)


@settings(max_examples=25, deadline=None)
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


@pytest.mark.parametrize("write", [write_old_sqlite3, write_bare_mcap, write_ros1_bag])
def test_any_letters_may_be_in_a_path(tmp_path, write):
    suffix = {write_old_sqlite3: "db3", write_bare_mcap: "mcap", write_ros1_bag: "bag"}[write]
    folder = tmp_path / "Straße #1? 50%20 走行"
    folder.mkdir()
    check_rows(write(folder / f"Größe#?%41.{suffix}", drive(ticks=12)))


def edit_metadata(folder, change) -> None:
    file = folder / "metadata.yaml"
    told = yaml.safe_load(file.read_text())
    change(told["rosbag2_bagfile_information"])
    file.write_text(yaml.safe_dump(told))


@pytest.mark.parametrize("identifier", ["", "my_storage"])
def test_files_tell_how_they_are_stored_where_the_metadata_does_not(tmp_path, identifier):
    for storage in ("mcap", "sqlite3"):
        folder = write_bag(tmp_path / storage, drive(ticks=12), storage)
        edit_metadata(folder, lambda told: told.update(storage_identifier=identifier, version=99))
        check_rows(folder)


def test_pieces_that_the_metadata_does_not_list_are_read_with_a_note_and_other_files_are_named(tmp_path):
    folder = write_split_bag(tmp_path / "bag", drive(ticks=12))
    edit_metadata(folder, lambda told: told.update(relative_file_paths=["bag_0.mcap"]))
    (folder / "copy.mcap").write_bytes((folder / "bag_0.mcap").read_bytes())
    notes = check_rows(folder)
    assert "bag_1.mcap is read too" in notes and "copy.mcap is not read" in notes


def test_a_missing_piece_is_named_and_recovery_reads_the_others(tmp_path):
    folder = write_split_bag(tmp_path / "bag", drive(ticks=12))
    (folder / "bag_1.mcap").unlink()
    with pytest.raises(ConversionError, match=r"bag_1\.mcap.*--recover"):
        converted(folder)
    (episode,), report = converted(folder, recover=True)
    assert len(episode) == 5 and "bag_1.mcap" in "\n".join(report.notes)
    assert report.skipped[f"message of {CAMERA} {MISSING}"] == 6


def test_recovery_reads_a_bag_without_its_damaged_metadata(tmp_path):
    folder = write_split_bag(tmp_path / "bag", drive(ticks=12))
    (folder / "metadata.yaml").write_text("[")
    with pytest.raises(ConversionError, match=r"metadata\.yaml is damaged"):
        converted(folder)
    assert "metadata.yaml is damaged" in check_rows(folder, recover=True)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_messages_that_the_metadata_promises_and_the_files_lack_are_counted(tmp_path, storage):
    folder = write_bag(tmp_path / "bag", drive(ticks=12), storage)

    def promise_more(told):
        for topic in told["topics_with_message_count"]:
            if topic["topic_metadata"]["name"] == STATUS:
                topic["message_count"] = 40

    edit_metadata(folder, promise_more)
    _, report = converted(folder)
    assert report.skipped == {f"message of {STATUS} {MISSING}": 28}


def test_messages_that_an_mcap_counts_and_its_index_does_not_find_are_counted(tmp_path, monkeypatch):
    file = write_mcap(tmp_path / "bag.mcap", drive(ticks=12))

    def of_half_an_index(path):
        summary = mcap_file.SeekingReader(open(path, "rb")).get_summary()  # noqa: SIM115
        for index in summary.chunk_indexes[len(summary.chunk_indexes) // 2 :]:
            index.message_index_offsets = {99: 0}
        return summary

    monkeypatch.setattr(mcap_file, "read_summary", of_half_an_index)
    (episode,), report = converted(file)
    assert report.skipped[f"message of {CAMERA} {MISSING}"] == 12 - len(episode) - 1 > 0


def test_messages_that_a_ros_1_bag_counts_and_its_index_does_not_find_are_counted(tmp_path):
    file = write_ros1_bag(tmp_path / "bag.bag", drive(ticks=12))
    data, count = file.read_bytes(), struct.pack("<II", 0, 12)  # of the first topic, in the last record
    at = data.rindex(count)
    file.write_bytes(data[:at] + struct.pack("<II", 0, 15) + data[at + len(count) :])
    _, report = converted(file)
    assert report.skipped == {f"message of {STATUS} {MISSING}": 3}


def test_recovery_leaves_out_a_damaged_chunk_and_reads_those_after_it(tmp_path):
    file = write_mcap(tmp_path / "bag.mcap", drive(ticks=40))
    data = bytearray(file.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 8] = bytes(byte ^ 0xFF for byte in data[middle : middle + 8])
    file.write_bytes(data)
    with pytest.raises(ConversionError, match=r"bag\.mcap breaks off or is damaged.*--recover"):
        converted(file)
    episodes, report = converted(file, recover=True)
    assert episodes[0].stamps_ns[0] == 10**9 and episodes[-1].stamps_ns[-1] == 10**9 + 38 * 10**8
    assert "damaged chunk" in "\n".join(report.notes)
    assert sum(count for reason, count in report.skipped.items() if reason.endswith(MISSING)) > 0


@pytest.mark.parametrize("name", ["bag.bag", "bag.bag.active"])
def test_a_ros_1_bag_that_was_cut_short_names_the_ways_out_and_is_recovered(tmp_path, name):
    file = write_ros1_bag(tmp_path / "whole.bag", drive(ticks=12)).rename(tmp_path / name)
    for recover in (False, True):
        check_rows(file, recover=recover)
    os.truncate(file, int(file.stat().st_size * 0.95))  # in the index: all messages are there
    with pytest.raises(ConversionError, match=r"bag\.bag.*--recover.*`rosbag reindex`"):
        converted(file)
    assert "breaks off" in check_rows(file, recover=True)


def test_a_ros_1_bag_that_was_never_closed_is_recovered_up_to_where_it_breaks_off(tmp_path):
    file = write_ros1_bag(tmp_path / "bag.bag", drive(ticks=12))
    data = file.read_bytes()
    place = data.index(b"index_pos=") + len(b"index_pos=")
    data = data[:place] + bytes(8) + data[place + 8 :]
    chunk = data.index(b"op=\x05")  # its length follows its header, and is written when it is closed
    begin = data.index(b"size=", chunk) + 9
    middle = data.index(b"op=\x02", len(data) // 2)  # in a message
    for length in (bytes(4), data[begin : begin + 4]):  # as it is begun, and as it is when it was closed
        file.write_bytes(data[:begin] + length + data[begin + 4 : middle])
        with pytest.raises(ConversionError, match="not indexed.*--recover"):
            converted(file)
        (episode,), report = converted(file, recover=True)
        assert 3 < len(episode) < 8 and any("breaks off" in note for note in report.notes)
    file.write_bytes(data[:4200])
    with pytest.raises(ConversionError, match="holds no message that could be recovered"):
        converted(file, recover=True)


def test_a_named_pipe_among_bags_is_refused_and_the_others_are_read(tmp_path):
    write_bare_mcap(tmp_path / "whole.mcap", drive(ticks=12))
    for name in ("pipe.mcap", "pipe.db3", "pipe.bag", "pipe.mcap.zstd"):
        os.mkfifo(tmp_path / name)
    folder = write_bag(tmp_path / "folder", drive(ticks=12))
    (folder / "metadata.yaml").unlink()
    os.mkfifo(folder / "metadata.yaml")
    outcomes = {}
    for ref in find_drives(options(tmp_path, recover=True)):
        try:
            with open_drive(ref, options(tmp_path)) as opened:
                outcomes[ref.name] = len(list(opened.pictures))
        except ConversionError as error:
            assert "named pipe" in str(error)
            outcomes[ref.name] = "pipe"
    assert outcomes.pop("whole") == 12 and set(outcomes.values()) == {"pipe"} and len(outcomes) == 5


def test_names_of_bags_keep_their_letters_and_no_name_ends_the_conversion(tmp_path, capsys):
    source, dest = tmp_path / "source", tmp_path / "dest"
    source.mkdir()
    whole = write_bare_mcap(tmp_path / "whole.mcap", drive(ticks=5)).read_bytes()
    for name in ("Straße 1.mcap", "東京.mcap", "é.mcap", "e\u0301.mcap", os.fsdecode(b"latin-\xe9.mcap")):
        (source / name).write_bytes(whole)
    (source / os.fsdecode(b"broken-\xe9.mcap")).write_bytes(b"broken")
    arguments = ["rosbag", str(source), str(dest), "--min-rows", "3", "--image-size", "8"]
    assert main(arguments) == 1 and "broken-" in capsys.readouterr().err
    names = {"Straße_1_000.npz", "東京_000.npz", "é_000.npz", "é_2_000.npz", "latin-__000.npz"}
    assert {file.name for file in dest.glob("*.npz")} == names
    assert main([*arguments, "--resume"]) == 1 and "5 of 6 drives done already" in capsys.readouterr().err


def test_a_bag_without_pictures_is_refused_with_the_topics_that_are_there(tmp_path):
    path = write_bag(tmp_path / "bag", drive(ticks=5).without(CAMERA))
    with pytest.raises(ConversionError) as refused:
        converted(path)
    for topic in (f"{STATUS} (carla_msgs/msg/CarlaEgoVehicleStatus, 5 messages)", f"{VEHICLE}/step_result (wm_msgs/"):
        assert topic in str(refused.value)
    with pytest.raises(ConversionError, match=rf"no camera 'left', the cameras are: none; the bag has .*{STATUS}"):
        converted(path, cameras=("left",))
