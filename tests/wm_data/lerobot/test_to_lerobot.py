"""Episodes as a LeRobot dataset, read back with pyarrow alone as LeRobot reads it."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from make_episodes import META, make_episode, make_folder
from routed_episodes import routed
from wm_data.episodes import EpisodeError, find_episodes, read_episode, write_episode
from wm_data.errors import ConversionError
from wm_data.lerobot.columns import Layout
from wm_data.lerobot.files import DatasetWriter
from wm_data.lerobot.statistics import PixelCounts, of_numbers
from wm_data.lerobot.writing import write_lerobot
from wm_data.routes.following import ROUTE_INPUTS
from wm_training.commands import to_lerobot


def pixels(cell):
    """(3, H, W) uint8 RGB of a picture's column."""
    picture = cv2.imdecode(np.frombuffer(cell["bytes"], np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).transpose(2, 0, 1)


def load(root):
    """info.json, and the table of all rows in the order of the files."""
    info = json.loads((root / "meta" / "info.json").read_text())
    return info, pq.read_table(root / "data")


def test_every_row_comes_back_bit_for_bit(tmp_path):
    folder = make_folder(tmp_path / "episodes", count=3, rows=20)
    info, table = load(write_lerobot(folder, tmp_path / "out"))
    episodes = [read_episode(file) for file in find_episodes(folder)]
    assert (info["codebase_version"], info["total_episodes"], info["total_frames"]) == ("v3.0", 3, 60)
    assert (info["fps"], info["splits"]) == (12.5, {"train": "0:3"})
    assert list(info["features"]) == table.column_names
    pictures = np.stack([pixels(cell) for cell in table["observation.images.rgb_front"].to_pylist()])
    assert np.array_equal(pictures, np.concatenate([episode.observations for episode in episodes]))
    for name, key in (
        ("action", "actions"),
        ("next.reward", "rewards"),
        ("next.done", "dones"),
        ("next.terminal", "terminals"),
        ("expert_action", "expert_actions"),
        ("stamp_ns", "stamps_ns"),
    ):
        expected = np.concatenate([getattr(episode, key) for episode in episodes])
        assert np.array_equal(np.array(table[name].to_pylist(), expected.dtype), expected), name
    speed = np.concatenate([episode.vector[:, 0] for episode in episodes])
    assert np.array_equal(np.float32(table["observation.state"].to_pylist()), speed)
    assert table["frame_index"].to_pylist() == [*range(20)] * 3
    assert table["episode_index"].to_pylist() == [0] * 20 + [1] * 20 + [2] * 20
    assert table["index"].to_pylist() == [*range(60)]
    # Row 3 of 12.5 Hz: 3 / 12.5 = 0.24 s.
    assert table["timestamp"].to_pylist()[23] == pytest.approx(0.24)


def test_the_columns_of_a_route_come_back_and_what_is_not_known_counts_in_no_statistics(tmp_path):
    episodes = [routed(seed=1), replace(routed(seed=2), vector=routed(seed=2).vector.copy())]
    episodes[1].vector[:, -1] = np.nan  # nowhere known in this episode
    for index, episode in enumerate(episodes):
        write_episode(tmp_path / "episodes" / f"episode_{index}.npz", episode)
    info, table = load(write_lerobot(tmp_path / "episodes", tmp_path / "out"))
    assert info["features"]["observation.state"]["names"] == ["speed", *ROUTE_INPUTS]
    found = np.array(table["observation.state"].to_pylist(), np.float32)
    np.testing.assert_array_equal(found, np.concatenate([episode.vector for episode in episodes]))
    stats = json.loads((tmp_path / "out" / "meta" / "stats.json").read_text())["observation.state"]
    np.testing.assert_allclose(stats["mean"], np.nanmean(found, axis=0), rtol=1e-4, atol=1e-4)


def test_the_episode_table_says_where_each_episode_is(tmp_path):
    folder = make_folder(tmp_path / "episodes", count=2, rows=15)
    root = write_lerobot(folder, tmp_path / "out", task="follow the road")
    rows = pq.read_table(root / "meta" / "episodes").to_pylist()
    assert [(row["dataset_from_index"], row["dataset_to_index"], row["length"]) for row in rows] == [
        (0, 15, 15),
        (15, 30, 15),
    ]
    assert [row["source_file"] for row in rows] == ["episode_000000.npz", "episode_000001.npz"]
    assert rows[0]["tasks"] == ["follow the road"]
    second = read_episode(folder / "episode_000001.npz")
    assert rows[1]["stats/action/mean"] == pytest.approx(second.actions.mean(0).tolist(), abs=1e-6)
    assert json.loads(rows[1]["source_meta"])["rate_hz"] == 12.5
    tasks = pq.read_table(root / "meta" / "tasks.parquet")
    assert tasks.to_pydict() == {"task_index": [0], "task": ["follow the road"]}
    assert json.loads(tasks.schema.metadata[b"pandas"])["index_columns"] == ["task"]


def test_a_file_that_would_get_too_large_is_followed_by_another(tmp_path):
    folder = make_folder(tmp_path / "episodes", count=4, rows=30)
    files = find_episodes(folder)
    root = tmp_path / "out"
    with DatasetWriter(root, Layout.of(files), "drive", data_file_mb=0.008) as writer:
        for file in files:
            writer.add(read_episode(file), file.name)
        writer.finish({"train": "0:4"})
    places = [row["data/file_index"] for row in pq.read_table(root / "meta" / "episodes").to_pylist()]
    assert places[0] == 0 and places[-1] > 0 and places == sorted(places)
    for episode, place in enumerate(places):
        table = pq.read_table(root / f"data/chunk-000/file-{place:03d}.parquet")
        assert table["episode_index"].to_pylist().count(episode) == 30
    assert load(root)[1]["index"].to_pylist() == [*range(120)]


def test_statistics_are_those_of_the_pixels_and_numbers():
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (20, 3, 8, 8), np.uint8)
    counts = PixelCounts()
    counts.add(pictures[:7])
    counts.add(pictures[7:])
    found = counts.statistics()
    share = pictures / 255.0
    assert np.allclose(np.ravel(found["mean"]), share.mean((0, 2, 3)))
    assert np.allclose(np.ravel(found["std"]), share.std((0, 2, 3)))
    assert np.allclose(np.ravel(found["min"]), share.min((0, 2, 3)))
    assert np.allclose(np.ravel(found["max"]), share.max((0, 2, 3)))
    quantiles = np.quantile(share, 0.9, axis=(0, 2, 3), method="inverted_cdf")
    assert np.allclose(np.ravel(found["q90"]), quantiles)
    assert found["count"] == [20]
    # NaN does not count: mean of 1 and 3 = 2.
    assert of_numbers(np.array([1.0, np.nan, 3.0]))["mean"] == [2.0]
    assert of_numbers(np.full((3, 2), np.nan)) is None


def test_two_cameras_masks_terms_and_splits_are_kept(tmp_path):
    rows = 12
    mask = np.ones((rows, 2), bool)
    mask[4, 1] = False
    terms = np.zeros((rows, 2), np.float32)
    terms[:, 1] = np.nan
    meta = {**META, "cameras": [{"name": "left"}, {"name": "right"}], "reward_terms": ["progress", "collision"]}
    for split, count in (("train", 2), ("val", 1)):
        for i in range(count):
            single = make_episode(rows, seed=i)
            both = np.concatenate([single.observations, 255 - single.observations], axis=1)
            episode = replace(single, observations=both, camera_mask=mask, reward_terms=terms, meta=meta)
            write_episode(tmp_path / "episodes" / split / f"{i}.npz", episode)
    root = write_lerobot(tmp_path / "episodes", tmp_path / "out")
    info, table = load(root)
    assert info["splits"] == {"train": "0:2", "val": "2:3"}
    assert info["features"]["next.reward_terms"]["names"] == ["progress", "collision"]
    assert np.array_equal(table["camera_mask"].to_pylist()[:rows], mask)
    assert np.array_equal(np.float32(table["next.reward_terms"].to_pylist()[:rows]), terms, equal_nan=True)
    left, right = (pixels(table[f"observation.images.{name}"][5].as_py()) for name in ("left", "right"))
    assert np.array_equal(left, 255 - right)
    # What is never known has no statistics: JSON has no NaN.
    text = (root / "meta" / "stats.json").read_text()
    assert "NaN" not in text and "next.reward_terms" not in json.loads(text)


def test_a_seed_file_with_four_keys_is_enough(tmp_path, capsys):
    episode = make_episode(10)
    folder = tmp_path / "episodes"
    folder.mkdir()
    np.savez_compressed(
        folder / "seed.npz",
        observations=episode.observations,
        actions=episode.actions,
        rewards=episode.rewards,
        dones=episode.dones,
    )
    info, table = load(write_lerobot(folder, tmp_path / "out"))
    assert "10 Hz is taken" in capsys.readouterr().err
    assert info["fps"] == 10
    assert not {"observation.state", "expert_action", "stamp_ns"} & set(table.column_names)
    assert np.array_equal(pixels(table["observation.images.camera_0"][3].as_py()), episode.observations[3])


def test_names_that_no_column_can_have_are_changed(tmp_path):
    meta = {**META, "cameras": [{"name": "front/\ud800"}], "vector": [{"name": 3}]}
    write_episode(tmp_path / "episodes" / "one.npz", replace(make_episode(10), meta=meta))
    info, table = load(write_lerobot(tmp_path / "episodes", tmp_path / "out"))
    assert "observation.images.front_?" in table.column_names
    assert info["features"]["observation.state"]["names"] == ["3"]


def test_the_same_episodes_give_the_same_bytes(tmp_path):
    folder = make_folder(tmp_path / "episodes", count=2, rows=10)
    first, second = write_lerobot(folder, tmp_path / "a"), write_lerobot(folder, tmp_path / "b")
    files = [file.relative_to(first) for file in sorted(first.rglob("*")) if file.is_file()]
    assert len(files) == 5
    for file in files:
        assert (first / file).read_bytes() == (second / file).read_bytes(), file


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"meta": {**META, "rate_hz": 10.0}}, "the rate 10"),
        ({"meta": {**META, "rate_hz": "fast"}}, "rate_hz of 'fast'"),
        ({"observations": np.zeros((10, 3, 32, 32), np.uint8)}, "picture size"),
        ({"vector": np.zeros((10, 2), np.float32)}, "vector inputs"),
        ({"actions": np.zeros((10, 2), np.float32)}, "actions of 2 numbers"),
    ],
)
def test_episodes_that_do_not_fit_together_are_refused_and_leave_nothing(tmp_path, change, words):
    folder = make_folder(tmp_path / "episodes", count=1, rows=10)
    write_episode(folder / "other.npz", replace(make_episode(10), **change))
    with pytest.raises(ConversionError, match=words):
        write_lerobot(folder, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["episodes"]


def test_rates_that_differ_as_cameras_do_are_one_dataset_at_their_median(tmp_path, capsys):
    folder = tmp_path / "episodes"
    for number, rate in enumerate((10.001, 9.975, 10.0)):
        episode = make_episode(10, seed=number)
        write_episode(folder / f"{number}.npz", replace(episode, meta={**META, "rate_hz": rate}))
    info, _ = load(write_lerobot(folder, tmp_path / "out"))
    assert info["fps"] == 10
    assert "the episodes are at 9.975 to 10.001 Hz, 10 Hz is used for all" in capsys.readouterr().err


def test_the_command_leaves_what_is_there_and_says_what_cannot_be_read(tmp_path, capsys):
    folder = make_folder(tmp_path / "episodes", count=2, rows=10)
    dest = tmp_path / "out"
    assert to_lerobot.main([str(folder), str(dest)]) == 0
    assert to_lerobot.main([str(folder), str(dest)]) == 1
    assert "exists already" in capsys.readouterr().err
    damaged = folder / "episode_000001.npz"
    damaged.write_bytes(damaged.read_bytes()[:5000])
    assert to_lerobot.main([str(folder), str(tmp_path / "other")]) == 1
    assert "truncated or damaged" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["episodes", "out"]


def test_a_file_of_several_drives_becomes_several_episodes(tmp_path):
    episode = make_episode(20, seed=1)
    dones = episode.dones.copy()
    dones[[4, 11]] = True
    write_episode(tmp_path / "train" / "a.npz", replace(episode, dones=dones))
    write_episode(tmp_path / "val" / "b.npz", make_episode(6, seed=2))
    info, table = load(write_lerobot(tmp_path, tmp_path / "out"))
    assert table["episode_index"].to_pylist() == [0] * 5 + [1] * 7 + [2] * 8 + [3] * 6
    assert table["frame_index"].to_pylist() == [*range(5), *range(7), *range(8), *range(6)]
    assert (info["total_episodes"], info["splits"]) == (4, {"train": "0:3", "val": "3:4"})


@pytest.mark.parametrize(
    "meta", [{"max_steer_deg": 25.0}, {"reward": "driving-1"}, {"vector": [{"name": "speed", "unit": "km/h"}]}]
)
def test_episodes_of_another_meaning_make_no_dataset(tmp_path, meta):
    folder = make_folder(tmp_path / "episodes", count=2, rows=10)
    episode = make_episode(10, seed=5)
    for name, told in (("a", {"max_steer_deg": 70.0}), ("b", {"max_steer_deg": 70.0, **meta})):
        write_episode(folder / f"{name}.npz", replace(episode, meta={**episode.meta, **told}))
    with pytest.raises(EpisodeError, match=f"{next(iter(meta)).split('_')[0]}"):
        write_lerobot(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()
