"""Recurrent state-space model (PlaNet, Hafner et al. 2019): a deterministic and a stochastic state per step.

Shapes follow the legend of docs/architecture.md: B batch, T time, D deterministic, S stochastic, A action, E embedding,
P latent parameters.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.model.latents import make_latent
from wm_training.model.loop_linear import LoopLinear
from wm_training.model.networks import mlp


class State(NamedTuple):
    """One belief: ``deterministic`` (..., D) and ``stochastic`` (..., S)."""

    deterministic: Tensor
    stochastic: Tensor

    @property
    def belief(self) -> Tensor:
        """Both parts concatenated, (..., F), deterministic first."""
        return torch.cat([self.deterministic, self.stochastic], dim=-1)


class BlockLinear(nn.Module):
    """A linear map whose matrix is block-diagonal: ``blocks`` small products instead of one large one.

    The outputs are ``parts`` vectors of ``units`` each, one behind the other, and every block feeds its share of all.
    """

    def __init__(self, units: int, parts: int, blocks: int):
        super().__init__()
        size = units // blocks
        self.parts = parts
        self.weight = nn.Parameter(torch.empty(blocks, size, parts * size))
        nn.init.uniform_(self.weight, -(size**-0.5), size**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(M, units) to (M, parts·units)."""
        blocks, size, _ = self.weight.shape
        product = torch.bmm(x.unflatten(-1, (blocks, size)).transpose(0, 1), self.weight.to(x.dtype))
        # (blocks, M, parts, size) to (M, parts, blocks, size)
        return product.unflatten(-1, (self.parts, size)).permute(1, 2, 0, 3).flatten(1)


class LayerNormGRU(nn.Module):
    """GRU cell with layer norm on its gates, as in DreamerV2; the update gate starts mostly closed.

    With ``blocks`` above 1 the recurrent matrix is block-diagonal (DreamerV3, Hafner et al. 2023, appendix B): a large
    state then costs what a small one did.
    """

    def __init__(self, inputs: int, units: int, blocks: int = 1):
        super().__init__()
        self.recurrent = BlockLinear(units, 3, blocks) if blocks > 1 else None
        self.gates = nn.Linear(inputs + (units if blocks == 1 else 0), 3 * units, bias=False)
        self.norm = nn.LayerNorm(3 * units)

    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        """inputs (M, I) and state (M, D) to the next state (M, D)."""
        if self.recurrent is None:
            gates = self.gates(torch.cat([inputs, state], dim=-1))
        else:
            gates = self.gates(inputs) + self.recurrent(state)
        return self.gate(gates, state)

    def gate(self, gates: Tensor, state: Tensor) -> Tensor:
        """The next state (M, D) from the products (M, 3D) of inputs and state with the weights."""
        reset, candidate, update = self.norm(gates).chunk(3, dim=-1)
        candidate = torch.tanh(torch.sigmoid(reset) * candidate)
        update = torch.sigmoid(update - 1.0)
        return torch.lerp(state, candidate.to(state.dtype), update.to(state.dtype))


class RSSM(nn.Module):
    """``observe`` filters a sequence, ``imagine_step`` predicts without an observation."""

    def __init__(self, config: WorldModelTrainConfig, embedding: int):
        super().__init__()
        self.latent = make_latent(config)
        hidden, units = config.hidden_dim, config.state_dim
        self.units = units
        self.input = nn.Sequential(
            nn.Linear(self.latent.size + config.action_dim, hidden), nn.LayerNorm(hidden), nn.SiLU()
        )
        self.gru = LayerNormGRU(hidden, units, config.gru_blocks)
        self.prior_net = mlp(units, hidden, self.latent.parameter_size)
        # The posterior's first layer is split in two, so that the embedding's half runs once for the whole sequence.
        self.posterior_state = nn.Linear(units, hidden, bias=False)
        self.posterior_embedding = nn.Linear(embedding, hidden)
        self.posterior_net = nn.Sequential(
            nn.LayerNorm(hidden), nn.SiLU(), nn.Linear(hidden, self.latent.parameter_size)
        )

    def initial(self, batch: int, device: torch.device) -> State:
        """The empty belief, zeros: (batch, D) and (batch, S)."""
        return State(torch.zeros(batch, self.units, device=device), torch.zeros(batch, self.latent.size, device=device))

    def advance(self, state: State, action: Tensor) -> Tensor:
        """Deterministic state (M, D) after ``action`` (M, A)."""
        return self.gru(self.input(torch.cat([state.stochastic, action], dim=-1)), state.deterministic)

    def posterior(self, deterministic: Tensor, embedded: Tensor) -> Tensor:
        """Posterior parameters (M, P); ``embedded`` (M, hidden) is posterior_embedding's output."""
        return self.posterior_net(self.posterior_state(deterministic) + embedded)

    def observe(
        self, embeddings: Tensor, previous_actions: Tensor, is_first: Tensor, noise: Tensor
    ) -> tuple[State, Tensor, Tensor]:
        """Filter sequences, starting from the empty belief.

        embeddings (B, T, E), previous_actions (B, T, A) with a_{t-1} in row t, is_first (B, T) 1.0 where an episode
        begins (belief and previous action are dropped there), noise (B, T, S) standard normal.
        Returns the states (B, T, …), posterior parameters (B, T, P) and prior parameters (B, T, P).
        """
        embedded = self.posterior_embedding(embeddings).transpose(0, 1)
        keeps = (1.0 - is_first).t()[..., None].unbind(0)
        noises = self.latent.prepare(noise).transpose(0, 1).unbind(0)
        advance, posterior_of = self._unrolled(embedded, previous_actions * (1.0 - is_first)[..., None])
        state = self.initial(embeddings.shape[0], embeddings.device)
        deterministic, stochastic, parameters = [], [], []
        for t, (keep, chance) in enumerate(zip(keeps, noises, strict=True)):
            hidden = advance(t, State(state.deterministic * keep, state.stochastic * keep))
            posterior = posterior_of(t, hidden)
            state = State(hidden, self.latent.sample(posterior, chance))
            deterministic.append(hidden)
            stochastic.append(state.stochastic)
            parameters.append(posterior)
        states = State(torch.stack(deterministic, 1), torch.stack(stochastic, 1))
        # The prior depends only on the deterministic states, so it needs no place in the loop.
        return states, torch.stack(parameters, 1), self.prior_net(states.deterministic)

    def _unrolled(
        self, embedded: Tensor, actions: Tensor
    ) -> tuple[Callable[[int, State], Tensor], Callable[[int, Tensor], Tensor]]:
        """``advance`` and ``posterior`` for the steps t of a sequence, all that needs no state done beforehand.

        embedded (T, B, hidden) from posterior_embedding, actions (B, T, A).
        """
        steps, batch, _ = embedded.shape
        size = self.latent.size
        into, *rest = self.input
        offsets = functional.linear(actions.transpose(0, 1), into.weight[:, size:], into.bias)
        into = LoopLinear(into.weight[:, :size], offsets)
        if self.gru.recurrent is None:
            nothing = torch.zeros((), dtype=embedded.dtype, device=embedded.device)
            gates = LoopLinear(self.gru.gates.weight, nothing.expand(steps, batch, 3 * self.units))
        seen = LoopLinear(self.posterior_state.weight, embedded)
        *middle, last = self.posterior_net
        out = LoopLinear(last.weight, last.bias.to(embedded.dtype).expand(steps, batch, -1))

        def advance(t: int, state: State) -> Tensor:
            x = into(t, state.stochastic)
            for layer in rest:
                x = layer(x)
            if self.gru.recurrent is not None:
                return self.gru(x, state.deterministic)
            return self.gru.gate(gates(t, torch.cat([x, state.deterministic], dim=-1)), state.deterministic)

        def posterior(t: int, hidden: Tensor) -> Tensor:
            x = seen(t, hidden)
            for layer in middle:
                x = layer(x)
            return out(t, x)

        return advance, posterior

    def imagine_step(self, state: State, action: Tensor, prepared: Tensor | None = None) -> State:
        """One step of the prior: state (M, …), action (M, A), prepared noise (M, S) or None for the mean."""
        deterministic = self.advance(state, action)
        prior = self.prior_net(deterministic)
        return State(
            deterministic, self.latent.mean(prior) if prepared is None else self.latent.sample(prior, prepared)
        )

    def kl_terms(self, posterior: Tensor, prior: Tensor) -> tuple[Tensor, Tensor]:
        """KL(posterior ‖ prior) twice, (B, T) each: gradient to the posterior only, and to the prior only."""
        return self.latent.kl(posterior, prior.detach()), self.latent.kl(posterior.detach(), prior)
