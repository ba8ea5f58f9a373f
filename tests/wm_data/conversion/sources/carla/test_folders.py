import json

import numpy as np
import pytest
from carla_conversion import convert, greys, options
from fixtures_carla import table_rows, write_drive, write_picture, write_table
from mutations import Mutator
from wm_bundle import ImageError
from wm_data.conversion.sources import carla
from wm_data.errors import ConversionError

PERIOD_NS = 50_000_000


@pytest.mark.parametrize("table", ["controls.csv", "controls.json", "controls.jsonl", "measurements"])
def test_every_row_of_every_kind_of_table_has_its_picture_stamp_and_control(tmp_path, table):
    write_drive(tmp_path, table_rows(8, speed=lambda k: 1.0 + k), table)
    (episode,), report = convert(tmp_path)
    assert greys(episode) == [10 + 5 * k for k in range(7)]  # what the last control led to nobody knows
    assert episode.stamps_ns.tolist() == [(100 + k) * PERIOD_NS for k in range(7)]
    np.testing.assert_allclose(episode.actions, [(0.01 * k, 0.5, 0.0) for k in range(7)], atol=1e-6)
    np.testing.assert_allclose(episode.vector[:, 0], [1.0 + k for k in range(7)])
    assert episode.meta["rate_hz"] == 20.0 and episode.meta["action_source"] == "commanded"
    assert "frames are taken to be 50 ms apart" in report.notes[0]
    assert report.summary()["topics"]["rgb_front"]["count"] == 8


def test_a_control_explains_what_came_after_its_row_or_where_it_is_said_to_be_applied_before_it(tmp_path):
    write_drive(tmp_path, table_rows(8, steer=lambda k: 0.5 * (k == 3)))
    for actions, row in (("auto", 3), ("commanded", 3), ("applied", 2)):
        (episode,), _ = convert(tmp_path, actions=actions)
        step_of_row = {round(stamp / PERIOD_NS) - 100: r for r, stamp in enumerate(episode.stamps_ns)}
        assert np.flatnonzero(episode.actions[:, 0]).tolist() == [step_of_row[row]]


def test_controls_are_derived_where_the_table_has_only_speed_and_yaw_rate(tmp_path):
    rows = table_rows(9, steer=None, throttle=None, brake=None, speed=lambda k: 5.0 + (k > 3), yaw_rate=lambda k: 0.1)
    write_drive(tmp_path, rows)
    (episode,), _ = convert(tmp_path)
    assert episode.meta["action_source"] == "derived"
    assert np.argmax(episode.actions[:, 1]) == 3 and (episode.actions[:, 0] < 0).all()
    with pytest.raises(ConversionError, match="no column steer, throttle, brake.*frame, speed, yaw_rate"):
        convert(tmp_path, actions="applied")


@pytest.mark.parametrize(
    ("name", "first", "step"),
    [
        ("timestamp", "3.5", 0.1),
        ("Time", "3.5", 0.1),
        ("timestamp_ms", "3500", 100),
        ("time_us", "3500000", 100_000),
        ("stamp_ns", "3500000000", 100_000_000),
        ("timestamp", "1700000000123456789", 100_000_000),
    ],
)
def test_time_is_read_in_its_unit_and_nanoseconds_exactly(tmp_path, name, first, step):
    start = type(step)(first)
    write_drive(tmp_path, table_rows(5, **{name: lambda k: start + k * step}))
    (episode,), report = convert(tmp_path)
    expected = 3_500_000_000 if len(first) < 19 else int(first)
    assert (episode.stamps_ns == [expected + k * 100_000_000 for k in range(4)]).all()
    assert any("nanoseconds" in note for note in report.notes) == (len(first) == 19)


def test_a_column_of_time_whose_unit_is_unclear_is_refused(tmp_path):
    write_drive(tmp_path, table_rows(5, timestamp=lambda k: 50 * k))
    with pytest.raises(ConversionError, match="timestamp_ms"):
        convert(tmp_path)


def test_pictures_may_be_named_in_the_table_and_columns_be_called_as_usual(tmp_path):
    rows = [
        {"Image Path": f"img/{k}.jpg", "left": f"left/{k}.jpg", "time": 0.1 * k, "control.Steering": 0.1, "Gas": 0.2}
        | {"control.brake": "False", "speed_kmh": 36.0, "collision": "", "lane_invasion": int(k == 2)}
        for k in range(6)
    ]
    rows[0]["left"] = ""
    write_table(tmp_path / "log.csv", rows, ";")
    for k in range(6):
        write_picture(tmp_path / "img" / f"{k}.jpg", 10 + 5 * k)
        write_picture(tmp_path / "left" / f"{k}.jpg", 200)
    (episode,), _ = convert(tmp_path, cameras=("rgb_front", "left"))
    assert episode.observations.shape == (5, 6, 8, 8)
    assert np.abs(episode.observations[:, 0, 4, 4] - (10 + 5 * np.arange(5))).max() <= 3  # JPEG
    assert episode.camera_mask[:, 1].tolist() == [False, True, True, True, True]
    assert np.abs(episode.observations[1:, 3].astype(int) - 200).max() <= 3
    np.testing.assert_allclose(episode.actions, [(0.1, 0.2, 0.0)] * 5, atol=1e-6)
    np.testing.assert_allclose(episode.vector[:, 0], 10.0)
    lane = episode.meta["reward_terms"].index("lane_invasion")
    assert episode.reward_terms[:, lane].tolist() == [0, -1, 0, 0, 0]  # it happened on the way to row 2
    (episode,), _ = convert(tmp_path)
    assert episode.meta["cameras"][0]["name"] == "rgb_front"


def test_a_collision_ends_the_episode_for_good(tmp_path):
    write_drive(tmp_path, table_rows(12, collision=lambda k: float(k == 6)))
    first, second = convert(tmp_path)[0]
    assert len(first) == 6 and first.terminals.tolist() == [False] * 5 + [True]
    assert not second.terminals.any()


def test_missing_damaged_and_superfluous_pictures_are_counted_and_cut_the_drive(tmp_path):
    write_drive(tmp_path, table_rows(20))
    front = tmp_path / "rgb_front"
    (front / "000105.png").unlink()
    (front / "000112.png").write_bytes((front / "000112.png").read_bytes()[:-20])
    write_picture(front / "000300.png", 1)
    episodes, report = convert(tmp_path)
    assert [greys(episode) for episode in episodes] == [
        [10 + 5 * k for k in rows] for rows in (range(4), range(6, 11), range(13, 19))
    ]
    assert report.skipped["row without a picture of rgb_front"] == 1
    assert report.skipped["picture of rgb_front without a row"] == 1
    assert report.skipped["picture of rgb_front: image is not a whole, undamaged png file"] == 1
    assert any("000112.png" in note and "undamaged png" in note for note in report.notes)


def test_a_camera_that_lacks_pictures_is_masked_where_it_does(tmp_path):
    write_drive(tmp_path, table_rows(8), cameras=("rgb_front", "rgb_left"))
    (tmp_path / "rgb_left" / "000103.png").unlink()
    (tmp_path / "rgb_left" / "000105.png").write_bytes(b"\x89PNG")
    (episode,), report = convert(tmp_path, cameras=("rgb_front", "rgb_left"))
    assert np.argwhere(~episode.camera_mask).tolist() == [[3, 1], [5, 1]]
    assert report.skipped["row without a picture of rgb_left"] == 1


def test_rows_that_make_no_sense_are_left_out_and_counted(tmp_path):
    bad = {3: "nan", 7: "", 11: "1.7", 12: "much"}
    rows = table_rows(30, steer=lambda k: bad.get(k, 0.1), timestamp=lambda k: "" if k == 20 else 0.05 * k)
    write_drive(tmp_path, rows)
    _, report = convert(tmp_path)
    assert report.skipped["control that is not a number"] == 3
    assert report.skipped["control outside its range"] == 1
    assert report.skipped["row without a time or frame number"] == 1


@pytest.mark.parametrize("length", [6, 20])
def test_every_reload_of_a_world_in_one_table_is_an_episode_with_its_own_numbers(tmp_path, length):
    """Runs of 0.25 s and of nearly a second: time begins anew in each of the four."""
    rows = table_rows(
        4 * length,
        timestamp=lambda k: 0.05 * (k % length),
        steer=lambda k: 0.1 * (k // length),
        speed=lambda k: 5.0 + k // length,
    )
    write_drive(tmp_path, rows)
    episodes, report = convert(tmp_path)
    assert [len(episode) for episode in episodes] == [length - 1] * 4
    for run, episode in enumerate(episodes):
        assert greys(episode) == [(10 + 5 * (run * length + k)) % 256 for k in range(length - 1)]
        assert set(episode.vector[:, 0]) == {5.0 + run} and np.allclose(episode.actions[:, 0], 0.1 * run)
    assert len(report.splits) == 3 and all("stamps jumped back by" in split["reason"] for split in report.splits)


def test_repeated_and_backward_stamps_are_left_out_and_counted(tmp_path):
    times = [0.0, 0.05, 0.1, 0.1, 0.05, 0.15, 0.2]
    write_drive(tmp_path, table_rows(7, timestamp=lambda k: times[k]))
    episodes, report = convert(tmp_path)
    assert [greys(episode) for episode in episodes] == [[10, 15, 20, 35]]
    assert sum(count for reason, count in report.skipped.items() if "stamp" in reason) == 2


@pytest.mark.parametrize(
    ("table", "text", "message"),
    [
        ("controls.csv", "frame,steer,gas\n1,0,0\n2,0,0\n", "no column brake.*columns are frame, steer, gas"),
        ("controls.csv", "steer,throttle,brake\n0,0,0\n0,0,0\n", "no column of frame numbers or time"),
        ("controls.csv", "frame,steer,throttle,brake\n100,30,0,0\n101,-25,0,0\n", "no angles and no percentages"),
        ("controls.csv", "", "0 rows"),
        ("controls.csv", "frame,steer,throttle,brake\n", "0 rows"),
        ("controls.csv", "frame,steer,throttle,brake\n7,0,0,0\n8,0,0,0\n", "2 have a time .* 0 of these a picture"),
        ("controls.csv", "frame,image,steer,throttle,brake\n1,../../a.png,0,0,0\n2,b.png,0,0,0\n", "leads out of"),
        ("controls.csv", "frame,image,file,steer\n1,a.png,b.png,0\n2,a.png,b.png,0\n", "two columns with pictures"),
        ("controls.csv", "x" * 2_000_000, "a line of more than"),
        ("controls.json", '{"frames": [{"frame": 1}, 5]}', "row 2 is a JSON int"),
        ("controls.json", '{"frames": 7}', "no list of rows"),
        ("controls.json", '[{"frame": 1}, {"frame"', "row 2: parse error: premature EOF"),
        ("controls.json", "[" * 100_000, "row 1 is nested more than"),
        ("controls.jsonl", '{"a":' * 100_000, "row 1"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_what_was_found(tmp_path, table, text, message):
    write_drive(tmp_path, table_rows(3), table)
    (tmp_path / table).write_text(text)
    with pytest.raises(ConversionError, match=message):
        convert(tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    write_drive(tmp_path, table_rows(3))
    (tmp_path / "controls.csv").write_bytes(b"frame,steer\n\xff\xfe\x80,0\n")
    with pytest.raises(ConversionError, match="controls.csv, row"):
        convert(tmp_path)


def test_the_front_camera_is_taken_and_an_unclear_choice_is_refused_with_the_cameras(tmp_path):
    write_drive(tmp_path / "a", table_rows(4), cameras=("depth", "rgb"))
    assert convert(tmp_path / "a")[0][0].meta["cameras"][0]["name"] == "rgb"
    write_drive(tmp_path / "b", table_rows(4), cameras=("left", "right"))
    with pytest.raises(ConversionError, match="left, right: choose with --cameras"):
        convert(tmp_path / "b")
    with pytest.raises(ConversionError, match="no camera rear; it has left, right"):
        convert(tmp_path / "b", cameras=("rear",))


def test_all_drives_and_episodes_below_a_folder_are_found_in_order_and_nothing_else(tmp_path):
    write_drive(tmp_path / "town 1" / "b", table_rows(3))
    write_drive(tmp_path / "town 1" / "a", table_rows(3), "measurements")
    (tmp_path / "town 1" / "a" / "lidar.npz").touch()  # belongs to the drive
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "episode_000000.npz").touch()
    (tmp_path / "manifest.json").write_text("{}")  # of an earlier conversion: no table
    refs = carla.find_drives(options(tmp_path))
    assert [ref.name for ref in refs] == ["more_episode_000000", "town_1_a", "town_1_b"]
    assert [ref.locator["whole_episode"] for ref in refs] == [True, False, False]
    assert carla.find_drives(options(tmp_path / "town 1" / "b" / "controls.csv"))[0].name == "b"


def test_a_source_without_anything_to_read_and_a_folder_with_two_tables_are_told_in_words(tmp_path):
    with pytest.raises(ConversionError, match="no file or folder"):
        carla.find_drives(options(tmp_path / "nowhere"))
    with pytest.raises(ConversionError, match="cannot be read"):
        carla.find_drives(options(tmp_path / ("long" * 100)))
    with pytest.raises(ConversionError, match="controls.csv"):
        carla.find_drives(options(tmp_path))
    (tmp_path / "a.txt").touch()
    with pytest.raises(ConversionError, match="neither an .npz episode nor a table"):
        carla.find_drives(options(tmp_path / "a.txt"))
    write_drive(tmp_path, table_rows(3))
    write_table(tmp_path / "controls.json", table_rows(3))
    with pytest.raises(ConversionError, match="2 tables.*controls.csv, controls.json"):
        convert(tmp_path)


@pytest.mark.parametrize("table", ["controls.csv", "controls.json", "controls.jsonl"])
def test_damaged_drives_give_errors_in_words_and_nothing_else(tmp_path, table):
    write_drive(tmp_path, table_rows(6, timestamp=lambda k: 0.1 * k, speed=lambda k: 3.0), table)
    mutator = Mutator([tmp_path / table, tmp_path / "rgb_front" / "000102.png"], seed=3)
    read = 0
    for _ in range(70):
        mutator.damage()
        try:
            read += len(convert(tmp_path)[0])
        except (ConversionError, ImageError):
            pass
        mutator.repair()
    assert read > 0


def test_nothing_is_written_to_the_source(tmp_path):
    write_drive(tmp_path, table_rows(5))
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
    convert(tmp_path)
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == before
    json.dumps(carla.find_drives(options(tmp_path))[0].locator)  # what other machines are told
