import math

import numpy as np
import pytest
import torch
from make_episodes import make_episode
from small_model import small_model
from torch import nn
from wm_bundle import to_command
from wm_training import Observations, PretrainedWorldModel, load_world_model
from wm_training.api.readout import fit_readout
from wm_training.errors import TrainingError

EPISODE = make_episode(12, seed=3)
KEYS = {"states", "actions", "rewards", "continues", "values", "disagreement", "value_disagreement"}


@pytest.fixture
def starts(any_world):
    """Two states."""
    drives = [Observations.of_episode(EPISODE, rows) for rows in (slice(0, 3), slice(4, 7))]
    return any_world.encode(Observations.stack(drives))


def test_imagined_states_are_those_of_single_steps_and_the_heads_speak_of_each(any_world, starts):
    actions = torch.from_numpy(to_command(np.random.default_rng(0).uniform(-1, 1, (2, 4, 2))))
    found = any_world.imagine(starts, actions, horizon=4)
    assert found.keys() == KEYS
    assert found["states"].shape == (2, 5, any_world.config.belief_size) and torch.equal(found["actions"], actions)
    state = any_world.model.rssm.split(starts)
    for h in range(4):
        torch.testing.assert_close(found["states"][:, h], state.belief)
        state = any_world.model.imagine_step(state, actions[:, h])
    reached = any_world.predict(found["states"][:, 1:])
    for name in KEYS - {"states", "actions"}:
        assert found[name].shape == (2, 4)
        torch.testing.assert_close(found[name], reached[name])
    assert (found["disagreement"] > 0).all()  # an ensemble of two


def test_rows_are_the_samples_of_the_first_state_then_those_of_the_next(any_world, starts):
    found = any_world.imagine(starts, "actor", horizon=3, num_samples=3, seed=5)
    first = found["states"].unflatten(0, (2, 3))
    assert torch.equal(first[:, :, 0], starts[:, None].expand(-1, 3, -1))
    assert not torch.equal(first[:, 0, 1], first[:, 1, 1])
    actions = to_command(np.linspace(-1, 1, 2 * 3 * 2, dtype=np.float32).reshape(2, 3, 2))
    repeated = any_world.imagine(starts, actions, horizon=3, num_samples=3, seed=5)["actions"]
    assert torch.equal(repeated, torch.from_numpy(actions).repeat_interleave(3, 0))
    each = to_command(np.linspace(-1, 1, 6 * 3 * 2, dtype=np.float32).reshape(6, 3, 2))
    own = any_world.imagine(starts, each, horizon=3, num_samples=3, seed=5)["actions"]
    assert torch.equal(own, torch.from_numpy(each))
    shared = any_world.imagine(starts, each[0], horizon=3)["actions"]
    assert torch.equal(shared, torch.from_numpy(each[:1]).expand(2, -1, -1))


def test_a_seed_gives_the_same_future_and_no_seed_the_mean_one(any_world, starts):
    one, again, two = (any_world.imagine(starts, horizon=3, seed=seed)["states"] for seed in (1, 1, 2))
    assert torch.equal(one, again) and not torch.equal(one, two)
    torch.manual_seed(9)
    mean = any_world.imagine(starts, horizon=3)["states"]
    torch.manual_seed(10)
    assert torch.equal(mean, any_world.imagine(starts, horizon=3)["states"])


def test_the_actor_acts_in_every_imagined_state_and_its_samples_follow_the_seed(any_world, starts):
    found = any_world.imagine(starts, "actor", horizon=3, seed=0)
    for h in range(3):
        torch.testing.assert_close(found["actions"][:, h], any_world.act(found["states"][:, h]))
    sampled, again = (any_world.imagine(starts, "actor_samples", horizon=3, seed=0)["actions"] for _ in range(2))
    assert torch.equal(sampled, again) and not torch.equal(sampled[:, 0], found["actions"][:, 0])
    assert torch.equal(any_world.act(starts, seed=4), any_world.act(starts, seed=4))
    assert not torch.equal(any_world.act(starts, seed=4), any_world.act(starts))


def test_a_policy_on_states_is_called_with_every_state_and_may_answer_in_numpy(any_world, starts):
    seen = []

    def policy(states):
        seen.append(states)
        return np.full((len(states), 2), -3.0)

    found = any_world.imagine(starts, policy, horizon=3, num_samples=2, seed=0)
    assert torch.equal(torch.stack(seen, 1), found["states"][:, :-1])
    assert torch.equal(found["actions"], torch.tensor([-1.0, 0.0, 1.0]).expand(4, 3, 3))  # clipped
    network = nn.Linear(any_world.config.belief_size, 3)
    assert any_world.imagine(starts, network, horizon=2)["actions"].shape == (2, 2, 3)


def test_a_policy_on_observations_sees_decoded_pictures_and_what_it_did_before(checkpoint):
    world = load_world_model(checkpoint, device="cpu")
    start = world.encode(Observations.of_episode(EPISODE, slice(0, 3)))
    before, seen = np.array([[0.1, 0.2, 0.0]], np.float32), []

    def policy(observations):
        seen.append(observations)
        return torch.full((1, 3), 0.1 * len(seen))

    with pytest.raises(TrainingError, match="call fit_vector"):
        world.imagine(start, policy, horizon=3, policy_sees="observations")
    world.fit_vector()
    found = world.imagine(start, policy, horizon=3, policy_sees="observations", previous_action=before)
    previous = torch.cat([torch.from_numpy(before)[:, None], found["actions"][:, :-1]], 1)
    assert torch.equal(torch.stack([o.previous_action for o in seen], 1), previous)
    assert torch.equal(torch.stack([o.image for o in seen], 1), world.decode(found["states"][:, :-1]))
    assert torch.equal(torch.stack([o.vector for o in seen], 1), world.predict_vector(found["states"][:, :-1]))


def test_pictures_are_the_decoders_in_whole_numbers_for_any_first_axes(any_world, starts):
    states = torch.stack([starts, -starts, 2 * starts], 1)
    pictures = any_world.decode(states)
    assert pictures.shape == (2, 3, 3, 64, 64) and pictures.dtype == torch.uint8
    exact = (255.0 * any_world.model.decode(states)).clamp(0, 255)
    assert (pictures.float() - exact).abs().max() <= 0.501
    assert torch.equal(any_world.decode(states[1, 2]), pictures[1, 2])


def test_a_model_with_a_head_for_its_vector_inputs_says_them_without_a_fit():
    torch.manual_seed(0)
    model = small_model(gaps=(1,), terms=("jerk",), reward_terms_weight=1.0)
    torch.nn.init.normal_(model.vector.net[-1].weight)
    world = PretrainedWorldModel(model)
    states = torch.randn(2, model.config.belief_size)
    assert world.tells_vector
    found = world.imagine(states, "actor", horizon=3)
    assert found["vector"].shape == (2, 3, 2) and found["reward_terms"].shape == (2, 3, 1)
    torch.testing.assert_close(world.predict_vector(found["states"][:, 1:]), found["vector"])
    image = np.zeros((3, 64, 64), np.uint8)
    unknown = world.encode({"image": image, "vector": np.array([1.0, np.nan], np.float32)})
    assert unknown.isfinite().all()
    with pytest.raises(ValueError, match="vector: found numbers that are not finite"):
        world.encode({"image": image, "vector": np.array([np.nan, 1.0], np.float32)})


def test_the_vector_is_read_out_of_states_with_the_share_explained(checkpoint):
    world = load_world_model(checkpoint, device="cpu")
    readout = world.fit_vector(rows=60)
    seen = Observations.of_episode(EPISODE)
    assert len(readout.r2) == 1 and math.isfinite(readout.r2[0])
    assert world.predict_vector(world.filter(seen).states).shape == (1, 12, 1)
    random = torch.Generator().manual_seed(0)
    beliefs = torch.randn(8, 10, 5, generator=random) + 2.0
    vectors = torch.stack([3.0 * beliefs[..., 0] - beliefs[..., 2] + 7.0, torch.full((8, 10), 2.0)], -1)
    exact = fit_readout(beliefs, vectors)
    torch.testing.assert_close(exact(beliefs), vectors, rtol=0, atol=0.05)
    assert exact.r2[0] > 0.999 and math.isnan(exact.r2[1])  # nothing to explain in what never changes


def test_nothing_keeps_a_gradient_unless_asked_and_then_not_for_the_weights(checkpoint):
    actions = torch.zeros(1, 3, 2, requires_grad=True)
    frozen = load_world_model(checkpoint, device="cpu")
    start = frozen.encode(Observations.of_episode(EPISODE, slice(0, 3)))
    assert not frozen.imagine(start, actions, horizon=3)["rewards"].requires_grad
    open_one = load_world_model(checkpoint, device="cpu", gradients=True)
    open_one.imagine(start, actions, horizon=3)["rewards"].sum().backward()
    assert actions.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in open_one.model.parameters())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"horizon": 0}, "horizon is 0, expected a whole number of at least 1"),
        ({"num_samples": 4}, "num_samples is 4 and there is no seed"),
        ({"policy": "driver"}, "policy is 'driver', expected 'actor' or 'actor_samples', actions or a function"),
        ({"policy": "actor_samples"}, "'actor_samples' and there is no seed"),
        ({"policy": np.zeros((2, 3))}, r"actions: found shape \(2, 3\), expected \(4, 3\)"),
        ({"policy": None, "num_samples": 2, "seed": 0}, "actions: found type NoneType, expected an array or tensor"),
        ({"policy": np.zeros((3, 4, 2))}, r"actions: found shape \(3, 4, 2\), expected \(2, 4, 2\)"),
        ({"policy": lambda states: states[:, :4]}, r"the policy's actions: found shape \(2, 4\), expected .*\(2, 3\)"),
        ({"policy": lambda states: states[:, :2] * np.nan}, "the policy's actions: found numbers that are not finite"),
        ({"policy": lambda states: None}, "the policy's actions: found type NoneType"),
        ({"policy": lambda states: states, "policy_sees": "pictures"}, "policy_sees is 'pictures', expected 'states'"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_with_what_was_expected(world, arguments, message):
    starts = torch.zeros(2, world.config.belief_size)
    with pytest.raises(ValueError, match=message):
        world.imagine(starts, **{"horizon": 4, **arguments})


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (np.zeros((1, 15)), "state is of type ndarray, expected a tensor"),
        (torch.zeros(15), r"state: found shape \(15,\), expected \(B, 15\)"),
        (torch.zeros(1, 14), r"state: found shape \(1, 14\), expected \(B, 15\)"),
        (torch.full((1, 15), torch.nan), "state: found numbers that are not finite"),
    ],
)
def test_a_state_that_is_none_of_the_model_is_refused(world, state, message):
    assert world.config.belief_size == 15
    with pytest.raises(ValueError, match=message):
        world.imagine(state, horizon=2)
