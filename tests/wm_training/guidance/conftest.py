"""A world model that really learned the toy, made once: tests ask what comes of it in the toy itself."""

from pathlib import Path

import pytest
import torch
from tiny_training import tiny_config
from toy_lane import make_toy_data
from wm_training.api import PretrainedWorldModel, load_world_model
from wm_training.training.trainer import WorldModelTrainer

WORLD = dict(
    state_dim=32,
    latent_dim=6,
    hidden_dim=32,
    scalar_head="mse",
    batch_size=16,
    sequence_length=4,
    num_epochs=5,
    warmup_steps=10,
    learning_rate=1e-2,
    kl_anneal_steps=1,
    kl_free_bits=0.5,
    kl_weight=0.1,
    reconstruction_weight=0.1,
    reward_weight=20.0,
    discount=0.9,
    validation_share=0.1,
)


@pytest.fixture(scope="session")
def toy(tmp_path_factory) -> Path:
    """A folder with ``data`` and ``out/best_model.pt``."""
    folder = tmp_path_factory.mktemp("toy")
    make_toy_data(folder / "data", count=40)
    torch.set_num_threads(1)
    WorldModelTrainer(tiny_config(folder, **WORLD)).train()
    return folder


@pytest.fixture(scope="session")
def world(toy) -> PretrainedWorldModel:
    """Its world model."""
    return load_world_model(toy / "out" / "best_model.pt", "cpu")
