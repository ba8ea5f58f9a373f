import os

import pytest
import torch
from tiny_training import largest_difference, same, state, tiny_config
from wm_training import WorldModelTrainer
from wm_training.errors import TrainingError
from wm_training.training.checkpoints import prune, read_checkpoint, read_world_model, write_checkpoint


@pytest.fixture
def trainer(tmp_path) -> WorldModelTrainer:
    """After two updates."""
    trainer = WorldModelTrainer(tiny_config(tmp_path))
    for step in range(2):
        trainer.learner.update(trainer.sample(step))
    trainer.step = 2
    return trainer


def test_a_checkpoint_gives_back_the_model_and_the_optimiser(trainer, tmp_path):
    trainer.save_checkpoint(tmp_path / "whole.pt")
    again = WorldModelTrainer(trainer.config)
    again.load_checkpoint(tmp_path / "whole.pt")
    assert again.step == 2 and same(state(again), state(trainer))
    model, payload = read_world_model(tmp_path / "whole.pt")
    assert not model.training and payload["step"] == 2 and model.config == trainer.config
    assert same(model.state_dict(), trainer.world_model.state_dict())


def test_a_checkpoint_is_readable_without_running_code_from_it(trainer, tmp_path):
    trainer.save_checkpoint(tmp_path / "whole.pt")
    payload = torch.load(tmp_path / "whole.pt", weights_only=True)
    assert payload["config"]["state_dim"] == 16

    class Surprise:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "ran"),))

    torch.save({"version": 3, "model": Surprise()}, tmp_path / "evil.pt")
    with pytest.raises(TrainingError, match="not a checkpoint of this project"):
        read_checkpoint(tmp_path / "evil.pt")
    assert not (tmp_path / "ran").exists()


def test_a_write_that_fails_leaves_the_old_checkpoint(trainer, tmp_path, monkeypatch):
    trainer.save_checkpoint(tmp_path / "last.pt")

    def half(payload, path):
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(OSError, match="disk full"):
        trainer.save_checkpoint(tmp_path / "last.pt")
    assert read_checkpoint(tmp_path / "last.pt")["step"] == 2
    assert sorted(file.name for file in tmp_path.iterdir()) == ["data", "last.pt"]


def test_unusable_checkpoints_are_refused(trainer, tmp_path):
    trainer.save_checkpoint(tmp_path / "whole.pt")
    other = WorldModelTrainer(tiny_config(tmp_path, hidden_dim=24))
    with pytest.raises(TrainingError, match="of another model than this configuration: .*size mismatch"):
        other.load_checkpoint(tmp_path / "whole.pt")
    payload = torch.load(tmp_path / "whole.pt", weights_only=True)
    payload["config"]["hiden_dim"] = payload["config"].pop("hidden_dim")
    write_checkpoint(tmp_path / "renamed.pt", payload)
    with pytest.raises(TrainingError, match="renamed.pt.*hiden_dim.*hidden_dim"):
        read_world_model(tmp_path / "renamed.pt")
    os.truncate(tmp_path / "whole.pt", 1000)
    with pytest.raises(TrainingError, match="damaged"):
        trainer.load_checkpoint(tmp_path / "whole.pt")
    with pytest.raises(TrainingError, match="is a folder, expected a checkpoint, such as its best_model.pt"):
        read_world_model(tmp_path)
    with pytest.raises(TrainingError, match="no checkpoint"):
        trainer.load_checkpoint(tmp_path / "none.pt")
    torch.save({"surprise": 1}, tmp_path / "foreign.pt")
    with pytest.raises(TrainingError, match="version None, expected version 3"):
        read_world_model(tmp_path / "foreign.pt")
    torch.save({"version": 2}, tmp_path / "old.pt")
    with pytest.raises(TrainingError, match="older version of this project.*train again"):
        read_world_model(tmp_path / "old.pt")


def test_moments_fit_their_weights_in_another_memory_layout(tmp_path):
    runs = []
    for layouts in (("no", "no"), ("yes", "no"), ("no", "yes")):
        for first, layout in zip((0, 3), layouts, strict=True):
            trainer = WorldModelTrainer(tiny_config(tmp_path, channels_last=layout))
            if first:
                trainer.load_checkpoint(tmp_path / "middle.pt")
            for step in range(first, first + 3):
                trainer.learner.update(trainer.sample(step))
            trainer.save_checkpoint(tmp_path / "middle.pt")
        runs.append(state(trainer))
    assert largest_difference(runs[0], runs[1]) < 1e-5
    assert largest_difference(runs[0], runs[2]) < 1e-5


def test_only_the_newest_checkpoints_are_kept_and_no_other_file_is_touched(tmp_path):
    for name in ("checkpoint_epoch_2", "checkpoint_epoch_9", "checkpoint_epoch_10", "checkpoint_epoch_mine", "last"):
        (tmp_path / f"{name}.pt").touch()
    prune(tmp_path, keep=2)
    left = sorted(file.stem for file in tmp_path.iterdir())
    assert left == ["checkpoint_epoch_10", "checkpoint_epoch_9", "checkpoint_epoch_mine", "last"]


def test_a_run_leaves_its_newest_checkpoints_the_best_and_the_last(tmp_path):
    trainer = WorldModelTrainer(tiny_config(tmp_path, num_epochs=4, keep_checkpoints=2))
    trainer.train()
    names = sorted(file.name for file in (tmp_path / "out").glob("*.pt"))
    assert names == ["best_model.pt", "checkpoint_epoch_3.pt", "checkpoint_epoch_4.pt", "last.pt"]
    assert read_checkpoint(tmp_path / "out" / "last.pt")["step"] == trainer.total_steps
