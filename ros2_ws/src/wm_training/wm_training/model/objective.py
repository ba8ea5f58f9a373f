"""All losses of a world model.

To add one, add a term to ``forward`` and its weight, ``<name>_weight``, to the configuration. If it trains a head, add
the weight to that head's in ``__init__`` too: heads whose losses have no weight are frozen.
"""

import torch
from torch import Tensor, nn

from wm_training.model import behaviour, losses, overshooting
from wm_training.model.batch import Batch
from wm_training.model.noise import Noise
from wm_training.model.rssm import State
from wm_training.model.world_model import WorldModel


class WorldModelObjective(nn.Module):
    """What a Learner trains: one forward pass that returns every loss."""

    def __init__(self, model: WorldModel):
        """Freezes the heads whose losses have no weight: with several processes, all other gradients are waited for."""
        super().__init__()
        self.model, config = model, model.config
        learned = {
            model.decoder: config.reconstruction_weight + config.open_loop_weight,
            model.reward: config.reward_weight,
            model.continues: config.continue_weight,
            model.value: config.value_weight + config.policy_learning * config.critic_weight,
            model.actor: config.behaviour_cloning_weight
            + config.policy_learning * (config.actor_weight + config.entropy_weight),
        }
        if model.vector is not None:
            learned[model.vector] = config.vector_weight
        for part, weight in learned.items():
            part.requires_grad_(weight > 0.0)

    def forward(self, batch: Batch, noise: Noise, learn_policy: bool = False) -> dict[str, Tensor]:
        """Every loss, unweighted, by the name of its weight, and metrics under ``metric/…``.

        With ``learn_policy`` it includes the losses of actor and critic in imagination, and ``imagined/returns``
        for ``follow``.
        """
        model, config = self.model, self.model.config
        states, posterior, prior = model.observe(self._hide_cameras(batch, noise.camera), noise.latent[:, :-1])
        # The last row's action leads to a state that was not recorded: the prior supplies it, so that the reward and
        # the end of this action are learned too.
        last = State(states.deterministic[:, -1], states.stochastic[:, -1])
        beyond = model.imagine_step(last, batch.action[:, -1], noise.latent[:, -1])
        belief = states.belief
        reached = torch.cat([belief[:, 1:], beyond.belief[:, None]], dim=1)
        errors = model.decoder.squared_errors(belief.flatten(0, 1), batch.image.flatten(0, 1))
        kl_posterior, kl_prior = model.rssm.kl_terms(posterior, prior)
        reward, actor, latent = model.reward(reached), model.actor(belief), model.rssm.latent
        result = {
            "reconstruction": losses.reconstruction_loss(errors.unflatten(0, belief.shape[:2]), batch.camera_mask),
            "kl": losses.kl_balanced(kl_posterior, kl_prior, config.kl_balance, config.kl_free_bits),
            "reward": model.reward.loss(reward, batch.reward).mean(),
            "continue": losses.continue_loss(model.continues(reached), 1.0 - batch.terminal).mean(),
            "value": model.value.loss(model.value(belief), self._returns(reached, batch)).mean(),
            "dynamics": losses.dynamics_loss(latent.mean(prior), latent.mean(posterior)),
            "behaviour_cloning": losses.behaviour_cloning_loss(
                actor.log_probability(batch.expert), batch.expert_weight
            ),
        }
        ahead = overshooting.imagine_ahead(model, states, batch, noise.open_loop) if noise.open_loop.numel() else None
        if config.open_loop_weight > 0:
            result["open_loop"] = overshooting.open_loop_loss(model, ahead, batch)
        if model.vector is not None:
            result |= self._vector(belief, ahead, model.normalised(batch.vector))
        if learn_policy:
            result |= behaviour.learn_in_imagination(model, states, noise)
        with torch.no_grad():
            pixels = config.image_size**2 * 3 * batch.camera_mask.sum(-1).mean()
            result["metric/pixel_mse"] = result["reconstruction"].detach() / pixels
            # The error of the mean picture, from one pixel in sixteen: an error close to it means a dead latent.
            sparse = batch.image[..., ::4, ::4].float() / 255.0
            result["metric/pixel_variance"] = sparse.var(dim=(0, 1)).mean()
            result["metric/kl_nats"] = kl_prior.mean()
            result["metric/reward_error"] = (model.reward.mean(reward) - batch.reward).abs().mean()
            error = (actor.mode - batch.expert).abs().mean(-1)
            result["metric/actor_error"] = (error * batch.expert_weight).mean()
        return result

    @torch.no_grad()
    def follow(self, returns: Tensor | None) -> None:
        """After an update: update what the optimiser does not. ``returns`` (M, H) were imagined, None without them."""
        model, config = self.model, self.model.config
        for target, source in zip(model.target_value.parameters(), model.value.parameters(), strict=True):
            target.lerp_(source, 1.0 - config.target_decay)
        if returns is not None:
            model.return_range.lerp_(behaviour.spread(returns), 1.0 - behaviour.RANGE_DECAY)

    def _hide_cameras(self, batch: Batch, numbers: Tensor) -> Batch:
        """In training, with several cameras: hide some for a complete sequence, but never all cameras of one."""
        dropout = self.model.config.camera_dropout
        if not (self.model.training and self.model.cameras > 1 and dropout > 0):
            return batch
        # The camera with the highest number always stays.
        kept = (numbers >= dropout) | (numbers == numbers.amax(1, keepdim=True))
        return batch._replace(camera_mask=batch.camera_mask * kept[:, None])

    def _vector(self, belief: Tensor, ahead: overshooting.Ahead, targets: Tensor) -> dict[str, Tensor]:
        """The loss of the vector inputs, half of what is seen and half of what is imagined, and the typical error of a
        number in each, in standard deviations; ``targets`` (B, T, V) are normalised."""
        seen = losses.numbers_loss(self.model.vector(belief), targets).mean()
        imagined = overshooting.vector_errors(self.model, ahead, targets).mean()
        known = (~targets.isnan()).float().sum(-1).mean().clamp(min=1e-6)
        return {
            "vector": 0.5 * (seen + imagined),
            "metric/vector_error": (seen.detach() / known).sqrt(),
            "metric/vector_error_ahead": (imagined.detach() / known).sqrt(),
        }

    @torch.no_grad()
    def _returns(self, reached: Tensor, batch: Batch) -> Tensor:
        """Lambda-returns (B, T) of the recorded drive, from the beliefs (B, T, F) reached by its actions."""
        model, config = self.model, self.model.config
        next_values = model.target_value.mean(model.target_value(reached))
        return losses.lambda_returns(
            batch.reward, 1.0 - batch.terminal, next_values, config.discount, config.return_lambda
        )
