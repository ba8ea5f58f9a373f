import numpy as np
import pytest
import torch
from small_model import LATENTS, small_batch, small_model
from wm_training.model.open_loop import BORDER, IMAGINED, SEEN, camera_sheet, comparison_frames, open_loop

CONTEXT = 3


def futures(result) -> torch.Tensor:
    """Everything imagined of the first window, (J, numbers)."""
    parts = (result.imagined[0], result.sampled[0].transpose(0, 1), result.rewards[0], result.sampled_rewards[0].T)
    return torch.cat([part.double().flatten(1) if part.ndim > 1 else part.double()[:, None] for part in parts], 1)


@pytest.mark.parametrize("latent", LATENTS)
def test_step_h_is_the_picture_and_the_reward_that_its_action_led_to(latent):
    batch = small_batch(steps=8)
    result = open_loop(small_model(latent), batch, CONTEXT, samples=2, seed=0)
    assert torch.equal(result.truth, batch.image)
    assert torch.equal(result.real_rewards, batch.reward[:, CONTEXT - 1 : -1])
    # Other commands from row r on change what is imagined from step r - CONTEXT + 2 on, and nothing before.
    for row in range(CONTEXT - 1, 7):
        action = batch.action.clone()
        action[:, row:] = -5.0
        other = open_loop(small_model(latent), batch._replace(action=action), CONTEXT, samples=2, seed=0)
        same = (futures(other) == futures(result)).all(1)
        first = row - CONTEXT + 2
        assert same[: first - 1].all() and not same[first - 1], f"row {row}: {same}"


def test_terminals_lie_at_the_step_that_ends_the_episode():
    terminal = torch.zeros(2, 8)
    terminal[0, 4] = 1.0  # a_4 ends it: step 4 - (CONTEXT - 1) + 1 = 3
    result = open_loop(small_model(), small_batch(steps=8)._replace(terminal=terminal), CONTEXT, samples=1, seed=0)
    assert result.real_continues[0].tolist() == [1.0, 1.0, 0.0, 1.0, 1.0]


def test_nothing_after_the_context_is_seen_by_the_futures():
    batch = small_batch(steps=8)
    later = {"image": batch.image.clone(), "vector": batch.vector.clone(), "reward": batch.reward.clone()}
    for values in later.values():
        values[:, CONTEXT:] = 7
    one = open_loop(small_model(), batch, CONTEXT, samples=2, seed=0)
    two = open_loop(small_model(), batch._replace(**later), CONTEXT, samples=2, seed=0)
    assert torch.equal(futures(one), futures(two))
    assert torch.equal(one.posterior[:, :CONTEXT], two.posterior[:, :CONTEXT])
    assert not torch.equal(one.posterior[:, CONTEXT:], two.posterior[:, CONTEXT:])
    last_seen = batch.image.clone()
    last_seen[:, CONTEXT - 1] = 7
    three = open_loop(small_model(), batch._replace(image=last_seen), CONTEXT, samples=2, seed=0)
    assert not torch.equal(three.rewards, one.rewards)


@pytest.mark.parametrize("latent", LATENTS)
def test_samples_follow_the_seed_and_the_mean_future_does_not(latent):
    model, batch = small_model(latent), small_batch(steps=8)
    one, again, other = (open_loop(model, batch, CONTEXT, samples=3, seed=seed) for seed in (4, 4, 5))
    assert torch.equal(one.sampled_rewards, again.sampled_rewards) and torch.equal(one.sampled, again.sampled)
    assert not torch.equal(one.sampled_rewards, other.sampled_rewards)
    assert not torch.equal(one.sampled_rewards[:, 0], one.sampled_rewards[:, 1])
    assert torch.equal(one.rewards, other.rewards) and torch.equal(one.imagined, other.imagined)


def test_shapes_with_two_cameras_and_fewer_decoded_futures_than_samples():
    model, batch = small_model(cameras=2, ensemble_size=2), small_batch(steps=8, cameras=2)
    result = open_loop(model, batch, CONTEXT, samples=4, seed=0, decoded_samples=1)
    assert result.truth.shape == result.posterior.shape == (2, 8, 6, 64, 64)
    assert result.imagined.shape == (2, 5, 6, 64, 64) and result.sampled.shape == (2, 1, 5, 6, 64, 64)
    assert result.sampled_rewards.shape == result.sampled_continues.shape == result.sampled_values.shape == (2, 4, 5)
    assert result.disagreement.shape == (2, 5) and (result.disagreement > 0).all()
    assert open_loop(small_model(), small_batch(), CONTEXT, samples=1, seed=0).disagreement is None


@pytest.mark.parametrize(("cameras", "shape"), [(1, (68, 3 * 68)), (2, (3 * 68, 128 + 4))])
def test_comparison_frames_show_in_colour_where_imagination_begins(cameras, shape):
    batch = small_batch(steps=5, cameras=cameras)
    result = open_loop(small_model(cameras=cameras), batch, CONTEXT, samples=1, seed=0)
    frames = comparison_frames(result, sequence=1)
    assert frames.shape == (5, *shape, 3) and frames.dtype == np.uint8
    corners = [tuple(frame[-1, -1].tolist()) for frame in frames]  # of the imagined panel, the last one
    assert corners == [SEEN] * CONTEXT + [IMAGINED] * 2
    inside = frames[4, BORDER : BORDER + 64, BORDER : BORDER + 64].transpose(2, 0, 1)
    assert np.array_equal(inside, batch.image[1, 4, :3])
    bottom = frames[4, -BORDER - 64 : -BORDER, -BORDER - 64 : -BORDER].transpose(2, 0, 1)
    assert np.array_equal(bottom, result.imagined[1, 1, -3:])


def test_cameras_fill_a_sheet_row_by_row():
    picture = torch.arange(3, dtype=torch.uint8).repeat_interleave(3)[:, None, None].expand(9, 2, 2)
    sheet = camera_sheet(picture, columns=2)
    assert sheet.shape == (4, 4, 3)
    assert sheet[::2, ::2, 0].tolist() == [[0, 1], [2, 0]]


@pytest.mark.parametrize(
    ("context", "samples", "message"), [(5, 1, "expected 1 to 4"), (0, 1, "expected"), (2, 0, "samples")]
)
def test_a_batch_that_leaves_nothing_to_imagine_is_refused(context, samples, message):
    with pytest.raises(ValueError, match=message):
        open_loop(small_model(), small_batch(steps=5), context, samples, seed=0)
