import pytest
import torch
from torch.distributions import Categorical, Normal, kl_divergence
from wm_training.config import WorldModelTrainConfig
from wm_training.heads import TwoHotHead, search_to_command
from wm_training.latents import make_latent
from wm_training.world_model import Batch, WorldModel

SMALL = dict(state_dim=12, latent_dim=3, num_categories=4, hidden_dim=10, conv_depth=2, return_bins=9)
LATENTS = ("gaussian", "categorical")


def small_model(latent: str) -> WorldModel:
    torch.manual_seed(0)
    return WorldModel(WorldModelTrainConfig(latent=latent, **SMALL), channels=3, vector_size=2).eval()


def small_batch(steps: int = 5) -> Batch:
    torch.manual_seed(1)
    shape = (2, steps)
    return Batch(
        image=torch.randint(0, 256, (*shape, 3, 64, 64), dtype=torch.uint8), vector=torch.randn(*shape, 2),
        action=torch.rand(*shape, 3), previous_action=torch.rand(*shape, 3), reward=torch.randn(*shape),
        terminal=torch.zeros(shape), is_first=torch.zeros(shape), expert=torch.zeros(*shape, 2),
        expert_known=torch.ones(shape),
    )  # fmt: skip


def test_gaussian_kl_is_torchs():
    latent = make_latent(WorldModelTrainConfig(latent="gaussian", **SMALL))
    left, right = torch.randn(7, 6), torch.randn(7, 6)
    expected = kl_divergence(Normal(*latent._split(left)), Normal(*latent._split(right))).sum(-1)
    torch.testing.assert_close(latent.kl(left, right), expected)


def test_categorical_kl_is_torchs_and_unimix_keeps_it_finite():
    latent = make_latent(WorldModelTrainConfig(latent="categorical", **SMALL))
    left, right = torch.randn(7, 12) * 50, torch.randn(7, 12) * 50
    distributions = [Categorical(logits=latent._log_probabilities(p)) for p in (left, right)]
    torch.testing.assert_close(latent.kl(left, right), kl_divergence(*distributions).sum(-1))
    assert torch.isfinite(latent.kl(left, right)).all()


def test_categorical_samples_follow_their_probabilities_and_are_one_hot():
    latent = make_latent(WorldModelTrainConfig(latent="categorical", **SMALL))
    parameters = torch.tensor([0.0, 1.0, 2.0, -1.0]).repeat(3).expand(40_000, 12)
    generator = torch.Generator().manual_seed(0)
    samples = latent.sample(parameters, torch.randn(40_000, 12, generator=generator)).unflatten(-1, (3, 4))
    assert torch.allclose(samples.sum(-1), torch.ones(40_000, 3))
    expected = 0.99 * torch.softmax(parameters[0, :4], -1) + 0.01 / 4
    # 0.01 is four standard errors of a share measured 40,000 times
    torch.testing.assert_close(samples.mean(0)[0], expected, atol=0.01, rtol=0)


@pytest.mark.parametrize("kind", LATENTS)
def test_samples_carry_a_gradient(kind):
    latent = make_latent(WorldModelTrainConfig(latent=kind, **SMALL))
    parameters = torch.randn(1, latent.parameter_size, requires_grad=True)
    (latent.sample(parameters, torch.randn(1, latent.size)) * torch.randn(1, latent.size)).sum().backward()
    assert parameters.grad.abs().sum() > 0


@pytest.mark.parametrize("kind", LATENTS)
def test_filtering_a_sequence_is_filtering_it_step_by_step(kind):
    model, batch = small_model(kind), small_batch()
    noise = torch.randn(2, 5, model.config.stochastic_size)
    with torch.no_grad():
        whole, _, _ = model.observe(batch, noise)
        state = model.rssm.initial(2, torch.device("cpu"))
        for t in range(5):
            hidden = model.rssm.advance(state, batch.previous_action[:, t])
            embedded = model.rssm.posterior_embedding(model.embed(batch.image[:, t], batch.vector[:, t]))
            parameters = model.rssm.posterior(hidden, embedded)
            state = type(state)(hidden, model.rssm.latent.sample(parameters, noise[:, t]))
    torch.testing.assert_close(whole.belief[:, -1], state.belief)


@pytest.mark.parametrize("kind", LATENTS)
def test_is_first_forgets_everything_before(kind):
    model, batch = small_model(kind), small_batch()
    batch.is_first[:, 3] = 1.0
    noise = torch.randn(2, 5, model.config.stochastic_size)
    other = batch._replace(image=batch.image.clone(), previous_action=batch.previous_action.clone())
    other.image[:, :3] = 255 - other.image[:, :3]
    other.previous_action[:, :4] = 0.0
    with torch.no_grad():
        one, two = model.observe(batch, noise)[0].belief, model.observe(other, noise)[0].belief
    assert not torch.allclose(one[:, 2], two[:, 2])
    torch.testing.assert_close(one[:, 3:], two[:, 3:])


def test_imagining_with_a_policy_is_imagining_its_actions():
    model = small_model("gaussian")
    state, noise = model.rssm.initial(2, torch.device("cpu")), torch.randn(2, 6, 3)
    with torch.no_grad():
        by_policy = model.imagine(state, model.act, noise)
        by_actions = model.imagine(state, by_policy["actions"], noise)
    assert by_policy["beliefs"].shape == (2, 7, 15) and by_policy["rewards"].shape == (2, 6)
    torch.testing.assert_close(by_policy["beliefs"], by_actions["beliefs"])


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


def test_search_to_command_is_the_bundles():
    import numpy as np
    from wm_bundle import to_command

    search = torch.rand(50, 2) * 2 - 1
    np.testing.assert_array_equal(search_to_command(search).numpy(), to_command(search.numpy()))


def test_the_reward_of_the_last_row_is_learned_though_its_next_picture_is_not_recorded():
    model, batch = small_model("gaussian"), small_batch()
    torch.nn.init.normal_(model.reward.net[-1].weight)
    noise = torch.randn(2, 6, 3)
    changed = batch._replace(reward=batch.reward.clone())
    changed.reward[:, -1] += 50.0
    with torch.no_grad():
        assert model(batch, noise)["reward"] != model(changed, noise)["reward"]


def test_the_target_network_follows_slowly_and_is_not_trained():
    model = small_model("gaussian")
    with torch.no_grad():
        model.value.net[-1].weight.fill_(1.0)
    model.update_target()
    # 0.98 * 0 + 0.02 * 1
    torch.testing.assert_close(model.target_value.net[-1].weight, torch.full_like(model.value.net[-1].weight, 0.02))
    assert not any(p.requires_grad for p in model.target_value.parameters())
