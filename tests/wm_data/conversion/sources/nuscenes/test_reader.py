import os
import random
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from fixtures_nuscenes import CAMERAS, SceneSpec, edit, start_us, token, write_dataset
from nuscenes_conversion import convert, milliseconds, options
from wm_data.conversion.assembling.assembly import episodes_of_drive
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.sources import nuscenes
from wm_data.conversion.sources.nuscenes.index import PictureIndex
from wm_data.errors import ConversionError

MS = 1_000_000
WITHOUT_CAN = SceneSpec(can=False)


def is_of(row: dict, sensor: str) -> bool:
    return f"/{sensor}/" in row["filename"]


def test_keyframes_and_sweeps_follow_their_links_whatever_the_order_of_the_tables(tmp_path):
    folder = write_dataset(tmp_path, (SceneSpec(), SceneSpec("scene-0002")))
    for name in ("sample_data", "ego_pose", "sample", "scene"):
        edit(folder, name, random.Random(0).shuffle)
    (episode,), report = convert(tmp_path)
    assert milliseconds(episode) == list(range(0, 1900, 100))  # the last picture's action nobody knows
    np.testing.assert_allclose(episode.observations[:, 0, 4, 4], range(0, 190, 10), atol=2)
    assert not report.skipped
    (episode,), _ = convert(tmp_path, "scene-0002")
    assert milliseconds(episode, scene=1) == list(range(0, 1900, 100))


def test_the_uneven_rhythm_of_a_camera_that_waits_for_the_lidar_stays_one_episode(tmp_path):
    """12 Hz as gaps of 100, 100 and 50 ms."""
    folder = write_dataset(tmp_path, (SceneSpec(seconds=3.0),), period_us=50_000)
    kept = [token("scene-0001", "CAM_FRONT", k) for k in range(60) if k % 5 in (0, 2, 4)]

    def thin_out(rows):
        rows = [row for row in rows if not is_of(row, "CAM_FRONT") or row["token"] in kept]
        for row in rows:
            if row["token"] in kept:
                row["next"] = dict(zip(kept, kept[1:], strict=False)).get(row["token"], "")
        return rows

    edit(folder, "sample_data", thin_out)
    (all_of_them,), _ = convert(tmp_path)
    assert milliseconds(all_of_them)[:6] == [0, 100, 200, 250, 350, 450]
    assert all_of_them.meta["rate_hz"] == pytest.approx(12.0, rel=0.02)
    (ten_hz,), _ = convert(tmp_path, rate=10.0)
    assert len(ten_hz) == 30 and np.diff(milliseconds(ten_hz)).mean() == pytest.approx(100, abs=2)
    (four_hz,), _ = convert(tmp_path, rate=4.0)
    assert milliseconds(four_hz) == list(range(0, 3000, 250))


def test_six_cameras_are_joined_in_the_order_asked_by_either_spelling(tmp_path):
    write_dataset(tmp_path)
    names = ("CAM_FRONT", "back_left", "Front_Right", "cam_back", "BACK_RIGHT", "front_left")
    (episode,), _ = convert(tmp_path, cameras=names)
    channels = [camera["name"] for camera in episode.meta["cameras"]]
    assert channels == ["CAM_FRONT", "CAM_BACK_LEFT", "CAM_FRONT_RIGHT", "CAM_BACK", "CAM_BACK_RIGHT", "CAM_FRONT_LEFT"]
    expected = [10 * 7 + 2 * CAMERAS.index(channel) for channel in channels]
    np.testing.assert_allclose(episode.observations[7, ::3, 4, 4], expected, atol=1)


def test_a_scene_without_can_derives_an_action_that_explains_the_change_to_the_next_picture(tmp_path):
    """A step of the speed right after picture 8: what moved the car acted between 8 and 9."""
    write_dataset(tmp_path, (SceneSpec(can=False, speed=lambda t: 5.0 if t < 0.8 else 5.2),))
    (episode,), _ = convert(tmp_path)
    assert episode.meta["action_source"] == "derived" and episode.meta["motion_source"] == "ego_pose"
    assert milliseconds(episode)[0] == 100  # the first picture has no pose before it to tell a speed from
    assert milliseconds(episode)[int(np.argmax(episode.actions[:, 1]))] == 800
    assert np.ptp(np.delete(episode.actions[:, 1], 7)) < 0.01
    assert episode.actions[7, 1] == pytest.approx((0.2 / 0.1 + 0.15 + 4e-4 * 5.1**2) / 4.0, rel=1e-3)


def test_speed_and_yaw_rate_of_poses_are_right_across_the_seam_of_the_angle(tmp_path):
    write_dataset(tmp_path, (SceneSpec(can=False, speed=lambda t: 6.0, yaw_rate=lambda t: 0.3),))
    (episode,), _ = convert(tmp_path)
    np.testing.assert_allclose(episode.vector, [[6.0, 0.3]] * len(episode), rtol=1e-3)


def test_keyframes_alone_lose_no_row_although_they_are_up_to_0_6_s_apart(tmp_path):
    folder = write_dataset(tmp_path, (SceneSpec(can=False, seconds=20.0, speed=lambda t: 6.0),), period_us=500_000)

    begin_us, gaps_us = start_us(0), (500_000, 550_000, 600_000, 550_000)

    def uneven(rows):
        for row in rows:
            number, offset = divmod(row["timestamp"] - begin_us, 500_000)
            row["timestamp"] = begin_us + offset + sum(gaps_us[k % 4] for k in range(number))

    edit(folder, "sample_data", uneven)
    (episode,), report = convert(tmp_path)
    gaps = np.diff(episode.stamps_ns) // MS
    assert len(episode) == 38 and gaps.max() == 600  # 40 pictures: the first has no speed, the last no action
    assert episode.meta["rate_hz"] == pytest.approx(1 / 0.55, rel=0.01) and not report.splits


def test_every_sensor_whose_modality_is_camera_is_one_whatever_its_channel_is_called(tmp_path):
    folder = write_dataset(tmp_path)
    names = {"CAM_FRONT": "front_wide", "CAM_BACK": "Rear", "CAM_FRONT_LEFT": "side"}

    def rename(rows):
        kept = [row for row in rows if row["channel"] in (*names, "LIDAR_TOP")]
        return [{**row, "channel": names.get(row["channel"], row["channel"])} for row in kept]

    edit(folder, "sensor", rename)
    (episode,), _ = convert(tmp_path)
    assert [camera["name"] for camera in episode.meta["cameras"]] == ["front_wide"]
    (episode,), _ = convert(tmp_path, cameras=("rear", "SIDE"))
    assert [camera["name"] for camera in episode.meta["cameras"]] == ["Rear", "side"]
    with pytest.raises(ConversionError, match="camera 'LIDAR_TOP' is not in .* expected one of Rear, front_wide, side"):
        convert(tmp_path, cameras=("LIDAR_TOP",))
    edit(folder, "sensor", lambda rows: [{**row, "channel": f"lens{k}"} for k, row in enumerate(rows)])
    with pytest.raises(ConversionError, match="the cameras lens0, lens1, lens2: choose with --cameras"):
        convert(tmp_path)
    edit(folder, "sensor", lambda rows: [{**row, "modality": "lidar"} for row in rows])
    with pytest.raises(ConversionError, match="no sensor whose modality is 'camera'"):
        convert(tmp_path)


def test_tables_that_are_missing_are_named(tmp_path):
    folder = write_dataset(tmp_path)
    (folder / "ego_pose.json").unlink()
    (folder / "log.json").unlink()
    with pytest.raises(ConversionError, match=r"v1.0-mini lacks the tables log.json, ego_pose.json"):
        convert(tmp_path)


@pytest.mark.parametrize(
    "table, damage, message",
    [
        ("scene", lambda text: text[:-40], "scene.json is damaged after row"),
        ("sample_data", lambda text: text[: len(text) // 2], "sample_data.json is damaged after row"),
        ("sample_data", lambda text: b"", "sample_data.json is damaged"),
        ("sample_data", lambda text: text.replace(b'"timestamp"', b'"time"', 1), "row 1 of .* has None as timestamp"),
        ("sample", lambda text: text.replace(b'"token": "', b'"token": "x', 1), "expected a token of 32 hexadecimal"),
        ("ego_pose", lambda text: text.replace(b'"translation"', b'"moved"'), "has None as translation"),
        ("sensor", lambda text: b"[1, 2]", "is 1, expected a row with named columns"),
    ],
)
def test_a_damaged_table_is_told_with_its_row(tmp_path, table, damage, message):
    folder = write_dataset(tmp_path, (WITHOUT_CAN,))
    file = folder / f"{table}.json"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ConversionError, match=message):
        convert(tmp_path)


def test_sources_cameras_and_actions_that_nuscenes_does_not_have_are_refused(tmp_path):
    with pytest.raises(ConversionError, match="is not a folder"):
        nuscenes.find_drives(options(tmp_path / "nothing"))
    with pytest.raises(ConversionError, match="has no folder v1.0-mini"):
        nuscenes.find_drives(options(tmp_path))
    write_dataset(tmp_path)
    with pytest.raises(ConversionError, match="camera 'side' is not in .* expected one of CAM_BACK, "):
        nuscenes.find_drives(options(tmp_path, cameras=("side",)))
    with pytest.raises(ConversionError, match="no commanded actions"):
        convert(tmp_path, actions="commanded")


def test_a_scene_without_pictures_is_refused_and_the_others_go_on(tmp_path):
    write_dataset(tmp_path, (WITHOUT_CAN, SceneSpec("scene-0002", log="n008-2018-08-01-15-16-36-0400")))
    for file in tmp_path.glob("s*/CAM_FRONT/n015*.jpg"):
        file.unlink()
    with pytest.raises(ConversionError, match="none of the 20 pictures of CAM_FRONT .* as samples/CAM_FRONT/n015"):
        convert(tmp_path)
    assert len(convert(tmp_path, "scene-0002")[0]) == 1


def test_a_camera_without_pictures_in_the_scene_is_named(tmp_path):
    folder = write_dataset(tmp_path)
    edit(folder, "sample_data", lambda rows: [row for row in rows if not is_of(row, "CAM_BACK")])
    with pytest.raises(ConversionError, match="none of the 0 pictures of CAM_BACK "):
        convert(tmp_path, cameras=("front", "back"))


def test_missing_and_damaged_pictures_are_counted_and_cut(tmp_path):
    write_dataset(tmp_path)
    pictures = sorted(tmp_path.glob("s*/CAM_FRONT/*.jpg"), key=lambda file: file.name)
    for file in pictures[5:8]:  # sweeps that were not unpacked
        file.unlink()
    pictures[14].write_bytes(pictures[14].read_bytes()[:-30])
    episodes, report = convert(tmp_path)
    assert [milliseconds(e) for e in episodes] == [
        list(range(0, 400, 100)),
        list(range(800, 1300, 100)),
        list(range(1500, 1900, 100)),
    ]
    assert {e.meta["rate_hz"] for e in episodes} == {10.0}  # that of the pictures that follow each other
    assert report.skipped["picture of CAM_FRONT whose file is missing"] == 3
    assert [text for text in report.notes if pictures[14].name in text and "not a whole" in text]


def test_a_file_name_that_leaves_the_dataset_is_not_read(tmp_path):
    folder = write_dataset(tmp_path / "dataset")
    outside = next((tmp_path / "dataset").glob("samples/CAM_FRONT/*.jpg")).rename(tmp_path / "outside.jpg")

    def lead_out(rows):
        front = [row for row in rows if is_of(row, "CAM_FRONT")]
        front[3]["filename"], front[4]["filename"] = "../outside.jpg", str(outside)

    edit(folder, "sample_data", lead_out)
    _, report = convert(tmp_path / "dataset")
    assert report.skipped["picture of CAM_FRONT whose file is missing"] == 3  # and the one that was moved


def test_pictures_behind_a_broken_link_are_counted_and_a_ring_of_links_ends(tmp_path):
    folder = write_dataset(tmp_path, (SceneSpec(), SceneSpec("scene-0002")))

    def break_links(rows):
        by_token = {row["token"]: row for row in rows}
        by_token[token("scene-0001", "CAM_FRONT", 11)]["next"] = "0" * 31 + "1"
        by_token[token("scene-0002", "CAM_FRONT", 19)]["next"] = token("scene-0002", "CAM_FRONT", 0)

    edit(folder, "sample_data", break_links)
    (episode,), report = convert(tmp_path)
    assert milliseconds(episode) == list(range(0, 1100, 100))
    assert report.skipped["picture of CAM_FRONT that no other links to"] == 8
    episodes, report = convert(tmp_path, "scene-0002")
    assert sum(map(len, episodes)) >= 18 and not report.skipped["picture of CAM_FRONT that no other links to"]


def test_stamps_that_repeat_or_go_backwards_leave_their_pictures_out(tmp_path):
    folder = write_dataset(tmp_path)

    def confuse(rows):
        by_token = {row["token"]: row for row in rows}
        front = [by_token[token("scene-0001", "CAM_FRONT", k)] for k in range(20)]
        front[7]["timestamp"], front[13]["timestamp"] = front[6]["timestamp"], front[11]["timestamp"]

    edit(folder, "sample_data", confuse)
    episodes, report = convert(tmp_path)
    assert report.skipped["picture of CAM_FRONT whose stamp repeats"] == 1
    assert report.skipped["picture of CAM_FRONT whose stamp goes backwards"] == 1
    assert sum(map(len, episodes)) == 15


def test_pictures_without_an_ego_pose_are_counted(tmp_path):
    folder = write_dataset(tmp_path, (WITHOUT_CAN,))
    edit(folder, "ego_pose", lambda rows: [row for row in rows if row["token"] != token("scene-0001", "CAM_FRONT", 9)])
    _, report = convert(tmp_path)
    assert report.skipped["picture without an ego pose"] == 1
    edit(folder, "ego_pose", lambda rows: rows[:1])
    other = tmp_path / "renamed"
    folder.rename(other)  # tables are read once per folder and process
    with pytest.raises(ConversionError, match="no two successive poses"):
        convert(other)


def test_a_scene_in_several_versions_is_converted_once_and_it_is_told(tmp_path):
    mini = (SceneSpec(),)
    write_dataset(tmp_path, (*mini, SceneSpec("scene-0002")), "v1.0-trainval")
    write_dataset(tmp_path, mini, "v1.0-mini")
    refs = nuscenes.find_drives(options(tmp_path))
    assert [ref.name for ref in refs] == ["scene-0001", "scene-0002"]
    (episode,), report = convert(tmp_path)
    assert episode.meta["version"] == "v1.0-trainval"
    assert "the scene is also in v1.0-mini; it is taken from v1.0-trainval" in report.notes
    assert [ref.name for ref in nuscenes.find_drives(options(tmp_path / "v1.0-mini"))] == ["scene-0001"]


def test_rows_of_sensors_that_are_not_asked_for_take_no_memory(tmp_path):
    folder = write_dataset(tmp_path)

    def repeat_others(rows):
        others = [row for row in rows if not is_of(row, "CAM_FRONT")]
        return rows + others * 150  # 120 rows, 18 000 times 500 bytes

    edit(folder, "sample_data", repeat_others)
    assert (folder / "sample_data.json").stat().st_size > 8_000_000
    tracemalloc.start()
    index = PictureIndex(folder, ("CAM_FRONT",))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(index.stamps) == 20 and peak < 4_000_000


@pytest.mark.skipif("WM_NUSCENES_ROOT" not in os.environ, reason="WM_NUSCENES_ROOT names no nuScenes folder")
def test_real_scenes_give_plausible_motion_and_pictures():
    chosen = ConvertOptions("nuscenes", os.environ["WM_NUSCENES_ROOT"], "dest", rate=5.0)
    sources = Counter()
    for ref in nuscenes.find_drives(chosen)[:10]:
        with nuscenes.open_drive(ref, chosen) as drive:
            for episode in episodes_of_drive(drive, chosen):
                sources[episode.meta["action_source"]] += len(episode)
                assert np.abs(episode.vector[:, 0]).max() < 30.0 and episode.observations.std() > 10.0
    assert sum(sources.values()) > 300, sources
