"""The head that says what a belief knows of the vector inputs."""

import pytest
import torch
from small_model import LATENTS, losses_of, small_batch, small_model, small_noise
from wm_training.model import losses
from wm_training.model.rssm import State


def model_with_head(latent="gaussian", **changes):
    model = small_model(latent, open_loop_steps=3, open_loop_starts=4, **changes)
    torch.nn.init.normal_(model.vector.net[-1].weight, std=0.5)
    model.vector_mean.copy_(torch.tensor([3.0, -1.0]))
    model.vector_std.copy_(torch.tensor([2.0, 0.5]))
    return model


def test_unknown_numbers_do_not_count_and_have_no_gradient():
    predicted = torch.tensor([[1.0, 5.0], [2.0, 7.0]], requires_grad=True)
    found = losses.numbers_loss(predicted, torch.tensor([[0.0, float("nan")], [4.0, 6.0]]))
    assert found.tolist() == [1.0, 4.0 + 1.0]  # (1 - 0)^2; (2 - 4)^2 + (7 - 6)^2
    found.sum().backward()
    assert predicted.grad.tolist() == [[2.0, 0.0], [-4.0, 2.0]]


@pytest.mark.parametrize("latent", LATENTS)
def test_the_loss_is_half_of_what_is_seen_and_half_of_what_is_imagined(latent):
    model, batch = model_with_head(latent), small_batch(steps=7)
    noise = small_noise(model, batch)
    found = losses_of(model, batch, noise)["vector"]
    states, _, _ = model.observe(batch, noise.latent[:, :-1])
    told = (batch.vector - model.vector_mean) / model.vector_std
    seen = (model.vector(states.belief) - told).square().sum(-1).mean()
    errors = []
    for b in range(2):
        for start in noise.open_loop[b, :, 0].tolist():
            row = int(start * 4)
            state = State(states.deterministic[b, row : row + 1], states.stochastic[b, row : row + 1])
            for h in range(3):
                state = model.imagine_step(state, batch.action[b, row + h : row + h + 1])
                errors.append((model.vector(state.belief)[0] - told[b, row + h + 1]).square().sum())
    torch.testing.assert_close(found, 0.5 * (seen + torch.stack(errors).mean()), rtol=1e-4, atol=1e-5)
    typical = losses_of(model, batch, noise)["metric/vector_error"]  # of one of the two numbers
    torch.testing.assert_close(typical, (seen / 2).sqrt(), rtol=1e-4, atol=1e-5)


def test_what_is_imagined_teaches_the_head_alone_and_what_is_seen_the_belief_too():
    model, batch = model_with_head().train(), small_batch(steps=7)
    losses_of(model, batch, small_noise(model, batch))["vector"].backward()
    moved = {key.split(".")[0] for key, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert moved == {"encoder", "rssm", "vector"}


def test_another_episodes_numbers_are_not_what_was_imagined():
    model, batch = model_with_head(), small_batch(steps=4)  # three steps ahead: every start is row 0
    batch.is_first[:, 2] = 1.0
    noise = small_noise(model, batch)

    def imagined(changed: int):
        other = batch._replace(vector=batch.vector.clone())
        other.vector[:, changed] = 50.0
        return losses_of(model, other, noise)["metric/vector_error_ahead"]

    before = losses_of(model, batch, noise)["metric/vector_error_ahead"]
    assert imagined(changed=2) == imagined(changed=3) == before != imagined(changed=1)


def test_imagined_vectors_are_in_physical_units():
    model = model_with_head()
    beliefs = torch.randn(4, 3, model.config.belief_size)
    said = model.predict(beliefs)["vector"]
    assert said.shape == (4, 3, 2)
    expected = model.vector(beliefs) * torch.tensor([2.0, 0.5]) + torch.tensor([3.0, -1.0])
    torch.testing.assert_close(said, expected)


def test_without_weight_or_without_vector_inputs_there_is_no_head():
    assert small_model(vector_weight=0.0).vector is None
    assert "vector" not in small_model(vector_weight=0.0).predict(torch.zeros(1, 15))
