import pytest
import torch
from small_model import losses_of, small_batch, small_model, small_noise
from wm_training.model.objective import WorldModelObjective

WEIGHTS = ("own", "shared")


@pytest.mark.parametrize("image_size", [64, 128])
@pytest.mark.parametrize("weights", WEIGHTS)
def test_every_camera_is_encoded_and_decoded_at_either_size(weights, image_size):
    model = small_model(cameras=2, camera_weights=weights, image_size=image_size)
    batch = small_batch(cameras=2, image_size=image_size)
    with torch.no_grad():
        states, _, _ = model.observe(batch, torch.zeros(2, 5, 3))
        assert model.decode(states.belief).shape == batch.image.shape
        for camera in range(2):
            other = batch.image.clone()
            other[:, :, 3 * camera : 3 * camera + 3] = 0
            changed, _, _ = model.observe(batch._replace(image=other), torch.zeros(2, 5, 3))
            assert not torch.allclose(changed.belief, states.belief)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_the_pixels_of_a_dead_camera_do_not_matter_and_the_others_still_do(weights):
    model, batch = small_model(cameras=2, camera_weights=weights), small_batch(cameras=2)
    mask = torch.tensor([1.0, 0.0]).expand(2, 5, 2)
    dead = batch._replace(camera_mask=mask)
    noisy = dead._replace(image=torch.cat([batch.image[:, :, :3], 255 - batch.image[:, :, 3:]], 2))
    blind = dead._replace(image=torch.cat([255 - batch.image[:, :, :3], batch.image[:, :, 3:]], 2))
    noise = torch.zeros(2, 5, 3)
    with torch.no_grad():
        one, two, three = (model.observe(b, noise)[0].belief for b in (dead, noisy, blind))
    assert torch.equal(one, two) and not torch.allclose(one, three)


def test_shared_convolutions_are_one_set_and_own_ones_are_one_for_each():
    def count(weights):
        model = small_model(cameras=3, camera_weights=weights)
        return sum(p.numel() for p in model.encoder.convolutions.parameters())

    assert count("own") == 3 * count("shared")


def test_training_hides_cameras_but_never_all_of_them():
    model, batch = small_model(cameras=3, camera_dropout=0.9).train(), small_batch(sequences=64, steps=2, cameras=3)
    objective, noise = WorldModelObjective(model), small_noise(model, batch)
    hidden = objective._hidden(batch, noise).camera_mask
    assert (hidden.sum(-1) >= 1).all()
    assert 0.05 < hidden.mean() < 0.6  # about 0.1 + what must stay, a third
    assert (hidden == hidden[:, :1]).all()  # for the whole sequence
    model.eval()
    assert torch.equal(objective._hidden(batch, noise).camera_mask, batch.camera_mask)


def test_a_model_trained_with_hidden_cameras_gets_by_without_one():
    """The second camera repeats the first, so a belief that lost it still knows what it showed."""
    model = small_model(
        cameras=2, camera_dropout=0.5, image_size=32, conv_depth=4, hidden_dim=32, state_dim=16, latent_dim=8
    ).train()
    torch.manual_seed(3)
    brightness = torch.randint(0, 2, (32, 4, 1, 1, 1)) * 255
    batch = small_batch(sequences=32, steps=4, cameras=2, image_size=32)
    batch = batch._replace(image=brightness.expand(32, 4, 6, 32, 32).to(torch.uint8))
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for step in range(100):
        optimizer.zero_grad()
        losses_of(model, batch, small_noise(model, batch, step))["reconstruction"].backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        errors = {}
        for name, mask in {"both": [1.0, 1.0], "first": [1.0, 0.0], "second": [0.0, 1.0]}.items():
            seen = batch._replace(camera_mask=torch.tensor(mask).expand(32, 4, 2))
            belief = model.observe(seen, torch.zeros(32, 4, 8))[0].belief
            errors[name] = (model.decode(belief) - batch.image / 255.0).square().mean().item()
    # Guessing the mean of black and white has an error of 0.25.
    assert errors["both"] < 0.05 and errors["first"] < 0.1 and errors["second"] < 0.1


@pytest.mark.parametrize("weights", WEIGHTS)
def test_squared_errors_are_those_of_the_decoded_pictures(weights):
    model, batch = small_model(cameras=2, camera_weights=weights), small_batch(sequences=5, steps=50, cameras=2)
    with torch.no_grad():
        belief = torch.randn(250, model.config.belief_size)  # more frames than one piece holds
        errors = model.decoder.squared_errors(belief, batch.image.flatten(0, 1))
        difference = model.decode(belief) - batch.image.flatten(0, 1) / 255.0
    expected = difference.square().unflatten(1, (2, 3)).sum((2, 3, 4))
    torch.testing.assert_close(errors, expected)


def test_pictures_in_pieces_and_in_either_layout_are_the_same_pictures():
    model = small_model(conv_depth=4)
    image, belief = small_batch(sequences=3, steps=50).image.flatten(0, 1), torch.randn(150, model.config.belief_size)
    vector, mask = torch.zeros(150, 2), torch.ones(150, 1)
    with torch.no_grad():
        one = [model.embed(image, vector, mask), model.decode(belief)]
        parts = [
            torch.cat([model.embed(image[i : i + 50], vector[i : i + 50], mask[i : i + 50]) for i in (0, 50, 100)]),
            torch.cat([model.decode(belief[i : i + 50]) for i in (0, 50, 100)]),
        ]
        model = model.to(memory_format=torch.channels_last)
        last = [model.embed(image, vector, mask), model.decode(belief)]
    for a, b, c in zip(one, parts, last, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(a, c, rtol=1e-4, atol=1e-5)
