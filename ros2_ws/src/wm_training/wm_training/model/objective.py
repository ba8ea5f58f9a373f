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
        for head, weight in ((model.vector, config.vector_weight), (model.reward_terms, config.reward_terms_weight)):
            if head is not None:
                learned[head] = weight
        for part, weight in learned.items():
            part.requires_grad_(weight > 0.0)

    def forward(self, batch: Batch, noise: Noise, learn_policy: bool = False) -> dict[str, Tensor]:
        """Every loss, unweighted, by the name of its weight, and metrics under ``metric/…``.

        With ``learn_policy`` it includes the losses of actor and critic in imagination, and ``imagined/returns``
        for ``follow``.
        """
        model, config = self.model, self.model.config
        states, posterior, prior = model.observe(self._hidden(batch, noise), noise.latent[:, :-1])
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
            # The vector of a row is that of the state reached by the action of the row before.
            targets = model.normalised(batch.vector)
            reached_targets = torch.cat([targets[:, 1:], torch.full_like(targets[:, :1], torch.nan)], dim=1)
            result |= _numbers("vector", model.vector, (belief, targets), (ahead, reached_targets))
        if model.reward_terms is not None:
            targets = (batch.reward_terms - model.terms_mean) / model.terms_std
            result |= _numbers("reward_terms", model.reward_terms, (reached, targets), (ahead, targets))
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

    def _hidden(self, batch: Batch, noise: Noise) -> Batch:
        """In training: hide some cameras, of several, and some vector inputs for a complete sequence, but never all
        cameras of one."""
        config, cameras = self.model.config, noise.camera
        if self.model.training and self.model.cameras > 1 and config.camera_dropout > 0:
            # The camera with the highest number always stays.
            kept = (cameras >= config.camera_dropout) | (cameras == cameras.amax(1, keepdim=True))
            batch = batch._replace(camera_mask=batch.camera_mask * kept[:, None])
        if self.model.training and noise.signal.numel():
            hidden = (noise.signal < config.vector_dropout)[:, None]
            batch = batch._replace(vector=batch.vector.masked_fill(hidden, torch.nan))
        return batch

    @torch.no_grad()
    def _returns(self, reached: Tensor, batch: Batch) -> Tensor:
        """Lambda-returns (B, T) of the recorded drive, from the beliefs (B, T, F) reached by its actions."""
        model, config = self.model, self.model.config
        next_values = model.target_value.mean(model.target_value(reached))
        return losses.lambda_returns(
            batch.reward, 1.0 - batch.terminal, next_values, config.discount, config.return_lambda
        )


def _numbers(
    name: str, head: nn.Module, seen: tuple[Tensor, Tensor], ahead: tuple[overshooting.Ahead, Tensor]
) -> dict[str, Tensor]:
    """The loss ``name`` of a head of normalised numbers, half of what is seen (beliefs and targets) and half of what is
    imagined (stretches and targets by the row that acts), and the typical error of a number in each, in standard
    deviations."""
    near = losses.numbers_loss(head(seen[0]), seen[1]).mean()
    far = overshooting.numbers_errors(head, *ahead).mean()
    known = (~seen[1].isnan()).float().sum(-1).mean().clamp(min=1e-6)
    return {
        name: 0.5 * (near + far),
        f"metric/{name}_error": (near.detach() / known).sqrt(),
        f"metric/{name}_error_ahead": (far.detach() / known).sqrt(),
    }
