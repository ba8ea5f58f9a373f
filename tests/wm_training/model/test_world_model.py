import pytest
import torch
from small_model import LATENTS, SMALL, losses_of, small_batch, small_model, small_noise
from torch.distributions import Categorical, Normal, kl_divergence
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.model.latents import make_latent
from wm_training.model.objective import WorldModelObjective
from wm_training.model.rssm import BlockLinear


def test_gaussian_kl_is_torchs():
    latent = make_latent(WorldModelTrainConfig(latent="gaussian", **SMALL))
    left, right = torch.randn(7, 6), torch.randn(7, 6)
    expected = kl_divergence(Normal(*latent._split(left)), Normal(*latent._split(right))).sum(-1)
    torch.testing.assert_close(latent.kl(left, right), expected)


def test_categorical_kl_is_torchs_and_unimix_keeps_it_finite():
    latent = make_latent(WorldModelTrainConfig(latent="categorical", **SMALL))
    left, right = torch.randn(7, 12) * 50, torch.randn(7, 12) * 50
    distributions = [Categorical(latent._probabilities(p)) for p in (left, right)]
    torch.testing.assert_close(latent.kl(left, right), kl_divergence(*distributions).sum(-1))
    assert torch.isfinite(latent.kl(left, right)).all()


def test_categorical_samples_follow_their_probabilities_and_are_one_hot():
    latent = make_latent(WorldModelTrainConfig(latent="categorical", **SMALL))
    parameters = torch.tensor([0.0, 1.0, 2.0, -1.0]).repeat(3).expand(40_000, 12)
    generator = torch.Generator().manual_seed(0)
    noise = latent.prepare(torch.randn(40_000, 12, generator=generator))
    samples = latent.sample(parameters, noise).unflatten(-1, (3, 4))
    assert torch.allclose(samples.sum(-1), torch.ones(40_000, 3))
    expected = 0.99 * torch.softmax(parameters[0, :4], -1) + 0.01 / 4
    # 0.01 is four standard errors of a share measured 40,000 times
    torch.testing.assert_close(samples.mean(0)[0], expected, atol=0.01, rtol=0)


@pytest.mark.parametrize("kind", LATENTS)
def test_samples_carry_a_gradient(kind):
    latent = make_latent(WorldModelTrainConfig(latent=kind, **SMALL))
    parameters = torch.randn(1, latent.parameter_size, requires_grad=True)
    (
        latent.sample(parameters, latent.prepare(torch.randn(1, latent.size))) * torch.randn(1, latent.size)
    ).sum().backward()
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
            frame = batch.image[:, t], batch.vector[:, t], batch.camera_mask[:, t]
            parameters = model.rssm.posterior(hidden, model.rssm.posterior_embedding(model.embed(*frame)))
            state = type(state)(hidden, model.rssm.latent.sample(parameters, model.rssm.latent.prepare(noise[:, t])))
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


def test_the_reward_of_the_last_row_is_learned_though_its_next_picture_is_not_recorded():
    model, batch = small_model("gaussian"), small_batch()
    noise = small_noise(model, batch)
    changed = batch._replace(reward=batch.reward.clone())
    changed.reward[:, -1] += 50.0
    with torch.no_grad():
        assert losses_of(model, batch, noise)["reward"] != losses_of(model, changed, noise)["reward"]


def test_the_target_network_follows_slowly_and_is_not_trained():
    model = small_model("gaussian")
    value, target = (head.members[0].net[-1].weight for head in (model.value, model.target_value))
    with torch.no_grad():
        value.fill_(1.0)
        target.fill_(0.0)
    WorldModelObjective(model).follow(None)
    # 0.98 * 0 + 0.02 * 1
    torch.testing.assert_close(target, torch.full_like(target, 0.02))
    assert not any(p.requires_grad for p in model.target_value.parameters())


def test_a_block_linear_layer_is_a_block_diagonal_matrix():
    torch.manual_seed(0)
    layer = BlockLinear(units=6, parts=3, blocks=2)
    x = torch.randn(4, 6)
    # Each block of 3 units makes 3 numbers of each of the 3 parts.
    first, second = (x[:, 3 * b : 3 * b + 3] @ layer.weight[b] for b in range(2))
    expected = [torch.cat([first[:, 3 * p : 3 * p + 3], second[:, 3 * p : 3 * p + 3]], -1) for p in range(3)]
    torch.testing.assert_close(layer(x), torch.cat(expected, -1))


def test_a_block_diagonal_gru_has_fewer_weights_and_still_filters():
    def recurrent(blocks):
        return sum(p.numel() for p in small_model(gru_blocks=blocks).rssm.gru.parameters())

    # 10 inputs, 12 units: 3 * 12 * 10 + 3 * 12 * 12 weights and 72 of the norm; in 4 blocks a quarter of the second
    assert recurrent(1) == 360 + 432 + 72 and recurrent(4) == 360 + 108 + 72
    model, batch = small_model(gru_blocks=4), small_batch()
    with torch.no_grad():
        one = model.observe(batch, torch.zeros(2, 5, 3))[0].belief
        two = model.observe(batch._replace(previous_action=batch.previous_action * 0.5), torch.zeros(2, 5, 3))[0].belief
    assert torch.isfinite(one).all() and not torch.allclose(one, two)
