"""The command as a whole, on KITTI drives, which are the simplest source."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import extra_input
import fixtures_kitti
import numpy as np
import pytest
from wm_data.conversion.running import runner, unit
from wm_training import convert_kitti, read_episode
from wm_training.commands.convert import main

FAST = ["--image-size", "16", "--min-rows", "3"]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Six drives, of which the fourth has no picture."""
    root = tmp_path_factory.mktemp("kitti")
    for number in range(1, 7):
        drive = fixtures_kitti.write_drive(root, frames=12 + number, number=number)
        if number == 4:
            for camera in ("image_02", "image_03"):
                shutil.rmtree(drive / camera / "data")
    return root


@pytest.fixture(scope="module")
def whole(source, tmp_path_factory):
    dest = tmp_path_factory.mktemp("converted") / "dest"
    assert main(["kitti", str(source), str(dest), *FAST]) == 3
    return dest


def contents(dest: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in dest.iterdir() if file.is_file()}


def test_a_failed_drive_is_told_and_leaves_nothing_and_the_others_are_whole(source, whole, capsys):
    names = sorted(file.name for file in whole.glob("*.npz"))
    assert names == [f"2011_09_26_drive_{n:04d}_sync_000.npz" for n in (1, 2, 3, 5, 6)]
    assert [len(read_episode(whole / name)) for name in names] == [12, 13, 14, 16, 17]
    assert sorted(file.name for file in whole.iterdir() if not file.name.endswith(".npz")) == [
        ".conversion",
        "manifest.json",
        "report.json",
        "report.txt",
    ]
    assert main(["kitti", str(source), str(whole), *FAST, "--resume"]) == 3
    said = capsys.readouterr()
    assert "2011_09_26_drive_0004_sync" in said.err and "1 of 6 drives failed" in said.err
    assert "6 drives" in said.out and said.out.count("failed") == 2  # the drive, and the sum


def test_manifest_and_report_tell_what_became_of_every_drive(source, whole):
    manifest = json.loads((whole / "manifest.json").read_text())
    report = json.loads((whole / "report.json").read_text())
    assert manifest["converter_version"] == 2 and manifest["arguments"]["image_size"] == 16
    assert [drive["error"] is None for drive in manifest["drives"]] == [True, True, True, False, True, True]
    first = manifest["drives"][0]
    assert len(first["sources"][0]["path_sha256"]) == 64 and str(source) not in json.dumps(first)
    assert first["files"][0]["bytes"] == (whole / first["files"][0]["file"]).stat().st_size
    assert report["totals"] == {
        "drives": 6,
        "episodes": 5,
        "failed": 1,
        "hours": pytest.approx(0.00192, rel=0.05),
        "rows": 72,
    }
    drive = report["drives"][0]
    assert sum(drive["actions"]["steer"]) == drive["rows"] == 12
    assert {"rate_hz", "jitter_ms", "drops", "latency_ms"} <= next(iter(drive["topics"].values())).keys()
    text = (whole / "report.txt").read_text()
    for told in ("2011_09_26_drive_0004_sync", "failed: ", "image_02", "jitter [ms]", "steer -1 |", "note: "):
        assert told in text


@pytest.mark.parametrize("more", [["--workers", "2"], ["--executor", "ray", "--workers", "2"]], ids=["workers", "ray"])
def test_any_number_of_workers_gives_the_same_bytes(source, whole, tmp_path, more):
    assert main(["kitti", str(source), str(tmp_path / "dest"), *FAST, *more]) == 3
    assert contents(tmp_path / "dest") == contents(whole)


def test_shards_share_the_work_and_together_give_the_same_bytes(source, whole, tmp_path):
    codes = [main(["kitti", str(source), str(tmp_path), *FAST, "--shard", f"{i}/3"]) for i in range(3)]
    assert codes == [3, 0, 0]  # the fourth drive is in the first shard
    assert contents(tmp_path) == contents(whole)


def test_a_killed_conversion_goes_on_and_ends_with_the_same_bytes(source, whole, tmp_path):
    dest = tmp_path / "dest"
    command = [sys.executable, "-m", "wm_training.commands.convert", "kitti", str(source), str(dest), *FAST]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(dest.glob("*.npz")) and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    (dest / ".2011_09_26_drive_0001_sync_000.npz.part-1").write_bytes(b"half")  # as if it was killed while writing
    if not (dest / "manifest.json").exists():  # it may have been quicker than the signal
        assert main(["kitti", str(source), str(dest), *FAST]) == 1
        assert main(["kitti", str(source), str(dest), *FAST, "--resume"]) == 3
    assert contents(dest) == contents(whole) or (dest / "manifest.json").exists()
    assert not list(dest.glob(".*part*"))


def test_resuming_converts_again_only_what_is_missing_or_damaged_in_its_size(source, whole, tmp_path, monkeypatch):
    dest = tmp_path / "dest"
    shutil.copytree(whole, dest)
    (dest / "2011_09_26_drive_0002_sync_000.npz").unlink()
    (dest / "2011_09_26_drive_0005_sync_000.npz").write_bytes(b"short")
    done = []
    real = unit.convert_unit
    monkeypatch.setattr(runner, "convert_unit", lambda ref, *more: done.append(ref.name) or real(ref, *more))
    assert main(["kitti", str(source), str(dest), *FAST, "--resume"]) == 3
    assert [name[-9:-5] for name in done] == ["0002", "0004", "0005"]
    assert contents(dest) == contents(whole)


def test_what_is_there_already_is_never_overwritten_by_something_else(source, whole, tmp_path, capsys, monkeypatch):
    before = contents(whole)
    for arguments, message in (
        ([], "holds a conversion already: --resume continues it"),
        (["--resume", "--rate", "5"], "begun with other arguments (rate was None and is 5.0)"),
    ):
        assert main(["kitti", str(source), str(whole), *FAST, *arguments]) == 1
        assert message in capsys.readouterr().err
    monkeypatch.setattr(runner, "CONVERTER_VERSION", 3)
    assert main(["kitti", str(source), str(whole), *FAST, "--resume"]) == 1
    assert "begun with other arguments (converter_version was 2 and is 3)" in capsys.readouterr().err
    monkeypatch.undo()
    extra_input.register(monkeypatch)
    assert main(["kitti", str(source), str(whole), *FAST, "--resume"]) == 1
    assert "begun with other arguments (vector_inputs was " in capsys.readouterr().err
    monkeypatch.undo()
    assert contents(whole) == before
    foreign = tmp_path / "collected"
    foreign.mkdir()
    shutil.copy(whole / "2011_09_26_drive_0001_sync_000.npz", foreign / "episode_000000.npz")
    assert main(["kitti", str(source), str(foreign), *FAST]) == 1
    assert "holds episodes that are not from `convert`" in capsys.readouterr().err
    assert [file.name for file in foreign.iterdir()] == ["episode_000000.npz"]
    assert main(["kitti", str(source), str(source / "dest"), *FAST]) == 1
    assert "lies in the source" in capsys.readouterr().err and not (source / "dest").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["kitti", "nowhere", "dest"], 1, "nowhere is not a folder"),
        (["kitti", "."], 2, "DEST"),
        (["lidar", ".", "dest"], 2, "rosbag"),
        (["kitti", ".", "dest", "--rate", "-1"], 2, "rate is -1 Hz"),
        (["kitti", ".", "dest", "--shard", "3/3"], 2, "expected I/N with 0 <= I < N"),
        (["kitti", ".", "dest", "--max-rows", "2"], 2, "at least min_rows"),
    ],
)
def test_arguments_that_cannot_be_used_are_told(tmp_path, monkeypatch, capsys, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    try:
        found = main(arguments)
    except SystemExit as stop:
        found = stop.code
    said = capsys.readouterr()
    assert found == code and message in said.err + said.out and "Traceback" not in said.err
    assert not (tmp_path / "dest").exists()


def test_a_full_disk_ends_with_a_message_and_no_half_file(source, tmp_path, monkeypatch, capsys):
    real = np.savez

    def savez(stream, **arrays):
        real(stream, **arrays)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "savez", savez)
    assert main(["kitti", str(source), str(tmp_path), *FAST]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.npz")) and not list(tmp_path.glob(".*part*"))


def test_a_destination_that_cannot_be_written_is_told(source, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["kitti", str(source), str(tmp_path / "file"), *FAST]) == 1
    assert "is a file, expected a folder" in capsys.readouterr().err
    assert main(["kitti", str(source), "/proc/episodes", *FAST]) == 1
    assert "/proc/episodes" in capsys.readouterr().err


def test_a_name_that_would_leave_the_destination_is_refused(source, tmp_path, monkeypatch, capsys):
    module = unit.source_module("kitti")
    find = module.find_drives
    monkeypatch.setattr(
        module, "find_drives", lambda o: [type(ref)(f"../{ref.name}", ref.locator, ref.paths) for ref in find(o)[:1]]
    )
    assert main(["kitti", str(source), str(tmp_path / "dest"), *FAST]) == 1
    assert "could leave the destination" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["dest"] and not list((tmp_path / "dest").glob("*.npz"))


def test_a_defect_of_a_reader_fails_its_drive_only_and_shows_no_traceback(source, tmp_path, monkeypatch, capsys):
    module = unit.source_module("kitti")
    open_drive = module.open_drive

    def opened(ref, options):
        if ref.name.endswith("0002_sync"):
            raise ZeroDivisionError("surprise")
        return open_drive(ref, options)

    monkeypatch.setattr(module, "open_drive", opened)
    assert main(["kitti", str(source), str(tmp_path), *FAST]) == 3
    said = capsys.readouterr().err
    assert "unexpected ZeroDivisionError in test_runner.py" in said and "Traceback" not in said
    assert len(list(tmp_path.glob("*.npz"))) == 4


def test_episodes_can_be_had_in_python_without_writing_anything(source, whole):
    episode = next(convert_kitti(source / "2011_09_26", image_size=16, min_rows=3))
    written = read_episode(whole / "2011_09_26_drive_0001_sync_000.npz")
    np.testing.assert_array_equal(episode.observations, written.observations)
    assert {**episode.meta, "format_version": 1} == written.meta


def test_a_disk_that_is_really_full_ends_the_same_way(source, whole, tmp_path, capsys):
    """On a file system of 64 kB; then with room enough, resumed, to the same bytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, timeout=10).returncode != 0:
        pytest.skip("may not mount a file system")
    try:
        assert main(["kitti", str(source), str(disk / "dest"), *FAST]) == 1
        said = capsys.readouterr().err
        assert "No space left on device" in said and "Traceback" not in said
        for file in (disk / "dest").glob("*.npz"):
            read_episode(file)
        assert not list((disk / "dest").glob(".*part*"))
        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True, timeout=10)
        assert main(["kitti", str(source), str(disk / "dest"), *FAST, "--resume"]) == 3
        assert contents(disk / "dest") == contents(whole)
    finally:
        subprocess.run(["umount", str(disk)], timeout=10, check=True)
