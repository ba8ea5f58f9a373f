import warnings

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from wm_data.episodes import EpisodeError, find_episodes, read_episode
from wm_data.lerobot.columns import PICTURES, Layout
from wm_training import ImaginedDriving, ImaginedDrivingVector, Observations, load_world_model

NAME = "wm_training.api:WorldModelDriving-v0"


@pytest.fixture
def world(checkpoint):
    """A model of a test's own, for those that change it."""
    return load_world_model(checkpoint, device="cpu")


def goes_on(world, logit: float) -> None:
    """Make the model say one probability to go on everywhere."""
    last = world.model.continues.net[-1]
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.constant_(last.bias, logit)


def returns_of(env, actions, seed=0):
    env.reset(seed=seed)
    steps = [env.step(action) for action in actions]
    return [step[0] for step in steps], [step[1:4] for step in steps]


def test_gymnasium_accepts_the_environment_without_a_complaint(checkpoint):
    env = gymnasium.make(NAME, model=checkpoint, device="cpu", render_mode="rgb_array", horizon=4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)


@pytest.mark.filterwarnings("ignore:.*infinity")  # a belief has no bounds, which the checker finds unusual
@pytest.mark.parametrize(
    "settings",
    [
        {"obs_type": "state"},
        {"obs_type": "pixels", "action_type": "command", "termination": "threshold", "sample_latents": False},
    ],
    ids=["state", "pixels"],
)
def test_gymnasium_accepts_every_kind_of_observation_and_action(world, settings):
    check_env(gymnasium.make(NAME, model=world, **settings).unwrapped)


def test_a_drive_begins_with_what_the_model_makes_of_a_recorded_moment(checkpoint, world):
    env = ImaginedDriving(world, context=4, obs_type="state")
    state, where = env.reset(seed=1)
    episode = read_episode(checkpoint.parent / "data" / where["episode"])
    rows = slice(where["row"] - 3, where["row"] + 1)
    expected = world.encode(Observations.of_episode(episode, rows))
    np.testing.assert_allclose(state, expected[0], rtol=1e-5, atol=1e-6)
    starts = [tuple(env.reset()[1].values()) for _ in range(30)]
    assert len(set(starts)) > 10 and len({name for name, _ in starts}) > 1


def test_a_step_is_one_of_the_models_and_what_it_says_of_the_state_reached(world):
    start = torch.zeros(1, world.config.belief_size)
    env = ImaginedDriving(world, states=start, sample_latents=False, termination="threshold", continue_threshold=0.0)
    seen, where = env.reset(seed=0)
    assert where == {"start": 0}
    np.testing.assert_array_equal(seen["pixels"]["rgb_front"], world.decode(start)[0].permute(1, 2, 0))
    seen, reward, terminated, truncated, info = env.step(np.array([0.5, -0.5], np.float32))
    imagined = world.imagine(start, np.array([[0.5, 0.0, 0.5]]), horizon=1)
    reached = imagined["states"][:, 1]
    assert reward == pytest.approx(float(imagined["rewards"][0, 0]), rel=1e-5)
    assert info["continue"] == pytest.approx(float(imagined["continues"][0, 0]), rel=1e-5)
    assert info["value"] == pytest.approx(float(imagined["values"][0, 0]), rel=1e-5)
    assert (terminated, truncated) == (False, False)
    np.testing.assert_array_equal(info["command"], np.array([0.5, 0.0, 0.5], np.float32))
    np.testing.assert_allclose(seen["pixels"]["rgb_front"], world.decode(reached)[0].permute(1, 2, 0), atol=1)
    vector = world.predict_vector(reached)[0].numpy()
    box = env.observation_space["agent_pos"]
    np.testing.assert_allclose(seen["agent_pos"], np.clip(vector, box.low, box.high), rtol=1e-4)


def test_a_seed_repeats_a_drive_and_another_one_gives_another(world):
    env = ImaginedDriving(world, obs_type="state")
    goes_on(world, 50.0)
    actions = np.zeros((5, 2), np.float32)
    one, again, two = (returns_of(env, actions, seed) for seed in (3, 3, 4))
    assert np.array_equal(one[0], again[0]) and one[1] == again[1]
    assert not np.array_equal(one[0], two[0])


def test_drives_are_cut_off_at_the_horizon_and_end_as_often_as_the_model_says(world):
    actions = np.zeros((3, 2), np.float32)
    goes_on(world, 50.0)
    env = ImaginedDriving(world, obs_type="state", horizon=3)
    _, ends = returns_of(env, actions)
    assert [end[1:] for end in ends] == [(False, False), (False, False), (False, True)]
    with pytest.raises(gymnasium.error.ResetNeeded, match="call reset"):
        env.step(actions[0])
    goes_on(world, np.log(3.0))  # a probability of 3/4
    many = ImaginedDrivingVector(world, num_envs=400, obs_type="state")
    many.reset(seed=0)
    _, _, terminated, _, infos = many.step(np.zeros((400, 2)))
    assert infos["continue"] == pytest.approx(0.75)
    assert 70 < terminated.sum() < 130  # 100 expected, a standard deviation of 8.7
    for threshold, expected in ((0.74, False), (0.76, True)):
        env = ImaginedDriving(world, obs_type="state", termination="threshold", continue_threshold=threshold)
        env.reset(seed=0)
        assert env.step(actions[0])[2] is expected


def test_a_batch_of_drives_is_as_many_single_ones(world):
    goes_on(world, 50.0)
    count, horizon = 3, 4
    actions = np.random.default_rng(0).uniform(-1, 1, (horizon, count, 2)).astype(np.float32)
    many = ImaginedDrivingVector(world, num_envs=count, horizon=horizon, render_mode="rgb_array")
    seen, where = many.reset(seed=5)
    assert many.observation_space.contains(seen)
    together = [many.step(step) for step in actions]
    for i in range(count):
        env = ImaginedDriving(world, horizon=horizon, render_mode="rgb_array")
        first, place = env.reset(seed=5 + i)
        assert place == {"episode": where["episode"][i], "row": where["row"][i]}
        np.testing.assert_allclose(seen["agent_pos"][i], first["agent_pos"], rtol=1e-4)
        for step, (pictures, rewards, terminated, truncated, infos) in zip(actions, together, strict=True):
            alone = env.step(step[i])
            np.testing.assert_allclose(pictures["pixels"]["rgb_front"][i], alone[0]["pixels"]["rgb_front"], atol=1)
            assert rewards[i] == pytest.approx(alone[1], rel=1e-4, abs=1e-4)
            assert (terminated[i], truncated[i]) == alone[2:4]
            assert infos["value"][i] == pytest.approx(alone[4]["value"], rel=1e-4, abs=1e-4)
        assert infos["is_success"][i]  # the last step's, which cut the drives off
        np.testing.assert_allclose(many.render()[i], env.render(), atol=1)


def test_a_drive_of_a_batch_that_has_ended_begins_anew_in_the_next_step(world):
    goes_on(world, 50.0)
    many = gymnasium.make_vec(NAME, num_envs=2, model=world, horizon=2, obs_type="state")
    many.reset(seed=0)
    many.unwrapped.drives.steps[1] = 1  # drive 1 is one step ahead
    truncations, rewards, begun = [], [], []
    for _ in range(5):
        _, reward, _, truncated, infos = many.step(np.zeros((2, 2)))
        truncations.append(truncated.tolist())
        rewards.append((reward != 0.0).tolist())
        begun.append(infos.get("_row", np.zeros(2, bool)).tolist())
    assert truncations == [[False, True], [True, False], [False, False], [False, True], [True, False]]
    assert begun == [[False, False], [False, True], [True, False], [False, False], [False, True]]
    assert np.array_equal(rewards, ~np.array(begun))


def test_the_layout_is_the_one_of_a_lerobot_dataset_of_the_same_episodes(checkpoint, world):
    env = ImaginedDriving(world, action_type="command")
    seen, _ = env.reset(seed=0)
    features = Layout.of(find_episodes(checkpoint.parent / "data")).features
    cameras = {name for name in features if name.startswith(PICTURES)}
    assert {f"{PICTURES}{camera}" for camera in seen["pixels"]} == cameras
    for camera, picture in seen["pixels"].items():
        assert list(picture.shape) == features[f"{PICTURES}{camera}"]["shape"] and picture.dtype == np.uint8
    assert list(seen["agent_pos"].shape) == features["observation.state"]["shape"]
    assert list(env.action_space.shape) == features["action"]["shape"]
    vector = gymnasium.vector.SyncVectorEnv([lambda: env, lambda: ImaginedDriving(world, action_type="command")])
    assert vector.call("_max_episode_steps") == (50, 50) and vector.call("task_description") == ("drive", "drive")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"obs_type": "picture"}, ValueError, "obs_type is 'picture', expected 'pixels_agent_pos' or 'pixels' or"),
        ({"horizon": 0}, ValueError, "horizon is 0, expected a whole number of at least 1"),
        ({"horizont": 5}, ValueError, "unexpected keyword argument 'horizont'; see wm_training.api.DrivingSettings"),
        ({"continue_threshold": 2.0}, ValueError, "continue_threshold is 2.0, expected a number from 0 to 1"),
        ({"render_mode": "human"}, ValueError, "render_mode is 'human', expected 'rgb_array' or None"),
        ({"states": np.zeros((2, 3))}, ValueError, r"state: found shape \(2, 3\), expected \(B, 15\)"),
        ({"context": 40}, EpisodeError, "no episode has the 40 rows of context, the longest has 30"),
        ({"data_path": "/nowhere"}, EpisodeError, "no folder /nowhere"),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_what_was_expected(world, arguments, error, message):
    with pytest.raises(error, match=message):
        ImaginedDriving(world, **arguments)


def test_actions_and_options_that_make_no_sense_are_refused(world):
    env = ImaginedDriving(world, obs_type="state")
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(np.zeros(2))
    with pytest.raises(ValueError, match="unknown reset option 'track', expected 'state'"):
        env.reset(options={"track": 5})
    mine = torch.linspace(-1, 1, world.config.belief_size)
    assert np.array_equal(env.reset(options={"state": mine})[0], mine)
    for action, message in ((np.zeros(4), r"found shape \(1, 4\)"), (np.full(2, np.nan), "not finite")):
        with pytest.raises(ValueError, match=message):
            env.step(action)
    many = ImaginedDrivingVector(world, num_envs=3, obs_type="state")
    many.reset(seed=[1, 2, 3])
    with pytest.raises(ValueError, match=r"actions have shape \(2, 2\), expected \(3, 2\)"):
        many.step(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="2 seeds are given, expected 3"):
        many.reset(seed=[1, 2])
