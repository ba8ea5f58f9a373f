"""Recorded and imagined episodes together: the ratio, and imagined ones never validate."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from make_episodes import META, make_episode, make_folder
from tiny_clones import SMALL
from wm_data.episodes import EpisodeError, write_episode
from wm_data.imagined import drive_hash
from wm_data.splits import split_files
from wm_training.commands.clone import main as clone
from wm_training.commands.train import main as train
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.data.dataset import SequenceDataset
from wm_training.data.mixing import EpisodeWindows, mix

WHITE = 255
CONFIG = WorldModelTrainConfig(batch_size=64, sequence_length=8, validation_share=0.25)


def imagined(source_seed: int = 0, rows: int = 30, labelled: bool = True):
    """A white imagined episode that began from ``make_episode(40, source_seed)``."""
    episode = make_episode(rows, seed=100 + source_seed)
    told = {"source_hash": drive_hash(make_episode(40, seed=source_seed))}
    labels = episode.expert_actions if labelled else np.full((rows, 3), np.nan, np.float32)
    return replace(
        episode,
        observations=np.full_like(episode.observations, WHITE),
        expert_actions=labels,
        meta={**META, "imagined": True, "imagination": told},
    )


def folders(tmp_path, sources=(0, 1, 2), **how):
    """Four recorded episodes, the last of which validates, and imagined ones of some of them."""
    recorded = make_folder(tmp_path / "recorded", count=4)
    for seed in sources:
        write_episode(tmp_path / "imagined" / f"{seed}.npz", imagined(seed, **how))
    return recorded, replace(CONFIG, imagined_path=str(tmp_path / "imagined"))


def share_of_white(data: SequenceDataset) -> float:
    pictures = torch.cat([data.batch(0, i).image[:, 0].flatten(1) for i in range(20)])
    return float((pictures == WHITE).all(1).float().mean())


@pytest.mark.parametrize("share", [0.2, 0.7, 1.0])
def test_the_share_of_imagined_sequences_is_what_was_asked_for_and_an_epoch_is_as_long_as_without(tmp_path, share):
    recorded, config = folders(tmp_path)
    data = SequenceDataset(recorded, replace(config, imagined_share=share))
    # 20 · 64 = 1280 draws: a standard deviation of at most 0.014.
    assert share_of_white(data) == pytest.approx(share, abs=0.06)
    plain = SequenceDataset(recorded, CONFIG)
    assert data.imagined == 3 and data.batches() == plain.batches()
    np.testing.assert_array_equal(data.vector_statistics(), plain.vector_statistics())


def test_with_a_share_of_zero_the_batches_are_those_without(tmp_path):
    recorded, config = folders(tmp_path)
    one, two = SequenceDataset(recorded, CONFIG), SequenceDataset(recorded, replace(config, imagined_share=0.0))
    assert torch.equal(one.batch(3, 1).image, two.batch(3, 1).image)


def test_the_weight_of_labels_makes_up_for_imagined_rows_without(tmp_path):
    recorded, config = folders(tmp_path, labelled=False)
    data = SequenceDataset(recorded, replace(config, imagined_share=0.75))
    assert data.label_weight == pytest.approx(4.0)  # a quarter of the rows that are drawn has a label
    assert SequenceDataset(recorded, CONFIG).label_weight == 1.0


def test_imagined_episodes_do_not_validate_and_neither_does_what_they_began_from_train(tmp_path):
    recorded, config = folders(tmp_path, sources=(0, 3))  # episode 3 validates
    assert [file.name for file in SequenceDataset(recorded, config, "val").files] == ["episode_000003.npz"]
    train = SequenceDataset(recorded, config)
    assert [file.name for file in train.files[3:]] == ["0.npz"] and train.imagined == 1
    (tmp_path / "imagined" / "0.npz").unlink()
    with pytest.raises(EpisodeError, match="has 1 episode, and none but of what was imagined"):
        SequenceDataset(recorded, config)


def test_in_one_folder_with_recorded_ones_imagined_episodes_change_no_split(tmp_path):
    recorded = make_folder(tmp_path, count=4)
    before = {split: split_files(recorded, 0.25, split) for split in ("train", "val")}
    for seed in range(4):
        write_episode(tmp_path / f"a_{seed}.npz", imagined(seed))
    assert split_files(recorded, 0.25, "val") == before["val"]
    added = {*split_files(recorded, 0.25, "train")} - {*before["train"]}
    assert {file.name for file in added} == {"a_0.npz", "a_1.npz", "a_2.npz"}, "3 validates"
    assert len(split_files(recorded, 0.0, "train")) == 8


def test_an_imagined_episode_in_a_folder_for_validation_is_refused(tmp_path):
    make_folder(tmp_path / "train")
    write_episode(tmp_path / "val" / "dream.npz", imagined())
    assert len(SequenceDataset(tmp_path, CONFIG).files) == 3
    for kind in (lambda: SequenceDataset(tmp_path, CONFIG, "val"), lambda: EpisodeWindows(tmp_path, 8, "val")):
        with pytest.raises(EpisodeError, match=r"dream\.npz was imagined .* move it"):
            kind()


def test_recorded_episodes_are_not_taken_for_imagined_ones(tmp_path):
    recorded, config = folders(tmp_path)
    make_folder(tmp_path / "imagined", count=1)
    with pytest.raises(EpisodeError, match="does not say that it was imagined"):
        SequenceDataset(recorded, config)
    with pytest.raises(ValueError, match="does not say that it was imagined"):
        mix(EpisodeWindows(recorded, 8), EpisodeWindows(tmp_path / "imagined", 8))


def test_for_other_trainers_both_are_one_torch_dataset_with_a_sampler(tmp_path):
    recorded, _ = folders(tmp_path, sources=(0, 1, 3))
    real, dreamt = EpisodeWindows(recorded, 8, validation_share=0.25), EpisodeWindows(tmp_path / "imagined", 8)
    assert len(real) == 3 * 33 and len(dreamt) == 3 * 23
    data, sampler = mix(real, dreamt, imagined_share=0.25, seed=1)
    assert len(dreamt) == 2 * 23, "what was imagined from the episode that validates is gone"
    drawn = Counter(data[i]["imagined"] for _ in range(20) for i in sampler)
    assert drawn.total() == 20 * 99 and drawn[True] / drawn.total() == pytest.approx(0.25, abs=0.05)
    batch = next(iter(torch.utils.data.DataLoader(data, batch_size=4, sampler=sampler)))
    assert batch["image"].shape == (4, 8, 3, 64, 64) and batch["expert_action"].shape == (4, 8, 3)
    white = (batch["image"] == WHITE).flatten(1).all(1)
    assert torch.equal(white, batch["imagined"])
    with pytest.raises(ValueError, match="imagined episodes only train"):
        mix(EpisodeWindows(recorded, 8, "val"), dreamt)


def test_the_command_lines_of_clone_and_train_take_imagined_episodes_and_tell_so(tmp_path, capsys):
    recorded, config = folders(tmp_path)
    both = ["--data-path", str(recorded), "--imagined-path", config.imagined_path, "--validation-share", "0.25"]
    output = ["--output", str(tmp_path / "clone.onnx"), "--num-epochs", "1", "--batch-size", "8"]
    assert clone([*both, *SMALL, *output]) == 0
    summary = json.loads((tmp_path / "clone.training" / "summary.json").read_text())
    assert summary["data"]["imagined_episodes"] == 3 and summary["data"]["training_episodes"] == 6
    assert summary["config"]["imagined_path"] == "imagined", "the name alone: policies are given away"
    assert "(3 imagined)" in capsys.readouterr().err
    write_episode(tmp_path / "imagined" / "1.npz", imagined(1, rows=35))
    assert clone([*both, *SMALL, *output]) == 1
    assert "have changed since it began" in capsys.readouterr().err
    assert train(["--preset", "debug", *both, "--output-dir", str(tmp_path / "run"), "--dry-run"]) == 0
    assert "3 of the training episodes are imagined and give 50% of the sequences" in capsys.readouterr().err
