"""A tiny untrained world model of any kind and a batch that fits it."""

import torch
from torch import Tensor
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.model.batch import Batch
from wm_training.model.noise import Noise, draw_noise
from wm_training.model.objective import WorldModelObjective
from wm_training.model.world_model import WorldModel

SMALL = dict(
    state_dim=12, latent_dim=3, num_categories=4, hidden_dim=10, conv_depth=2, return_bins=9, imagination_horizon=4
)
LATENTS = ("gaussian", "categorical")


def small_model(latent: str = "gaussian", cameras: int = 1, gaps=(), terms=(), **changes) -> WorldModel:
    """A model in evaluation mode whose heads say something other than zero."""
    torch.manual_seed(0)
    config = WorldModelTrainConfig(latent=latent, **{**SMALL, **changes})
    model = WorldModel(config, 3 * cameras, 2, gaps, terms)
    for head in (model.reward, model.value, model.target_value):
        for member in head.members:
            torch.nn.init.normal_(member.net[-1].weight, std=0.5)
    return model.eval()


def small_batch(steps: int = 5, sequences: int = 2, cameras: int = 1, image_size: int = 64, terms: int = 0) -> Batch:
    """Random sequences."""
    torch.manual_seed(1)
    shape = (sequences, steps)
    return Batch(
        image=torch.randint(0, 256, (*shape, 3 * cameras, image_size, image_size), dtype=torch.uint8),
        vector=torch.randn(*shape, 2),
        action=torch.rand(*shape, 3),
        previous_action=torch.rand(*shape, 3),
        reward=torch.randn(*shape),
        terminal=torch.zeros(shape),
        is_first=torch.zeros(shape),
        expert=torch.rand(*shape, 2) - 0.5,
        expert_weight=torch.ones(shape),
        camera_mask=torch.ones(*shape, cameras),
        reward_terms=torch.randn(*shape, terms),
    )


def small_noise(model: WorldModel, batch: Batch, step: int = 0) -> Noise:
    """The noise of an update with that model and batch."""
    sequences, steps = batch.reward.shape
    return draw_noise(model.config, sequences, steps, model.cameras, seed=0, step=step, vector_size=2)


def losses_of(model: WorldModel, batch: Batch, noise: Noise, learn_policy: bool = False) -> dict[str, Tensor]:
    """Every loss of the model, and metrics."""
    return WorldModelObjective(model)(batch, noise, learn_policy)
