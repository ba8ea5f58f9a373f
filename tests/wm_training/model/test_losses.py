import math

import pytest
import torch
from wm_training.configuration.config import WorldModelTrainConfig
from wm_training.model import losses


def test_reconstruction_averages_over_batch_and_time_and_sums_over_the_cameras():
    errors = torch.zeros(2, 3, 2)
    errors[0, 0] = torch.tensor([3.0, 1.5])
    assert losses.reconstruction_loss(errors, torch.ones(2, 3, 2)).item() == pytest.approx((3.0 + 1.5) / 6)


def test_a_camera_that_was_not_recorded_does_not_count():
    loss = losses.reconstruction_loss(torch.tensor([[[3.0, 99.0]]]), torch.tensor([[[1.0, 0.0]]]))
    assert loss.item() == pytest.approx(3.0)


def test_kl_balance_shares_the_gradient_and_keeps_the_value():
    posterior = torch.full((1, 1), 3.0, requires_grad=True)
    prior = torch.full((1, 1), 3.0, requires_grad=True)
    value = losses.kl_balanced(posterior, prior, balance=0.8, free_bits=1.0)
    value.backward()
    assert value.item() == pytest.approx(3.0)
    assert prior.grad.item() == pytest.approx(0.8)
    assert posterior.grad.item() == pytest.approx(0.2)


def test_a_kl_below_the_free_bits_has_no_gradient():
    posterior = torch.full((1, 1), 0.4, requires_grad=True)
    prior = torch.full((1, 1), 0.4, requires_grad=True)
    value = losses.kl_balanced(posterior, prior, balance=0.8, free_bits=1.0)
    value.backward()
    assert value.item() == pytest.approx(1.0)
    assert prior.grad.item() == 0.0 and posterior.grad.item() == 0.0


def test_annealing_rises_linearly_and_stays_at_one():
    assert [losses.kl_anneal(step, 10) for step in (0, 5, 10, 99)] == [0.0, 0.5, 1.0, 1.0]
    assert losses.kl_anneal(0, 0) == 1.0


def test_lambda_returns_by_hand():
    rewards = torch.tensor([[1.0, 2.0, 3.0]])
    continues = torch.tensor([[1.0, 1.0, 0.0]])
    values = torch.tensor([[10.0, 20.0, 30.0]])
    returns = losses.lambda_returns(rewards, continues, values, discount=0.5, lam=0.8)
    last = 3.0  # terminal: no bootstrap
    middle = 2.0 + 0.5 * (0.2 * 20.0 + 0.8 * last)
    first = 1.0 + 0.5 * (0.2 * 10.0 + 0.8 * middle)
    assert returns[0].tolist() == pytest.approx([first, middle, last])


def test_a_truncated_end_bootstraps_with_the_last_value():
    returns = losses.lambda_returns(torch.tensor([[1.0]]), torch.ones(1, 1), torch.tensor([[8.0]]), 0.5, 0.95)
    assert returns.item() == pytest.approx(1.0 + 0.5 * 8.0)


def test_continue_loss_is_the_cross_entropy():
    # -log(sigmoid(2)) where it goes on, -log(1 - sigmoid(2)) where it ends
    goes_on = losses.continue_loss(torch.tensor([[2.0]]), torch.tensor([[1.0]])).item()
    ends = losses.continue_loss(torch.tensor([[2.0]]), torch.tensor([[0.0]])).item()
    assert goes_on == pytest.approx(math.log(1 + math.exp(-2)))
    assert ends == pytest.approx(math.log(1 + math.exp(2)))


def test_behaviour_cloning_is_the_mean_over_the_labelled_rows():
    log_probability = torch.tensor([[-1.5, -7.0]])
    # Half of the rows are labelled, so each of them weighs 2: (1.5 * 2 + 7 * 0) / 2
    assert losses.behaviour_cloning_loss(log_probability, torch.tensor([[2.0, 0.0]])).item() == pytest.approx(1.5)
    assert losses.behaviour_cloning_loss(log_probability, torch.zeros(1, 2)).item() == 0.0


def test_annealing_scales_the_gradient_of_the_kl():
    kl = torch.full((1, 1), 3.0, requires_grad=True)
    for step, expected in ((0, 0.0), (5, 0.5), (10, 1.0)):
        kl.grad = None
        (losses.kl_anneal(step, 10) * losses.kl_balanced(kl, kl, balance=0.8, free_bits=1.0)).backward()
        assert kl.grad.item() == pytest.approx(expected)  # factor * (0.8 + 0.2)


def test_imagined_steps_count_by_the_chance_to_reach_them():
    continues = torch.tensor([[1.0, 0.5, 0.0]])
    # 1, then 0.9 * 1, then 0.9 * 1 * 0.9 * 0.5; what the last one leads to is not among the steps
    assert losses.reach_weights(continues, 0.9)[0].tolist() == pytest.approx([1.0, 0.9, 0.405])


def test_actor_critic_and_entropy_losses_by_hand():
    weights = torch.tensor([[1.0, 0.5]])
    returns = torch.tensor([[4.0, 2.0]], requires_grad=True)
    loss = losses.actor_loss(returns, weights, torch.tensor(2.0))
    loss.backward()
    assert loss.item() == pytest.approx(-(4.0 * 1.0 / 2.0 + 2.0 * 0.5 / 2.0) / 2)
    assert returns.grad[0].tolist() == pytest.approx([-1.0 / 2.0 / 2, -0.5 / 2.0 / 2])  # -weight / scale / steps
    assert losses.critic_loss(torch.tensor([[3.0, 1.0]]), weights).item() == pytest.approx((3.0 + 0.5) / 2)
    assert losses.entropy_loss(torch.tensor([[1.0, 2.0]]), weights).item() == pytest.approx(-(1.0 + 1.0) / 2)


def test_lambda_returns_pass_a_gradient_to_rewards_and_values():
    rewards, values = torch.zeros(1, 2, requires_grad=True), torch.zeros(1, 2, requires_grad=True)
    losses.lambda_returns(rewards, torch.ones(1, 2), values, discount=0.5, lam=0.8)[0, 0].backward()
    assert rewards.grad[0].tolist() == pytest.approx([1.0, 0.5 * 0.8])
    assert values.grad[0].tolist() == pytest.approx([0.5 * 0.2, 0.5 * 0.8 * 0.5])


def test_dynamics_loss_moves_only_the_prediction():
    predicted = torch.ones(1, 1, 4, requires_grad=True)
    encoded = torch.full((1, 1, 4), 3.0, requires_grad=True)
    loss = losses.dynamics_loss(predicted, encoded)
    loss.backward()
    assert loss.item() == pytest.approx(4.0)
    assert predicted.grad.abs().sum() > 0 and encoded.grad is None


def test_every_loss_has_a_weight_of_its_name():
    weights = {name for name in WorldModelTrainConfig.__dataclass_fields__ if name.endswith("_weight")}
    assert weights == {f"{name}_weight" for name in losses.LOSSES}
