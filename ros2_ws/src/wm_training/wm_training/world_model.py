"""The world model: encoder, RSSM, decoder and heads, with one forward pass that returns every loss."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from wm_training import losses
from wm_training.config import WorldModelTrainConfig
from wm_training.heads import Actor, ContinueHead, TwoHotHead, search_to_command
from wm_training.networks import Decoder, Encoder
from wm_training.rssm import RSSM, State


class Batch(NamedTuple):
    """Sequences as the trainer feeds them; time as drawn in docs/architecture.md."""

    image: Tensor
    """(B, T, C, H, W) uint8."""
    vector: Tensor
    """(B, T, V) physical units."""
    action: Tensor
    """(B, T, A): a_t."""
    previous_action: Tensor
    """(B, T, A): a_{t-1}, zeros where unknown."""
    reward: Tensor
    """(B, T): r_t, what a_t led to."""
    terminal: Tensor
    """(B, T): 1.0 where a_t ended the episode for good."""
    is_first: Tensor
    """(B, T): 1.0 where the belief must start anew."""
    expert: Tensor
    """(B, T, 2): the expert's (steer, longitudinal) at o_t."""
    expert_known: Tensor
    """(B, T): 1.0 where ``expert`` is known."""

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in self))


class WorldModel(nn.Module):
    """Everything that is learned. Beliefs are (…, F) tensors, F = D + S."""

    def __init__(self, config: WorldModelTrainConfig, channels: int, vector_size: int):
        """``channels`` C of the stacked cameras, ``vector_size`` V."""
        super().__init__()
        self.config = config
        self.channels = channels
        belief, hidden = config.belief_size, config.hidden_dim
        self.encoder = Encoder(config.image_size, channels, vector_size, config.conv_depth, hidden)
        self.rssm = RSSM(config, embedding=hidden)
        self.decoder = Decoder(belief, config.image_size, channels, config.conv_depth)
        self.reward = TwoHotHead(belief, hidden, config.return_bins, config.bin_limit)
        self.value = TwoHotHead(belief, hidden, config.return_bins, config.bin_limit)
        self.target_value = TwoHotHead(belief, hidden, config.return_bins, config.bin_limit)
        self.target_value.load_state_dict(self.value.state_dict())
        self.target_value.requires_grad_(False)
        self.continues = ContinueHead(belief, hidden)
        self.actor = Actor(belief, hidden)
        self.register_buffer("vector_mean", torch.zeros(vector_size))
        self.register_buffer("vector_std", torch.ones(vector_size))

    def embed(self, image: Tensor, vector: Tensor) -> Tensor:
        """Pictures (M, C, H, W) uint8 and vectors (M, V) in physical units to embeddings (M, E)."""
        return self.encoder(image.float() / 255.0, (vector - self.vector_mean) / self.vector_std)

    def decode(self, belief: Tensor) -> Tensor:
        """Pictures (…, C, H, W), float in about [0, 1], of beliefs (…, F)."""
        return self.decoder(belief.flatten(0, -2)).unflatten(0, belief.shape[:-1])

    def observe(self, batch: Batch, noise: Tensor) -> tuple[State, Tensor, Tensor]:
        """Filter a batch; noise (B, T, S). Returns states, posterior and prior parameters, see RSSM.observe."""
        embeddings = self.embed(batch.image.flatten(0, 1), batch.vector.flatten(0, 1))
        embeddings = embeddings.unflatten(0, batch.image.shape[:2])
        return self.rssm.observe(embeddings, batch.previous_action, batch.is_first, noise)

    def imagine(self, state: State, policy: Tensor | Callable[[Tensor], Tensor], noise: Tensor) -> dict[str, Tensor]:
        """Roll the prior forward H steps from ``state`` (M, …).

        ``policy`` is either the actions (M, H, A) or a function from beliefs (M, F) to actions (M, A); noise is
        (M, H, S). Returns ``beliefs`` (M, H+1, F) including the first, ``actions`` (M, H, A), and for the state each
        action led to ``rewards``, ``continues`` and ``values``, each (M, H).
        """
        beliefs, actions = [state.belief], []
        for h in range(noise.shape[1]):
            action = policy[:, h] if isinstance(policy, Tensor) else policy(state.belief)
            state = self.rssm.imagine_step(state, action, noise[:, h])
            beliefs.append(state.belief)
            actions.append(action)
        stacked = torch.stack(beliefs, 1)
        reached = stacked[:, 1:]
        return {
            "beliefs": stacked,
            "actions": torch.stack(actions, 1),
            "rewards": self.reward.mean(self.reward(reached)),
            "continues": torch.sigmoid(self.continues(reached)),
            "values": self.value.mean(self.value(reached)),
        }

    def act(self, belief: Tensor) -> Tensor:
        """The actor's mean command (M, 3) for beliefs (M, F)."""
        return search_to_command(self.actor(belief)[0])

    def forward(self, batch: Batch, noise: Tensor) -> dict[str, Tensor]:
        """Every loss, unweighted, by the name of its weight, and metrics under ``metric/…``; noise (B, T + 1, S)."""
        states, posterior, prior = self.observe(batch, noise[:, :-1])
        # The last row's action leads to a state that was not recorded: the prior supplies it, so that the reward and
        # the end that this action led to are learned too.
        last = State(states.deterministic[:, -1], states.stochastic[:, -1])
        beyond = self.rssm.imagine_step(last, batch.action[:, -1], noise[:, -1])
        belief = states.belief
        reached = torch.cat([belief[:, 1:], beyond.belief[:, None]], dim=1)
        picture = batch.image.float() / 255.0
        decoded = self.decode(belief)
        kl_posterior, kl_prior = self.rssm.kl_terms(posterior, prior)
        mean, std = self.actor(belief)
        reward_logits = self.reward(reached)
        latent = self.rssm.latent
        result = {
            "reconstruction": losses.reconstruction_loss(decoded, picture),
            "kl": losses.kl_balanced(kl_posterior, kl_prior, self.config.kl_balance, self.config.kl_free_bits),
            "reward": self.reward.loss(reward_logits, batch.reward).mean(),
            "continue": losses.continue_loss(self.continues(reached), 1.0 - batch.terminal),
            "value": self._value_loss(belief, reached, batch),
            "dynamics": losses.dynamics_loss(latent.mean(prior), latent.mean(posterior)),
            "actor": losses.actor_loss(mean, std, batch.expert, batch.expert_known),
        }
        with torch.no_grad():
            result["metric/pixel_mse"] = (decoded.float() - picture).square().mean()
            result["metric/kl_nats"] = kl_prior.mean()
            result["metric/reward_error"] = (self.reward.mean(reward_logits) - batch.reward).abs().mean()
            known = batch.expert_known[..., None]
            result["metric/actor_error"] = ((mean - batch.expert).abs() * known).sum() / (2 * known.sum()).clamp(min=1)
        return result

    def _value_loss(self, belief: Tensor, reached: Tensor, batch: Batch) -> Tensor:
        with torch.no_grad():
            next_values = self.target_value.mean(self.target_value(reached))
            returns = losses.lambda_returns(
                batch.reward,
                1.0 - batch.terminal,
                next_values,
                self.config.discount,
                self.config.return_lambda,
            )
        return self.value.loss(self.value(belief), returns).mean()

    @torch.no_grad()
    def update_target(self) -> None:
        """Move the target value network a little towards the value network."""
        for target, source in zip(self.target_value.parameters(), self.value.parameters(), strict=True):
            target.lerp_(source, 1.0 - self.config.target_decay)
