import numpy as np
import pytest
import torch
from wm_training.guidance.proposals import proposals_of


class Sampler:
    def sample(self, count: int) -> np.ndarray:
        return np.tile(np.float32([0.3, -0.4]), (count, 1))


def proposals(answer, count: int = 5) -> np.ndarray:
    return proposals_of(answer, count, np.random.default_rng(0))


def test_distributions_are_asked_for_as_many_samples_as_wanted():
    normal = torch.distributions.Normal(torch.tensor([0.0, 0.9, 0.0]), torch.tensor([0.1, 0.5, 1e-9]))
    found = proposals(normal, 200)
    assert found.shape == (200, 3) and found.dtype == np.float32
    assert (found >= [-1, 0, 0]).all() and (found <= 1).all()
    assert found[:, 1].max() == 1.0 and 0.05 < found[:, 0].std() < 0.15 and (found[:, 2] < 1e-6).all()
    np.testing.assert_allclose(proposals(Sampler()), np.tile(np.float32([0.3, 0.0, 0.4]), (5, 1)))


def test_samples_are_taken_as_they_are_however_many():
    given = np.float32([[0.1, 0.2, 0.0], [-0.3, 0.0, 0.5]])
    np.testing.assert_array_equal(proposals(given), given)
    np.testing.assert_array_equal(proposals(torch.from_numpy(given)), given)


def test_of_an_action_with_its_deviation_the_first_proposal_is_the_action():
    found = proposals((np.float32([0.2, 0.6, 0.0]), (0.1, 0.3)), 500)
    np.testing.assert_allclose(found[0], [0.2, 0.6, 0.0])
    assert found[1:, 0].mean() == pytest.approx(0.2, abs=0.02) and found[1:, 0].std() == pytest.approx(0.1, abs=0.02)
    longitudinal = found[:, 1] - found[:, 2]
    assert longitudinal.min() < 0.0 and (found[:, 1] * found[:, 2] == 0).all(), "never both pedals"


@pytest.mark.parametrize(
    "answer, words",
    [
        (np.zeros(3), "shape (3,)"),
        (np.zeros((4, 5)), "shape (4, 5)"),
        (np.zeros((0, 3)), "shape (0, 3)"),
        (np.full((2, 3), np.nan), "not finite"),
        ((np.zeros(3), None), "a tuple of 2"),
        ((np.zeros(3), (0.1, -0.1)), "standard deviation"),
        ((np.zeros((2, 3)), (0.1, 0.1)), "shape (2, 3)"),
        ("straight on", "answered str"),
    ],
)
def test_other_answers_are_refused_with_what_was_expected(answer, words):
    with pytest.raises(ValueError) as error:
        proposals(answer)
    assert words in str(error.value)
