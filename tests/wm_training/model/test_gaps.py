"""Vector inputs that are unknown in some rows, and those hidden in training; the terms of the reward."""

import pytest
import torch
from small_model import losses_of, small_batch, small_model, small_noise
from wm_training.model.losses import LOSSES

NAN = float("nan")


def embedded(model, *vectors):
    image = small_batch().image[0, :1].expand(len(vectors), -1, -1, -1)
    return model.embed(image, torch.tensor(vectors), torch.ones(len(vectors), 1))


def test_an_unknown_number_is_told_from_the_mean_one():
    model = small_model(gaps=(1,))
    model.vector_mean.copy_(torch.tensor([0.0, 4.0]))
    known, unknown, other = embedded(model, [1.0, 4.0], [1.0, NAN], [1.0, 5.0])
    assert unknown.isfinite().all() and not torch.allclose(known, unknown) and not torch.allclose(known, other)


def test_a_model_that_never_saw_a_number_missing_says_nothing_finite_then():
    assert not embedded(small_model(), [1.0, NAN]).isfinite().any()
    assert not embedded(small_model(gaps=(1,)), [NAN, 1.0]).isfinite().any()


def test_a_model_without_gaps_has_the_weights_of_earlier_versions():
    state = small_model(vector_weight=0.0).state_dict()
    assert state["encoder.vector.weight"].shape[1] == 2
    assert not [name for name in state if name.startswith(("vector.", "reward_terms", "terms_"))]
    assert small_model(gaps=(0, 1)).state_dict()["encoder.vector.weight"].shape[1] == 4


def test_no_loss_is_lost_to_unknown_numbers():
    model, batch = small_model(gaps=(0, 1), open_loop_steps=3), small_batch(steps=6)
    batch.vector[0, 2:4, 0] = NAN
    batch.vector[1] = NAN
    found = losses_of(model, batch, small_noise(model, batch))
    assert all(found[name].isfinite() for name in set(LOSSES) & set(found))
    found["vector"].backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("training", [True, False])
def test_dropout_hides_numbers_of_whole_sequences_in_training_and_still_asks_for_them(training):
    model = small_model(gaps=(0, 1), vector_dropout=0.5).train(training)
    batch = small_batch(steps=4, sequences=8)
    noise = small_noise(model, batch)
    assert noise.signal.shape == (8, 2)
    seen = []
    model.observe = lambda given, latent: (seen.append(given.vector), type(model).observe(model, given, latent))[1]
    found = losses_of(model, batch, noise)
    hidden = seen[0].isnan()
    assert torch.equal(hidden, (noise.signal < 0.5)[:, None].expand(8, 4, 2) if training else torch.zeros_like(hidden))
    assert found["vector"].isfinite() and not batch.vector.isnan().any()


def test_dropout_draws_its_numbers_after_all_others():
    batch = small_batch()
    one, two = (small_noise(small_model(gaps=(0, 1), vector_dropout=p), batch) for p in (0.0, 0.5))
    assert all(torch.equal(a, b) for name, a, b in zip(one._fields, one, two, strict=True) if name != "signal")


def test_terms_of_the_reward_are_those_of_the_action_that_led_to_a_state():
    model = small_model(terms=("jerk", "collision"), reward_terms_weight=1.0, open_loop_steps=2, open_loop_starts=2)
    torch.nn.init.normal_(model.reward_terms.net[-1].weight, std=0.5)
    model.terms_mean.copy_(torch.tensor([1.0, -2.0]))
    model.terms_std.copy_(torch.tensor([0.5, 4.0]))
    batch = small_batch(steps=3, terms=2)  # two steps ahead of three rows: every start is row 0
    batch.reward_terms[0, 1, 1] = NAN
    noise = small_noise(model, batch)
    found = losses_of(model, batch, noise)["reward_terms"]
    states, _, _ = model.observe(batch, noise.latent[:, :-1])
    last = type(states)(states.deterministic[:, -1], states.stochastic[:, -1])
    beyond = model.imagine_step(last, batch.action[:, -1], noise.latent[:, -1]).belief
    reached = torch.cat([states.belief[:, 1:], beyond[:, None]], 1)
    start = type(states)(states.deterministic[:, 0], states.stochastic[:, 0])
    imagined, _ = model.rssm.imagine(start, batch.action[:, :2], 2)
    told = (batch.reward_terms - model.terms_mean) / model.terms_std

    def error(beliefs, target):
        return torch.where(target.isnan(), 0.0, model.reward_terms(beliefs) - target.nan_to_num()).square().sum(-1)

    expected = 0.5 * (error(reached, told).mean() + error(imagined, told[:, :2]).mean())
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    said = model.predict(reached)["reward_terms"]
    torch.testing.assert_close(said, model.reward_terms(reached) * model.terms_std + model.terms_mean)
