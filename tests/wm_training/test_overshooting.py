import pytest
import torch
from small_model import LATENTS, small_batch, small_model, small_noise
from wm_training.model.losses import LOSSES, continue_loss
from wm_training.model.overshooting import open_loop_loss
from wm_training.model.rssm import State

SETTINGS = dict(
    open_loop_weight=1.0, open_loop_steps=3, open_loop_starts=4,
    reconstruction_weight=2.0, reward_weight=3.0, continue_weight=5.0, value_weight=0.5,
)  # fmt: skip


def overshooting_model(latent="gaussian", **changes):
    return small_model(latent, **{**SETTINGS, **changes})


def parts_of(model, batch):
    noise = small_noise(model, batch)
    states, _, _ = model.observe(batch, noise.latent[:, :-1])
    returns = torch.linspace(-1.0, 3.0, batch.reward.numel()).reshape(batch.reward.shape)
    return states, returns, noise.open_loop


@pytest.mark.parametrize("latent", LATENTS)
def test_the_loss_is_that_of_every_start_and_step_taken_one_by_one(latent):
    model, batch = overshooting_model(latent, cameras=2), small_batch(steps=7, cameras=2)
    batch.terminal[1, 4] = 1.0
    batch.camera_mask[0, :, 1] = 0.0
    states, returns, chance = parts_of(model, batch)
    found = open_loop_loss(model, states, returns, batch, chance)
    numbers, pictures = [], []
    for b in range(2):
        for start, picture in chance[b].tolist():
            row, drawn = int(start * 4), int(picture * 3)
            state = State(states.deterministic[b, row : row + 1], states.stochastic[b, row : row + 1])
            for h in range(3):
                state = model.imagine_step(state, batch.action[b, row + h : row + h + 1])
                belief, now = state.belief[0], row + h
                numbers.append(
                    3.0 * model.reward.loss(model.reward(belief), batch.reward[b, now])
                    + 5.0 * continue_loss(model.continues(belief), 1.0 - batch.terminal[b, now])
                    + 0.5 * model.value.loss(model.value(belief), returns[b, now + 1])
                )
                if h == drawn:
                    error = (model.decode(belief[None])[0] - batch.image[b, now + 1] / 255.0).square()
                    per_camera = error.unflatten(0, (2, 3)).sum((1, 2, 3))
                    pictures.append(2.0 * (per_camera * batch.camera_mask[b, now + 1]).sum())
    expected = torch.stack(numbers).mean() + torch.stack(pictures).mean()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)


def test_nothing_behind_the_beginning_of_another_episode_counts():
    model, batch = overshooting_model(), small_batch(steps=4)  # three steps ahead: every start is row 0
    batch.is_first[:, 2] = 1.0
    states, returns, chance = parts_of(model, batch)
    other = batch._replace(reward=batch.reward.clone(), image=batch.image.clone(), terminal=batch.terminal.clone())
    other.reward[:, 1:] += 7.0
    other.image[:, 2:] = 0
    other.terminal[:, 1:] = 1.0
    moved = returns.clone()
    moved[:, 2:] += 9.0
    one, two = (open_loop_loss(model, states, r, b, chance) for r, b in ((returns, batch), (moved, other)))
    torch.testing.assert_close(one, two)


def test_it_teaches_dynamics_decoder_and_heads_and_what_has_no_weight_learns_nothing():
    model, batch = overshooting_model(reward_weight=0.0).train(), small_batch(steps=7)
    model(batch, small_noise(model, batch))["open_loop"].backward()
    moved = {key.split(".")[0] for key, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert moved == {"encoder", "rssm", "decoder", "value", "continues"}


def test_the_parts_of_a_batch_give_the_loss_of_the_whole():
    model, batch = overshooting_model(open_loop_starts=8), small_batch(steps=7, sequences=4)
    noise = small_noise(model, batch)
    whole = model(batch, noise)["open_loop"]
    parts = [model(batch.part(s), noise.part(s))["open_loop"] for s in (slice(0, 2), slice(2, 4))]
    torch.testing.assert_close(whole, (parts[0] + parts[1]) / 2)


def test_a_sequence_shorter_than_the_horizon_is_imagined_to_its_end():
    model, batch = overshooting_model(open_loop_steps=50), small_batch(steps=4)
    assert torch.isfinite(model(batch, small_noise(model, batch))["open_loop"])


def test_without_weight_there_is_no_such_loss_and_no_such_noise():
    model, batch = small_model(), small_batch()
    noise = small_noise(model, batch)
    assert noise.open_loop.shape == (2, 0, 2)
    assert set(model(batch, noise)) & set(LOSSES) == set(LOSSES) - {"open_loop", "actor", "critic", "entropy"}
