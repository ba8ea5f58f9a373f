"""Updates as CUDA graphs, with a stand-in that follows their rules on a processor; test_gpu.py has the real ones."""

import pytest
import torch
from replayed_graph import FakeCuda
from tiny_training import largest_difference, same, state, tiny_config
from wm_training import WorldModelTrainer
from wm_training.errors import TrainingError
from wm_training.model import convolutions
from wm_training.model.losses import LOSSES
from wm_training.training import learner, recorded
from wm_training.training.checkpoints import read_checkpoint
from wm_training.training.distributed import OneProcess


@pytest.fixture
def cuda(monkeypatch) -> FakeCuda:
    """Stands in for CUDA's graphs, with the calculations that a GPU does."""
    fake = FakeCuda(lambda: living_tensors(fake.trainer))
    monkeypatch.setattr(recorded, "cuda", fake)
    monkeypatch.setattr(learner, "check_recordable", lambda ranks: None)
    monkeypatch.setattr(convolutions, "_trains_on_processor", lambda x: False)
    return fake


def small_config(folder, **changes):
    """Few operations: the stand-in repeats them one by one."""
    return tiny_config(folder, **{"sequence_length": 3, "imagination_horizon": 2, "cuda_graph": True, **changes})


def living_tensors(trainer: WorldModelTrainer) -> list[torch.Tensor]:
    """What an update changes."""
    moments = [tensor for found in trainer.learner.optimizer.state.values() for tensor in found.values()]
    guard = trainer.learner.guard
    return [*trainer.world_model.state_dict().values(), *moments, guard._tripped, guard._first]


def updates(trainer: WorldModelTrainer, steps: range) -> list[dict[str, torch.Tensor]]:
    return [trainer.learner.update(trainer.sample(step)) for step in steps]


@pytest.mark.parametrize(
    "changes",
    [
        dict(latent="categorical"),
        dict(gradient_accumulation=2, open_loop_weight=1.0),
        dict(policy_learning=True, policy_start_step=4, precision="bfloat16"),
    ],
    ids=["categorical", "parts", "policy"],
)
def test_recorded_updates_do_what_others_do(tmp_path, cuda, changes):
    # Warm-up and annealing go on after the recording: a number that it kept would show.
    changes |= dict(warmup_steps=20, kl_anneal_steps=20, kl_free_bits=0.0, kl_weight=10.0, num_epochs=10)
    plain = WorldModelTrainer(small_config(tmp_path, cuda_graph=False, **changes))
    expected = updates(plain, range(9))
    trainer = cuda.trainer = WorldModelTrainer(small_config(tmp_path, **changes))
    found = updates(trainer, range(9))
    assert len(cuda.graphs) == (2 if "policy_learning" in changes else 1)
    assert set(cuda.modes) == {"thread_local"}  # the loader's thread goes on
    assert largest_difference(state(plain), state(trainer)) < 1e-5
    for one, two in zip(expected, found, strict=True):
        assert one.keys() == two.keys() and LOSSES[0] in one
        for name in one:
            assert float(two[name]) == pytest.approx(float(one[name]), rel=1e-4, abs=1e-5), name


def test_a_bad_update_is_found_by_its_number_in_a_recording_too(tmp_path, cuda):
    trainer = cuda.trainer = WorldModelTrainer(small_config(tmp_path))
    updates(trainer, range(5))
    before = state(trainer)
    sample = trainer.sample(5)
    trainer.learner.update(sample._replace(batch=sample.batch._replace(vector=sample.batch.vector * torch.inf)))
    updates(trainer, range(6, 8))
    assert trainer.learner.guard.first_bad() == 5 and same(before, state(trainer))


def test_a_loaded_checkpoint_is_recorded_anew_and_continues_like_one_run(tmp_path, cuda):
    config = small_config(tmp_path, num_epochs=10)
    whole = cuda.trainer = WorldModelTrainer(config)
    updates(whole, range(5))
    whole.step = 5
    whole.save_checkpoint(tmp_path / "five.pt")
    groups = read_checkpoint(tmp_path / "five.pt")["optimizer"]["param_groups"]
    assert isinstance(groups[0]["lr"], float) and not groups[0]["capturable"]
    updates(whole, range(5, 10))
    expected = state(whole)
    whole.load_checkpoint(tmp_path / "five.pt")
    updates(whole, range(5, 10))
    assert len(cuda.graphs) == 2 and largest_difference(expected, state(whole)) < 1e-6


def test_where_nothing_can_be_recorded_the_option_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="cuda_graph needs a GPU, and the device is cpu: train without"):
        WorldModelTrainer(small_config(tmp_path, device="cpu"))
    ranks = OneProcess(torch.device("cuda"))
    recorded.check_recordable(ranks)
    ranks.world_size = 2
    with pytest.raises(TrainingError, match="one process, found 2"):
        recorded.check_recordable(ranks)


def test_what_cannot_be_recorded_is_told(tmp_path, cuda, monkeypatch):
    trainer = cuda.trainer = WorldModelTrainer(small_config(tmp_path))
    updates(trainer, range(recorded.WARM_UP))

    def forbidden(*inputs):
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\n\na stack of calls")

    monkeypatch.setattr(trainer.learner, "_module", forbidden)
    with pytest.raises(TrainingError, match="cannot be recorded, train without --cuda-graph: .* stream is capturing$"):
        updates(trainer, range(3, 4))
