"""The world model: encoder, RSSM, decoder and heads. Its losses are in objective.py."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.model.batch import Batch
from wm_training.model.heads import Actor, ContinueHead, NumbersHead, ScalarHead, search_to_command
from wm_training.model.networks import Decoder, Encoder
from wm_training.model.rssm import RSSM, State


class WorldModel(nn.Module):
    """All learned parts. Beliefs are (…, F) tensors, F = D + S."""

    def __init__(
        self,
        config: WorldModelTrainConfig,
        channels: int,
        vector_size: int,
        gaps: Sequence[int] = (),
        terms: Sequence[str] = (),
    ):
        """``channels`` C = 3K of the stacked cameras, ``vector_size`` V; ``gaps``: which of the vector inputs may be
        NaN, unknown; ``terms``: names of the R terms of the reward that are learned."""
        super().__init__()
        self.config = config
        self.channels = channels
        self.cameras = channels // 3
        self.trained_on: dict[str, Any] = {}
        """Meta of the training episodes; empty if unknown."""
        self.gaps, self.terms = tuple(gaps), tuple(terms)
        hidden = config.hidden_dim
        self.encoder = Encoder(config, self.cameras, vector_size + len(self.gaps), hidden)
        self.rssm = RSSM(config, embedding=hidden)
        self.decoder = Decoder(config, self.cameras)
        self.reward = ScalarHead(config)
        self.value = ScalarHead(config)
        self.target_value = ScalarHead(config)
        self.target_value.load_state_dict(self.value.state_dict())
        self.target_value.requires_grad_(False)
        self.continues = ContinueHead(config.belief_size, hidden)
        self.actor = Actor(config)
        self.vector = NumbersHead(config, vector_size) if vector_size and config.vector_weight > 0 else None
        self.reward_terms = NumbersHead(config, len(self.terms)) if self.terms else None
        if self.terms:
            self.register_buffer("terms_mean", torch.zeros(len(self.terms)))
            self.register_buffer("terms_std", torch.ones(len(self.terms)))
        may_lack = torch.tensor([column in self.gaps for column in range(vector_size)], dtype=torch.bool)
        self.register_buffer("may_lack", may_lack, persistent=False)
        self.register_buffer("vector_mean", torch.zeros(vector_size))
        self.register_buffer("vector_std", torch.ones(vector_size))
        self.register_buffer("return_range", torch.ones(()))

    def embed(self, image: Tensor, vector: Tensor, camera_mask: Tensor) -> Tensor:
        """Pictures (M, C, H, W) uint8, vectors (M, V) in physical units and masks (M, K) to embeddings (M, E)."""
        numbers = self.normalised(vector)
        if self.gaps:  # an unknown number is the mean one, and a flag says so
            unknown = numbers.isnan() & self.may_lack
            flags = (~unknown[..., list(self.gaps)]).to(numbers)
            numbers = torch.cat([torch.where(unknown, 0.0, numbers), flags], -1)
        return self.encoder(image, numbers, camera_mask)

    def normalised(self, vector: Tensor) -> Tensor:
        """Vectors (…, V) in physical units with the mean 0 and the deviation 1 that they have in the training data."""
        return (vector - self.vector_mean) / self.vector_std

    def decode(self, belief: Tensor) -> Tensor:
        """Pictures (…, C, H, W), float in about [0, 1], of beliefs (…, F)."""
        return self.decoder(belief.flatten(0, -2)).unflatten(0, belief.shape[:-1])

    def observe(self, batch: Batch, noise: Tensor) -> tuple[State, Tensor, Tensor]:
        """Filter a batch; noise (B, T, S). Returns states, posterior and prior parameters, see RSSM.observe."""
        flat = (tensor.flatten(0, 1) for tensor in (batch.image, batch.vector, batch.camera_mask))
        embeddings = self.embed(*flat).unflatten(0, batch.image.shape[:2])
        return self.rssm.observe(embeddings, batch.previous_action, batch.is_first, noise)

    def imagine_step(self, state: State, action: Tensor, noise: Tensor | None = None) -> State:
        """One step of the prior: state (M, …), action (M, A), noise (M, S) standard normal or None for the mean."""
        return self.rssm.imagine_step(state, action, None if noise is None else self.rssm.latent.prepare(noise))

    def imagine(self, state: State, policy: Tensor | Callable[[Tensor], Tensor], noise: Tensor) -> dict[str, Tensor]:
        """Roll the prior forward H steps from ``state`` (M, …).

        ``policy`` is either the actions (M, H, A) or a function from beliefs (M, F) to actions (M, A); noise is
        (M, H, S). Returns ``beliefs`` (M, H+1, F) including the first, ``actions`` (M, H, A), and for the state each
        action led to ``rewards``, ``continues``, ``values``, and what the members of the ensembles disagree by,
        ``disagreement`` (of the reward) and ``value_disagreement``, each (M, H); from a model with such a head also
        ``vector`` (M, H, V), in physical units, and ``reward_terms`` (M, H, R).
        """
        reached, actions = self.rssm.imagine(state, policy, noise.shape[1], noise)
        beliefs = torch.cat([state.belief[:, None], reached], 1)
        return {"beliefs": beliefs, "actions": actions, **self.predict(beliefs[:, 1:])}

    def predict(self, belief: Tensor) -> dict[str, Tensor]:
        """The heads' outputs for beliefs (…, F), each (…,), (…, V) or (…, R); names as in ``imagine``."""
        reward, value = self.reward(belief), self.value(belief)
        said = {
            "rewards": self.reward.mean(reward),
            "continues": torch.sigmoid(self.continues(belief)),
            "values": self.value.mean(value),
            "disagreement": self.reward.disagreement(reward),
            "value_disagreement": self.value.disagreement(value),
        }
        if self.vector is not None:
            said["vector"] = self.vector(belief) * self.vector_std + self.vector_mean
        if self.reward_terms is not None:
            said["reward_terms"] = self.reward_terms(belief) * self.terms_std + self.terms_mean
        return said

    def act(self, belief: Tensor) -> Tensor:
        """The actor's most likely command (M, 3) for beliefs (M, F)."""
        return search_to_command(self.actor(belief).mode)
