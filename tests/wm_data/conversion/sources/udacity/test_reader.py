"""Recordings of Udacity's simulator, moved away from the machine that made them."""

import numpy as np
import pytest
from any_conversion import converted
from carla_conversion import greys
from fixtures_carla import write_picture
from mutations import Mutator
from wm_bundle import ImageError
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.sources import udacity
from wm_data.errors import ConversionError

WINDOWS = "C:\\Users\\Someone\\Desktop\\track 1\\IMG\\"


def name(camera: str, k: int) -> str:
    return f"{camera}_2019_01_21_23_59_59_{100 + 66 * k:03d}.jpg"


def write_recording(folder, count: int = 12, place: str = WINDOWS, header: str = "", pictures: str = "IMG", **columns):
    """driving_log.csv, and the pictures of three cameras: the k-th centre one is of brightness 10 k."""
    usual = {"steering": lambda k: 0.5, "throttle": lambda k: 0.4, "brake": lambda k: 0, "speed": lambda k: 30.19}
    values = {**usual, **columns}
    lines = [header] if header else []
    for k in range(count):
        for number, camera in enumerate(("center", "left", "right")):
            write_picture(folder / pictures / name(camera, k), 10 * k + number)
        paths = ", ".join(f"{place}{name(camera, k)}" for camera in ("center", "left", "right"))
        lines.append(paths + "," + ",".join(str(value(k)) for value in values.values()))
    (folder / "driving_log.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize(
    ("place", "header"),
    [
        (WINDOWS, ""),
        ("/Users/someone/track/IMG/", ""),
        ("IMG/", "center,left,right,steering,throttle,brake,speed"),
        (WINDOWS, "center,left,right,steering,throttle,reverse,speed"),
    ],
)
def test_pictures_are_found_wherever_they_were_recorded_and_numbers_get_their_meaning(tmp_path, place, header):
    (episode,), report = converted("udacity", write_recording(tmp_path / "run", place=place, header=header))
    assert np.abs(np.array(greys(episode)) - 10 * np.arange(11)).max() <= 3
    assert np.diff(episode.stamps_ns).tolist() == [66_000_000] * 10  # from the names
    np.testing.assert_allclose(episode.vector[:, 0], 30.19 * 0.44704, rtol=1e-6)  # miles per hour
    np.testing.assert_allclose(episode.actions, [(0.5 * 25 / 70, 0.4, 0.0)] * 11, rtol=1e-5)
    assert episode.meta["cameras"][0]["name"] == "center" and not report.skipped


def test_the_steering_is_the_simulators_own_where_its_largest_angle_is_told(tmp_path):
    (episode,), _ = converted("udacity", write_recording(tmp_path), max_steer_deg=25.0)
    np.testing.assert_allclose(episode.actions[:, 0], 0.5)
    (episode,), _ = converted("udacity", tmp_path, max_steer_deg=10.0)
    np.testing.assert_allclose(episode.actions[:, 0], 1.0)


def test_all_three_cameras_join(tmp_path):
    (episode,), _ = converted("udacity", write_recording(tmp_path), cameras=("left", "center", "right"))
    assert np.abs(episode.observations[5, ::3, 4, 4] - np.array([51, 50, 52])).max() <= 3


def test_the_brake_drives_backwards_below_five_miles_per_hour_and_that_makes_no_action(tmp_path):
    speeds = [20, 12, 6, 3, 0, 4, 8, 8, 4, 0.5, 0, 3, 9, 12]
    brakes = [1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    throttles = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.4, 0.4, 0.4, 0.4]
    folder = write_recording(
        tmp_path, 14, speed=lambda k: speeds[k], brake=lambda k: brakes[k], throttle=lambda k: throttles[k]
    )
    episodes, report = converted("udacity", folder)
    assert report.skipped["row in reverse gear"] == 6  # from 3 mph on until it stands again
    assert [len(episode) for episode in episodes] == [2, 4]
    assert episodes[0].actions[:, 2].tolist() == [1.0, 1.0]


def test_pictures_beside_the_table_are_found_too_and_a_source_without_a_table_is_told(tmp_path):
    (episode,), _ = converted("udacity", write_recording(tmp_path / "a", pictures="."))
    assert len(episode) == 11
    write_recording(tmp_path / "b" / "c", 2)
    refs = udacity.find_drives(ConvertOptions("udacity", str(tmp_path), "dest"))
    assert [ref.name for ref in refs] == ["a", "b_c"]
    (ref,) = udacity.find_drives(ConvertOptions("udacity", str(tmp_path / "a" / "driving_log.csv"), "dest"))
    assert ref.name == "a"
    for nothing in (tmp_path / "b" / "c" / "IMG", tmp_path / "nowhere"):
        with pytest.raises(ConversionError, match="driving_log.csv|no file or folder"):
            udacity.find_drives(ConvertOptions("udacity", str(nothing), "dest"))


def test_convert_carla_does_not_take_miles_per_hour_for_metres_per_second(tmp_path):
    write_recording(tmp_path, place="IMG/", header="center,left,right,steering,throttle,brake,speed")
    with pytest.raises(ConversionError, match="miles per hour: read it by `convert udacity`"):
        converted("carla", tmp_path)
    write_recording(tmp_path, place=WINDOWS)
    with pytest.raises(ConversionError, match="`convert udacity`"):
        converted("carla", tmp_path)


def test_damaged_recordings_give_errors_in_words_and_nothing_else(tmp_path):
    write_recording(tmp_path, 6)
    mutator = Mutator([tmp_path / "driving_log.csv", tmp_path / "IMG" / name("center", 2)], seed=5)
    read = 0
    for _ in range(40):
        mutator.damage()
        try:
            read += len(converted("udacity", tmp_path)[0])
        except (ConversionError, ImageError):
            pass
        mutator.repair()
    assert read > 0


def test_decimal_commas_of_the_recording_machine_and_columns_that_are_missing_are_told(tmp_path):
    with pytest.raises(ConversionError, match="row 1 has 8 cells, there are 7 columns.*decimal commas"):
        converted("udacity", write_recording(tmp_path / "a", speed=lambda k: "30,19"))
    folder = write_recording(tmp_path / "b", header="center,left,right,steering,throttle,brake,velocity")
    with pytest.raises(ConversionError, match="row 1 has no speed; expected the columns center, left"):
        converted("udacity", folder)


def test_a_route_is_refused_in_one_line_as_no_yaw_rate_is_recorded(tmp_path):
    with pytest.raises(ConversionError, match="its path cannot be told without yaw rate, so it has no route"):
        converted("udacity", write_recording(tmp_path / "run"), route="auto")
