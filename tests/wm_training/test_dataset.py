from dataclasses import replace

import numpy as np
import pytest
from make_episodes import make_episode, make_folder
from wm_training.config import WorldModelTrainConfig
from wm_training.dataset import SequenceDataset, window
from wm_training.episodes import EpisodeError, write_episode

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
    with pytest.raises(EpisodeError, match="25.0 Hz"):
        SequenceDataset(tmp_path, replace(CONFIG, validation_share=0.0))


def test_rows_without_a_label_are_marked():
    episode = make_episode(6)
    expert = episode.expert_actions.copy()
    expert[2] = np.nan
    rows = window(replace(episode, expert_actions=expert), 0, 6)
    assert rows["expert_known"].tolist() == [1, 1, 0, 1, 1, 1] and np.isfinite(rows["expert"]).all()
