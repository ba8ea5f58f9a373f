import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures_kitti import DATE, PERIOD_NS, oxts_line, stamp_ns, stamp_text, write_drive, write_stamps
from mutations import Mutator
from wm_bundle import ImageError
from wm_data.conversion.assembling.assembly import episodes_of_drive
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.moments import time_of_text
from wm_data.conversion.running.unit import convert_unit
from wm_data.conversion.sources import kitti
from wm_data.errors import ConversionError


def options(source: Path, **values) -> ConvertOptions:
    return ConvertOptions("kitti", str(source), "dest", **{"image_size": 8, "min_rows": 1, **values})


def convert(source: Path, **values):
    """(episodes, report) of the only drive of a source."""
    chosen = options(source, **values)
    (ref,) = kitti.find_drives(chosen)
    with kitti.open_drive(ref, chosen) as drive:
        return list(episodes_of_drive(drive, chosen)), drive.report


def test_every_frame_is_a_row_with_its_picture_its_exact_stamp_and_its_own_speed(tmp_path):
    write_drive(tmp_path, frames=20, speed=lambda frame: 5.0 + 0.1 * frame)
    (episode,), report = convert(tmp_path)
    assert episode.stamps_ns.tolist() == [stamp_ns(k) for k in range(19)]  # the last frame's action nobody knows
    assert episode.observations[:, 0, 4, 4].tolist() == [10 * k for k in range(19)]
    np.testing.assert_allclose(episode.vector[:, 0], [5.0 + 0.1 * k for k in range(19)], rtol=1e-6)
    assert episode.meta["action_source"] == "derived" and episode.meta["cameras"][0]["name"] == "image_02"
    assert report.summary()["topics"]["oxts"]["count"] == 20


def test_a_push_between_two_frames_is_the_action_of_the_first(tmp_path):
    write_drive(tmp_path, frames=20, speed=lambda frame: 5.0 if frame <= 8 else 5.2)
    (episode,), _ = convert(tmp_path)
    # 0.2 m/s in a period of 0.103 s, with rolling resistance and drag, of 4 m/s^2 at full throttle.
    assert np.argmax(episode.actions[:, 1]) == 8
    assert episode.actions[8, 1] == pytest.approx((0.2 / 0.103 + 0.15 + 4e-4 * 5.1**2) / 4.0, rel=1e-3)
    assert np.ptp(np.delete(episode.actions[:, 1], 8)) < 0.01


def test_a_turn_to_the_left_steers_to_the_left_by_the_bicycle_of_the_recording_car(tmp_path):
    write_drive(tmp_path, frames=20, yaw_rate=lambda frame: 0.2)
    (episode,), _ = convert(tmp_path, max_steer_deg=35.0)
    expected = -np.arctan(2.71 * 0.2 / 5.0) / np.radians(35.0)
    np.testing.assert_allclose(episode.actions[:, 0], expected, rtol=1e-5)


def test_a_missing_picture_and_a_blank_timestamp_cut_and_later_frames_keep_their_own_numbers(tmp_path):
    drive = write_drive(tmp_path, frames=20, speed=lambda frame: 5.0 + frame)
    (drive / "image_02" / "data" / "0000000005.png").unlink()
    write_stamps(drive / "image_02", [None if k == 12 else stamp_ns(k) for k in range(20)])
    episodes, report = convert(tmp_path)
    # Rows 0 to 3, 6 to 10, 13 to 18: the frame before a hole has no next one.
    assert [((e.stamps_ns - stamp_ns(0)) // PERIOD_NS).tolist() for e in episodes] == [
        [0, 1, 2, 3],
        [6, 7, 8, 9, 10],
        [13, 14, 15, 16, 17, 18],
    ]
    assert [e.vector[0, 0] for e in episodes] == [5.0, 11.0, 18.0]
    assert [int(e.observations[0, 0, 0, 0]) for e in episodes] == [0, 60, 130]
    assert report.skipped["timestamp of image_02 without a picture"] == 1
    assert report.skipped["picture of image_02 without a timestamp"] == 1
    assert report.skipped["timestamp blank"] == 1


def test_blank_short_and_not_finite_oxts_lines_are_counted_and_no_speed_is_made_up(tmp_path):
    drive = write_drive(tmp_path, frames=20, speed=lambda frame: 5.0 + 0.1 * frame)
    for frame, text in ((4, "\n"), (5, "49.0 8.4 112\n"), (6, oxts_line(float("nan"), 0.0)), (7, "x " * 30)):
        (drive / "oxts" / "data" / f"{frame:010d}.txt").write_text(text)
    episodes, report = convert(tmp_path)
    assert [len(e) for e in episodes] == [3, 11]  # rows 0 to 2, 8 to 18
    assert report.skipped["OXTS packet blank or short"] == 2
    assert report.skipped["OXTS packet with numbers that are not finite"] == 1
    assert report.skipped["OXTS packet that cannot be read"] == 1
    actions = np.concatenate([e.actions for e in episodes])
    assert np.ptp(actions[:, 1]) < 0.01  # one acceleration throughout


def test_stamps_that_repeat_or_go_backwards_leave_their_pictures_out(tmp_path):
    drive = write_drive(tmp_path, frames=20)
    stamps = [stamp_ns(k) for k in range(20)]
    stamps[7], stamps[13] = stamps[6], stamps[11]
    write_stamps(drive / "image_02", stamps)
    episodes, report = convert(tmp_path)
    assert report.skipped["picture of image_02 whose stamp repeats"] == 1
    assert report.skipped["picture of image_02 whose stamp goes backwards"] == 1
    assert [len(e) for e in episodes] == [6, 4, 5]  # 0 to 5, 8 to 11, 14 to 18; frames 6 and 12 have no next one


def test_both_colour_cameras_are_joined_in_the_order_asked(tmp_path):
    drive = write_drive(tmp_path)
    (drive / "image_02" / "data" / "0000000003.png").unlink()
    (episode,), _ = convert(tmp_path, cameras=("03", "image_02"))
    assert [camera["name"] for camera in episode.meta["cameras"]] == ["image_03", "image_02"]
    assert episode.observations[4, 0, 0, 0] == 45 and episode.observations[4, 3, 0, 0] == 40
    assert np.flatnonzero(~episode.camera_mask[:, 1]).tolist() == [3]


def test_a_camera_whose_stamps_are_of_another_time_is_named(tmp_path):
    drive = write_drive(tmp_path)
    write_stamps(drive / "image_03", [stamp_ns(k) + 3_600_000_000_000 for k in range(20)])
    given = replace(options(tmp_path, cameras=("02", "03")), dest=str(tmp_path / "dest"))
    (ref,) = kitti.find_drives(given)
    error = convert_unit(ref, given)["error"]
    assert error == "no episode came out: row from before the first picture of image_03 (20)"


def test_drives_are_found_below_a_root_a_date_and_by_themselves(tmp_path):
    first = write_drive(tmp_path, frames=2)
    write_drive(tmp_path, frames=2, number=2, date="2011_10_03", size=(37, 122))
    names = [f"{DATE}_drive_0001_sync", "2011_10_03_drive_0002_sync"]
    assert [ref.name for ref in kitti.find_drives(options(tmp_path))] == names
    assert [ref.name for ref in kitti.find_drives(options(tmp_path / DATE))] == names[:1]
    assert [ref.name for ref in kitti.find_drives(options(first))] == names[:1]


def test_drives_are_found_where_each_archive_was_unpacked_into_a_folder_of_its_name(tmp_path):
    names = [f"{DATE}_drive_{number:04d}_sync" for number in (1, 2)]
    for number, name in enumerate(names, 1):
        write_drive(tmp_path / name, frames=3, number=number)
    (tmp_path / f"{DATE}_calib" / DATE).mkdir(parents=True)
    assert [ref.name for ref in kitti.find_drives(options(tmp_path))] == names
    assert [ref.name for ref in kitti.find_drives(options(tmp_path / names[0]))] == names[:1]
    assert len(convert(tmp_path / names[1])[0][0]) == 2


@pytest.mark.parametrize("cameras", [("image_02",), ("image_00",), ("image_01", "image_03")])
def test_pictures_may_be_jpeg_and_grey(tmp_path, cameras):
    write_drive(tmp_path, frames=12, cameras=cameras, ending=".jpg")
    (episode,), report = convert(tmp_path, cameras=tuple(name.removeprefix("image_0") for name in cameras))
    assert [camera["name"] for camera in episode.meta["cameras"]] == list(cameras)
    assert np.abs(episode.observations[:, :3, 4, 4].T - 10 * np.arange(11)).max() <= 2  # all three channels
    if len(cameras) > 1:
        assert np.abs(episode.observations[:, 3:, 4, 4].T - (10 * np.arange(11) + 5)).max() <= 2
    assert report.summary()["topics"][cameras[0]]["type"] == "jpg" and not report.skipped


def test_an_unsynchronised_drive_is_refused_with_the_reason_unless_its_twin_is_there(tmp_path):
    write_drive(tmp_path, frames=2, kind="extract")
    with pytest.raises(ConversionError, match="unsynchronised"):
        convert(tmp_path)
    write_drive(tmp_path, frames=20)
    assert len(convert(tmp_path)[0]) == 1


@pytest.mark.parametrize(
    "remove, message",
    [
        ("image_02/timestamps.txt", "cannot read .*timestamps.txt"),
        ("image_02/data", "cannot list .*data"),
        ("oxts/timestamps.txt", "cannot read .*oxts"),
        ("oxts/data", "cannot list .*oxts"),
    ],
)
def test_a_drive_with_a_part_missing_is_refused_by_the_name_of_the_part(tmp_path, remove, message):
    drive = write_drive(tmp_path)
    (drive / remove).rename(tmp_path / "elsewhere")
    with pytest.raises(ConversionError, match=message):
        convert(tmp_path)


def test_sources_cameras_and_actions_that_kitti_does_not_have_are_refused(tmp_path):
    with pytest.raises(ConversionError, match="is not a folder"):
        kitti.find_drives(options(tmp_path / "nothing"))
    with pytest.raises(ConversionError, match="has no KITTI raw drive"):
        kitti.find_drives(options(tmp_path))
    write_drive(tmp_path, frames=2)
    with pytest.raises(ConversionError, match="'image_04' is not one of KITTI's: image_00, .*03"):
        kitti.find_drives(options(tmp_path, cameras=("image_04",)))
    with pytest.raises(ConversionError, match="no folder image_01; its cameras are image_02, image_03"):
        convert(tmp_path, cameras=("image_01",))
    with pytest.raises(ConversionError, match="no applied actions"):
        convert(tmp_path, actions="applied")


def test_a_picture_cut_short_is_left_out_and_named(tmp_path):
    drive = write_drive(tmp_path)
    for name in ("0000000010.png", "0000000011.png"):
        file = drive / "image_02" / "data" / name
        file.write_bytes(file.read_bytes()[:-20])
    episodes, report = convert(tmp_path)
    assert [len(e) for e in episodes] == [9, 7]
    assert [count for text, count in report.skipped.items() if "not a whole" in text] == [2]  # one reason for both
    assert [note for note in report.notes if "not a whole" in note and "0000000010.png" in note]


@pytest.mark.parametrize(
    "text, ns",
    [
        ("2011-09-26 13:02:25.964389445", 1_317_042_145_964_389_445),
        ("1970-01-01 00:00:00.000000001", 1),
        ("2011-09-26 13:02:25", 1_317_042_145_000_000_000),
        ("2011-09-26 25:02:25.964389445", None),
        ("0011-09-26 13:02:25.964389445", None),
        ("", None),
    ],
)
def test_timestamps_are_exact_to_the_nanosecond(text, ns):
    assert time_of_text(text) == ns
    assert ns is None or stamp_text(ns).startswith(text)


def read_all(source: Path) -> None:
    """Everything a conversion does to a source; errors that a conversion tells are no errors here."""
    chosen = options(source, cameras=("02", "03"))
    try:
        for ref in kitti.find_drives(chosen):
            with kitti.open_drive(ref, chosen) as drive:
                list(episodes_of_drive(drive, chosen))
    except (ConversionError, ImageError):
        pass


def test_damaged_files_are_errors_that_are_told(tmp_path):
    drive = write_drive(tmp_path, frames=8)
    mutator = Mutator([file for file in drive.rglob("*") if file.is_file()], seed=1)
    for _ in range(200):
        mutator.damage()
        read_all(tmp_path)
        mutator.repair()
    assert len(convert(tmp_path)[0]) == 1  # the fixture itself was good throughout


@pytest.mark.skipif("WM_KITTI_ROOT" not in os.environ, reason="WM_KITTI_ROOT names no KITTI raw folder")
def test_a_real_drive_gives_plausible_motion_and_pictures():
    chosen = ConvertOptions("kitti", os.environ["WM_KITTI_ROOT"], "dest")
    ref = kitti.find_drives(chosen)[0]
    with kitti.open_drive(ref, chosen) as drive:
        episodes = list(episodes_of_drive(drive, chosen))
    assert sum(map(len, episodes)) > 20
    for episode in episodes:
        assert np.abs(episode.vector[:, 0]).max() < 50.0 and episode.observations.std() > 10.0
        assert np.median(np.diff(episode.stamps_ns)) == pytest.approx(1e8, rel=0.1)
