"""The file of a recording: what it holds, what it drops, and what is left of one that was killed."""

import os
import signal
import subprocess
import sys
import time

import pytest
from mcap.reader import make_reader
from wm_data.bags.bag import open_bag
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.report import DriveReport
from wm_data.conversion.sources.rosbag import find_drives
from wm_tools.common.errors import RecordError
from wm_tools.record.definitions import definition
from wm_tools.record.mcap_file import McapRecording, RecordedMessage, RecordedTopic
from wm_tools.record.record_options import RecordOptions

CLOCK = RecordedTopic("/clock", "rosgraph_msgs/msg/Clock", *definition("rosgraph_msgs/msg/Clock"), "")


def clock_message(number: int, size: int = 0) -> RecordedMessage:
    data = bytes([0, 1, 0, 0]) + number.to_bytes(4, "little") + bytes(4 + size)
    return RecordedMessage("/clock", 1000 + number, 900 + number, number, data)


def recording(folder, queue_bytes: int = 10**6) -> McapRecording:
    return McapRecording(folder / "a.mcap", folder / "a.mcap.part", queue_bytes)


def test_a_finished_file_has_every_message_with_both_times_and_an_index(tmp_path):
    growing = recording(tmp_path)
    growing.add_topic(CLOCK)
    for number in range(100):
        growing.add(clock_message(number))
    totals = growing.close()
    assert (totals.written, totals.dropped) == ({"/clock": 100}, {})
    assert [path.name for path in tmp_path.iterdir()] == ["a.mcap"]
    with open(tmp_path / "a.mcap", "rb") as stream:
        reader = make_reader(stream, validate_crcs=True)
        assert reader.get_header().profile == "ros2"
        assert all(chunk.compression == "zstd" for chunk in reader.get_summary().chunk_indexes)
        found = [(schema.name, message) for schema, _, message in reader.iter_messages(starting_at=1050)]
    assert [message.log_time for _, message in found] == list(range(1050, 1100))
    assert [message.publish_time for _, message in found] == list(range(950, 1000))
    assert {name for name, _ in found} == {"rosgraph_msgs/msg/Clock"}


def test_what_is_too_much_for_the_queue_is_dropped_and_counted(tmp_path):
    growing = recording(tmp_path, queue_bytes=1000)
    growing.add_topic(CLOCK)
    growing.add(clock_message(0, size=2000))  # alone larger than the queue
    growing.add(clock_message(1))
    assert growing.dropped == 1
    totals = growing.close()
    assert (totals.written, totals.dropped) == ({"/clock": 1}, {"/clock": 1})


def test_a_recording_without_a_message_leaves_no_file(tmp_path):
    growing = recording(tmp_path)
    growing.add_topic(CLOCK)
    assert growing.close().written == {}
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_is_said_and_what_was_written_stays(tmp_path):
    growing = McapRecording(tmp_path / "a.mcap", tmp_path / "a.mcap.part", 10**6)
    growing._stream.close()  # as a disk that takes no more
    growing.add_topic(CLOCK)
    growing.add(clock_message(0))
    with pytest.raises(RecordError, match=r"cannot be written: .*; what was recorded until then is in .*a\.mcap\.part"):
        growing.close()
    assert (tmp_path / "a.mcap.part").exists()


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_mcap_file import CLOCK, clock_message, recording
growing = recording(Path(sys.argv[1]))
growing.add_topic(CLOCK)
for number in range(10**6):
    growing.add(clock_message(number))
    time.sleep(0.01)
"""


def test_what_a_killed_recorder_left_can_be_recovered(tmp_path):
    here = os.path.dirname(__file__)
    part = tmp_path / "a.mcap.part"
    with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), here]) as process:
        deadline_s = time.monotonic() + 30.0
        while not (part.exists() and part.stat().st_size > 200):  # a chunk is closed every second
            assert time.monotonic() < deadline_s and process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    (drive,) = find_drives(ConvertOptions("rosbag", str(part), str(tmp_path), recover=True))
    with open_bag([part], DriveReport(drive.name), recover=True) as bag:
        stamps = [bag.deserialize(message).clock.sec for message in bag.messages(["/clock"])]
    assert len(stamps) > 20 and stamps == list(range(len(stamps)))
    assert drive.name == "a"


def options(tmp_path, **changes) -> RecordOptions:
    return RecordOptions(**{"output": tmp_path / "new.mcap", **changes})


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"role_name": "a/b"}, "--role-name"),
        ({"topics": ("clock",)}, "begin with /"),
        ({"max_seconds": 0.0}, "--max-seconds: expected above 0, found 0"),
        ({"queue_mb": float("nan")}, "--queue-mb"),
    ],
)
def test_options_that_make_no_sense_are_named(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        options(tmp_path, **changes)


def test_no_file_is_overwritten(tmp_path):
    (tmp_path / "old.mcap").touch()
    with pytest.raises(ValueError, match="already exists"):
        options(tmp_path, output=tmp_path / "old.mcap")
    (tmp_path / "new.mcap.part").touch()
    with pytest.raises(ValueError, match="--recover"):
        options(tmp_path)
    with pytest.raises(ValueError, match=r"ends with \.mcap"):
        options(tmp_path, output=tmp_path / "new.db3")
