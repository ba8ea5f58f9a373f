"""The world model: encoder, RSSM, decoder and heads, with one forward pass that returns every loss."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.model import behaviour, losses, overshooting
from wm_training.model.batch import Batch
from wm_training.model.heads import Actor, ContinueHead, ScalarHead, search_to_command
from wm_training.model.networks import Decoder, Encoder
from wm_training.model.noise import Noise
from wm_training.model.rssm import RSSM, State


class WorldModel(nn.Module):
    """Everything that is learned. Beliefs are (…, F) tensors, F = D + S."""

    def __init__(self, config: WorldModelTrainConfig, channels: int, vector_size: int):
        """``channels`` C = 3K of the stacked cameras, ``vector_size`` V."""
        super().__init__()
        self.config = config
        self.channels = channels
        self.cameras = channels // 3
        self.trained_on: dict[str, Any] = {}
        """Meta of the episodes it was trained on; empty where nobody told."""
        hidden = config.hidden_dim
        self.encoder = Encoder(config, self.cameras, vector_size, hidden)
        self.rssm = RSSM(config, embedding=hidden)
        self.decoder = Decoder(config, self.cameras)
        self.reward = ScalarHead(config)
        self.value = ScalarHead(config)
        self.target_value = ScalarHead(config)
        self.target_value.load_state_dict(self.value.state_dict())
        self.target_value.requires_grad_(False)
        self.continues = ContinueHead(config.belief_size, hidden)
        self.actor = Actor(config)
        self._freeze_what_no_loss_moves()
        self.register_buffer("vector_mean", torch.zeros(vector_size))
        self.register_buffer("vector_std", torch.ones(vector_size))
        self.register_buffer("return_range", torch.ones(()))

    def embed(self, image: Tensor, vector: Tensor, camera_mask: Tensor) -> Tensor:
        """Pictures (M, C, H, W) uint8, vectors (M, V) in physical units and masks (M, K) to embeddings (M, E)."""
        return self.encoder(image, (vector - self.vector_mean) / self.vector_std, camera_mask)

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
        ``disagreement`` (of the reward) and ``value_disagreement``, each (M, H).
        """
        prepared = self.rssm.latent.prepare(noise)
        beliefs, actions = [state.belief], []
        for h in range(noise.shape[1]):
            action = policy[:, h] if isinstance(policy, Tensor) else policy(state.belief)
            state = self.rssm.imagine_step(state, action, prepared[:, h])
            beliefs.append(state.belief)
            actions.append(action)
        stacked = torch.stack(beliefs, 1)
        return {"beliefs": stacked, "actions": torch.stack(actions, 1), **self.predict(stacked[:, 1:])}

    def predict(self, belief: Tensor) -> dict[str, Tensor]:
        """What the heads say of beliefs (…, F), each (…,); the names are those of ``imagine``."""
        reward, value = self.reward(belief), self.value(belief)
        return {
            "rewards": self.reward.mean(reward),
            "continues": torch.sigmoid(self.continues(belief)),
            "values": self.value.mean(value),
            "disagreement": self.reward.disagreement(reward),
            "value_disagreement": self.value.disagreement(value),
        }

    def act(self, belief: Tensor) -> Tensor:
        """The actor's most likely command (M, 3) for beliefs (M, F)."""
        return search_to_command(self.actor(belief).mode)

    def forward(self, batch: Batch, noise: Noise, learn_policy: bool = False) -> dict[str, Tensor]:
        """Every loss, unweighted, by the name of its weight, and metrics under ``metric/…``.

        With ``learn_policy`` the losses of actor and critic in imagination are among them, and ``imagined/returns``
        for ``update_return_range``.
        """
        states, posterior, prior = self.observe(self._hide_cameras(batch, noise.camera), noise.latent[:, :-1])
        # The last row's action leads to a state that was not recorded: the prior supplies it, so that the reward and
        # the end that this action led to are learned too.
        last = State(states.deterministic[:, -1], states.stochastic[:, -1])
        beyond = self.imagine_step(last, batch.action[:, -1], noise.latent[:, -1])
        belief = states.belief
        reached = torch.cat([belief[:, 1:], beyond.belief[:, None]], dim=1)
        errors = self.decoder.squared_errors(belief.flatten(0, 1), batch.image.flatten(0, 1))
        kl_posterior, kl_prior = self.rssm.kl_terms(posterior, prior)
        reward = self.reward(reached)
        returns = self._returns(reached, batch)
        actor = self.actor(belief)
        latent = self.rssm.latent
        result = {
            "reconstruction": losses.reconstruction_loss(errors.unflatten(0, belief.shape[:2]), batch.camera_mask),
            "kl": losses.kl_balanced(kl_posterior, kl_prior, self.config.kl_balance, self.config.kl_free_bits),
            "reward": self.reward.loss(reward, batch.reward).mean(),
            "continue": losses.continue_loss(self.continues(reached), 1.0 - batch.terminal).mean(),
            "value": self.value.loss(self.value(belief), returns).mean(),
            "dynamics": losses.dynamics_loss(latent.mean(prior), latent.mean(posterior)),
            "behaviour_cloning": losses.behaviour_cloning_loss(
                actor.log_probability(batch.expert), batch.expert_weight
            ),
        }
        if self.config.open_loop_weight > 0:
            result["open_loop"] = overshooting.open_loop_loss(self, states, batch, noise.open_loop)
        if learn_policy:
            result |= behaviour.learn_in_imagination(self, states, noise)
        with torch.no_grad():
            pixels = self.config.image_size**2 * 3 * batch.camera_mask.sum(-1).mean()
            result["metric/pixel_mse"] = result["reconstruction"].detach() / pixels
            # What the mean picture would cost, from one pixel in sixteen: an error near it means a dead latent.
            sparse = batch.image[..., ::4, ::4].float() / 255.0
            result["metric/pixel_variance"] = sparse.var(dim=(0, 1)).mean()
            result["metric/kl_nats"] = kl_prior.mean()
            result["metric/reward_error"] = (self.reward.mean(reward) - batch.reward).abs().mean()
            error = (actor.mode - batch.expert).abs().mean(-1)
            result["metric/actor_error"] = (error * batch.expert_weight).mean()
        return result

    def _hide_cameras(self, batch: Batch, chance: Tensor) -> Batch:
        """In training, with several cameras: some are hidden for the whole sequence, but never all of one sequence."""
        if not (self.training and self.cameras > 1 and self.config.camera_dropout > 0):
            return batch
        # The camera with the highest number always stays.
        kept = (chance >= self.config.camera_dropout) | (chance == chance.amax(1, keepdim=True))
        return batch._replace(camera_mask=batch.camera_mask * kept[:, None])

    @torch.no_grad()
    def _returns(self, reached: Tensor, batch: Batch) -> Tensor:
        """Lambda-returns (B, T) of the recorded drive, from the beliefs (B, T, F) that its actions led to."""
        next_values = self.target_value.mean(self.target_value(reached))
        return losses.lambda_returns(
            batch.reward, 1.0 - batch.terminal, next_values, self.config.discount, self.config.return_lambda
        )

    def _freeze_what_no_loss_moves(self) -> None:
        """Heads whose losses have no weight: several processes wait for the gradients of all that is not frozen."""
        config = self.config
        learned = {
            self.decoder: config.reconstruction_weight + config.open_loop_weight,
            self.reward: config.reward_weight,
            self.continues: config.continue_weight,
            self.value: config.value_weight + config.policy_learning * config.critic_weight,
            self.actor: config.behaviour_cloning_weight
            + config.policy_learning * (config.actor_weight + config.entropy_weight),
        }
        for part, weight in learned.items():
            part.requires_grad_(weight > 0.0)

    @torch.no_grad()
    def update_target(self) -> None:
        """Move the target value network a little towards the value network."""
        pairs = zip(self.target_value.parameters(), self.value.parameters(), strict=True)
        for target, source in pairs:
            target.lerp_(source, 1.0 - self.config.target_decay)

    @torch.no_grad()
    def update_return_range(self, returns: Tensor) -> None:
        """Follow the spread of the imagined returns (M, H), from their 5th to their 95th percentile (DreamerV3)."""
        values = returns.float().flatten()
        spread = torch.quantile(values, 0.95) - torch.quantile(values, 0.05)
        self.return_range.lerp_(spread, 1.0 - behaviour.RANGE_DECAY)
