"""Training on a GPU against training on the processor."""

import pytest
import torch
from tiny_training import largest_difference, same, state, tiny_config
from wm_bundle import load_bundle
from wm_training import WorldModelTrainer
from wm_training.exporting.export import export
from wm_training.exporting.export_options import ExportOptions
from wm_training.model.losses import LOSSES
from wm_training.training.loader import Prefetch

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason=f"torch {torch.__version__} finds no GPU"),
]


@pytest.fixture(autouse=True)
def _exact_products(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def trainer(folder, device: str = "cuda", **changes) -> WorldModelTrainer:
    return WorldModelTrainer(tiny_config(folder, device=device, **changes))


def agree(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor], rel: float) -> None:
    """The losses and the gradients' norm, of two updates."""
    assert one.keys() == two.keys()
    for name in (*(name for name in LOSSES if name in one), "gradient_norm"):
        assert float(two[name]) == pytest.approx(float(one[name]), rel=rel, abs=rel), name


@pytest.mark.parametrize("changes", [{}, {"channels_last": "no"}, {"policy_learning": True, "policy_start_step": 0}])
def test_an_update_on_a_gpu_is_that_of_the_processor(tmp_path, changes):
    processor, gpu = trainer(tmp_path, "cpu", **changes), trainer(tmp_path, **changes)
    for step in range(3):
        sample = processor.sample(step)  # a GPU's own noise is other noise
        agree(processor.learner.update(sample), gpu.learner.update(sample.to("cuda")), rel=1e-3)


@pytest.mark.parametrize("latent", ["gaussian", "categorical"])
def test_a_recorded_update_is_the_same_one(tmp_path, latent):
    changes = {"latent": latent, "policy_learning": True, "policy_start_step": 5, "num_epochs": 10}
    plain, recorded = trainer(tmp_path, **changes), trainer(tmp_path, cuda_graph=True, **changes)
    for step in range(11):  # two kinds of updates, each recorded in its fourth
        agree(plain.learner.update(plain.sample(step)), recorded.learner.update(recorded.sample(step)), rel=1e-2)


def test_a_recorded_run_resumes_from_its_checkpoint(tmp_path):
    config = {"cuda_graph": True, "num_epochs": 2}
    whole = trainer(tmp_path, **config)
    whole.train()
    again = trainer(tmp_path, **config)
    again.load_checkpoint(tmp_path / "out" / "last.pt")
    assert again.step == whole.step and same(state(whole), state(again))
    on_processor = trainer(tmp_path, "cpu")
    on_processor.load_checkpoint(tmp_path / "out" / "last.pt")
    moved = {name: tensor.cpu() for name, tensor in state(whole).items()}
    assert largest_difference(moved, state(on_processor)) == 0.0


def test_the_host_waits_for_nothing_in_an_update(tmp_path):
    run = trainer(tmp_path, policy_learning=True, policy_start_step=0, open_loop_weight=1.0)
    samples = [run.sample(step).to(run.device) for step in range(2)]
    run.learner.update(samples[0])
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        run.learner.update(samples[1])
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_data_travels_from_pinned_memory_and_arrives_whole(tmp_path):
    run = trainer(tmp_path)
    with Prefetch(run.sample, range(3), 2, run.device) as samples:
        assert all(tensor.is_pinned() for tensor in samples._load(0).batch if tensor.numel())
        for sample in samples:
            expected = run.sample(sample.step)
            for name, arrived in sample.batch._asdict().items():
                assert arrived.device == run.device
                torch.testing.assert_close(arrived.cpu(), getattr(expected.batch, name), rtol=0, atol=0, equal_nan=True)


def test_what_is_trained_on_a_gpu_exports(tmp_path):
    trainer(tmp_path).train()
    export(ExportOptions(str(tmp_path / "out" / "best_model.pt"), str(tmp_path / "bundle"), frames=20))
    assert load_bundle(tmp_path / "bundle").manifest.self_check is not None
