import pytest
import torch
from wm_training.guidance.returns import advantage_weights, imagined_returns, total_returns

# Making the toy's world model takes some seconds of a core, and much longer where others have it.
pytestmark = pytest.mark.timeout(400)


def test_a_return_is_the_discounted_rewards_as_likely_as_they_are_reached_and_the_value_behind_them():
    imagined = {
        "rewards": torch.tensor([[1.0, 2.0]]),
        "continues": torch.tensor([[0.5, 0.8]]),
        "values": torch.tensor([[100.0, 10.0]]),  # of the first nothing counts
    }
    # 1 + 0.9 · 0.5 · (2 + 0.9 · 0.8 · 10) = 1 + 0.45 · 9.2
    assert float(total_returns(imagined, 0.9)) == pytest.approx(5.14)


def test_weights_grow_with_the_advantage_over_the_states_own_proposals_and_are_cut_off():
    # Advantages ±1 and ±3 around means of 10 and 1000: the state's own level does not count.
    returns = torch.tensor([[11.0, 9.0], [1003.0, 997.0]])
    scale = 5.0**0.5  # root of the mean of 1, 1, 9, 9
    found = advantage_weights(returns, temperature=0.5, largest=10.0)
    wanted = torch.tensor([[1.0, -1.0], [3.0, -3.0]]).div(0.5 * scale).exp().clamp(max=10.0)
    torch.testing.assert_close(found, wanted)
    assert found[1, 0] == 10.0 and found[0, 0] < 10.0


def test_equal_returns_say_nothing():
    assert (advantage_weights(torch.full((3, 4), 7.0), 1.0, 20.0) == 1.0).all()


def test_a_proposal_is_held_and_then_somebody_else_drives(world):
    states = world.encode(torch.zeros(2, 1, 3, 32, 32, dtype=torch.uint8))
    first = torch.tensor([[0.5, 0.2, 0.0], [-0.5, 0.0, 0.3]])
    then = torch.tensor([[0.1, 0.0, 0.0], [0.2, 0.0, 0.0]])
    asked = []

    def driver(reached: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        asked.append(last)
        return then

    found = imagined_returns(world, states, first, 2, driver, 4)
    actions = torch.stack([first, first, then, then], 1)
    torch.testing.assert_close(found, total_returns(world.imagine(states, actions, 4), world.config.discount))
    assert [row.tolist() for row in asked] == [first.tolist(), then.tolist()]
