import pytest
import torch
from small_model import LATENTS, losses_of, small_batch, small_model, small_noise
from wm_training.model import behaviour
from wm_training.model.losses import LOSSES
from wm_training.model.objective import WorldModelObjective
from wm_training.model.rssm import State

TERMS = ("efficiency", "jerk")


def learning_model(latent="gaussian", **changes):
    """With every loss."""
    settings = dict(policy_learning=True, imagination_starts=6, open_loop_weight=1.0, open_loop_steps=2)
    return small_model(latent, terms=TERMS, reward_terms_weight=1.0, **settings, **changes).train()


@pytest.mark.parametrize("latent", LATENTS)
def test_policy_learning_adds_its_losses_and_they_are_finite(latent):
    model, batch = learning_model(latent), small_batch(terms=2)
    noise = small_noise(model, batch)
    without, result = losses_of(model, batch, noise), losses_of(model, batch, noise, learn_policy=True)
    assert set(LOSSES) == {name for name in result if "/" not in name}
    assert set(LOSSES) - set(without) == {"actor", "critic", "entropy"}
    assert result["imagined/returns"].shape == (6, 4)  # 6 starts, horizon 4
    assert all(torch.isfinite(value).all() for value in result.values())


@pytest.mark.parametrize("name,taught", [("actor", "actor."), ("critic", "value."), ("entropy", "actor.")])
def test_each_loss_of_policy_learning_teaches_its_own_part_and_nothing_else(name, taught):
    model, batch = learning_model(), small_batch(terms=2)
    losses_of(model, batch, small_noise(model, batch), learn_policy=True)[name].backward()
    moved = {key for key, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert moved and all(key.startswith(taught) for key in moved)


def test_the_parts_of_a_batch_give_the_losses_of_the_whole():
    model, batch = learning_model(), small_batch(sequences=4, terms=2)
    noise = small_noise(model, batch)
    whole = losses_of(model, batch, noise, learn_policy=True)
    parts = [losses_of(model, batch.part(s), noise.part(s), learn_policy=True) for s in (slice(0, 2), slice(2, 4))]
    for name in LOSSES:
        torch.testing.assert_close(whole[name], (parts[0][name] + parts[1][name]) / 2, rtol=1e-5, atol=1e-6)


def test_imagination_starts_where_the_noise_says():
    states = State(torch.arange(10.0).reshape(2, 5, 1), torch.zeros(2, 5, 3))
    picked = behaviour._starts(states, torch.tensor([[0.0, 0.999], [0.45, 0.2]]))
    assert picked.deterministic.flatten().tolist() == [0.0, 4.0, 7.0, 6.0]


def test_the_number_of_starts_is_shared_by_the_sequences():
    def starts(states, sequences):
        model = learning_model(open_loop_starts=states) if states != 6 else learning_model()
        noise = small_noise(model, small_batch(sequences=sequences))
        return noise.start.shape[1], noise.open_loop.shape[1]

    assert starts(6, sequences=4) == (2, 5)  # 64 are more than there are rows
    assert starts(3, sequences=1) == (5, 3)
    assert starts(0, sequences=4) == (2, 5)  # 0 stands for all


def test_the_return_range_follows_the_percentiles():
    model = learning_model()
    model.return_range.fill_(0.0)
    WorldModelObjective(model).follow(torch.linspace(0.0, 100.0, 101).reshape(1, -1))
    assert model.return_range.item() == pytest.approx(0.01 * (95.0 - 5.0))


def test_the_actor_learns_what_the_imagined_reward_pays_for():
    """The reward head is replaced by one that pays for steering right, read from what the dynamics makes of it."""
    model, batch = learning_model(hidden_dim=32), small_batch(terms=2)
    noise = small_noise(model, batch)
    with torch.no_grad():
        states, _, _ = model.observe(batch, noise.latent[:, :-1])
        left, right = (
            model.imagine(_flat(states), torch.tensor([steer, 0.0, 0.0]).expand(10, 4, 3), torch.zeros(10, 4, 3))
            for steer in (-1.0, 1.0)
        )
        direction = (right["beliefs"][:, 1:] - left["beliefs"][:, 1:]).mean((0, 1))
    model.reward = _Linear(direction / direction.norm())
    model.target_value = _Linear(torch.zeros_like(direction))
    optimizer = torch.optim.Adam(model.actor.parameters(), 1e-2)
    before = model.actor(states.belief).mode[..., 0].mean().item()
    for step in range(40):
        optimizer.zero_grad()
        behaviour.learn_in_imagination(model, states, small_noise(model, batch, step))["actor"].backward()
        optimizer.step()
    after = model.actor(states.belief).mode[..., 0].mean().item()
    assert after > before + 0.3


def _flat(states: State) -> State:
    return State(*(part.flatten(0, 1) for part in states))


class _Linear(torch.nn.Module):
    """A head that reads one direction of the belief, in place of a learned one."""

    def __init__(self, direction):
        super().__init__()
        self.direction = direction

    def forward(self, belief):
        return belief @ self.direction

    def mean(self, outputs):
        return outputs
