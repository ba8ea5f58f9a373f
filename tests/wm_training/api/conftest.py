"""A checkpoint of a tiny untrained model, and the small episodes it belongs to."""

from pathlib import Path

import pytest
import torch
from make_episodes import META, make_folder
from small_model import SMALL
from wm_training import PretrainedWorldModel, WorldModelTrainConfig, load_world_model
from wm_training.model.world_model import WorldModel
from wm_training.training.checkpoints import description, write_checkpoint


def write_tiny(folder: Path, latent: str) -> Path:
    """A checkpoint beside the episodes it says it was trained on; its heads say something other than zero."""
    data = make_folder(folder / "data", count=3, rows=30)
    torch.manual_seed(0)
    config = WorldModelTrainConfig(latent=latent, data_path=str(data), ensemble_size=2, vector_weight=0.0, **SMALL)
    model = WorldModel(config, channels=3, vector_size=1)
    for head in (model.reward, model.value):
        for member in head.members:
            torch.nn.init.normal_(member.net[-1].weight, std=0.5)
    model.vector_mean.fill_(2.5)
    model.vector_std.fill_(1.5)
    path = folder / "model.pt"
    write_checkpoint(path, description(model.config, model, 1, META) | {"model": model.state_dict(), "step": 7})
    return path


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("gaussian"), "gaussian")


@pytest.fixture(scope="session")
def world(checkpoint) -> PretrainedWorldModel:
    return load_world_model(checkpoint, device="cpu")


@pytest.fixture(scope="session", params=["gaussian", "categorical"])
def any_world(request, checkpoint, tmp_path_factory) -> PretrainedWorldModel:
    """Of either latent."""
    if request.param == "gaussian":
        return load_world_model(checkpoint, device="cpu")
    return load_world_model(write_tiny(tmp_path_factory.mktemp("categorical"), "categorical"), device="cpu")
