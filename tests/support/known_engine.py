"""A model whose futures are known, and a drive that it predicts perfectly."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
from make_episodes import make_episode
from wm_bundle import BundleManifest, CameraSpec, ImageSpec, LatentSpec, VectorSpec
from wm_planner.engine.imagined import Imagined
from wm_tools.evaluate_bag.offline_pilot import Beliefs
from wm_tools.evaluate_bag.recording import Stretch


class KnownEngine:
    """A belief is [sum of steer, number of steps, noise so far]; the reward of a step is its throttle and the noise,
    the probability to go on falls with the steps; a picture is as bright as the steer that was summed up."""

    provider = "none"

    def __init__(self, horizon: int = 4, disagreement: float | None = None, imagines_speed: bool = False):
        """``imagines_speed``: that it grows by 1 m/s with every step, from the number of steps so far."""
        self.disagreement = disagreement
        self.imagines_speed = imagines_speed
        self.calls = []
        self.manifest = BundleManifest(
            model_id="known",
            image=ImageSpec(16, 16, (CameraSpec("rgb_front", 16, 16),)),
            vector=(VectorSpec("speed", "m/s", 0.0, 1.0),),
            control_period_s=0.08,
            latent=LatentSpec("gaussian", 2, 1),
            horizon=horizon,
            discount=1.0,
            reward_name="step_result",
            surprise_threshold=1.0,
        )

    def imagine_whole(self, belief, actions, noise):
        assert belief.shape == (1, 3) and actions.shape[1] == noise.shape[1] == self.manifest.horizon
        self.calls.append(len(actions))
        steer = belief[0, 0] + np.cumsum(actions[..., 0], axis=1)
        steps = belief[0, 1] + np.arange(1, self.manifest.horizon + 1) + 0.0 * steer
        luck = belief[0, 2] + np.cumsum(noise[..., 0], axis=1)
        reward = actions[..., 1] + luck
        spread = None if self.disagreement is None else np.full_like(reward, self.disagreement)
        speed = steps[..., None] if self.imagines_speed else None
        scores = Imagined(reward, np.exp(-0.01 * steps), 10.0 * steps, spread, spread, speed)
        return scores, np.stack([steer, steps, luck], axis=-1).astype(np.float32)

    def decode(self, beliefs):
        shade = np.clip(np.round(100.0 + beliefs[:, 0]), 0, 255).astype(np.uint8)
        return np.broadcast_to(shade[:, None, None, None], (len(beliefs), 3, 16, 16)).copy()


def known_drive(rows: int, seed: int = 0) -> SimpleNamespace:
    """A stretch that the known engine predicts perfectly, and beliefs that saw it: ``stretch`` and ``beliefs``."""
    random = np.random.default_rng(seed)
    actions = np.stack([random.integers(-2, 3, rows), random.random(rows), np.zeros(rows)], 1).astype(np.float32)
    steer = np.concatenate([[0.0], np.cumsum(actions[:-1, 0])])
    belief = np.stack([steer, np.arange(rows), np.zeros(rows)], 1).astype(np.float32)
    shade = np.round(100.0 + steer).astype(np.uint8)
    pictures = np.broadcast_to(shade[:, None, None, None], (rows, 3, 16, 16)).copy()
    episode = replace(make_episode(rows, size=16), actions=actions, rewards=actions[:, 1].copy(), observations=pictures)
    beliefs = Beliefs(seen=belief.copy(), kept=belief, age=np.arange(1, rows + 1), first=np.arange(rows) == 0)
    return SimpleNamespace(stretch=Stretch(0, episode, ended=True, knows_ends=True), beliefs=beliefs)
