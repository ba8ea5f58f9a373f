"""Where imagined drives begin, and with which actions."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from make_episodes import make_episode
from wm_bundle import from_command
from wm_training.augmentation.augment_options import AugmentOptions
from wm_training.augmentation.disturbances import DISTURBANCES, Disturbance, draw_disturbance, with_noise
from wm_training.augmentation.drivers import disturbed_actor
from wm_training.augmentation.plan import plan_drives

PERIOD_S = 0.08


def options(**changes) -> AugmentOptions:
    return AugmentOptions("model.pt", "data", "out", **{"num_augmentations": 6, "horizon": 20, **changes})


def same(one, two) -> bool:
    actions = one.actions is None and two.actions is None or np.array_equal(one.actions, two.actions)
    return actions and np.array_equal(one.starts, two.starts) and one.seed == two.seed


@pytest.mark.parametrize("policy, latest", [("actor", 95), ("perturbed-actions", 95), ("noisy-actions", 76)])
def test_drives_begin_all_over_the_episode_and_recorded_actions_reach_to_their_end(policy, latest):
    # 100 rows, context 5: rows 95 to 99 are the last context, and actions 99 - 19 to 99 the last twenty.
    episode = make_episode(100)
    drawn = [plan_drives(episode, options(policy=policy, seed=seed)).starts for seed in range(60)]
    assert np.min(drawn) == 0 and np.max(drawn) == latest
    parts = np.linspace(0, latest + 1, 7)
    for starts in drawn:
        assert ((starts >= np.floor(parts[:-1])) & (starts <= parts[1:])).all(), "each in its own part"
    assert (plan_drives(episode, options(policy=policy, starts="first")).starts == 0).all()


def test_without_noise_the_recorded_actions_follow_the_last_row_of_the_context():
    episode = make_episode(60)
    plan = plan_drives(episode, options(policy="noisy-actions", noise=0.0))
    for start, actions in zip(plan.starts, plan.actions, strict=True):
        np.testing.assert_allclose(actions, from_command(episode.actions[start + 4 : start + 24]))


def test_a_drive_on_recorded_actions_is_as_long_as_they_are_and_too_short_an_episode_gives_none():
    policy = dict(policy="noisy-actions", min_rows=8)
    assert plan_drives(make_episode(15), options(**policy)).horizon == 11
    assert plan_drives(make_episode(11), options(**policy)) is None
    assert plan_drives(make_episode(5), options()).horizon == 20
    assert plan_drives(make_episode(4), options()) is None


def test_a_plan_depends_on_what_was_driven_and_on_the_seed_alone():
    episode = make_episode(80)
    wanted = options(policy="noisy-actions")
    plan = plan_drives(episode, wanted)
    assert same(plan, plan_drives(replace(episode, stamps_ns=None), wanted))
    assert not same(plan, plan_drives(episode, replace(wanted, seed=1)))
    assert not same(plan, plan_drives(make_episode(80, seed=5), wanted))


def test_noise_has_its_strength_and_lasts():
    random = np.random.default_rng(0)
    noise = np.stack([with_noise(np.zeros((50, 2), np.float32), PERIOD_S, 0.2, random) for _ in range(400)])
    assert noise.std() == pytest.approx(0.2, abs=0.01) and noise[:, 0].std() == pytest.approx(0.2, abs=0.02)
    # Over the correlation time of 0.4 s, five rows, e^-1 of it is left.
    assert (noise[:, 5:] * noise[:, :-5]).mean() / noise.var() == pytest.approx(np.exp(-1.0), abs=0.05)
    assert np.abs(with_noise(np.ones((50, 2), np.float32), PERIOD_S, 2.0, random)).max() == 1.0


def test_every_disturbance_changes_something_and_is_drawn():
    drawn = [draw_disturbance(40, PERIOD_S, np.random.default_rng(seed)) for seed in range(200)]
    assert {one.name for one in drawn} == set(DISTURBANCES)
    for one in drawn:
        assert (one.scale != 1).any() or one.offset.any() or one.delay.any(), one.name
        assert ((one.delay >= 0) & (one.delay <= np.arange(40))).all(), one.name


def test_a_disturbed_actor_does_late_what_it_chose_scaled_and_pushed():
    class Model:
        device = torch.device("cpu")

        class model:
            @staticmethod
            def actor(states):
                return type("Chosen", (), {"mode": states})

    still = Disturbance("late", np.ones((4, 2), np.float32), np.zeros((4, 2), np.float32), np.array([0, 1, 2, 0]))
    pushed = Disturbance("push", np.full((4, 2), 2.0, np.float32), np.full((4, 2), 0.1, np.float32), np.zeros(4, int))
    drive = disturbed_actor([still, pushed], Model)
    steers = [drive(torch.full((2, 2), 0.1 * h))[:, 0].tolist() for h in range(4)]
    # 0.1 h chosen in step h. The first repeats step 0 twice; the second does 2 · 0.1 h + 0.1.
    np.testing.assert_allclose(steers, [[0.0, 0.1], [0.0, 0.3], [0.0, 0.5], [0.3, 0.7]], atol=1e-6)
