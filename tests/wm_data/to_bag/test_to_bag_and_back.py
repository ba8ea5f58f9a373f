"""Episodes as bags and back: by the conversion, by the reader of all bags, and by the collector."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures_to_bag import BASE, stamp_of
from make_episodes import META, make_episode
from rosbags.highlevel import AnyReader
from routed_episodes import routed
from wm_data.conversion.api import convert_rosbag
from wm_data.conversion.assembling.assembly import episodes_of_drive
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.sources.rosbag import find_drives, open_drive
from wm_data.episodes import Episode, read_episode, write_episode
from wm_data.errors import ConversionError
from wm_data.to_bag.writing import write_episode_bag
from wm_training.collecting.recording import EpisodeRecorder, Tick, TickAssembler
from wm_training.commands import convert, to_bag

ARRAYS = (
    "observations",
    "actions",
    "rewards",
    "dones",
    "terminals",
    "vector",
    "expert_actions",
    "stamps_ns",
    "camera_mask",
    "reward_terms",
)


def assert_same(found: Episode, expected: Episode, but: tuple = ()):
    """Every array equal in type and value, NaN where NaN was; the meta too."""
    for key in ARRAYS:
        here, there = getattr(found, key), getattr(expected, key)
        assert (here is None) == (there is None), key
        if there is not None and key not in but:
            assert here.dtype == there.dtype, key
            assert np.array_equal(here, there, equal_nan=there.dtype.kind == "f"), key
    if "meta" not in but:
        assert found.meta == expected.meta


def rich_episode(rows=12):
    """Two cameras, one of them missing once, a vector with a sign, terms that are not all known, no stamps."""
    single = make_episode(rows, size=8)
    both = np.concatenate([single.observations, 255 - single.observations], axis=1)
    mask = np.ones((rows, 2), bool)
    mask[4, 1] = False
    both[4, 3:] = 0
    terms = np.linspace(-1, 1, 2 * rows, dtype=np.float32).reshape(rows, 2)
    terms[:, 1] = np.nan
    expert = single.expert_actions.copy()
    expert[3] = np.nan
    meta = {
        **META,
        "cameras": [{"name": "left eye", "source_height": 90}, {"name": "right eye", "crop": [1, 2, 3, 4]}],
        "vector": [{"name": "speed", "unit": "m/s"}, {"name": "yaw_rate", "unit": "rad/s"}],
        "reward": "driving-1",
        "reward_terms": ["efficiency", "collision"],
        "source": {"name": "scene 7", "sha256": "ab"},
    }
    return replace(
        single,
        observations=both,
        camera_mask=mask,
        reward_terms=terms,
        expert_actions=expert,
        meta=meta,
        vector=np.linspace(-3, 3, 2 * rows, dtype=np.float32).reshape(rows, 2),
        stamps_ns=None,
    )


def open_ended(rows=12):
    """A file that was cut: its last row is no end; but one in the middle is."""
    dones = np.zeros(rows, bool)
    dones[5] = True
    return replace(make_episode(rows, size=8), dones=dones, terminals=dones)


def bare_episode(rows=12):
    """The four keys of the seed's files, as they are read."""
    episode = make_episode(rows, size=8)
    return replace(
        episode,
        terminals=episode.dones,
        vector=np.zeros((rows, 0), np.float32),
        stamps_ns=None,
        meta={},
        expert_actions=np.full((rows, 3), np.nan, np.float32),
    )


@pytest.mark.parametrize("name", ["drive.mcap", "drive"])
@pytest.mark.parametrize("make", [lambda: make_episode(12, size=8), rich_episode, open_ended, bare_episode])
def test_converting_the_bag_gives_the_same_episode(tmp_path, make, name):
    episode = make()
    bag = write_episode_bag(episode, tmp_path / name)
    [found] = convert_rosbag(bag, image_size=8)
    assert_same(found, episode)


def test_the_columns_of_a_route_come_back_with_what_is_not_known_of_them(tmp_path):
    episode = routed()
    assert np.isnan(episode.vector).any()
    write_episode_bag(episode, tmp_path / "drive.mcap")
    (found,) = convert_rosbag(tmp_path / "drive.mcap")
    assert_same(found, episode)
    assert found.meta["route"] == episode.meta["route"]


def test_the_commands_there_and_back_keep_file_and_bytes(tmp_path, capsys):
    first = write_episode(tmp_path / "first.npz", make_episode(30, terminal=False))
    assert to_bag.main([str(first), str(tmp_path / "bags" / "drive")]) == 0
    assert convert.main(["rosbag", str(tmp_path / "bags"), str(tmp_path / "out")]) == 0
    [second] = (tmp_path / "out").glob("*.npz")
    assert second.read_bytes() == first.read_bytes()
    assert_same(read_episode(second), read_episode(first))


def test_the_reader_of_all_bags_finds_the_same_rows_without_the_meta(tmp_path):
    episode = make_episode(12, size=8)
    options = ConvertOptions("rosbag", str(write_episode_bag(episode, tmp_path / "drive.mcap")), "", image_size=8)
    [ref] = find_drives(options)
    with open_drive(ref, options) as drive:
        [found] = episodes_of_drive(drive, options)
    assert_same(found, episode, but=("meta",))


def test_other_rates_and_sizes_can_be_asked_for(tmp_path):
    episode = make_episode(24, size=16)
    bag = write_episode_bag(episode, tmp_path / "drive.mcap")
    [small] = convert_rosbag(bag, image_size=8)
    assert small.observations.shape == (24, 3, 8, 8)
    assert_same(small, episode, but=("observations",))
    # 12.5 Hz as 6.25 Hz: every second picture, and the mean of the two actions between them.
    [slow] = convert_rosbag(bag, image_size=16, rate=6.25)
    assert np.array_equal(slow.observations, episode.observations[::2])
    assert np.allclose(slow.actions, (episode.actions[::2] + episode.actions[1::2]) / 2)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_a_bag_that_was_cut_is_one_error_and_leaves_nothing(tmp_path, capsys, share):
    bag = write_episode_bag(make_episode(30, size=16), tmp_path / "drive.mcap")
    data = bag.read_bytes()
    bag.write_bytes(data[: int(share * len(data))])
    code = convert.main(["rosbag", str(bag), str(tmp_path / "out"), "--image-size", "16"])
    assert code != 0
    assert "Traceback" not in capsys.readouterr().err
    assert list((tmp_path / "out").glob("*.npz")) == []


def test_damaged_bags_of_episodes_end_in_a_reason_and_never_in_a_traceback(tmp_path):
    bag = write_episode_bag(rich_episode(), tmp_path / "drive.mcap")
    data = bag.read_bytes()
    random = np.random.default_rng(0)
    told = 0
    for _ in range(200):
        damaged = bytearray(data)
        for place in random.integers(0, len(data), random.integers(1, 30)):
            damaged[place] = random.integers(256)
        bag.write_bytes(damaged)
        try:
            list(convert_rosbag(bag, image_size=8))
        except ConversionError:
            told += 1
    assert told > 20


def test_what_the_collector_records_while_the_bag_plays_is_the_same_episode(tmp_path):
    episode = make_episode(12, size=8)
    bag = write_episode_bag(episode, tmp_path / "drive.mcap")
    kinds = {"image": "image", "vehicle_status": "status", "step_result": "step", "expert_control": "expert"}
    assembler = TickAssembler({"image", "status", "step", "expert"})
    recorder = EpisodeRecorder(100, 80_000_000, META)
    recorded = []
    with AnyReader([bag]) as reader:
        for connection, _, raw in reader.messages():
            kind = kinds.get(connection.topic.removeprefix(BASE).rsplit("/", 1)[-1])
            message = reader.deserialize(raw, connection.msgtype) if kind else None
            parts = assembler.add(kind, stamp_of(message), message) if hasattr(message, "header") else None
            if parts is None:
                continue
            image, control, step, expert = parts["image"], parts["status"].control, parts["step"], parts["expert"]
            recorded.append(
                recorder.add(
                    Tick(
                        stamp_of(image),
                        image.data.reshape(8, 8, 3).transpose(2, 0, 1),
                        {"speed": parts["status"].velocity},
                        np.float32([control.steer, control.throttle, control.brake]),
                        step.reward,
                        step.terminated,
                        step.truncated,
                        np.float32([expert.steer, expert.throttle, expert.brake]),
                    )
                )
            )
    assert recorded[:-1] == [None] * 12
    assert_same(recorded[-1], episode)
