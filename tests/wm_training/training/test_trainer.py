import json

import numpy as np
import pytest
import torch
from make_episodes import make_episode
from tiny_training import WITH_POLICY, largest_difference, same, state, tiny_config
from torch.utils._python_dispatch import TorchDispatchMode
from wm_training import SequenceDataset, WorldModelTrainer
from wm_training.errors import TrainingError
from wm_training.model import convolutions
from wm_training.model.losses import LOSSES
from wm_training.training.checkpoints import read_checkpoint


def updates(trainer: WorldModelTrainer, count: int) -> list[dict]:
    """Do the first ``count`` updates."""
    return [trainer.learner.update(trainer.sample(step)) for step in range(count)]


class HostReads(TorchDispatchMode):
    """Collects the operations that make the host wait for a device."""

    WAITING = ("_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select", "_unique2", "bincount")
    WAITING += ("lift_fresh",)  # a tensor made of Python numbers: a copy to the device, which waits for what runs there

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        name = operation.overloadpacket.__name__
        by_mask = name in ("index", "index_put_") and any(
            index is not None and index.dtype in (torch.bool, torch.uint8) for index in args[1]
        )
        if name in self.WAITING or by_mask:
            self.found.append(str(operation))
        return operation(*args, **(kwargs or {}))


def test_the_seeds_way_of_using_it(tmp_path):
    config = tiny_config(tmp_path)
    assert len(SequenceDataset(config.data_path, config, split="train").files) == 3
    assert len(SequenceDataset(config.data_path, config, split="val").files) == 1
    trainer = WorldModelTrainer(config)
    assert sum(p.numel() for p in trainer.world_model.parameters()) > 0
    assert sum(p.numel() for p in trainer.reward_predictor.parameters()) > 0
    trainer.train()
    again = WorldModelTrainer(config)
    again.load_checkpoint(tmp_path / "out" / "checkpoint_epoch_2.pt")
    assert again.step == trainer.step and same(state(again), state(trainer))


def test_training_lowers_the_losses_and_learns_a_policy(tmp_path):
    trainer = WorldModelTrainer(tiny_config(tmp_path, num_epochs=25, learning_rate=3e-3, policy_learning=True))
    before = trainer.validate()
    actor = [p.clone() for p in trainer.world_model.actor.parameters()]
    trainer.train()
    after = trainer.validate()
    assert after["reconstruction"] < 0.7 * before["reconstruction"]
    assert after["behaviour_cloning"] < before["behaviour_cloning"]
    assert not any(torch.equal(a, b) for a, b in zip(actor, trainer.world_model.actor.parameters(), strict=True))


def test_policy_learning_begins_at_its_step(tmp_path):
    results = updates(WorldModelTrainer(tiny_config(tmp_path, **WITH_POLICY, open_loop_weight=1.0)), 5)
    assert ["actor" in result for result in results] == [False] * 3 + [True] * 2
    assert set(LOSSES) - set(results[-1]) == {"reward_terms"}  # these episodes have none
    assert "imagined/returns" not in results[-1]


def test_episodes_with_only_the_seeds_four_keys_train(tmp_path):
    (tmp_path / "data").mkdir()
    for i in range(2):
        episode = make_episode(20, seed=i, size=32)
        four = {key: getattr(episode, key) for key in ("observations", "actions", "rewards", "dones")}
        np.savez_compressed(tmp_path / "data" / f"{i}.npz", **four)
    trainer = WorldModelTrainer(tiny_config(tmp_path, num_epochs=1, latent="categorical"))
    trainer.train()
    assert all(tensor.isfinite().all() for tensor in state(trainer).values())


def test_same_seed_same_weights_other_seed_other_weights(tmp_path):
    runs = []
    for seed in (5, 5, 6):
        trainer = WorldModelTrainer(tiny_config(tmp_path, seed=seed))
        updates(trainer, 5)
        runs.append(state(trainer))
    assert same(runs[0], runs[1]) and not same(runs[0], runs[2])


@pytest.mark.parametrize("latent", ["gaussian", "categorical"])
def test_parts_of_a_batch_give_what_the_whole_batch_gives(tmp_path, latent):
    runs, losses = [], []
    for parts in (1, 2):
        config = tiny_config(tmp_path, gradient_accumulation=parts, policy_learning=True, latent=latent)
        trainer = WorldModelTrainer(config)
        losses.append(updates(trainer, 6))
        runs.append(state(trainer))
    assert largest_difference(*runs) < 1e-5
    for whole, summed in zip(*losses, strict=True):
        for name in (*(name for name in LOSSES if name in whole), "gradient_norm"):
            assert float(summed[name]) == pytest.approx(float(whole[name]), rel=1e-5, abs=1e-5), name


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("latent", ["gaussian", "categorical"])
def test_the_host_waits_for_nothing_in_an_update(tmp_path, monkeypatch, latent, precision):
    monkeypatch.setattr(convolutions, "_trains_on_processor", lambda x: False)  # take the way that a GPU takes
    config = tiny_config(
        tmp_path, policy_learning=True, latent=latent, precision=precision, gradient_accumulation=2, policy_start_step=0
    )
    trainer = WorldModelTrainer(config)
    sample = trainer.sample(0)
    with HostReads() as reads:
        metrics = trainer.learner.update(sample)
    assert "actor" in metrics and reads.found == []
    with HostReads() as reads:  # what such a wait looks like
        float(metrics["kl"])
        metrics["kl"][metrics["kl"] > 0]
        torch.tensor([0.5])
    assert len(reads.found) == 3


def test_a_loss_without_weight_is_measured_and_its_head_stays_as_it_is(tmp_path):
    trainer = WorldModelTrainer(tiny_config(tmp_path, value_weight=0.0, behaviour_cloning_weight=0.0))
    model = trainer.world_model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses = updates(trainer, 2)[-1]
    assert losses["value"] > 0 and "behaviour_cloning" in losses
    learned = {name.split(".")[0] for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    assert learned == {"encoder", "rssm", "decoder", "reward", "continues", "vector"}
    assert {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad} == learned


def test_channels_last_changes_the_layout_and_not_the_result(tmp_path):
    runs = []
    for layout in ("no", "yes"):
        trainer = WorldModelTrainer(tiny_config(tmp_path, channels_last=layout))
        updates(trainer, 4)
        runs.append(state(trainer))
    kernels = [p for p in trainer.world_model.parameters() if p.dim() == 4]
    assert kernels and all(p.is_contiguous(memory_format=torch.channels_last) for p in kernels)
    assert largest_difference(*runs) < 1e-5


def compile_with(monkeypatch, backend) -> None:
    """Have torch.compile use ``backend``; the usual one takes minutes on a processor."""
    compiler = torch.compile
    monkeypatch.setattr(torch, "compile", lambda function: compiler(function, backend=backend))


def test_where_compiling_fails_training_goes_on_without(tmp_path, monkeypatch, capsys):
    def no_backend(graph, inputs):
        raise RuntimeError("no compiler on this machine")

    plain = WorldModelTrainer(tiny_config(tmp_path))
    updates(plain, 2)
    compile_with(monkeypatch, no_backend)
    trainer = WorldModelTrainer(tiny_config(tmp_path, compile=True))
    updates(trainer, 2)
    assert same(state(plain), state(trainer))
    said = capsys.readouterr().err
    assert said.count("torch.compile does not work here") == 1 and "no compiler on this machine" in said


@pytest.mark.parametrize("latent", ["gaussian", "categorical"])
def test_a_compiled_model_learns_the_same(tmp_path, monkeypatch, capsys, latent):
    compile_with(monkeypatch, "aot_eager")
    runs = []
    for compiled in (False, True):
        trainer = WorldModelTrainer(tiny_config(tmp_path, compile=compiled, policy_learning=True, latent=latent))
        updates(trainer, 5)
        trainer.validate()
        runs.append(state(trainer))
    assert largest_difference(*runs) < 1e-5
    assert capsys.readouterr().err == ""


def poison(trainer: WorldModelTrainer, step: int) -> None:
    """Put an infinite speed into the batch of an update."""
    read = trainer.train_data.batch

    def batch(epoch, index, rows=None):
        result = read(epoch, index, rows)
        bad = epoch * trainer.steps_per_epoch + index == step
        return result._replace(vector=torch.full_like(result.vector, torch.inf)) if bad else result

    trainer.train_data.batch = batch


def test_a_bad_update_stops_the_run_with_its_batch_and_the_state_before_it(tmp_path):
    config = tiny_config(tmp_path, num_epochs=30, gradient_accumulation=2, **WITH_POLICY)
    good = WorldModelTrainer(config)
    updates(good, 13)
    trainer = WorldModelTrainer(config)
    poison(trainer, 13)
    with pytest.raises(TrainingError, match="update 13 .*is not finite: losses .*kl.*bad_batch_13.npz.*learning_rate"):
        trainer.train()
    again = WorldModelTrainer(config)
    again.load_checkpoint(tmp_path / "out" / "last.pt")
    assert again.step == 13 and same(state(again), state(good))
    with np.load(tmp_path / "out" / "bad_batch_13.npz", allow_pickle=False) as file:
        meta = json.loads(str(file["meta"]))
        assert np.array_equal(file["image"], good.sample(13).batch.image)
        assert np.isinf(file["vector"]).all() and file["camera_mask"].shape == (4, 8, 1)
    epoch, index = divmod(13, good.steps_per_epoch)
    assert [meta[name] for name in ("step", "seed", "epoch", "index")] == [13, 0, epoch, index]
    assert "kl" in meta["not_finite"]["losses"]
    assert "encoder" in " ".join(meta["not_finite"]["gradients"])


def test_a_loss_that_is_not_finite_stops_the_run_even_if_its_gradients_are(tmp_path):
    trainer = WorldModelTrainer(tiny_config(tmp_path))
    objective = trainer.learner.objective
    forward = objective.forward
    objective.forward = lambda *inputs: {**(found := forward(*inputs)), "reward": found["reward"] + torch.inf}
    before = state(trainer)
    updates(trainer, 1)
    assert trainer.learner.guard.first_bad() == 0
    assert all(torch.equal(before[name], tensor) for name, tensor in state(trainer).items() if name in before)


def test_a_run_without_validation_episodes_keeps_the_newest_model_as_the_best(tmp_path):
    trainer = WorldModelTrainer(tiny_config(tmp_path, validation_share=0.0))
    assert trainer.validate() == {}
    trainer.train()
    assert read_checkpoint(tmp_path / "out" / "best_model.pt")["step"] == trainer.step


def test_a_video_of_an_imagined_future_is_made_every_few_epochs(tmp_path, monkeypatch):
    videos = []
    monkeypatch.setattr("wm_training.monitoring.monitor.Monitor.video", lambda monitor, *video: videos.append(video))
    trainer = WorldModelTrainer(tiny_config(tmp_path, num_epochs=5, video_epochs=2))
    trainer.train()
    assert [(name, step) for name, step, _ in videos] == [("open_loop", n * trainer.steps_per_epoch) for n in (2, 4)]
    assert videos[0][2].dtype == np.uint8 and videos[0][2].shape[0] == 8 and videos[0][2].shape[3] == 3


def test_the_shares_of_the_wall_time_add_up(tmp_path, monkeypatch):
    told = {}
    monkeypatch.setattr("wm_training.monitoring.monitor.Monitor.finish", lambda monitor, shares: told.update(shares))
    WorldModelTrainer(tiny_config(tmp_path)).train()
    assert set(told) == {"waiting for data", "computing", "validation", "saving"}
    assert sum(told.values()) == pytest.approx(1.0) and all(share > 0 for share in told.values())


def test_a_device_that_is_not_there_is_refused(tmp_path):
    if not torch.cuda.is_available():
        with pytest.raises(TrainingError, match="finds no GPU"):
            WorldModelTrainer(tiny_config(tmp_path, device="cuda"))
    with pytest.raises(TrainingError, match="expected auto"):
        WorldModelTrainer(tiny_config(tmp_path, device="abacus"))


def test_an_output_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(TrainingError, match="is a file, expected a folder"):
        WorldModelTrainer(tiny_config(tmp_path))
