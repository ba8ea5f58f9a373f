import numpy as np
import pytest
import torch
from make_episodes import make_episode
from small_model import small_model
from wm_bundle import to_command
from wm_training import Observations, PretrainedWorldModel, load_world_model
from wm_training.data.dataset import stack, window
from wm_training.errors import TrainingError
from wm_training.training.checkpoints import read_world_model

EPISODE = make_episode(12, seed=3)
SEEN = Observations.of_episode(EPISODE, slice(2, 7))


def drive(**changes) -> dict:
    """Rows 2 to 6 as a dictionary."""
    return {"image": SEEN.image, "vector": SEEN.vector, "previous_action": SEEN.previous_action, **changes}


def test_a_context_is_filtered_as_in_training(any_world):
    batch = stack([window(EPISODE, 2, 5)])
    noise = torch.zeros(1, 5, any_world.config.stochastic_size)
    states, posterior, prior = any_world.model.observe(batch, noise)
    found = any_world.filter(SEEN)
    torch.testing.assert_close(found.states, states.belief, rtol=1e-4, atol=1e-5)
    surprise, _ = any_world.model.rssm.kl_terms(posterior, prior)
    torch.testing.assert_close(found.surprise, surprise, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(any_world.encode(SEEN), states.belief[:, -1], rtol=1e-4, atol=1e-5)


def test_one_moment_after_the_other_leads_to_the_state_of_the_whole_context(any_world):
    state = any_world.encode({"image": SEEN.image[0], "vector": SEEN.vector[0]})
    for t in range(1, 5):
        moment = {"image": SEEN.image[t], "vector": SEEN.vector[t]}
        state = any_world.observe(state, moment, EPISODE.actions[2 + t - 1])
    torch.testing.assert_close(state, any_world.encode(SEEN), rtol=1e-4, atol=1e-5)
    middle = any_world.encode(Observations.of_episode(EPISODE, slice(2, 4)))
    rest = any_world.filter(Observations.of_episode(EPISODE, slice(4, 7)), state=middle)
    torch.testing.assert_close(rest.states[:, -1], state, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("observations", "actions"),
    [
        (drive(), None),
        (drive(image=torch.from_numpy(SEEN.image), vector=torch.from_numpy(SEEN.vector)), None),
        (drive(image=SEEN.image.transpose(0, 2, 3, 1)), None),
        (drive(camera_mask=np.ones((5, 1), bool)), None),
        (drive(previous_action=None), EPISODE.actions[2:7]),
        (drive(previous_action=None), torch.from_numpy(EPISODE.actions[2:6])),
        ({name: value[None] for name, value in drive().items()}, EPISODE.actions[None, 2:6]),
    ],
    ids=["numpy", "tensors", "channels last", "mask", "actions", "one action less", "batch"],
)
def test_the_same_drive_in_any_form_gives_the_same_state(world, observations, actions):
    expected = world.encode(SEEN)
    assert expected.shape == (1, world.config.belief_size)
    torch.testing.assert_close(world.encode(observations, actions), expected)


def test_drives_of_a_batch_do_not_see_each_other(world):
    other = Observations.of_episode(make_episode(12, seed=4), slice(2, 7))
    both = world.encode(Observations.stack([SEEN, other]))
    torch.testing.assert_close(both, torch.cat([world.encode(SEEN), world.encode(other)]), rtol=1e-4, atol=1e-5)


def test_a_seed_samples_the_posterior_and_none_takes_its_mean(any_world):
    mean, one, again, two = (any_world.encode(SEEN, seed=seed) for seed in (None, 1, 1, 2))
    assert torch.equal(one, again) and not torch.equal(one, two) and not torch.equal(one, mean)


def test_what_the_vehicle_did_changes_the_state_except_before_the_first_row(world):
    state = world.encode(drive())
    changed = SEEN.previous_action.copy()
    changed[0] = (1.0, 0.0, 1.0)
    assert torch.equal(world.encode(drive(previous_action=changed)), state)
    changed[1] = (1.0, 0.0, 1.0)
    assert not torch.equal(world.encode(drive(previous_action=changed)), state)


def test_two_numbers_of_an_action_are_steer_and_longitudinal_and_all_are_clipped(world):
    search = np.array([[0.3, 0.4], [-0.2, -0.7], [3.0, -2.0], [0.0, 0.0]], np.float32)
    expected = world.encode(drive(), to_command(search))
    assert torch.equal(world.encode(drive(), search), expected)
    beyond = to_command(search) * np.where(np.abs(to_command(search)) == 1.0, 5.0, 1.0)
    assert torch.equal(world.encode(drive(), beyond), expected)


@pytest.mark.parametrize(
    ("observations", "actions", "message"),
    [
        (drive(image=SEEN.image[..., :32]), None, r"uint8 with shape \(5, 3, 64, 32\), expected .*3, 64, 64"),
        (drive(image=SEEN.image / 255.0), None, "image is float64 .*expected uint8"),
        (drive(image=[1, 2]), None, "image is of type list, expected a numpy array or a tensor"),
        (drive(vector=None), None, r"vector is missing, expected \(…, 1\)"),
        (drive(vector=SEEN.vector[:3]), None, r"vector: found shape \(3, 1\), expected \(5, 1\)"),
        (drive(vector=SEEN.vector * np.nan), None, "vector: found numbers that are not finite"),
        (drive(previous_action=None), None, r"commands between the pictures are missing: give actions \(1, 4, 3\)"),
        (drive(), EPISODE.actions[:3], r"actions have shape \(3, 3\), expected \(1, 5, 3\) or \(1, 4, 3\)"),
        (drive(), np.full((4, 3), np.inf), "actions: found numbers that are not finite"),
        ({**drive(), "vectr": 1}, None, "unknown observation 'vectr', the nearest known name is vector"),
        ({"vector": SEEN.vector}, None, "the observations have no image; found vector"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_was_expected(world, observations, actions, message):
    with pytest.raises(ValueError, match=message):
        world.encode(observations, actions)


def test_a_camera_picture_is_prepared_as_the_episodes_were(world):
    raw = np.zeros((96, 96, 3), np.uint8)
    raw[:, 48:, 0] = 255
    picture = world.prepare(raw)
    assert picture.shape == (3, 64, 64) and picture[0, :, 40:].min() == 255 and picture[0, :, :24].max() == 0
    assert world.encode({"image": picture, "vector": np.zeros(1)}).shape == (1, world.config.belief_size)
    with pytest.raises(ValueError, match="sends 64x64 images, expected 96x96"):
        world.prepare(raw[:64, :64])
    with pytest.raises(ValueError, match="0 pictures are given, expected one of each camera: 1"):
        world.prepare()


def test_a_model_says_where_it_came_from(checkpoint):
    world = load_world_model(checkpoint, device="cpu")
    model, payload = read_world_model(checkpoint)
    assert (world.step, world.vector_size, world.camera_names) == (payload["step"], 1, ("rgb_front",))
    assert len(world.sha256) == 64 and world.config == model.config
    with pytest.raises(TrainingError, match="no checkpoint at .*nothing.pt"):
        load_world_model(checkpoint.parent / "nothing.pt")
    with pytest.raises(TrainingError, match="not loaded from a checkpoint"):
        PretrainedWorldModel(small_model()).sha256  # noqa: B018
