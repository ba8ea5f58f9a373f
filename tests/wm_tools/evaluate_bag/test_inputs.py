"""Bundles with several cameras, and with a yaw rate, on recordings that have them in their own order."""

from dataclasses import replace

import numpy as np
import pytest
from extra_input import register
from fixtures_rosbag import CAMERA, MS, VEHICLE, drive, image, stamped, write_bag
from make_episodes import META, make_episode
from rosbag_conversion import ordered
from route_recordings import odometry, waypoints
from tiny_bundle import make_tiny_bundle
from wm_bundle import CameraSpec, VectorSpec, load_bundle
from wm_data.conversion.convert_options import BagReading
from wm_data.episodes import write_episode
from wm_data.to_bag.writing import write_bag as write_episode_bag
from wm_planner.pilot.modes import Mode
from wm_tools.common.errors import BagError
from wm_tools.evaluate_bag.episode_checks import evaluated_inputs
from wm_tools.evaluate_bag.recording import Recording
from wm_tools.evaluate_bag.run import evaluate
from wm_tools.verify_bundle.observations import recorded
from wm_tools.verify_bundle.verify_bundle_options import VerifyOptions

PERIOD_NS = 80 * MS
TWO = ("left", "right")


@pytest.fixture(scope="module")
def two_cameras(tmp_path_factory):
    return make_tiny_bundle(tmp_path_factory.mktemp("two") / "bundle", cameras=TWO)


def episode_of(names, rows: int = 40):
    """An episode with the cameras of ``names``, each as bright as its place in them; the last misses every 4th."""
    episode = make_episode(rows)
    pictures = np.repeat(episode.observations, len(names), axis=1) // 4
    for place in range(len(names)):
        pictures[:, 3 * place : 3 * place + 3] += np.uint8(50 * place)
    mask = np.ones((rows, len(names)), bool)
    mask[::4, -1] = False
    cameras = [{"name": name, "source_height": 96, "source_width": 96, "crop": None} for name in names]
    return replace(episode, observations=pictures, camera_mask=mask, meta={**META, "cameras": cameras})


def test_the_bundles_cameras_are_taken_by_name_and_a_missing_picture_degrades_and_does_not_count(
    tmp_path, two_cameras, options
):
    write_episode_bag(tmp_path / "bag", episode_of(("rear", "right", "left")))
    found = evaluate(options(bag=tmp_path / "bag", bundle=two_cameras, moments=1))
    frames = found.evaluations[0].frames
    assert (frames.decided.mode[::4] == Mode.DEGRADED).all() and frames.decided.reason[0] == "no picture of camera left"
    assert (np.delete(frames.decided.mode, np.arange(0, 40, 4)) == Mode.DRIVING).all()
    (stretch,) = Recording(tmp_path / "bag", load_bundle(two_cameras).manifest).stretches()
    stored = episode_of(("rear", "right", "left"))
    assert (stretch.episode.observations[1, :3] == stored.observations[1, 6:]).all()
    assert (stretch.episode.observations[:, 3:] == stored.observations[:, 3:6]).all()
    assert (stretch.episode.camera_mask == stored.camera_mask[:, [2, 1]]).all()
    assert np.isfinite(frames.one_step.posterior.error).all()


def test_a_raw_bag_of_two_cameras_gives_both_and_one_without_the_second_is_refused(tmp_path, two_cameras):
    bag = drive(20, PERIOD_NS, height=96, width=96)
    both = type(bag)()
    for topic, kind, log, fields in bag.messages:
        if topic != CAMERA:
            both.add(topic, kind, log, **fields)
            continue
        for name, shade in (("left", 10), ("right", 200)):
            picture = np.full((96, 96, 4), shade, np.uint8)
            both.add(f"{VEHICLE}/{name}/image", kind, log, **{**image(0, picture), "header": fields["header"]})
    manifest = load_bundle(two_cameras).manifest
    (stretch,) = Recording(write_bag(tmp_path / "both", both), manifest).stretches()
    assert (stretch.episode.observations[:, :3] == 10).all() and (stretch.episode.observations[:, 3:] == 200).all()
    alone = write_bag(tmp_path / "alone", both.without(f"{VEHICLE}/right/image"))
    with pytest.raises(BagError, match="no camera 'right'"):
        Recording(alone, manifest).stretches().__next__()


def test_a_bundle_that_needs_the_yaw_rate_gets_it_also_from_a_bag_of_a_simulator(tmp_path, options):
    turning = make_tiny_bundle(tmp_path / "turning", vector=(VectorSpec("yaw_rate", "rad/s", 0.0, 1.0),))
    bag = drive(40, PERIOD_NS, height=96, width=96)
    for tick in range(40):
        stamp = 1_000_000_000 + tick * PERIOD_NS
        bag.add(
            f"{VEHICLE}/imu",
            "sensor_msgs/msg/Imu",
            stamp + MS,
            header=stamped(stamp),
            angular_velocity={"z": 0.01 * tick},
        )
    bag.messages.sort(key=lambda entry: entry[2])
    folder = write_bag(tmp_path / "bag", bag)
    for reading in (BagReading(), BagReading(topics=(f"imu={VEHICLE}/imu",))):
        found = evaluate(options(bag=folder, bundle=turning, reading=reading, moments=0))
        assert (found.evaluations[0].frames.decided.mode == Mode.DRIVING).all()
    without = write_bag(tmp_path / "without", bag.without(f"{VEHICLE}/imu"))
    with pytest.raises(BagError, match=r"no yaw_rate \[rad/s\].*--topics odometry=TOPIC or imu=TOPIC"):
        evaluate(options(bag=without, bundle=turning))


def test_a_bundle_with_an_input_that_was_entered_in_the_registry_is_evaluated(tmp_path, options, monkeypatch):
    entry = register(monkeypatch)
    columns = [{"name": "speed", "unit": "m/s"}, {"name": entry.name, "unit": entry.unit}]
    pushed = make_tiny_bundle(tmp_path / "pushed", vector=(VectorSpec(entry.name, entry.unit, 0.0, 1.0),))
    with pytest.raises(BagError, match=r"no acceleration_along \[m/s\^2\].*--topics imu=TOPIC"):
        write_episode(tmp_path / "slow.npz", make_episode(30))
        evaluate(options(bag=tmp_path / "slow.npz", bundle=pushed))
    episode = make_episode(30)
    numbers = np.stack([episode.vector[:, 0], np.arange(30) / 10], 1).astype(np.float32)
    write_episode(tmp_path / "one.npz", replace(episode, vector=numbers, meta={**META, "vector": columns}))
    found = evaluate(options(bag=tmp_path / "one.npz", bundle=pushed, moments=0))
    assert (found.evaluations[0].frames.decided.mode == Mode.DRIVING).all()
    frames = recorded(VerifyOptions(pushed, data=tmp_path / "one.npz", frames=5), load_bundle(pushed).manifest, False)
    np.testing.assert_array_equal([frame.vector for frame in frames], numbers[:5, 1:])


def test_a_bundle_that_cuts_its_pictures_otherwise_is_told_so(tmp_path, bundle, options):
    write_episode_bag(tmp_path / "bag", make_episode(30))
    manifest = load_bundle(bundle).manifest
    camera = CameraSpec("rgb_front", 96, 96, crop=(0, 0, 48, 96))
    cutting = make_tiny_bundle(tmp_path / "cutting", image=replace(manifest.image, cameras=(camera,)))
    found = evaluate(options(bag=tmp_path / "bag", bundle=cutting, baselines=(bundle,), moments=0))
    ours, baseline = found.evaluations
    assert any("cropped or framed differently" in note for note in ours.notes) and not baseline.notes


def test_a_bag_is_evaluated_with_a_free_signal_that_the_bundle_defines_and_one_it_may_lack_is_nan(tmp_path):
    bag = drive(30, PERIOD_NS, height=96, width=96)
    for tick in range(30):
        bag.add("/my/sensor", "std_msgs/msg/Float32", 1_000_000_000 + tick * PERIOD_NS, data=float(tick))
    bag.messages.sort(key=lambda entry: entry[2])
    write_bag(tmp_path / "bag", bag)
    battery = VectorSpec("battery", "V", 0.0, 1.0, source="std_msgs/msg/Float32 /my/sensor data factor=0.5")
    gap = VectorSpec("gap", "m", 0.0, 1.0, gaps=True)
    manifest = load_bundle(make_tiny_bundle(tmp_path / "bundle", vector=(battery, gap))).manifest
    (stretch,) = Recording(tmp_path / "bag", manifest).stretches()
    assert list(evaluated_inputs(manifest)) == ["speed", "yaw_rate", "battery", "gap"]
    vector = stretch.episode.vector
    np.testing.assert_allclose(vector[:, 2], np.arange(len(vector)) / 2)
    assert np.isnan(vector[:, [1, 3]]).all() and np.isfinite(vector[:, 0]).all()


@pytest.mark.parametrize("noise", [None, 0.0])
def test_a_bundle_that_needs_a_route_gets_the_recorded_one_else_that_in_hindsight(tmp_path, noise):
    specs = tuple(VectorSpec(name, "m", 0.0, 10.0, gaps=True) for name in ("route_10m_y", "route_offset"))
    manifest = load_bundle(make_tiny_bundle(tmp_path / "routed", vector=specs)).manifest
    path = np.column_stack([0.48 * np.arange(120), np.full(120, 1.0), np.zeros(120)])  # 6 m/s, 1 m left of the route
    moves = odometry(path, of=lambda tick: 1_000_000_000 + tick * PERIOD_NS)
    both = ordered(drive(120, PERIOD_NS, height=96, width=96), moves)
    route = waypoints([(-10, 0), (400, 0)], 900 * MS)
    reading = BagReading() if noise is None else BagReading(route="hindsight", route_noise=noise)
    bag = write_bag(tmp_path / "bag", ordered(both, route))
    (stretch,) = Recording(bag, manifest, reading).stretches()
    columns = dict(zip(evaluated_inputs(manifest), stretch.episode.vector.T, strict=True))
    np.testing.assert_allclose(columns["route_offset"][:80], 1.0 if noise is None else 0.0, atol=0.02)
    np.testing.assert_allclose(columns["route_10m_y"][:80], -1.0 if noise is None else 0.0, atol=0.02)
