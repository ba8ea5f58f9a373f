import dataclasses
import json
import os
import subprocess
import sys

import make_episodes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_episodes import make_episode
from wm_data.episodes import Episode, EpisodeError, find_episodes, read_episode, read_meta, write_episode

KEYS = ("observations", "actions", "rewards", "dones", "terminals", "vector", "expert_actions", "stamps_ns")


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(1, 9), channels=st.sampled_from([3, 6]), inputs=st.integers(0, 3), seed=st.integers(0, 99))
def test_what_is_written_is_read(tmp_path_factory, rows, channels, inputs, seed):
    random = np.random.default_rng(seed)
    episode = Episode(
        observations=random.integers(0, 256, (rows, channels, 8, 8), dtype=np.uint8),
        actions=random.random((rows, 3), dtype=np.float32),
        rewards=random.random(rows, dtype=np.float32),
        dones=random.random(rows) < 0.5,
        terminals=random.random(rows) < 0.5,
        vector=random.random((rows, inputs), dtype=np.float32),
        expert_actions=np.full((rows, 3), np.nan, np.float32),
        stamps_ns=random.integers(0, 2**60, rows),
        camera_mask=random.random((rows, channels // 3)) < 0.5,
        meta={"note": "ü", "seed": seed},
    )
    back = read_episode(write_episode(tmp_path_factory.mktemp("e") / "e.npz", episode))
    for key in (*KEYS, "camera_mask"):
        np.testing.assert_array_equal(getattr(back, key), getattr(episode, key))
    assert back.meta == {**episode.meta, "format_version": 1}


def test_numpy_reads_the_file_without_pickle_and_pictures_are_mapped_not_loaded(tmp_path):
    file = write_episode(tmp_path / "e.npz", make_episode(20))
    with np.load(file, allow_pickle=False) as arrays:
        assert set(arrays.files) == {*KEYS, "meta"}
        assert json.loads(str(arrays["meta"]))["rate_hz"] == 12.5
    observations = read_episode(file).observations
    assert isinstance(observations.base, np.memmap) and not observations.flags.writeable


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_file_with_only_the_four_seed_keys_loads(tmp_path, save):
    full = make_episode(7)
    four = {key: getattr(full, key) for key in KEYS[:4]}
    save(tmp_path / "e.npz", **four, allow_pickle=False)
    episode = read_episode(tmp_path / "e.npz")
    np.testing.assert_array_equal(episode.observations, full.observations)
    np.testing.assert_array_equal(episode.terminals, full.dones)
    assert episode.vector.shape == (7, 0) and np.isnan(episode.expert_actions).all()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.999])
def test_a_truncated_file_is_refused_by_name(tmp_path, share):
    file = write_episode(tmp_path / "e.npz", make_episode(20))
    os.truncate(file, int(file.stat().st_size * share))
    with pytest.raises(EpisodeError, match="e.npz is truncated or damaged"):
        read_episode(file)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"rewards": ...}, "lacks rewards"),
        ({"rewards": np.zeros(3, np.float32)}, "rewards has 3 rows, actions has 7"),
        ({"observations": np.zeros((7, 3, 8, 8), np.float32)}, "observations is float32"),
        ({"actions": np.full((7, 3), np.nan, np.float32)}, "actions holds numbers that are not finite"),
        ({"actions": np.array([None] * 7)}, "damaged"),
    ],
)
def test_a_wrong_member_is_refused_with_the_reason(tmp_path, change, words):
    members = {**{key: getattr(make_episode(7), key) for key in KEYS}, **change}
    np.savez(tmp_path / "e.npz", **{key: value for key, value in members.items() if value is not ...})
    with pytest.raises(EpisodeError, match=words):
        read_episode(tmp_path / "e.npz")


def test_a_bad_episode_leaves_no_file(tmp_path):
    episode = make_episode(5)
    bad = Episode(**{**{key: getattr(episode, key) for key in KEYS}, "rewards": np.zeros(4, np.float32)})
    with pytest.raises(EpisodeError):
        write_episode(tmp_path / "e.npz", bad)
    assert list(tmp_path.iterdir()) == []


def test_a_writer_killed_in_the_middle_leaves_no_half_episode(tmp_path):
    script = (
        "import sys, numpy as np; sys.path.insert(0, sys.argv[2]);"
        "from make_episodes import make_episode; from wm_data.episodes import write_episode;"
        "big = make_episode(4000); print('go', flush=True);"
        "[write_episode(sys.argv[1] + '/e.npz', big) for _ in range(100)]"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    folder = os.path.dirname(make_episodes.__file__)
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), folder], stdout=subprocess.PIPE, env=environment
    )
    process.stdout.readline()
    try:
        process.wait(0.15)
    except subprocess.TimeoutExpired:
        process.kill()
    process.wait()
    for file in tmp_path.glob("*.npz"):
        assert len(read_episode(file)) == 4000


def test_folders_without_episodes_are_told_apart(tmp_path):
    with pytest.raises(EpisodeError, match="holds no"):
        find_episodes(tmp_path)
    with pytest.raises(EpisodeError, match="no folder"):
        find_episodes(tmp_path / "missing")
    (tmp_path / "file").write_text("")
    with pytest.raises(EpisodeError, match="is a file"):
        find_episodes(tmp_path / "file")


def test_a_camera_mask_that_does_not_fit_the_pictures_is_refused(tmp_path):
    with pytest.raises(EpisodeError, match=r"camera_mask has shape \(6, 2\), expected \(6, 1\)"):
        write_episode(tmp_path / "e.npz", dataclasses.replace(make_episode(6), camera_mask=np.ones((6, 2), bool)))


def test_a_meta_that_is_no_object_is_refused(tmp_path):
    episode = make_episode(4)
    four = {key: getattr(episode, key) for key in KEYS[:4]}
    np.savez(tmp_path / "e.npz", **four, meta=np.array("[1]"))
    with pytest.raises(EpisodeError, match="a JSON list, expected an object"):
        read_episode(tmp_path / "e.npz")


def test_a_named_pipe_among_the_episodes_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(EpisodeError, match="named pipe"):
        read_episode(tmp_path / "pipe.npz")
    assert read_meta(tmp_path / "pipe.npz") == {}
