"""Tables of controls as public datasets, spreadsheets and hurried scripts write them."""

import gzip
import json

import numpy as np
import pytest
from carla_conversion import convert, greys
from fixtures_carla import table_rows, write_drive, write_picture, write_table
from wm_data.conversion.moments import time_of_name, time_of_text
from wm_data.conversion.tables.columns import number
from wm_data.errors import ConversionError


def write_frames(folder, rows, digits: int):
    """A folder with a gzipped JSON object for each row."""
    folder.mkdir(parents=True)
    for k, row in enumerate(rows):
        (folder / f"{k:0{digits}d}.json.gz").write_bytes(gzip.compress(json.dumps(row).encode()))


def frames(count: int, **more) -> list[dict]:
    return [{"throttle": 0.5, "steer": 0.01 * k, "brake": False, "speed": 5.0, **more} for k in range(count)]


def test_the_layout_of_carla_garage_is_read_at_the_rate_it_is_saved_at(tmp_path):
    write_frames(tmp_path / "route" / "measurements", frames(14, route=[[1, 2]], ego_matrix=[[0.0] * 4] * 4), 4)
    for camera, grey in (("rgb", 20), ("rgb_augmented", 90), ("semantics", 3)):
        for k in range(14):
            write_picture(tmp_path / "route" / camera / f"{k:04d}.png", grey + k)
    (episode,), report = convert(tmp_path)
    assert greys(episode) == [20 + k for k in range(13)] and episode.meta["rate_hz"] == 4.0
    np.testing.assert_allclose(episode.actions[:, 0], [0.01 * k for k in range(13)], atol=1e-6)
    assert any("250 ms apart, as carla_garage saves them; --frame-rate tells another" in note for note in report.notes)
    (episode,), report = convert(tmp_path, frame_rate=20.0)
    assert episode.meta["rate_hz"] == 20.0 and any("50 ms apart, as --frame-rate says" in note for note in report.notes)


def test_the_layout_of_bench2drive_is_read_however_large_its_frames_are(tmp_path):
    rows = frames(12, reverse=False, bounding_boxes=[{"class": "vehicle"}], sensors={"CAM_FRONT": {"fov": 70}})
    rows[5]["scenario"] = "x" * 1_500_000
    write_frames(tmp_path / "anno", rows, 5)
    for camera in ("rgb_front", "rgb_back", "depth_front"):
        for k in range(12):
            write_picture(tmp_path / "camera" / camera / f"{k:05d}.png", 10 * k)
    (episode,), _ = convert(tmp_path)
    assert greys(episode) == [10 * k for k in range(11)]
    assert (episode.meta["rate_hz"], episode.meta["cameras"][0]["name"]) == (10.0, "rgb_front")
    (episode,), _ = convert(tmp_path, cameras=("rgb_front", "rgb_back"))
    assert episode.observations.shape[1] == 6


@pytest.mark.parametrize("damage", [lambda data: data[:-9], lambda data: b"\x1f\x8bno", lambda _: gzip.compress(b"[")])
def test_a_damaged_frame_is_named(tmp_path, damage):
    write_frames(tmp_path / "measurements", frames(5), 4)
    for k in range(5):
        write_picture(tmp_path / "rgb" / f"{k:04d}.png", k)
    file = tmp_path / "measurements" / "0003.json.gz"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ConversionError, match="measurements, row 3"):
        convert(tmp_path)


def test_frames_that_unpack_to_more_than_any_frame_holds_are_refused(tmp_path):
    write_frames(tmp_path / "measurements", frames(3), 4)
    (tmp_path / "measurements" / "0001.json.gz").write_bytes(gzip.compress(b" " * (40 << 20)))
    with pytest.raises(ConversionError, match="0001.json.gz holds more than"):
        convert(tmp_path)


@pytest.mark.parametrize("column", ["image_name", "img_name", "Image", "rgb_front"])
def test_without_frame_and_time_the_number_in_a_pictures_name_is_the_frame(tmp_path, column):
    frames = (*range(1, 6), *range(9, 15))
    rows = [{column: f"{k}.png", "throttle": 0.75, "steer": -0.045, "brake": 0.0} for k in frames]
    write_table(tmp_path / "data.csv", rows)
    for k in range(1, 15):
        write_picture(tmp_path / f"{k}.png", k)
    first, second = convert(tmp_path)[0]
    assert first.meta["cameras"][0]["name"] == "rgb_front" and first.meta["rate_hz"] == 20.0
    assert greys(first) == [1, 2, 3, 4] and greys(second) == [9, 10, 11, 12, 13]


def test_the_time_in_a_pictures_name_is_the_time(tmp_path):
    names = [f"IMG/center_2019_12_31_23_59_{59 + k // 10 if k < 10 else 0:02d}_{k % 10}00.jpg" for k in range(10)]
    names += [f"IMG/center_2020_01_01_00_00_00_{k}00.jpg" for k in range(3)]
    write_table(tmp_path / "log.csv", [{"center": name, "steer": 0, "throttle": 0, "brake": 0} for name in names])
    for name in names:
        write_picture(tmp_path / name, 50)
    (episode,), report = convert(tmp_path)
    assert np.diff(episode.stamps_ns).tolist() == [100_000_000] * 11
    assert any("time is that in the pictures' names" in note for note in report.notes)


@pytest.mark.parametrize("name", ["a_2019_13_01_00_00_00_000.jpg", "a_2019_01_01_00_00_61_000.png", "7.jpg", ""])
def test_names_that_hold_no_time_tell_none(name):
    assert time_of_name(name) is None


@pytest.mark.parametrize("zone", ["", "Z", "+02:00", "-0130"])
def test_a_time_may_be_written_out(tmp_path, zone):
    write_drive(tmp_path, table_rows(8, timestamp=lambda k: f"2019-03-06T21:04:48.{k}00000{zone}"))
    (episode,), report = convert(tmp_path)
    assert np.diff(episode.stamps_ns).tolist() == [100_000_000] * 6 and not report.skipped
    behind_s = {"": 0, "Z": 0, "+02:00": -7200, "-0130": 5400}[zone]
    assert episode.stamps_ns[0] == (1_551_906_288 + behind_s) * 10**9


def test_text_that_is_no_moment_tells_none():
    for text in ("", "now", "2019-03-06", "2019-13-06 21:04:48", "2019-03-06 21:04:48.1234567890", "21:04:48"):
        assert time_of_text(text) is None, text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_decimal_commas_and_the_encodings_of_spreadsheets_are_read(tmp_path, encoding, delimiter):
    rows = table_rows(8, timestamp=lambda k: 0.1 * k, speed=lambda k: 3.25)
    write_drive(tmp_path, rows)
    cells = [list(rows[0])] + [[str(value).replace(".", ",") for value in row.values()] for row in rows]
    text = "".join(delimiter.join(line) + "\r\n" for line in cells)
    (tmp_path / "controls.csv").write_bytes(text.encode(encoding))
    (episode,), report = convert(tmp_path)
    np.testing.assert_allclose(episode.actions, [(0.01 * k, 0.5, 0.0) for k in range(7)], atol=1e-6)
    assert episode.vector[0].tolist() == [3.25] and not report.skipped


def test_a_cell_with_a_decimal_comma_is_a_number():
    assert [number(text) for text in ("0,5", "-1,25e-2", ",5", " 3,0 ")] == [0.5, -0.0125, 0.5, 3.0]
    assert all(np.isnan(number(text)) for text in ("1,2,3", "a,5", "1,", ""))


def test_decimal_commas_between_commas_are_refused_and_not_read_as_other_columns(tmp_path):
    write_drive(tmp_path, table_rows(3))
    (tmp_path / "controls.csv").write_text("frame,steer,throttle,brake\n100,0,1,0,5,0\n101,0,1,0,5,0\n")
    with pytest.raises(ConversionError, match="row 1 has 6 cells, there are 4 columns.*semicolons"):
        convert(tmp_path)


def test_text_of_another_encoding_is_told_with_what_to_do(tmp_path):
    write_drive(tmp_path, table_rows(3))
    (tmp_path / "controls.csv").write_bytes("frame,Straße,steer,throttle,brake\n100,ä,0,0,0\n".encode("latin-1"))
    with pytest.raises(ConversionError, match="the byte 0xdf is no UTF-8 text: save the table as UTF-8"):
        convert(tmp_path)
    (tmp_path / "controls.csv").unlink()
    (tmp_path / "controls.json").write_bytes(json.dumps(table_rows(3)).encode("utf-16"))
    with pytest.raises(ConversionError, match="controls.json is UTF-16 text, expected JSON in UTF-8"):
        convert(tmp_path)


def test_a_table_without_names_of_columns_is_told_and_where_to_go(tmp_path):
    (tmp_path / "driving_log.csv").write_text("C:\\IMG\\center_1.jpg,0,0.5,0,3\nC:\\IMG\\center_2.jpg,0,0.5,0,3\n")
    with pytest.raises(ConversionError, match="expected a line with the names of the columns.*`convert udacity`"):
        convert(tmp_path)


def test_a_frame_that_comes_twice_gives_one_row_and_pictures_are_counted_and_not_rows(tmp_path):
    rows = table_rows(8, timestamp=lambda k: 0.05 * k)
    write_drive(tmp_path, rows)  # eight pictures, 000100 to 000107
    rows[3]["frame"] = 102
    write_table(tmp_path / "controls.csv", rows)
    episodes, report = convert(tmp_path)
    assert [greys(episode) for episode in episodes] == [[10, 15], [30, 35, 40]]
    assert report.skipped["row with the picture of rgb_front that another row has"] == 1
    assert report.skipped["picture of rgb_front without a row"] == 1


@pytest.mark.parametrize(
    ("column", "reverse", "forward"),
    [
        ("gear", "R", "D"),
        ("gear", "Reverse", "1"),
        ("gear", -1, 2),
        ("reverse", "yes", "no"),
        ("reverse", "True", "False"),
    ],
)
def test_reverse_gear_is_told_in_words_too(tmp_path, column, reverse, forward):
    rows = table_rows(20, speed=lambda k: 4.0, **{column: lambda k: reverse if 8 <= k < 12 else forward})
    episodes, report = convert(write_drive(tmp_path, rows))
    assert [greys(episode)[0] for episode in episodes] == [10, 70]
    assert report.skipped["row in reverse gear"] == 4


def test_a_gear_that_nobody_understands_leaves_it_to_the_speed(tmp_path):
    rows = table_rows(20, speed=lambda k: -2.0 if 8 <= k < 12 else 4.0, gear=lambda k: "hyperspace")
    _, report = convert(write_drive(tmp_path, rows))
    assert report.skipped["row driven backwards, which no action expresses"] == 5
    assert any("columns that are not used: gear" in note for note in report.notes)


def test_a_column_that_is_called_exactly_so_counts_before_one_with_more_to_its_name(tmp_path):
    rows = table_rows(6, speed=lambda k: 5.0)
    rows = [{"control_steer": 0.9, "vehicle_speed": 18.0, **row} for row in rows]
    (episode,), report = convert(write_drive(tmp_path, rows))
    np.testing.assert_allclose(episode.actions[:, 0], [0.01 * k for k in range(5)], atol=1e-6)
    assert (episode.vector == 5.0).all()
    assert any("not used: control_steer, vehicle_speed" in note for note in report.notes)


@pytest.mark.parametrize("step", [10, 100_000, 250_000, 500_000])
def test_a_time_that_may_be_milliseconds_or_microseconds_is_none_in_seconds_or_nanoseconds(tmp_path, step):
    write_drive(tmp_path, table_rows(5, timestamp=lambda k: step * k))
    with pytest.raises(ConversionError, match="hardly seconds: name it after its unit"):
        convert(tmp_path)


def test_pictures_of_several_kinds_in_one_folder_are_several_cameras(tmp_path):
    write_table(tmp_path / "controls.csv", table_rows(6))
    for kind, grey in (("depth", 200), ("rgb", 20)):
        for k in range(6):
            write_picture(tmp_path / f"{kind}_{100 + k:06d}.png", grey + k)
    write_picture(tmp_path / "a_preview_1.png", 90)
    (episode,), report = convert(tmp_path)
    assert greys(episode) == [20 + k for k in range(5)] and episode.meta["cameras"][0]["name"] == "rgb"
    assert not report.skipped
    (episode,), _ = convert(tmp_path, cameras=("depth",))
    assert greys(episode) == [200 + k for k in range(5)]
