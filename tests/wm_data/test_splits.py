"""Which drives validate: whole ones, the same ones every time, and about as many as were asked for."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_episodes import make_episode
from wm_data.episodes import Episode, drives_in, read_episode, write_episode
from wm_data.imagined import drive_hash
from wm_data.splits import drives_of, name_of_drive, split_files

CONVERTED = {"converter_version": 1}


def put(folder, name: str, **meta):
    """A file that tells its meta and nothing else, which is all that a split looks at."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / name, meta=np.array(json.dumps(meta)))
    return folder / f"{name}.npz"


def split(folder, share=0.1):
    return tuple(split_files(folder, share, name) for name in ("train", "val"))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("splits")


@settings(max_examples=40)
@given(pieces=st.lists(st.integers(1, 6), min_size=1, max_size=12), share=st.sampled_from([0.1, 0.25, 0.34, 0.5, 0.9]))
def test_no_drive_is_torn_and_no_more_than_the_share_validates_where_there_are_enough(scratch, pieces, share):
    folder = scratch / f"{'-'.join(map(str, pieces))}"
    drives = [[f"drive_{i:02d}_{k:03d}" for k in range(count)] for i, count in enumerate(pieces)]
    for i, names in enumerate(drives):
        for name in names:
            if not (folder / f"{name}.npz").exists():
                put(folder, name, **(CONVERTED if i % 2 else {"drive": f"drive {i}"}))
    train, val = ({file.stem for file in files} for files in split(folder, share))
    assert not train & val and train | val == {name for names in drives for name in names}
    validating = [names for names in drives if {*names} & val]
    assert all({*names} <= val for names in validating), "a drive is torn"
    assert bool(val) == (len(pieces) > 1) and train
    if len(validating) > 1:
        assert len(val) <= max(share, 0.5) * sum(pieces) and len(validating) <= max(share, 0.5) * len(pieces)


def test_of_single_files_every_tenth_validates_and_stays_when_others_follow(tmp_path):
    for i in range(10):
        put(tmp_path, f"episode_{i:06d}")
    assert [file.stem for file in split(tmp_path)[1]] == ["episode_000009"]
    for i in range(10, 25):
        put(tmp_path, f"episode_{i:06d}")
    assert [file.stem for file in split(tmp_path)[1]] == ["episode_000009", "episode_000019"]


@pytest.mark.parametrize(
    "pieces, validating",
    [
        ([5], []),  # one drive: it trains
        ([5, 1], ["drive_1"]),
        ([1, 5], ["drive_0"]),  # the small one, though the large one is the last
        ([2, 2, 2], ["drive_2"]),
        ([1] * 9 + [50, 1], ["drive_a"]),  # the tenth would be most of all; the next one is not
    ],
)
def test_few_and_uneven_drives_are_split_sensibly(tmp_path, pieces, validating):
    for i, count in enumerate(pieces):
        for k in range(count):
            put(tmp_path, f"drive_{i:x}_{k:03d}", **CONVERTED)
    assert sorted({file.stem[:-4] for file in split(tmp_path)[1]}) == validating


def test_what_is_one_drive(tmp_path):
    files = [
        put(tmp_path, "bag_000", **CONVERTED),
        put(tmp_path, "bag_001", **CONVERTED),
        put(tmp_path, "bag_1000", **CONVERTED),
        put(tmp_path, "other_000"),  # not of `convert`: names alone say nothing
        put(tmp_path, "other_001"),
        put(tmp_path, "scene-0001_000", log="n008", drive="scene-0001"),
        put(tmp_path, "scene-0002_000", log="n008", drive="scene-0002"),  # twenty seconds later on the same drive
        put(tmp_path, "renamed", drive="kitti 9"),
        put(tmp_path, "zz", drive="kitti 9"),
    ]
    found = [[file.stem for file in drive] for drive in drives_of(files)]
    assert found == [
        ["bag_000", "bag_001", "bag_1000"],
        ["other_000"],
        ["other_001"],
        ["renamed", "zz"],
        ["scene-0001_000", "scene-0002_000"],
    ]
    assert name_of_drive(files[:3]) == "bag_000 (and 2 more of this drive)" and name_of_drive(files[3:4]) == "other_000"


def test_what_was_imagined_from_a_piece_of_a_drive_that_validates_is_in_neither_split(tmp_path):
    for i, name in enumerate(("a_000", "b_000", "b_001")):
        episode = make_episode(8, seed=i, size=32)
        write_episode(tmp_path / f"{name}.npz", replace_meta(episode, **CONVERTED))
        told = {"imagined": True, "imagination": {"source_hash": drive_hash(episode)}}
        write_episode(tmp_path / f"dream_{i}.npz", replace_meta(make_episode(8, seed=9 + i, size=32), **told))
    train, val = ([file.stem for file in files] for files in split(tmp_path, 0.5))
    assert val == ["a_000"] and train == ["b_000", "b_001", "dream_1", "dream_2"]


def test_what_was_imagined_from_a_drive_in_val_does_not_train_either(tmp_path):
    kept, held_out = make_episode(8, seed=0, size=32), make_episode(8, seed=1, size=32)
    write_episode(tmp_path / "train" / "a.npz", kept)
    write_episode(tmp_path / "val" / "b.npz", held_out)
    for name, source in (("good", kept), ("leak", held_out)):
        told = {"imagined": True, "imagination": {"source_hash": drive_hash(source)}}
        write_episode(tmp_path / "train" / f"{name}.npz", replace_meta(make_episode(8, seed=5, size=32), **told))
    assert [file.stem for file in split(tmp_path)[0]] == ["a", "good"]
    assert [file.stem for file in split(tmp_path, 0.0)[0]] == ["a", "good", "leak"]


def test_a_file_of_several_drives_is_taken_apart_row_by_row(tmp_path):
    episode = make_episode(12, size=32)
    dones = episode.dones.copy()
    dones[[0, 4]] = True
    write_episode(tmp_path / "e.npz", Episode(**vars(episode) | {"dones": dones}))
    whole = read_episode(tmp_path / "e.npz")
    parts = list(drives_in(whole))
    assert [(row, len(part)) for row, part in parts] == [(0, 1), (1, 4), (5, 7)]
    for name in ("observations", "actions", "rewards", "dones", "terminals", "vector", "expert_actions", "stamps_ns"):
        joined = np.concatenate([getattr(part, name) for _, part in parts])
        np.testing.assert_array_equal(joined, getattr(whole, name))
    assert all(part.dones.tolist() == [False] * (len(part) - 1) + [True] for _, part in parts)
    assert [(row, len(part)) for row, part in drives_in(make_episode(5, size=32))] == [(0, 5)]


def replace_meta(episode: Episode, **meta) -> Episode:
    return Episode(**vars(episode) | {"meta": episode.meta | meta})


def test_copies_of_a_drive_are_one_drive_whatever_they_are_called(tmp_path):
    for i in range(4):
        write_episode(tmp_path / f"a_{i}.npz", make_episode(12, seed=i, size=8))
        episode = replace_meta(read_episode(tmp_path / f"a_{i}.npz"), copied="by hand")
        write_episode(tmp_path / f"z_{i}.npz", episode)
    train, val = split(tmp_path, 0.3)
    assert {file.stem[2:] for file in val} & {file.stem[2:] for file in train} == set()
    assert len(val) == 2 and len(drives_of([*train, *val])) == 4
