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

    The outputs are ``parts`` vectors of ``units`` each, one after another, and every block computes its share of each.
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
    state then costs as much as a small one.
    """

    def __init__(self, inputs: int, units: int, blocks: int = 1):
        super().__init__()
        self.recurrent = BlockLinear(units, 3, blocks) if blocks > 1 else None
        self.gates = nn.Linear(inputs + (units if blocks == 1 else 0), 3 * units, bias=False)
        self.norm = nn.LayerNorm(3 * units)

    def forward(self, inputs: Tensor, state: Tensor) -> Tensor:
        """inputs (M, I) and state (M, D) to the next state (M, D)."""
        return self.gate(self.products(inputs, state), state)

    def products(self, inputs: Tensor, state: Tensor) -> Tensor:
        """The input of ``gate``, (M, 3D)."""
        if self.recurrent is None:
            return self.gates(torch.cat([inputs, state], dim=-1))
        return self.gates(inputs) + self.recurrent(state)

    def gate(self, gates: Tensor, state: Tensor) -> Tensor:
        """The next state (M, D) from the products (M, 3D) of inputs and state with the weights."""
        reset, candidate, update = self.norm(gates).chunk(3, dim=-1)
        candidate = torch.tanh(torch.sigmoid(reset) * candidate)
        update = torch.sigmoid(update - 1.0)
        return torch.lerp(state, candidate.to(state.dtype), update.to(state.dtype))


class RSSM(nn.Module):
    """``observe`` and ``filter_step`` follow observations, ``imagine`` and ``imagine_step`` predict without them."""

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

    def split(self, belief: Tensor) -> State:
        """Beliefs (…, F) in their two parts."""
        return State(belief[..., : self.units], belief[..., self.units :])

    def filter_step(
        self, state: State, action: Tensor, embedded: Tensor, noise: Tensor | None = None
    ) -> tuple[State, Tensor]:
        """One step with an observation: the state after it, and the surprise (M,), KL(posterior ‖ prior) in nats.

        ``embedded`` (M, hidden) is posterior_embedding's output; noise (M, S) is prepared, None for the mean.
        """
        deterministic = self.advance(state, action)
        posterior = self.posterior(deterministic, embedded)
        surprise = self.latent.kl(posterior, self.prior_net(deterministic))
        return State(deterministic, self._drawn(posterior, noise)), surprise

    def imagine_step(self, state: State, action: Tensor, noise: Tensor | None = None) -> State:
        """One step of the prior: state (M, …), action (M, A), prepared noise (M, S) or None for the mean."""
        deterministic = self.advance(state, action)
        return State(deterministic, self._drawn(self.prior_net(deterministic), noise))

    def imagine(
        self, state: State, actions: Tensor | Callable[[Tensor], Tensor], steps: int, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Roll the prior forward from ``state`` (M, …): the H beliefs reached (M, H, F) and the actions (M, H, A).

        ``actions`` (M, H, A), or a function from beliefs (M, F) to actions (M, A); noise (M, H, S) standard normal,
        None for the mean.
        """
        prepared = None if noise is None else self.latent.prepare(noise)
        belief, reached, done = state.belief, [], []
        for h in range(steps):
            action = actions(belief) if callable(actions) else actions[:, h]
            state = self.imagine_step(state, action, None if prepared is None else prepared[:, h])
            belief = state.belief
            reached.append(belief)
            done.append(action)
        return torch.stack(reached, 1), torch.stack(done, 1)

    def advance(self, state: State, action: Tensor) -> Tensor:
        """Deterministic state (M, D) after ``action`` (M, A)."""
        return self._advanced(state, self.input[0](torch.cat([state.stochastic, action], dim=-1)), self.gru.products)

    def posterior(self, deterministic: Tensor, embedded: Tensor) -> Tensor:
        """Posterior parameters (M, P); ``embedded`` (M, hidden) is posterior_embedding's output."""
        return self._found(self.posterior_state(deterministic) + embedded, self.posterior_net[-1])

    def _advanced(self, state: State, x: Tensor, products: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """``advance`` from its first layer's output; ``products`` are those of LayerNormGRU."""
        for layer in list(self.input)[1:]:
            x = layer(x)
        return self.gru.gate(products(x, state.deterministic), state.deterministic)

    def _found(self, x: Tensor, last: Callable[[Tensor], Tensor]) -> Tensor:
        """``posterior`` from its first layer's output; ``last`` is its last layer."""
        for layer in list(self.posterior_net)[:-1]:
            x = layer(x)
        return last(x)

    def _drawn(self, parameters: Tensor, prepared: Tensor | None) -> Tensor:
        """The latent (M, S) of parameters (M, P): their mean, or a sample."""
        return self.latent.mean(parameters) if prepared is None else self.latent.sample(parameters, prepared)

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
        states, parameters = [], []
        for t, (keep, prepared) in enumerate(zip(keeps, noises, strict=True)):
            hidden = advance(t, State(state.deterministic * keep, state.stochastic * keep))
            posterior = posterior_of(t, hidden)
            state = State(hidden, self.latent.sample(posterior, prepared))
            states.append(state)
            parameters.append(posterior)
        stacked = State(*(torch.stack(part, 1) for part in zip(*states, strict=True)))
        # The prior depends only on the deterministic states, so it is computed outside the loop.
        return stacked, torch.stack(parameters, 1), self.prior_net(stacked.deterministic)

    def _unrolled(
        self, embedded: Tensor, actions: Tensor
    ) -> tuple[Callable[[int, State], Tensor], Callable[[int, Tensor], Tensor]]:
        """``advance`` and ``posterior`` for the steps t of a sequence, with everything that needs no state precomputed.

        embedded (T, B, hidden) from posterior_embedding, actions (B, T, A).
        """
        steps, batch, _ = embedded.shape
        first, size = self.input[0], self.latent.size
        into = LoopLinear(
            first.weight[:, :size], functional.linear(actions.transpose(0, 1), first.weight[:, size:], first.bias)
        )
        gates = None
        if self.gru.recurrent is None:
            nothing = torch.zeros((), dtype=embedded.dtype, device=embedded.device)
            gates = LoopLinear(self.gru.gates.weight, nothing.expand(steps, batch, 3 * self.units))
        seen = LoopLinear(self.posterior_state.weight, embedded)
        last = self.posterior_net[-1]
        out = LoopLinear(last.weight, last.bias.to(embedded.dtype).expand(steps, batch, -1))

        def advance(t: int, state: State) -> Tensor:
            products = self.gru.products if gates is None else lambda x, d: gates(t, torch.cat([x, d], dim=-1))
            return self._advanced(state, into(t, state.stochastic), products)

        def posterior(t: int, hidden: Tensor) -> Tensor:
            return self._found(seen(t, hidden), lambda x: out(t, x))

        return advance, posterior

    def kl_terms(self, posterior: Tensor, prior: Tensor) -> tuple[Tensor, Tensor]:
        """KL(posterior ‖ prior) twice, (B, T) each: gradient to the posterior only, and to the prior only."""
        return self.latent.kl(posterior, prior.detach()), self.latent.kl(posterior.detach(), prior)
