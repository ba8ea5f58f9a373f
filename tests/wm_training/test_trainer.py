import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from make_episodes import make_episode, make_folder
from wm_training import SequenceDataset, WorldModelTrainConfig, WorldModelTrainer, load_world_model
from wm_training.trainer import TrainingError, read_checkpoint


def config(folder, **changes) -> WorldModelTrainConfig:
    data = folder / "data"
    if not data.exists():
        make_folder(data, count=4, rows=40)
    base = WorldModelTrainConfig(
        state_dim=16, latent_dim=4, hidden_dim=16, conv_depth=4, return_bins=9, batch_size=4, sequence_length=8,
        num_epochs=2, warmup_steps=2, kl_anneal_steps=4, learning_rate=1e-3, validation_share=0.25, threads=1,
        data_path=str(data), output_dir=str(folder / "out"),
    )  # fmt: skip
    return replace(base, **changes)


def weights(trainer) -> dict:
    return {name: tensor.clone() for name, tensor in trainer.world_model.state_dict().items()}


def same(one: dict, two: dict) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_the_seeds_way_of_using_it(tmp_path):
    settings = config(tmp_path)
    assert len(SequenceDataset(settings.data_path, settings, split="train").files) == 3
    assert len(SequenceDataset(settings.data_path, settings, split="val").files) == 1
    trainer = WorldModelTrainer(settings)
    assert sum(p.numel() for p in trainer.world_model.parameters()) > 0
    assert sum(p.numel() for p in trainer.reward_predictor.parameters()) > 0
    trainer.train()
    again = WorldModelTrainer(settings)
    again.load_checkpoint(tmp_path / "out" / "checkpoint_epoch_2.pt")
    assert again.step == trainer.step and same(weights(again), weights(trainer))


def test_training_lowers_the_losses(tmp_path):
    trainer = WorldModelTrainer(config(tmp_path, num_epochs=25, learning_rate=3e-3))
    before = trainer.validate()
    trainer.train()
    after = trainer.validate()
    assert after["reconstruction"] < 0.7 * before["reconstruction"]
    assert after["actor"] < before["actor"]


def test_episodes_with_only_the_seeds_four_keys_train(tmp_path):
    (tmp_path / "data").mkdir()
    for i in range(2):
        episode = make_episode(20, seed=i)
        four = {key: getattr(episode, key) for key in ("observations", "actions", "rewards", "dones")}
        np.savez_compressed(tmp_path / "data" / f"{i}.npz", **four)
    trainer = WorldModelTrainer(config(tmp_path, num_epochs=1, latent="categorical", num_categories=4))
    trainer.train()
    assert all(torch.isfinite(tensor).all() for tensor in weights(trainer).values())


def test_same_seed_same_weights_other_seed_other_weights(tmp_path):
    runs = []
    for seed in (5, 5, 6):
        trainer = WorldModelTrainer(config(tmp_path, seed=seed))
        trainer.train()
        runs.append(weights(trainer))
    assert same(runs[0], runs[1]) and not same(runs[0], runs[2])


def test_a_resumed_run_has_the_weights_of_one_never_stopped(tmp_path):
    whole = WorldModelTrainer(config(tmp_path, num_epochs=4))
    whole.train()
    # Stopped in the middle of an epoch, by the signal a scheduler sends.
    part = WorldModelTrainer(config(tmp_path, num_epochs=4, output_dir=str(tmp_path / "part")))
    update, stop_after = part._update, part.steps_per_epoch + 1

    def update_then_stop(batch, total):
        metrics = update(batch, total)
        if part.step + 1 == stop_after:
            os.kill(os.getpid(), signal.SIGTERM)
        return metrics

    part._update = update_then_stop
    part.train()
    assert part.stopped_early and part.step == stop_after
    rest = WorldModelTrainer(config(tmp_path, num_epochs=4, output_dir=str(tmp_path / "part")))
    rest.load_checkpoint(tmp_path / "part" / "last.pt")
    rest.train()
    assert same(weights(whole), weights(rest))


def test_a_killed_run_leaves_whole_checkpoints_and_continues(tmp_path):
    settings = config(tmp_path)
    flags = ["--data-path", settings.data_path, "--output-dir", settings.output_dir, "--num-epochs", "100000",
             "--state-dim", "16", "--latent-dim", "4", "--hidden-dim", "16", "--conv-depth", "4", "--batch-size", "4",
             "--sequence-length", "8", "--threads", "1", "--return-bins", "9"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "wm_training.train", *flags]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (tmp_path / "out" / "checkpoint_epoch_2.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    checkpoints = list((tmp_path / "out").glob("checkpoint_epoch_*.pt"))
    assert checkpoints
    for file in [*checkpoints, tmp_path / "out" / "best_model.pt"]:
        assert read_checkpoint(file)["step"] > 0


def test_only_the_newest_checkpoints_are_kept_and_metrics_are_written(tmp_path):
    trainer = WorldModelTrainer(config(tmp_path, num_epochs=5, keep_checkpoints=2))
    trainer.train()
    names = sorted(file.name for file in (tmp_path / "out").iterdir())
    expected = ["best_model.pt", "checkpoint_epoch_4.pt", "checkpoint_epoch_5.pt", "config.json", "last.pt"]
    assert names == sorted([*expected, "metrics.csv"])
    assert len((tmp_path / "out" / "metrics.csv").read_text().splitlines()) == 1 + 5


def test_unusable_checkpoints_are_refused(tmp_path):
    trainer = WorldModelTrainer(config(tmp_path))
    trainer.output.mkdir()
    trainer.save_checkpoint(tmp_path / "whole.pt")
    other = WorldModelTrainer(config(tmp_path, hidden_dim=24))
    with pytest.raises(TrainingError, match="another model"):
        other.load_checkpoint(tmp_path / "whole.pt")
    os.truncate(tmp_path / "whole.pt", 1000)
    with pytest.raises(TrainingError, match="damaged"):
        trainer.load_checkpoint(tmp_path / "whole.pt")
    with pytest.raises(TrainingError, match="no checkpoint"):
        trainer.load_checkpoint(tmp_path / "none.pt")
    torch.save({"surprise": 1}, tmp_path / "foreign.pt")
    with pytest.raises(TrainingError, match="not of version"):
        load_world_model(tmp_path / "foreign.pt")


def test_a_gradient_that_is_not_finite_stops_the_run(tmp_path):
    trainer = WorldModelTrainer(config(tmp_path))
    with torch.no_grad():
        trainer.world_model.reward.net[0].weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match="not finite at update 0"):
        trainer.train()


def test_a_device_that_is_not_there_is_refused(tmp_path):
    if not torch.cuda.is_available():
        with pytest.raises(TrainingError, match="finds no GPU"):
            WorldModelTrainer(config(tmp_path, device="cuda"))
    with pytest.raises(TrainingError, match="expected auto"):
        WorldModelTrainer(config(tmp_path, device="abacus"))
