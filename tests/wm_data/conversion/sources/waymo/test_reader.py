import math
import os
import struct
from pathlib import Path

import fixtures_waymo as waymo_files
import numpy as np
import pytest
from fixtures_waymo import field, light, motion, scenario, state, street, track, write_tfrecord
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import Mutator
from wm_bundle.vehicle_commands.definition import DRAG_PER_M, ROLLING_MPS2, THROTTLE_MPS2
from wm_data.conversion.assembling.assembly import episodes_of_drive
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.sources import waymo
from wm_data.conversion.sources.waymo import raster, tfrecord
from wm_data.conversion.sources.waymo.raster import BirdsEyeView
from wm_data.conversion.sources.waymo.scenario import scene_of_scenario
from wm_data.errors import ConversionError

STEP_S = 0.1


def options(source: Path, **values) -> ConvertOptions:
    return ConvertOptions("waymo", str(source), "dest", **{"image_size": 64, "min_rows": 1, **values})


def convert(source: Path, **values):
    """(episodes, report) of the first drive of a source."""
    chosen = options(source, **values)
    with waymo.open_drive(waymo.find_drives(chosen)[0], chosen) as drive:
        return list(episodes_of_drive(drive, chosen)), drive.report


def opened(source: Path) -> dict[str, str | None]:
    """Every drive's name, and why it cannot be opened."""
    chosen = options(source)
    errors = {}
    for ref in waymo.find_drives(chosen):
        try:
            with waymo.open_drive(ref, chosen):
                errors[ref.name] = None
        except ConversionError as error:
            errors[ref.name] = str(error)
    return errors


def draw(payload: bytes, step: int = 0, size: int = 80) -> np.ndarray:
    return BirdsEyeView(scene_of_scenario(payload, "test"), size).draw(step)


def beside(pose, ahead: float, left: float) -> tuple[float, float]:
    """Where something is that stands ``ahead`` and ``left`` [m] of a pose (x, y, heading, speed)."""
    x, y, heading, _ = pose
    c, s = math.cos(heading), math.sin(heading)
    return x + ahead * c - left * s, y + ahead * s + left * c


def test_the_checksum_is_the_masked_castagnoli_crc():
    crc = 0xE3069283  # the published check value of CRC-32C, of the digits 1 to 9
    assert tfrecord.masked_crc(b"123456789") == ((crc >> 15) + (crc << 17) % 2**32 + 0xA282EAD8) % 2**32


def test_every_scenario_of_every_file_is_a_drive_named_by_its_id_in_order(tmp_path):
    write_tfrecord(tmp_path / "b" / "validation.tfrecord-00000-of-00001", [scenario("fff"), scenario("aaa")])
    write_tfrecord(tmp_path / "a.tfrecord-00000-of-00002", [scenario("aaa"), scenario("../up")])
    refs = waymo.find_drives(options(tmp_path))
    assert [ref.name for ref in refs] == ["aaa", "_up", "fff", "aaa_2"]
    assert [ref.locator["record"] for ref in refs] == [0, 1, 0, 1]
    assert refs[1].locator["offset"] == len(waymo_files.framed(scenario("aaa")))
    assert waymo.find_drives(options(tmp_path / "a.tfrecord-00000-of-00002")) == refs[:2]


def test_a_record_with_a_wrong_payload_crc_fails_alone_and_names_its_place(tmp_path):
    first = waymo_files.framed(scenario("one"))
    damaged = bytearray(waymo_files.framed(scenario("two")))
    damaged[200] ^= 1
    file = tmp_path / "a.tfrecord"
    file.write_bytes(first + damaged + waymo_files.framed(scenario("three")))
    errors = opened(file)
    assert errors["one"] is None and errors["three"] is None
    assert f"record 1 at byte {len(first)}" in errors["two"] and "CRC" in errors["two"] and str(file) in errors["two"]


@pytest.mark.parametrize("cut", [3, 11, 12, 100, -1])
def test_a_cut_file_gives_what_is_before_the_cut_and_an_error_that_names_the_record(tmp_path, cut):
    first, second = waymo_files.framed(scenario("one")), waymo_files.framed(scenario("two"))
    (tmp_path / "a.tfrecord").write_bytes(first + second[:cut])
    write_tfrecord(tmp_path / "b.tfrecord", [scenario("three")])
    errors = opened(tmp_path)
    assert [name for name, error in errors.items() if error is None] == ["one", "three"]
    assert f"record 1 at byte {len(first)}" in errors["a.tfrecord-damage"] and "cut" in errors["a.tfrecord-damage"]


def test_a_wrong_length_is_told_by_its_crc_and_not_believed(tmp_path):
    data = bytearray(waymo_files.framed(scenario("one")))
    data[5] = 0x7F  # 128 TB
    (tmp_path / "a.tfrecord").write_bytes(data)
    assert "length has the CRC" in opened(tmp_path)["a.tfrecord-damage"]
    data[8:12] = struct.pack("<I", tfrecord.masked_crc(bytes(data[:8])))
    (tmp_path / "a.tfrecord").write_bytes(data)
    assert "the record needs" in opened(tmp_path)["a.tfrecord-damage"]


def test_what_is_no_waymo_data_is_told_in_words(tmp_path):
    with pytest.raises(ConversionError, match="no file or folder"):
        waymo.find_drives(options(tmp_path / "nowhere"))
    with pytest.raises(ConversionError, match="cannot be read"):
        waymo.find_drives(options(tmp_path / ("long" * 100)))
    with pytest.raises(ConversionError, match="'tfrecord' in its name"):
        waymo.find_drives(options(tmp_path))
    (tmp_path / "empty.tfrecord").touch()
    other = field(1, field(1, field(1, "image/encoded") + field(2, field(1, field(1, b"\0" * 8)))))
    write_tfrecord(tmp_path / "other.tfrecord", [other, b"", b"\xff" * 40])
    errors = opened(tmp_path)
    assert "is empty" in errors["empty.tfrecord"]
    assert "no Waymo Scenario" in errors["other.tfrecord-00000"]
    assert all(errors.values()) and len(errors) == 4
    for wrong in ({"cameras": ("rgb_front",)}, {"crop": (0, 0, 8, 8)}, {"actions": "applied"}):
        with pytest.raises(ConversionError, match="Waymo Motion has no|--crop"):
            waymo.find_drives(options(tmp_path, **wrong))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sdc_index": 5}, "track 5, there are 1"),
        ({"stamps": [0.0, 0.1]}, "there are 2 timestamps"),
        ({"stamps": [math.nan] * 20}, "numbers of seconds"),
        ({"stamps": [0.1] * 20}, "at least two that grow"),
        ({"invalid": range(20)}, "no valid state"),
        ({"lights": [[]] * 3}, "3 states of the traffic lights"),
    ],
)
def test_a_scenario_that_contradicts_itself_is_refused(tmp_path, changes, message):
    write_tfrecord(tmp_path / "a.tfrecord", [scenario("one", **changes)])
    assert message in opened(tmp_path)["one"]


def test_a_scenario_becomes_an_episode_with_speed_yaw_rate_and_the_scale_of_its_picture(tmp_path):
    path = motion(91, STEP_S, yaw_rates=[0.1] * 91, accelerations=[0.5] * 91)
    write_tfrecord(tmp_path / "a.tfrecord", [scenario(path=path, features=street())])
    (episode,), report = convert(tmp_path)
    # 91 steps: nobody knows the yaw rate of the first, nor what the last one's action led to.
    assert episode.observations.shape == (89, 3, 64, 64)
    assert (episode.stamps_ns == (1 + np.arange(89)) * 100_000_000).all()
    np.testing.assert_allclose(episode.vector[:, 0], 8.0 + 0.05 * np.arange(1, 90), rtol=1e-5)
    np.testing.assert_allclose(episode.vector[:, 1], 0.1, rtol=1e-4)
    assert episode.meta["birds_eye_view"]["metres_per_pixel"] == 80.0 / 64
    assert episode.meta["cameras"][0]["name"] == "bev" and episode.meta["rate_hz"] == 10.0
    assert report.summary()["topics"]["sdc_track"]["rate_hz"] == 10.0


def test_action_t_alone_explains_a_turn_and_a_push_from_t_to_t_plus_1(tmp_path):
    yaw_rates, accelerations = np.zeros(30), np.zeros(30)
    yaw_rates[10], accelerations[20] = 0.2, 2.0
    path = motion(30, STEP_S, yaw_rates, accelerations)
    write_tfrecord(tmp_path / "a.tfrecord", [scenario(path=path)])
    (episode,), _ = convert(tmp_path)
    row_of_step = {round(stamp / 1e8): row for row, stamp in enumerate(episode.stamps_ns)}
    # The kinematic bicycle with 0.57 of the box's length, at 8 m/s; a turn to the left is negative.
    steer = -math.atan(0.57 * 5.286 * 0.2 / 8.0) / math.radians(70.0)
    assert episode.actions[row_of_step[10], 0] == pytest.approx(steer, rel=1e-4)
    throttle = (2.0 + ROLLING_MPS2 + DRAG_PER_M * 8.1**2) / THROTTLE_MPS2  # 8.1 m/s: the mean of 8.0 and 8.2
    assert episode.actions[row_of_step[20], 1] == pytest.approx(throttle, rel=1e-4)
    assert np.abs(np.delete(episode.actions[:, 0], row_of_step[10])).max() < 1e-4
    assert np.delete(episode.actions[:, 1], row_of_step[20]).max() < 0.05  # what rolling resistance needs


def test_at_half_the_rate_an_action_is_the_mean_of_its_two_steps(tmp_path):
    yaw_rates = np.linspace(-0.2, 0.2, 31)
    write_tfrecord(tmp_path / "a.tfrecord", [scenario(path=motion(31, STEP_S, yaw_rates))])
    (whole,), (half,) = convert(tmp_path)[0], convert(tmp_path, rate=5.0)[0]
    assert half.meta["rate_hz"] == 5.0
    first = np.searchsorted(whole.stamps_ns, half.stamps_ns)
    np.testing.assert_allclose(half.actions, (whole.actions[first] + whole.actions[first + 1]) / 2, atol=1e-6)


def test_steps_without_a_valid_car_split_the_drive_and_are_counted(tmp_path):
    write_tfrecord(tmp_path / "a.tfrecord", [scenario(path=motion(30, STEP_S), invalid=(12, 13))])
    episodes, report = convert(tmp_path)
    # Steps 0 to 11 and 14 to 29; the first of each has no yaw rate, the last no known action.
    assert [[round(stamp / 1e8) for stamp in e.stamps_ns[[0, -1]]] for e in episodes] == [[1, 10], [15, 28]]
    assert report.skipped["step without a valid state of the self-driving car"] == 2
    assert "no picture of bev" in report.splits[0]["reason"]


def test_a_heading_that_passes_pi_is_no_turn(tmp_path):
    path = [(x, y, math.pi - 0.05 + 0.01 * t, v) for t, (x, y, _, v) in enumerate(motion(20, STEP_S))]
    write_tfrecord(tmp_path / "a.tfrecord", [scenario(path=path)])
    (episode,), _ = convert(tmp_path)
    np.testing.assert_allclose(episode.vector[:, 1], 0.1, rtol=1e-4)


def test_numbers_that_make_no_sense_are_left_out_and_counted(tmp_path):
    pose = motion(1, STEP_S)[0]
    huge = state(*beside(pose, 9, 0), 0, 0, size=(1e6, 2))
    odd = [state(math.nan, 0, 0, 0), state(1e300, 0, 0, 0), huge, state(1, 1, 0, 1)]
    line = field(4, field(2, waymo_files.point(math.inf, 0)) + field(2, waymo_files.point(-1e200, 3)))
    write_tfrecord(
        tmp_path / "a.tfrecord",
        [scenario(path=motion(4, STEP_S), others=[track(1, 1, odd)], features=[line], lights=[[field(2, 4)]] * 4)],
    )
    (episode,), report = convert(tmp_path)
    assert report.skipped["agent state whose numbers make no sense"] == 3
    assert report.skipped["map point whose numbers make no sense"] == 2
    assert report.skipped["traffic light without a place"] == 4
    assert not episode.observations[:, :2].any()


def test_the_car_points_up_three_quarters_down_and_what_is_ahead_and_left_is_above_and_left():
    path = motion(2, STEP_S)
    other = [state(*beside(pose, 20.0, 8.0), pose[2], 8.0, size=(4.0, 4.0)) for pose in path]
    planes = draw(scenario(path=path, others=[track(1, 1, other)]))  # 80 px for 80 m
    rows, columns = np.nonzero(planes[2] > 127)
    assert rows.mean() == pytest.approx(59.5, abs=0.1) and columns.mean() == pytest.approx(39.5, abs=0.1)
    # 5.286 m long, 2.332 m wide, and a row of drawn pixels on each side.
    assert planes[2].sum() / 255 == pytest.approx(5.286 * 2.332, rel=0.2)
    rows, columns = np.nonzero(planes[1] > 127)
    assert rows.mean() == pytest.approx(59.5 - 20.0, abs=0.1) and columns.mean() == pytest.approx(39.5 - 8.0, abs=0.1)


@settings(max_examples=15, deadline=None)
@given(turn=st.floats(-math.pi, math.pi), shift=st.floats(-5000, 5000), size=st.sampled_from([48, 64, 100]))
def test_a_scenario_turned_and_moved_gives_the_same_picture(turn, shift, size):
    def payload(turn: float, shift: float) -> bytes:
        c, s = math.cos(turn), math.sin(turn)
        path = [(shift + c * x - s * y, s * x + c * y, h + turn, v) for x, y, h, v in motion(2, STEP_S)]
        other = [state(*beside(pose, 12.0, -3.0), pose[2] + 0.4, 3.0) for pose in path]
        start = (shift + c * 60.0 - s * 37.6, s * 60.0 + c * 37.6)
        lights = [[light(beside(pose, 25.0, 4.0), 4)] for pose in path]
        return scenario(
            path=path, others=[track(1, 1, other)], features=street(start=start, heading=0.3 + turn), lights=lights
        )

    difference = np.abs(draw(payload(turn, shift), size=size).astype(int) - draw(payload(0, 0), size=size))
    assert difference.mean() < 1.0 and np.percentile(difference, 99) <= 32  # coordinates are rounded to 1/16 pixel


@pytest.mark.parametrize(
    ("number", "kind"), [(1, "vehicle"), (2, "pedestrian"), (3, "cyclist"), (4, "other"), (0, "other"), (9, "other")]
)
def test_each_kind_of_agent_has_its_green(number, kind):
    path = motion(2, STEP_S)
    others = [state(*beside(pose, 20.0, 0.0), pose[2], 1.0) for pose in path]
    assert draw(scenario(path=path, others=[track(1, number, others)]))[1].max() == raster.AGENTS[kind]


@pytest.mark.parametrize(
    ("number", "kind"),
    [*((n, "stop") for n in (1, 4, 7)), *((n, "caution") for n in (2, 5, 8)), (3, "go"), (6, "go"), (0, "unknown")],
)
def test_each_light_has_its_blue_at_its_step_only(number, kind):
    path = motion(2, STEP_S)
    payload = scenario(path=path, lights=[[], [light(beside(path[1], 30.0, 0.0), number)]])
    assert not draw(payload, 0)[2, :40].any()
    assert draw(payload, 1)[2, :40].max() == raster.SIGNALS[kind]


def test_each_part_of_the_road_is_where_it_should_be_in_its_red():
    # The car stands on the right lane's middle, 41.7 m along the street: a pixel is a metre, row 59.5 is its middle.
    path = motion(2, STEP_S, start=(60 + 41.7 * math.cos(0.3), 37.6 + 41.7 * math.sin(0.3)))
    assert not draw(scenario(path=path))[0].any()
    planes = draw(scenario(path=path, features=street()))
    red = planes[0].astype(int)

    def at(metre: float, left_m: float) -> int:
        return red[round(59.5 - (metre - 41.7)), round(39.5 - left_m)]

    assert at(60, -0.5) == at(60, 3.6) == raster.ROAD["lane"]
    assert at(60, 1.8) > 150 and at(60, -4.5) > 150 and at(60, 5.8) > 150  # line and edges, spread over pixels
    assert at(72, -0.5) == raster.ROAD["crosswalk"]
    assert at(82, -8) == raster.ROAD["driveway"]
    assert at(60, -8) == at(60, 9) == 0
    assert planes[2, 0:5, 40:50].max() == raster.SIGNALS["stop_sign"]


@pytest.mark.parametrize("fix_checksums", [False, True])
def test_damaged_files_give_errors_in_words_and_nothing_else(tmp_path, fix_checksums):
    file, payload_file = tmp_path / "a.tfrecord", tmp_path / "payload"
    others = [track(1, 2, [state(105, 52, 0, 1)] * 5)]
    payload = scenario(path=motion(5, STEP_S), others=others, features=street(30.0), lights=[[light((110, 53), 4)]] * 5)
    write_tfrecord(file, [payload] * 2)
    payload_file.write_bytes(payload)
    mutator = Mutator([payload_file if fix_checksums else file], seed=5)
    chosen = options(file)
    read = 0
    for _ in range(100):
        mutator.damage()
        if fix_checksums and payload_file.exists():
            write_tfrecord(file, [payload_file.read_bytes()])
        try:
            for ref in waymo.find_drives(chosen):
                with waymo.open_drive(ref, chosen) as drive:
                    read += len(list(episodes_of_drive(drive, chosen)))
        except ConversionError:
            pass
        mutator.repair()
    assert read > 0  # some damage leaves scenarios that can be read


@pytest.mark.skipif("WM_WAYMO_ROOT" not in os.environ, reason="WM_WAYMO_ROOT names no folder of Waymo Motion scenarios")
def test_real_scenarios_give_plausible_episodes():
    chosen = options(Path(os.environ["WM_WAYMO_ROOT"]))
    for ref in waymo.find_drives(chosen)[:5]:
        with waymo.open_drive(ref, chosen) as drive:
            for episode in episodes_of_drive(drive, chosen):
                assert episode.meta["rate_hz"] == pytest.approx(10.0, rel=0.02)
                assert (np.abs(episode.vector[:, 0]) < 50).all() and (np.abs(episode.vector[:, 1]) < 2).all()
                assert episode.observations[:, 0].any() and episode.observations[:, 2].any()
