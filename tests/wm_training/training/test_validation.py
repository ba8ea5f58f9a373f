import numpy as np
import pytest
import torch
from make_episodes import make_episode
from tiny_training import tiny_config
from wm_data.episodes import write_episode
from wm_training import SequenceDataset, WorldModelTrainer
from wm_training.training.validation import chosen_windows, episode_batches, validate


def dataset(folder, rows: list[int], **changes) -> SequenceDataset:
    """Validation episodes of these lengths."""
    for i, length in enumerate(rows):
        for split in ("train", "val"):
            write_episode(folder / "data" / split / f"{i}.npz", make_episode(length, seed=i, size=32))
    config = tiny_config(folder, **changes)
    return SequenceDataset(config.data_path, config, "val")


def test_windows_lie_side_by_side_and_end_with_the_episode(tmp_path):
    data = dataset(tmp_path, [20, 8, 25], sequence_length=8, validation_frames=1000)
    assert chosen_windows(data, 1000) == {0: [4, 12], 1: [0], 2: [1, 9, 17]}
    ends = [batch.terminal[-1, -1] for _, batch in episode_batches(data, 1000) if len(batch.reward)]
    assert sum(ends) == 3


def test_no_more_frames_than_asked_for_and_spread_over_the_episodes(tmp_path):
    data = dataset(tmp_path, [80, 80, 80, 80], sequence_length=8)
    chosen = chosen_windows(data, 70)  # 70 frames hold 8 windows of 8
    assert sum(map(len, chosen.values())) == 8 and all(len(starts) == 2 for starts in chosen.values())
    assert chosen[0] == [16, 56]  # ten windows an episode, the middle of either half
    assert sum(map(len, chosen_windows(data, 1).values())) == 1


def test_episodes_shorter_than_a_window_are_left_out(tmp_path):
    data = dataset(tmp_path, [20, 5], sequence_length=8)
    assert set(chosen_windows(data, 1000)) == {0}


def test_every_episode_counts_the_same_however_long(tmp_path):
    data = dataset(tmp_path, [8, 80], batch_size=4, validation_frames=1000)
    sizes = []

    def forward(batch, noise):
        sizes.append(len(batch.reward))
        return {"reward": batch.reward.mean()}

    short, long = (np.abs(make_episode(rows, seed=i).actions[:, 0]).mean() for i, rows in enumerate((8, 80)))
    # ten windows in batches of 4, 4 and 2: means (4 a + 4 b + 2 c) / 10, then (short + long) / 2
    assert validate(forward, data)["reward"] == pytest.approx((short + long) / 2, rel=1e-5)
    assert sizes == [1, 4, 4, 2]


def test_validation_is_the_same_every_time_and_leaves_the_training_alone(tmp_path):
    trainer = WorldModelTrainer(tiny_config(tmp_path, latent="categorical", camera_dropout=0.5))
    first, second = trainer.validate(), trainer.validate()
    assert first == second and trainer.world_model.training
    assert torch.is_grad_enabled() and all(p.grad is None for p in trainer.trainable)


def test_the_total_has_the_whole_weight_of_the_kl_from_the_first_update_on(tmp_path):
    trainer = WorldModelTrainer(tiny_config(tmp_path, kl_weight=7.0, kl_anneal_steps=1000))
    found, config = trainer.validate(), trainer.config
    names = [name for name in found if "/" not in name and name != "total"]
    expected = sum(getattr(config, f"{name}_weight") * found[name] for name in names)
    assert "kl" in names and found["total"] == pytest.approx(expected) and found["kl"] * 7.0 > 1.0
