import numpy as np
import pytest
import torch
from tiny_policy import make_tiny_policy
from toy_lane import moved, picture, reward_at
from wm_bundle import CameraSpec, ImageSpec
from wm_training.api import Observations
from wm_training.errors import TrainingError
from wm_training.guidance.guided_policy import WorldModelGuidedPolicy
from wm_training.guidance.onnx_policy import OnnxPolicy
from wm_training.guidance.returns import total_returns

# Making the toy's world model takes some seconds of a core, and much longer where others have it.
pytestmark = pytest.mark.timeout(400)

WIDE = (0.8, 0.0)
"""Standard deviation of what a policy proposes that knows nothing."""
# What the toy's world model was trained with, as a policy file says it.
FITS = dict(image=ImageSpec(32, 32, (CameraSpec("rgb_front", 96, 96),)), vector=(), inputs=("image", "previous_action"))


def knows_nothing(observation: Observations) -> tuple[np.ndarray, tuple[float, float]]:
    return np.zeros(3), WIDE


def stands_still(seen: Observations) -> torch.Tensor:
    return torch.zeros(len(seen.image), 3)


def guided(world, policy=knows_nothing, **changes) -> WorldModelGuidedPolicy:
    # Nobody drove well in the toy's recordings, and its actor learned nothing: imagined returns alone decide.
    settings = dict(num_samples=16, horizon=2, hold=1, behaviour_weight=0.0, continue_with=stands_still)
    return WorldModelGuidedPolicy(policy, world, **settings | changes)


def test_a_policy_that_knows_nothing_drives_well_where_its_proposals_are_imagined_first(world):
    chooser = guided(world)
    rewards = {"guided": [], "alone": []}
    for start in (-0.9, -0.5, 0.4, 0.8):
        chooser.reset()
        place = start
        for _ in range(5):
            choice = chooser.plan_action(picture(place))
            place = moved(place, choice.action[0])
            rewards["guided"].append(reward_at(place))
            rewards["alone"].append(reward_at(start))  # its own action is to stand still
    # With a perfect model and these proposals: two steps to the middle, then about 0.95.
    assert np.mean(rewards["guided"]) > 0.7 > 0.4 > np.mean(rewards["alone"]), rewards


def test_the_choice_is_the_proposal_with_the_best_score_and_tells_all_of_them(world):
    choice = guided(world).plan_action(picture(0.6))
    assert choice.proposals.shape == (16, 3) and choice.returns.shape == (16,)
    assert choice.index == choice.returns.argmax() and choice.gain >= 0.0
    np.testing.assert_array_equal(choice.action, choice.proposals[choice.index])
    np.testing.assert_array_equal(choice.scores, choice.returns)
    again = guided(world).plan_action(picture(0.6))
    np.testing.assert_array_equal(again.proposals, choice.proposals)


def test_improbable_proposals_lose_by_the_weight_of_behaviour(world):
    bold = np.float32([[0.9, 0.9, 0.0], [0.0, 0.0, 0.0]])
    choices = {w: guided(world, lambda seen: bold, behaviour_weight=w).plan_action(picture(0.0)) for w in (0.0, 2.0)}
    np.testing.assert_allclose(choices[0.0].returns, choices[2.0].returns)
    actor = world.model.actor(choices[2.0].state)
    density = actor.log_probability(torch.tensor([[0.9, 0.9], [0.0, 0.0]])).detach().numpy()
    np.testing.assert_allclose(choices[2.0].scores, choices[2.0].returns + 2.0 * density, rtol=1e-4)


def test_the_belief_is_that_of_all_pictures_and_of_what_was_really_driven(world):
    images = np.stack([picture(place) for place in (0.0, 0.3, -0.2)])
    driven = np.float32([[0.4, 0.0, 0.0], [-0.8, 0.0, 0.0]])
    chooser = guided(world, lambda seen: driven[:1])
    chooser.plan_action(images[0])
    chooser.plan_action(images[1])  # what it chose itself was driven
    chooser.observe(Observations(images[2]), driven[1])
    torch.testing.assert_close(chooser.state, world.encode(images, driven), rtol=1e-4, atol=1e-5)
    chooser.reset()
    chooser.observe(images[2])
    torch.testing.assert_close(chooser.state, world.encode(images[2]), rtol=1e-4, atol=1e-5)


def test_the_policy_is_given_the_picture_and_the_last_command_or_what_the_caller_wants(world):
    seen = []

    def policy(observation):
        seen.append(observation)
        return np.float32([[0.25, 0.5, 0.0]])

    chooser = guided(world, policy)
    chooser.plan_action({"image": picture(0.1)})
    chooser.plan_action(picture(0.2), policy_observation="keep to the middle")
    chooser.plan_action(picture(0.3))
    assert seen[1] == "keep to the middle"
    np.testing.assert_array_equal(seen[2].image, picture(0.3))
    np.testing.assert_array_equal(seen[2].previous_action, np.float32([0.25, 0.5, 0.0]))
    assert not seen[0].previous_action.any()


def test_a_policy_file_is_asked_for_proposals_and_drives_on_in_decoded_pictures(world, tmp_path):
    # It steers by a quarter of the brightness, and adds what was driven before.
    file = make_tiny_policy(
        tmp_path / "p.onnx", (0.1, 0.2, 0.0), of_brightness=(0.25, 0.0, 0.0), of_previous=0.5, **FITS
    )
    chooser = WorldModelGuidedPolicy(file, world, num_samples=4, horizon=3, hold=1, continue_with="policy")
    choice = chooser.plan_action(picture(0.0))
    brightness = picture(0.0).mean() / 255.0
    np.testing.assert_allclose(choice.proposals[0], [0.1 + 0.25 * brightness, 0.2, 0.0], atol=1e-5)
    states, proposals = choice.state.expand(4, -1), torch.from_numpy(choice.proposals)
    asked = OnnxPolicy(file)
    wanted = []
    for step in range(3):
        reached = world.imagine(states, torch.stack([proposals, *wanted], 1)[:, : step + 1], step + 1)["states"][:, -1]
        last = wanted[-1] if wanted else proposals
        wanted.append(torch.from_numpy(asked(Observations(world.decode(reached), previous_action=last))[0]))
    actions = torch.stack([proposals, *wanted[:2]], 1)
    expected = total_returns(world.imagine(states, actions, 3), world.config.discount)
    np.testing.assert_allclose(choice.returns, expected.numpy(), rtol=1e-3, atol=1e-3)


def test_a_policy_file_that_does_not_fit_is_refused_with_both_sides(world, tmp_path):
    file = make_tiny_policy(tmp_path / "p.onnx")
    with pytest.raises(TrainingError) as error:
        WorldModelGuidedPolicy(file, world)
    assert "32x32 of 1 camera(s), vector inputs none" in str(error.value) and "64x64" in str(error.value)
    with pytest.raises(TrainingError, match="nothing there"):
        WorldModelGuidedPolicy(tmp_path / "none.onnx", world)
    (tmp_path / "text.onnx").write_text("no graph")
    with pytest.raises(TrainingError, match="onnxruntime refuses it"):
        WorldModelGuidedPolicy(tmp_path / "text.onnx", world)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"num_samples": 0}, "num_samples is 0"),
        ({"hold": 3, "horizon": 2}, "horizon is 2, expected a whole number of at least 3"),
        ({"behaviour_weight": -1.0}, "behaviour_weight is -1.0"),
        ({"continue_with": "nobody"}, "continue_with is 'nobody'"),
        ({"policy": 3}, "policy is of type int"),
    ],
)
def test_settings_that_make_no_sense_are_refused(world, changes, words):
    with pytest.raises(ValueError) as error:
        guided(world, **changes)
    assert words in str(error.value)


def test_pictures_that_are_not_the_models_are_refused(world):
    with pytest.raises(ValueError, match="expected uint8 with"):
        guided(world).plan_action(np.zeros((3, 64, 64), np.uint8))
    with pytest.raises(ValueError, match="'picture'"):
        guided(world).plan_action({"picture": picture(0.0)})
