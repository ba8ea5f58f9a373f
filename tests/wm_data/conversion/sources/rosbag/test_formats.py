"""Bags of every kind of storage, whole and damaged."""

import os
import sqlite3

import numpy as np
import pytest
from fixtures_rosbag import (
    CAMERA,
    MS,
    drive,
    image,
    shade,
    steer_of,
    write_bag,
    write_bare_mcap,
    write_old_sqlite3,
    write_ros1_bag,
    write_split_bag,
)
from rosbag_conversion import converted, options
from wm_data.conversion.assembling.assembly import episodes_of_drive
from wm_data.conversion.sources.rosbag import find_drives, open_drive
from wm_data.errors import ConversionError

FORMATS = {
    "mcap": lambda path, recording: write_bag(path, recording, "mcap"),
    "sqlite3": lambda path, recording: write_bag(path, recording, "sqlite3"),
    "mcap, compressed chunks": lambda path, recording: write_bag(path, recording, "mcap", "storage"),
    "mcap, compressed file": lambda path, recording: write_bag(path, recording, "mcap", "file"),
    "sqlite3, compressed file": lambda path, recording: write_bag(path, recording, "sqlite3", "file"),
    "mcap, compressed messages": lambda path, recording: write_bag(path, recording, "mcap", "message"),
    "sqlite3, compressed messages": lambda path, recording: write_bag(path, recording, "sqlite3", "message"),
    "split mcap": lambda path, recording: write_split_bag(path, recording, "mcap"),
    "split sqlite3": lambda path, recording: write_split_bag(path, recording, "sqlite3"),
    "split mcap without metadata": lambda path, recording: write_split_bag(path, recording, "mcap", metadata=False),
    "split sqlite3 without metadata": lambda path, recording: write_split_bag(
        path, recording, "sqlite3", metadata=False
    ),
    "bare mcap": lambda path, recording: write_bare_mcap(path.with_suffix(".mcap"), recording),
    "bare sqlite3 without definitions": lambda path, recording: write_old_sqlite3(path.with_suffix(".db3"), recording),
    "ROS 1": lambda path, recording: write_ros1_bag(path.with_suffix(".bag"), recording),
}


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_gives_the_rows_that_were_recorded(tmp_path, kind):
    (episode,), report = converted(FORMATS[kind](tmp_path / "bag", drive(ticks=12)))
    rows = np.arange(11)
    assert episode.observations.shape == (11, 3, 8, 8)
    assert (episode.observations[:, 0, 0, 0] == [shade(t) for t in rows]).all()
    # What is stamped t + 1 describes the interval from t.
    np.testing.assert_allclose(episode.actions[:, 0], [steer_of(t + 1) for t in rows], atol=1e-6)
    np.testing.assert_allclose(episode.rewards, (rows + 1) / 100, atol=1e-6)
    np.testing.assert_allclose(episode.vector[:, 0], 5.0 + rows / 10, atol=1e-6)
    np.testing.assert_allclose(episode.expert_actions[:, 0], [-steer_of(t) for t in rows], atol=1e-6)
    assert (episode.stamps_ns == 1_000 * MS + rows * 100 * MS).all()
    assert not episode.terminals.any() and not report.skipped
    assert report.summary()["topics"][CAMERA]["count"] == 12


def test_compressed_messages_are_read_without_the_metadata_that_says_so(tmp_path):
    folder = write_bag(tmp_path / "bag", drive(ticks=5), "sqlite3", "message")
    (folder / "metadata.yaml").unlink()
    (episode,), _ = converted(folder)
    assert len(episode) == 4


def test_a_folder_of_bags_is_searched_at_any_depth_and_named_by_place(tmp_path):
    recording = drive(ticks=3)
    write_bag(tmp_path / "town 1" / "run", recording)
    write_bare_mcap(tmp_path / "town 1" / "alone.mcap", recording)
    write_split_bag(tmp_path / "cut", recording, metadata=False)
    write_ros1_bag(tmp_path / "old.bag", recording)
    (tmp_path / "notes.txt").write_text("not a bag")
    names = [ref.name for ref in find_drives(options(tmp_path))]
    assert names == ["cut", "old", "town_1-alone", "town_1-run"]
    assert len({ref.paths for ref in find_drives(options(tmp_path))}) == 4


def test_names_that_differ_only_in_what_files_cannot_have_stay_apart(tmp_path):
    for name in ("a b.bag", "a_b.bag", "A:b.bag"):
        (tmp_path / name).write_bytes(b"bag")
    assert [ref.name for ref in find_drives(options(tmp_path))] == ["A_b", "a_b_2", "a_b_3"]


@pytest.mark.parametrize("make", ["missing", "empty folder", "text file"])
def test_a_source_without_bags_is_refused_with_what_was_expected(tmp_path, make):
    source = tmp_path / "source.txt"
    if make == "empty folder":
        source.mkdir()
    elif make == "text file":
        source.write_text("hello")
    with pytest.raises(ConversionError, match=r"source\.txt .*expected a bag's folder"):
        find_drives(options(source))


@pytest.mark.parametrize("name", ["bag.mcap", "bag.db3", "bag.bag"])
def test_a_file_of_no_bytes_is_named_as_empty(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(ConversionError, match="is empty"):
        converted(tmp_path / name)


@pytest.mark.parametrize("name", ["bag.mcap", "bag.db3", "bag.bag"])
def test_a_file_of_other_bytes_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"this is not a bag" * 100)
    with pytest.raises(ConversionError, match="cannot be read as a bag"):
        converted(tmp_path / name)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_compressed_file_is_read_without_metadata_and_refused_where_it_is_cut(tmp_path, storage):
    folder = write_bag(tmp_path / "bag", drive(ticks=6), storage, "file")
    (folder / "metadata.yaml").unlink()
    (episode,), _ = converted(folder)
    assert len(episode) == 5
    (file,) = folder.iterdir()
    cut(file, 0.8)
    with pytest.raises(ConversionError, match="its end is missing"):
        converted(folder)


def test_metadata_that_names_a_missing_file_is_refused_by_name(tmp_path):
    folder = write_bag(tmp_path / "bag", drive(ticks=3))
    (folder / "bag.mcap").unlink()
    with pytest.raises(ConversionError, match=r"bag\.mcap"):
        converted(folder)


@pytest.mark.parametrize("text", ["", "[", "rosbag2_bagfile_information: 3", "rosbag2_bagfile_information: {}"])
def test_damaged_metadata_is_refused(tmp_path, text):
    folder = write_bag(tmp_path / "bag", drive(ticks=3))
    (folder / "metadata.yaml").write_text(text)
    with pytest.raises(ConversionError, match="cannot be read as a bag"):
        converted(folder)


def cut(path, share: float):
    """Keep the first part of a file."""
    os.truncate(path, int(path.stat().st_size * share))
    return path


@pytest.fixture
def long_drive():
    """A bag of several chunks: chunks of an mcap are about a megabyte."""
    return drive(ticks=60, height=120, width=160)


def test_a_truncated_mcap_is_refused_and_told_how_to_be_recovered(tmp_path, long_drive):
    path = cut(write_bare_mcap(tmp_path / "bag.mcap", long_drive), 0.7)
    with pytest.raises(ConversionError, match="its end is missing.*--recover"):
        converted(path)


@pytest.mark.parametrize("compression", [None, "storage"])
def test_recovery_saves_whole_rows_up_to_the_break_and_notes_it(tmp_path, compression):
    random = np.random.default_rng(0)
    recording = drive(ticks=60).changed(
        CAMERA, lambda fields, log: (image(log - 2 - MS, random.integers(0, 256, (120, 160, 4), dtype=np.uint8)), log)
    )
    folder = write_bag(tmp_path / "bag", recording, "mcap", compression)
    (whole,), _ = converted(folder)
    cut(folder / "bag.mcap", 0.7)
    (episode,), report = converted(folder, recover=True)
    assert 20 < len(episode) < 45
    assert any("breaks off" in note for note in report.notes)
    for name in ("observations", "actions", "rewards", "stamps_ns"):
        assert (getattr(episode, name) == getattr(whole, name)[: len(episode)]).all()


def test_recovery_changes_nothing_about_a_whole_bag(tmp_path):
    path = write_bare_mcap(tmp_path / "bag.mcap", drive(ticks=8))
    (plain,), _ = converted(path)
    (recovered,), report = converted(path, recover=True)
    assert (plain.observations == recovered.observations).all() and (plain.actions == recovered.actions).all()
    assert not any("breaks off" in note for note in report.notes)


def test_recovery_of_a_crash_reads_the_whole_piece_and_the_broken_one(tmp_path, long_drive):
    folder = write_split_bag(tmp_path / "bag", long_drive, metadata=False)
    cut(folder / "bag_1.mcap", 0.6)
    with pytest.raises(ConversionError):
        converted(folder)
    (episode,), _ = converted(folder, recover=True)
    assert 30 < len(episode) < 59


def test_nothing_to_recover_is_an_error(tmp_path):
    path = cut(write_bare_mcap(tmp_path / "bag.mcap", drive(ticks=8)), 0.1)
    with pytest.raises(ConversionError, match="holds no message"):
        converted(path, recover=True)


def test_a_damaged_chunk_is_found_by_its_checksum_or_size(tmp_path, long_drive):
    folder = write_bag(tmp_path / "bag", long_drive, "mcap", "storage")
    data = bytearray((folder / "bag.mcap").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 50] = bytes(50)
    (folder / "bag.mcap").write_bytes(data)
    with pytest.raises(ConversionError, match="damaged"):
        converted(folder)


def test_a_damaged_sqlite3_is_refused(tmp_path, long_drive):
    path = write_old_sqlite3(tmp_path / "bag.db3", long_drive)
    data = bytearray(path.read_bytes())
    data[40_000:-40_000] = bytes(len(data) - 80_000)
    path.write_bytes(data)
    with pytest.raises(ConversionError, match=r"bag\.db3"):
        converted(path)


def test_messages_still_in_the_log_of_a_database_are_mentioned(tmp_path):
    path = write_old_sqlite3(tmp_path / "bag.db3", drive(ticks=5))
    (tmp_path / "bag.db3-wal").write_bytes(b"something")
    _, report = converted(path)
    assert any("bag.db3-wal is not read" in note for note in report.notes)


def test_a_source_is_never_written_to(tmp_path):
    for storage in ("mcap", "sqlite3"):
        folder = write_bag(tmp_path / storage, drive(ticks=5), storage)
        before = {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in folder.iterdir()}
        converted(folder)
        assert before == {file.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in folder.iterdir()}


def test_a_topic_of_an_undefined_type_is_refused_with_its_name(tmp_path):
    path = write_old_sqlite3(tmp_path / "bag.db3", drive(ticks=5))
    with sqlite3.connect(path) as database:
        database.execute("UPDATE topics SET type = 'my_msgs/msg/Own' WHERE name LIKE '%step_result'")
        database.execute("UPDATE topics SET type = 'ackermann_msgs/msg/AckermannDrive' WHERE name LIKE '%status'")
    database.close()
    with pytest.raises(ConversionError, match="ackermann_msgs/msg/AckermannDrive, which the bag does not define"):
        converted(path, actions="commanded")


def test_a_bag_without_definitions_needs_those_of_the_workspace_and_others_do_not(tmp_path, monkeypatch):
    def missing():
        raise ConversionError("the message definitions of carla_msgs are not installed")

    without = write_old_sqlite3(tmp_path / "bag.db3", drive(ticks=5))
    with_some = write_bare_mcap(tmp_path / "bag.mcap", drive(ticks=5))
    monkeypatch.setattr("wm_data.bags.definitions.jazzy_typestore", missing)
    with pytest.raises(ConversionError, match="holds no definition of .*, and .*carla_msgs are not installed"):
        converted(without)
    assert len(converted(with_some)[0][0]) == 4


def test_messages_that_are_cut_short_are_left_out_and_counted(tmp_path):
    path = write_old_sqlite3(tmp_path / "bag.db3", drive(ticks=6))
    with sqlite3.connect(path) as database:
        database.execute(
            "UPDATE messages SET data = substr(data, 1, 30) WHERE id = (SELECT max(messages.id) FROM messages"
            " JOIN topics ON topics.id = topic_id WHERE type LIKE '%Image')"
        )
    database.close()
    (episode,), report = converted(path)
    assert len(episode) == 4
    assert report.skipped[f"message of {CAMERA} that cannot be read as sensor_msgs/msg/Image"] == 1


@pytest.mark.skipif("WM_ROSBAG_ROOT" not in os.environ, reason="WM_ROSBAG_ROOT names no folder of bags")
def test_real_bags_convert():
    settings = options(os.environ["WM_ROSBAG_ROOT"], image_size=64)
    for ref in find_drives(settings):
        with open_drive(ref, settings) as opened:
            for episode in episodes_of_drive(opened, settings):
                assert len(episode) and np.isfinite(episode.actions).all()
