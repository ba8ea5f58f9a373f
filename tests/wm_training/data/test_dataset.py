import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from make_episodes import make_episode, make_folder
from wm_data.episodes import EpisodeError, write_episode
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.data.dataset import SequenceDataset, window

CONFIG = WorldModelTrainConfig(sequence_length=8, batch_size=4, validation_share=0.34)


def test_train_and_validation_share_no_episode_and_miss_none(tmp_path):
    make_folder(tmp_path, count=7)
    train, val = (set(SequenceDataset(tmp_path, CONFIG, split).files) for split in ("train", "val"))
    assert train and val and not train & val and len(train | val) == 7


def test_train_and_val_folders_are_used_where_they_exist(tmp_path):
    make_folder(tmp_path / "train", count=2)
    make_folder(tmp_path / "val", count=1)
    assert len(SequenceDataset(tmp_path, CONFIG, "train").files) == 2
    assert SequenceDataset(tmp_path, CONFIG, "val").files[0].parent.name == "val"


def test_order_is_a_function_of_seed_and_epoch_alone(tmp_path):
    make_folder(tmp_path)
    one, two = SequenceDataset(tmp_path, CONFIG), SequenceDataset(tmp_path, CONFIG)
    two.batch(0, 0)  # earlier calls leave no trace
    assert all((a == b).all() for a, b in zip(one.batch(3, 1), two.batch(3, 1), strict=True))
    assert not (one.batch(3, 1).action == one.batch(4, 1).action).all()
    other = SequenceDataset(tmp_path, replace(CONFIG, seed=1))
    assert not (one.batch(3, 1).action == other.batch(3, 1).action).all()


def test_a_window_is_aligned_as_the_drawing_says():
    episode = make_episode(20)
    rows = window(episode, 5, 4)
    np.testing.assert_array_equal(rows["image"], episode.observations[5:9])
    np.testing.assert_array_equal(rows["action"], episode.actions[5:9])
    np.testing.assert_array_equal(rows["previous_action"], episode.actions[4:8])
    np.testing.assert_array_equal(rows["reward"], episode.rewards[5:9])
    assert rows["is_first"].tolist() == [1, 0, 0, 0]
    assert window(episode, 0, 4)["previous_action"][0].tolist() == [0, 0, 0]
    assert window(episode, 16, 4)["terminal"].tolist() == [0, 0, 0, 1]


def test_an_impulse_of_steering_shows_in_the_next_picture():
    episode = make_episode(10)
    rows = window(episode, 0, 10)
    centre = (rows["image"][:, 0].astype(float).sum(1) @ np.arange(64)) / rows["image"][:, 0].astype(float).sum((1, 2))
    # The square moved between t and t + 1 by what a_t said: previous_action[t + 1], not action[t + 1].
    moved = np.diff(centre)
    assert np.corrcoef(moved, rows["previous_action"][1:, 0])[0, 1] > 0.95
    assert abs(np.corrcoef(moved, rows["action"][1:, 0])[0, 1]) < 0.9


def test_first_and_last_rows_are_drawn_about_as_often_as_others(tmp_path):
    write_episode(tmp_path / "e.npz", make_episode(40))
    data = SequenceDataset(tmp_path, replace(CONFIG, validation_share=0.0, batch_size=64), "train")
    terminals = sum(float(data.batch(0, i).terminal.sum()) for i in range(40))
    # 2560 windows of 8 rows over 40 rows: a row is in 512 on average, the last in half as many
    assert 170 < terminals < 1024


@pytest.mark.parametrize(
    "config, words",
    [
        (replace(CONFIG, sequence_length=41), "no episode .* has 41 rows, the longest has 40"),
        (replace(CONFIG, image_size=128), "image_size is 128"),
    ],
)
def test_data_that_does_not_fit_is_refused(tmp_path, config, words):
    make_folder(tmp_path)
    with pytest.raises(EpisodeError, match=words):
        SequenceDataset(tmp_path, config)


def test_episodes_of_another_rate_are_refused(tmp_path):
    make_folder(tmp_path)
    odd = make_episode(40)
    write_episode(tmp_path / "odd.npz", replace(odd, meta={**odd.meta, "rate_hz": 25.0}))
    with pytest.raises(EpisodeError, match="is at 25 Hz"):
        SequenceDataset(tmp_path, replace(CONFIG, validation_share=0.0))


def test_rows_without_a_label_are_marked():
    episode = make_episode(6)
    expert = episode.expert_actions.copy()
    expert[2] = np.nan
    rows = window(replace(episode, expert_actions=expert), 0, 6)
    assert rows["expert_weight"].tolist() == [1, 1, 0, 1, 1, 1] and np.isfinite(rows["expert"]).all()


def test_labels_weigh_so_that_the_mean_over_all_rows_is_that_over_labelled_ones(tmp_path):
    for i in range(2):  # one of two episodes has no labels: half of the rows
        episode = make_episode(40, seed=i)
        expert = episode.expert_actions if i else np.full_like(episode.expert_actions, np.nan)
        write_episode(tmp_path / f"{i}.npz", replace(episode, expert_actions=expert))
    data = SequenceDataset(tmp_path, replace(CONFIG, validation_share=0.0, batch_size=64))
    assert set(data.batch(0, 0).expert_weight.unique().tolist()) == {0.0, 2.0}


def test_a_processs_share_is_that_part_of_the_whole_batch(tmp_path):
    make_folder(tmp_path)
    data = SequenceDataset(tmp_path, CONFIG)
    whole, share = data.batch(2, 1), data.batch(2, 1, slice(2, 4))
    assert all((a[2:4] == b).all() for a, b in zip(whole, share, strict=True))


def test_a_missing_camera_is_marked_and_others_are_there(tmp_path):
    episode = make_episode(12)
    two = np.concatenate([episode.observations] * 2, axis=1)
    mask = np.ones((12, 2), bool)
    mask[3, 1] = False
    write_episode(tmp_path / "0.npz", replace(episode, observations=two, camera_mask=mask))
    write_episode(tmp_path / "1.npz", replace(episode, observations=two))
    data = SequenceDataset(tmp_path, replace(CONFIG, validation_share=0.0, num_cameras=2))
    marked, whole = (window(e, 0, 12)["camera_mask"] for e in data.episodes)
    assert marked.tolist() == mask.astype(float).tolist() and whole.all()


def test_another_number_of_cameras_than_the_configuration_says_is_refused(tmp_path):
    make_folder(tmp_path)
    with pytest.raises(EpisodeError, match=r"has 1 camera\(s\), expected 6: set num_cameras"):
        SequenceDataset(tmp_path, replace(CONFIG, num_cameras=6))


EPOCH_WITH_LITTLE_MEMORY = """
import resource, sys
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.data.dataset import SequenceDataset

config = WorldModelTrainConfig(batch_size=4, sequence_length=10, validation_share=0.0, data_path=sys.argv[1])
SequenceDataset(sys.argv[1], config).batch(0, 0)  # loads what is loaded late
now = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmData")) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (now + int(sys.argv[2]), now + int(sys.argv[2])))
data = SequenceDataset(sys.argv[1], config)
for index in range(data.batches()):
    data.batch(1, index)
print("rows", data.rows)
try:
    bytearray(2 * int(sys.argv[2]))
except MemoryError:
    print("limited")
"""


def test_an_epoch_goes_over_data_four_times_the_memory_the_process_may_have(tmp_path):
    limit = 24 << 20
    rows = 500
    while sum(file.stat().st_size for file in tmp_path.glob("*.npz")) < 4 * limit:
        number = len(list(tmp_path.glob("*.npz")))
        write_episode(tmp_path / f"episode_{number:06d}.npz", make_episode(rows=rows, size=64, seed=number))
    count = len(list(tmp_path.glob("*.npz")))
    command = [sys.executable, "-c", EPOCH_WITH_LITTLE_MEMORY, str(tmp_path), str(limit)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)
    assert done.stdout.split() == ["rows", str(count * rows), "limited"], done.stderr


def test_rates_that_differ_as_cameras_do_go_together_and_others_do_not(tmp_path):
    for number, rate in enumerate((9.66, 9.68, 9.7)):
        episode = make_episode(rows=20, seed=number)
        write_episode(tmp_path / f"{number}.npz", replace(episode, meta={**episode.meta, "rate_hz": rate}))
    config = WorldModelTrainConfig(sequence_length=10, validation_share=0.0, image_size=episode.observations.shape[-1])
    assert SequenceDataset(tmp_path, config).rows == 60
    write_episode(tmp_path / "3.npz", replace(episode, meta={**episode.meta, "rate_hz": 12.5}))
    with pytest.raises(EpisodeError, match="3.npz is at 12.5 Hz, .*0.npz is at 9.66 Hz"):
        SequenceDataset(tmp_path, config)
