"""Recordings as a bundle sees them, and what it says of those that do not fit."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from fixtures_rosbag import CAMERA, MS, SPEED_MPS, VEHICLE, drive, image, stamped, steer_of, write_bag
from fixtures_rosbag import Recording as Messages
from make_episodes import make_episode
from wm_bundle import CameraSpec, ImagePreprocessor, VectorSpec, load_bundle
from wm_data.conversion.convert_options import BagReading
from wm_data.episodes import write_episode
from wm_tools.common.errors import BagError
from wm_tools.evaluate_bag.recording import Recording

PERIOD_NS = 80 * MS


@pytest.fixture
def manifest(bundle):
    return load_bundle(bundle).manifest


def stretches(source, manifest, **options):
    return list(Recording(source, manifest, **options).stretches())


def test_rows_of_a_bag_hold_the_bundles_own_preprocessing_and_what_the_next_tick_told(tmp_path, manifest):
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (20, 96, 96, 4), dtype=np.uint8)
    recorded = drive(20, PERIOD_NS, height=96, width=96)
    shown = iter(pictures)
    recorded = recorded.changed(CAMERA, lambda fields, log: ({**fields, "data": next(shown).reshape(-1)}, log))
    camera = CameraSpec("rgb_front", 96, 96, crop=(8, 0, 60, 90), letterbox=True)
    cropping = replace(manifest, image=replace(manifest.image, cameras=(camera,)))
    (stretch,) = stretches(write_bag(tmp_path / "bag", recorded), cropping)
    episode = stretch.episode
    preprocess = ImagePreprocessor(camera, 64, 64)
    for row in range(19):
        expected = preprocess(96, 96, "bgra8", 4 * 96, pictures[row].tobytes())
        assert (episode.observations[row] == expected).all()
    assert np.allclose(episode.actions[:, 0], [steer_of(tick + 1) for tick in range(19)])
    assert np.allclose(episode.rewards, [(tick + 1) / 100 for tick in range(19)])
    assert np.allclose(episode.vector[:, 0], [SPEED_MPS + tick / 10 for tick in range(19)])
    assert stretch.knows_ends and not stretch.ended
    assert np.allclose(stretch.applied_before, (steer_of(0), 0.5, 0.0))


def test_an_end_is_told_by_the_result_after_the_last_row_and_begins_another_stretch(tmp_path, manifest):
    def end_at_12(fields, log):
        stamp = fields["header"]["stamp"]
        ended = stamp["sec"] * 10**9 + stamp["nanosec"] == 1_000_000_000 + 12 * PERIOD_NS
        return {**fields, "truncated": ended}, log

    bag = write_bag(
        tmp_path / "bag", drive(30, PERIOD_NS, height=96, width=96).changed(f"{VEHICLE}/step_result", end_at_12)
    )
    first, second = stretches(bag, manifest)
    assert (len(first.episode), first.ended, len(second.episode), second.ended) == (12, True, 16, False)


def test_two_runs_of_a_simulator_are_two_stretches_each_with_its_own_commands_and_ends(tmp_path, manifest):
    """The first is shorter than a second, and the second begins at the same stamps."""
    second = (
        drive(30, PERIOD_NS, log_offset_ns=40 * PERIOD_NS, height=96, width=96)
        .changed(f"{VEHICLE}/vehicle_status", lambda fields, log: (fields | {"velocity": 9.0}, log))
        .changed(
            f"{VEHICLE}/step_result",
            lambda fields, log: (fields | {"truncated": log > 1000 * MS + 68 * PERIOD_NS}, log),
        )
    )
    both = Messages(drive(11, PERIOD_NS, height=96, width=96).messages + second.messages)
    short, long = stretches(write_bag(tmp_path / "bag", both), manifest)
    assert np.allclose(short.episode.vector[:, 0], [SPEED_MPS + tick / 10 for tick in range(10)]) and not short.ended
    assert np.allclose(long.episode.vector[:, 0], 9.0) and long.ended
    for stretch in (short, long):
        assert np.allclose(stretch.applied_before, (steer_of(0), 0.5, 0.0))
        assert np.allclose(stretch.episode.actions[:, 0], [steer_of(row + 1) for row in range(len(stretch.episode))])


def test_compressed_pictures_and_those_of_to_bag_give_the_same_rows_as_raw_ones(tmp_path, manifest, episode_bag):
    def compress(fields, log):
        raw = fields["data"].reshape(96, 96, 4)[..., :3]
        return {"header": fields["header"], "format": "png", "data": cv2.imencode(".png", raw)[1].reshape(-1)}, log

    recorded = drive(20, PERIOD_NS, height=96, width=96)
    (raw,) = stretches(write_bag(tmp_path / "raw", recorded), manifest)
    packed = recorded.changed(CAMERA, compress)
    packed.messages = [
        (topic, "sensor_msgs/msg/CompressedImage" if topic == CAMERA else kind, log, fields)
        for topic, kind, log, fields in packed.messages
    ]
    (compressed,) = stretches(write_bag(tmp_path / "compressed", packed), manifest)
    assert (compressed.episode.observations == raw.episode.observations).all()

    stored = make_episode(60, terminal=False)
    (of_bag,) = stretches(episode_bag, manifest)
    write_episode(tmp_path / "npz" / "one.npz", stored)
    (of_file,) = stretches(tmp_path / "npz", manifest)
    for stretch in (of_bag, of_file):
        assert (stretch.episode.observations == stored.observations).all() and stretch.ended
        assert np.allclose(stretch.episode.actions, stored.actions)
        assert np.allclose(stretch.episode.vector[:, 0], stored.vector[:, 0])


def test_a_file_of_several_drives_is_cut_where_one_is_done(tmp_path, manifest):
    episode = make_episode(30)
    dones = episode.dones.copy()
    dones[11] = True
    write_episode(tmp_path / "two.npz", replace(episode, dones=dones))
    first, second = stretches(tmp_path / "two.npz", manifest)
    assert (len(first.episode), first.ended, len(second.episode), second.ended) == (12, True, 18, True)
    assert (second.episode.observations == episode.observations[12:]).all()


def test_a_folder_of_bags_gives_one_drive_after_the_other(tmp_path, manifest):
    for name, ticks in (("a", 20), ("b", 15)):
        write_bag(tmp_path / "bags" / name, drive(ticks, PERIOD_NS, height=96, width=96))
    found = stretches(tmp_path / "bags", manifest)
    assert [(stretch.drive, len(stretch.episode)) for stretch in found] == [(0, 19), (1, 14)]


def test_a_faster_bag_is_resampled_to_the_bundles_period_only_when_asked_for(tmp_path, manifest):
    bag = write_bag(tmp_path / "bag", drive(41, PERIOD_NS // 2, height=96, width=96))
    with pytest.raises(BagError, match=r"a picture every 0.040 s, .* one every 0.08 s.*--resample"):
        stretches(bag, manifest)
    (stretch,) = stretches(bag, manifest, resample=True)
    assert (np.diff(stretch.episode.stamps_ns) == PERIOD_NS).all() and len(stretch.episode) == 20


def test_a_bag_of_another_reward_than_the_bundles_has_none(tmp_path, manifest):
    bag = drive(20, PERIOD_NS, height=96, width=96).without(f"{VEHICLE}/step_result")
    for tick in range(20):  # without a speed and a yaw rate nothing could be computed either
        stamp = 1_000_000_000 + tick * PERIOD_NS
        bag.add(f"{VEHICLE}/imu", "sensor_msgs/msg/Imu", stamp + MS, header=stamped(stamp))
    recording = Recording(write_bag(tmp_path / "bag", bag), manifest)
    (stretch,) = recording.stretches()
    assert np.isnan(stretch.episode.rewards).all() and not stretch.knows_ends
    assert any("reward is 'driving-1'" in note for note in recording.notes)


def _without_speed():
    """Commands, and no status."""
    bag = drive(30, PERIOD_NS, height=96, width=96).without(f"{VEHICLE}/vehicle_status")
    for tick in range(30):
        stamp = 1_000_000_000 + tick * PERIOD_NS
        bag.add(
            f"{VEHICLE}/vehicle_control_cmd",
            "carla_msgs/msg/CarlaEgoVehicleControl",
            stamp + MS,
            header=stamped(stamp),
            throttle=0.5,
        )
    return bag


def _of_size(height, width):
    def change(fields, log):
        return image(0, np.zeros((height, width, 4), np.uint8)) | {"header": fields["header"]}, log

    return drive(30, PERIOD_NS, height=96, width=96).changed(CAMERA, change)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: drive(30, 100 * MS, height=96, width=96), "a picture every 0.100 s, the bundle tiny-test .* 0.08 s"),
        (lambda: _of_size(48, 64), "'rgb_front' of the recording has pictures of 64x48 pixels, .* expects 96x96"),
        (lambda: _of_size(64, 64), "64x64 pixels, .* expects 96x96.*--set preprocessed_images=true"),
        (_without_speed, r"has no speed \[m/s\], which the bundle tiny-test needs; expected it from vehicle status"),
        (lambda: drive(30, PERIOD_NS, height=96, width=96).without(CAMERA), "no camera 'rgb_front'"),
        (lambda: drive(2, PERIOD_NS, height=96, width=96), "holds no rows to evaluate"),
    ],
)
def test_a_bag_that_does_not_fit_the_bundle_is_refused_in_one_line(tmp_path, manifest, make, message):
    with pytest.raises(BagError, match=message) as error:
        stretches(write_bag(tmp_path / "bag", make()), manifest)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: replace(m, image=replace(m.image, height=32, width=32)), "64x64 pixels.*the bundle .* sees 32x32"),
        (
            lambda m: replace(m, image=replace(m.image, cameras=(CameraSpec("a", 9, 9), CameraSpec("b", 9, 9)))),
            "lacks the camera a, b .*; it has rgb_front",
        ),
        (
            lambda m: replace(m, vector=(VectorSpec("yaw_rate", "rad/s", 0.0, 1.0),)),
            r"no yaw_rate \[rad/s\].*--topics odometry=TOPIC",
        ),
        (lambda m: replace(m, vector=(VectorSpec("speed", "km/h", 0.0, 1.0),)), "speed .km/h., this project has m/s"),
        (lambda m: replace(m, control_period_s=0.1), "a picture every 0.080 s"),
    ],
)
def test_an_episode_that_does_not_fit_the_bundle_is_refused_in_one_line(tmp_path, manifest, change, message):
    write_episode(tmp_path / "one.npz", make_episode(20))
    with pytest.raises(BagError, match=message):
        stretches(tmp_path / "one.npz", change(manifest))


def test_a_damaged_file_is_refused_in_one_line(tmp_path, manifest, raw_bag):
    file = tmp_path / "cut.mcap"
    file.write_bytes(next(raw_bag.glob("*.mcap")).read_bytes()[:200_000])
    with pytest.raises(BagError, match="cut.mcap") as error:
        stretches(file, manifest)
    assert "\n" not in str(error.value)


def test_a_bag_that_breaks_off_is_read_with_the_option_that_its_refusal_names(tmp_path, manifest):
    folder = write_bag(tmp_path / "bag", drive(80, PERIOD_NS, height=96, width=96))
    (file,) = folder.glob("*.mcap")
    file.write_bytes(file.read_bytes()[: 7 * file.stat().st_size // 10])
    with pytest.raises(BagError, match="--recover"):
        stretches(folder, manifest)
    recording = Recording(folder, manifest, reading=BagReading(recover=True))
    (stretch,) = recording.stretches()
    assert 20 < len(stretch.episode) < 70 and any("breaks off" in text for text in recording.choices)
