import pytest
import torch
from small_model import LATENTS, losses_of, small_batch, small_model, small_noise
from wm_training.model.losses import LOSSES
from wm_training.model.overshooting import imagine_ahead, open_loop_loss
from wm_training.model.rssm import State

SETTINGS = dict(open_loop_weight=1.0, open_loop_steps=3, open_loop_starts=4)


def overshooting_model(latent="gaussian", **changes):
    return small_model(latent, **{**SETTINGS, **changes})


def parts_of(model, batch):
    noise = small_noise(model, batch)
    states, _, _ = model.observe(batch, noise.latent[:, :-1])
    return states, noise.open_loop


def loss_of(model, states, batch, numbers):
    return open_loop_loss(model, imagine_ahead(model, states, batch, numbers), batch)


@pytest.mark.parametrize("latent", LATENTS)
def test_the_loss_is_that_of_every_start_and_picture_taken_one_by_one(latent):
    model, batch = overshooting_model(latent, cameras=2), small_batch(steps=7, cameras=2)
    batch.camera_mask[0, :, 1] = 0.0
    states, numbers = parts_of(model, batch)
    found = loss_of(model, states, batch, numbers)
    pictures = []
    for b in range(2):
        for start, picture in numbers[b].tolist():
            row, drawn = int(start * 4), int(picture * 3)
            state = State(states.deterministic[b, row : row + 1], states.stochastic[b, row : row + 1])
            for h in range(drawn + 1):
                state = model.imagine_step(state, batch.action[b, row + h : row + h + 1])
            error = (model.decode(state.belief)[0] - batch.image[b, row + drawn + 1] / 255.0).square()
            per_camera = error.unflatten(0, (2, 3)).sum((1, 2, 3))
            pictures.append((per_camera * batch.camera_mask[b, row + drawn + 1]).sum())
    assert found.requires_grad
    torch.testing.assert_close(found, torch.stack(pictures).mean(), rtol=1e-4, atol=1e-3)


def test_no_picture_after_the_beginning_of_another_episode_counts():
    model, batch = overshooting_model(), small_batch(steps=4)  # three steps ahead: every start is row 0
    batch.is_first[:, 2] = 1.0
    states, _ = parts_of(model, batch)
    numbers = torch.tensor([[[0.0, 0.1], [0.0, 0.4], [0.0, 0.9]]]).repeat(2, 1, 1)  # steps 1, 2 and 3
    other = batch._replace(image=batch.image.clone())
    other.image[:, 2:] = 0
    one, two = (loss_of(model, states, b, numbers) for b in (batch, other))
    torch.testing.assert_close(one, two)
    other.image[:, 1] = 0
    assert loss_of(model, states, other, numbers) != one


def test_it_teaches_the_decoder_and_nothing_else():
    model, batch = overshooting_model().train(), small_batch(steps=7)
    losses_of(model, batch, small_noise(model, batch))["open_loop"].backward()
    moved = {key.split(".")[0] for key, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert moved == {"decoder"}


def test_the_parts_of_a_batch_give_the_loss_of_the_whole():
    model, batch = overshooting_model(open_loop_starts=8), small_batch(steps=7, sequences=4)
    noise = small_noise(model, batch)
    whole = losses_of(model, batch, noise)["open_loop"]
    parts = [losses_of(model, batch.part(s), noise.part(s))["open_loop"] for s in (slice(0, 2), slice(2, 4))]
    torch.testing.assert_close(whole, (parts[0] + parts[1]) / 2)


def test_a_sequence_shorter_than_the_horizon_is_imagined_to_its_end():
    model, batch = overshooting_model(open_loop_steps=50), small_batch(steps=4)
    assert torch.isfinite(losses_of(model, batch, small_noise(model, batch))["open_loop"])


def test_without_weight_there_is_no_such_loss_and_no_such_noise():
    model, batch = small_model(vector_weight=0.0), small_batch()
    noise = small_noise(model, batch)
    assert noise.open_loop.shape == (2, 0, 2)
    assert set(losses_of(model, batch, noise)) & set(LOSSES) == set(LOSSES) - {
        "open_loop",
        "vector",
        "reward_terms",
        "actor",
        "critic",
        "entropy",
    }
