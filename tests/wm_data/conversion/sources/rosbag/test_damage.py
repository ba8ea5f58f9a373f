"""What is missing of a bag is said and counted, and what is damaged is refused with a way out, or recovered."""

import os
import struct

import pytest
import yaml
from fixtures_mcap import write_mcap
from fixtures_rosbag import CAMERA, drive, write_bag, write_bare_mcap, write_ros1_bag, write_split_bag
from rosbag_conversion import STATUS, check_rows, converted, options
from wm_data.bags import mcap_file
from wm_data.conversion.sources.rosbag import find_drives, open_drive
from wm_data.errors import ConversionError

MISSING = "that the bag says it holds, and that is not there"


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


def test_recovery_reads_files_that_were_renamed(tmp_path):
    folder = write_bag(tmp_path / "bag", drive(ticks=12), "sqlite3")
    (folder / "bag.db3").rename(folder / "monday.db3")
    with pytest.raises(ConversionError, match=r"bag\.db3, which is not there.*--recover"):
        converted(folder)
    assert "bag.db3" in check_rows(folder, recover=True)


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
