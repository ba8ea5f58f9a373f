import math

import numpy as np
import pytest
import torch
from small_model import SMALL
from torch.distributions import Independent, Normal, TanhTransform, TransformedDistribution
from wm_bundle import to_command
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.model.heads import Actor, MseHead, ScalarHead, TanhNormal, TwoHotHead, search_to_command


def test_two_hot_says_exactly_what_its_targets_say():
    head = TwoHotHead(4, 4, bins=63, limit=1000.0)
    assert head.mean(head(torch.randn(5, 4))).tolist() == [0.0] * 5  # untrained: exactly nothing
    for target in (-999.0, -100.0, -0.4, 0.0, 3.2, 77.0):
        logits = torch.zeros(1, 63, requires_grad=True)
        optimizer = torch.optim.LBFGS([logits], max_iter=200, line_search_fn="strong_wolfe")

        def closure(logits=logits, target=target, optimizer=optimizer):
            optimizer.zero_grad()
            loss = head.loss(logits, torch.tensor([target])).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        assert head.mean(logits).item() == pytest.approx(target, rel=0.02, abs=0.02)


def test_two_hot_loss_by_hand():
    head = TwoHotHead(4, 4, bins=3, limit=math.e - 1.0)
    bins = head.bins.tolist()
    logits = torch.tensor([[0.0, 1.0, 2.0]])
    normaliser = math.log(1.0 + math.e + math.e**2)
    # Halfway between the second and the third bin: half of each one's cross-entropy.
    target = torch.tensor([(bins[1] + bins[2]) / 2])
    assert head.loss(logits, target).item() == pytest.approx(normaliser - 0.5 * 1.0 - 0.5 * 2.0, rel=1e-5)


def test_plain_regression_is_the_squared_error():
    head = MseHead(4, 4)
    output = torch.tensor([[2.0]])
    assert head.mean(output).item() == 2.0
    assert head.loss(output, torch.tensor([5.0])).item() == pytest.approx(9.0)


@pytest.mark.parametrize("kind", ["two-hot", "mse"])
def test_an_ensemble_predicts_the_mean_and_its_disagreement_is_the_deviation(kind):
    torch.manual_seed(0)
    head = ScalarHead(WorldModelTrainConfig(scalar_head=kind, ensemble_size=3, **SMALL))
    for i, member in enumerate(head.members):
        torch.nn.init.normal_(member.net[-1].weight, std=0.3 * (i + 1))
    belief = torch.randn(5, 15)
    outputs = head(belief)
    alone = torch.stack([member.mean(member(belief)) for member in head.members])
    torch.testing.assert_close(head.mean(outputs), alone.mean(0))
    torch.testing.assert_close(head.disagreement(outputs), alone.std(0, correction=0))
    target = torch.randn(5)
    each = torch.stack([member.loss(member(belief), target) for member in head.members])
    torch.testing.assert_close(head.loss(outputs, target), each.mean(0))


def test_a_single_head_never_disagrees():
    head = ScalarHead(WorldModelTrainConfig(**SMALL))
    assert head.disagreement(head(torch.randn(4, 15))).tolist() == [0.0] * 4


def test_an_ensemble_agrees_where_it_was_taught_and_not_elsewhere():
    torch.manual_seed(0)
    head = ScalarHead(WorldModelTrainConfig(scalar_head="mse", ensemble_size=5, **{**SMALL, "hidden_dim": 32}))
    taught = torch.randn(64, 15)
    optimizer = torch.optim.Adam(head.parameters(), 1e-2)
    for _ in range(200):
        optimizer.zero_grad()
        head.loss(head(taught), taught[:, 0].sin()).mean().backward()
        optimizer.step()
    with torch.no_grad():
        near, far = (head.disagreement(head(x)).mean() for x in (taught, 10 * torch.randn(64, 15)))
    assert far > 3 * near


def test_tanh_normal_has_torchs_density():
    mean, std = torch.randn(6, 2), torch.rand(6, 2) + 0.1
    expected = Independent(TransformedDistribution(Normal(mean, std), TanhTransform()), 1)
    distribution = TanhNormal(mean, std)
    actions, log_density = distribution.sample(torch.randn(6, 2))
    torch.testing.assert_close(log_density, expected.log_prob(actions), rtol=1e-3, atol=1e-3)
    inside = actions.clamp(-0.9, 0.9)
    torch.testing.assert_close(distribution.log_probability(inside), expected.log_prob(inside), rtol=1e-4, atol=1e-4)


def test_actions_at_the_end_of_the_range_have_a_finite_likelihood():
    distribution = TanhNormal(torch.zeros(1, 2, requires_grad=True), torch.full((1, 2), 0.05))
    value = distribution.log_probability(torch.tensor([[1.0, -1.0]]))
    value.sum().backward()
    assert torch.isfinite(value).all() and torch.isfinite(distribution.mean.grad).all()


def test_the_actor_stays_within_its_bounds():
    config = WorldModelTrainConfig(actor_min_std=0.1, actor_max_std=0.4, **SMALL)
    actor = Actor(config)
    with torch.no_grad():
        for scale in (1.0, 1e4):
            distribution = actor(torch.randn(50, 15) * scale)
            assert (distribution.std >= 0.1).all() and (distribution.std <= 0.4 + 1e-6).all()
            assert (distribution.mode.abs() < 1.0).all()
            actions, density = distribution.sample(torch.randn(50, 2) * 3)
            assert (actions.abs() <= 1.0).all() and torch.isfinite(density).all()


def test_search_to_command_is_the_bundles():
    search = torch.rand(50, 2) * 2 - 1
    np.testing.assert_array_equal(search_to_command(search).numpy(), to_command(search.numpy()))
