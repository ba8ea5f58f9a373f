"""A world whose best plan is known, in the place of the engine, and a clock that only moves when told."""

from types import SimpleNamespace

import numpy as np
import pytest
from fake_clock import FakeClock
from fake_pilot import make_pilot
from fake_planner import HORIZON
from wm_bundle import BundleManifest, CameraSpec, ImageSpec, LatentSpec, VectorSpec, from_command
from wm_planner.engine.imagined import Imagined
from wm_planner.pilot.pilot import Pilot


class FakeEngine:
    """The reward of every step is minus the squared distance to ``target`` (H, 2); the actor proposes ``proposal``.

    ``observed`` and ``imagined_from`` record the arguments of every observe call and the belief of every imagine call;
    ``imagine_s_each`` [s] is what imagining one plan takes. A belief counts the observations and commands it took in.
    """

    def __init__(self, clock: FakeClock):
        self.clock = clock
        self.target = np.tile(np.array([[0.3, 0.5]], np.float32), (HORIZON, 1))
        self.proposal = np.zeros((HORIZON, 3), np.float32)
        self.observed = []
        self.imagined_actions = []
        self.imagined_from = []
        self.advanced = []
        self.imagine_s_each = 0.0
        self.imagined_vector: np.ndarray | None = None  # (1, H, V)
        self.surprise = 0.25  # [nats]
        self.fail: Exception | None = None

    def initial_belief(self):
        return np.zeros((1, 5), np.float32)

    def zero_noise(self, candidates):
        return np.zeros((candidates, HORIZON, 2), np.float32)

    def observe(self, image, vector, previous_action, belief, is_first, camera_mask=None):
        self.observed.append(
            SimpleNamespace(
                image=image,
                vector=vector.copy(),
                is_first=is_first,
                previous_action=previous_action.copy(),
                belief=belief.copy(),
                camera_mask=camera_mask,
            )
        )
        if self.fail is not None:
            raise self.fail
        return belief + 1.0, self.surprise

    def actor(self, belief):
        return self.proposal, np.full(2, 0.1, np.float32)

    def imagine(self, belief, actions, noise):
        assert len(actions) == len(noise)
        self.clock.advance(self.imagine_s_each * len(actions))
        self.imagined_actions.append(actions.copy())
        self.imagined_from.append(belief.copy())
        reward = -np.square(from_command(actions) - self.target).sum(axis=2)
        return Imagined(reward, np.ones_like(reward), np.zeros_like(reward))

    def imagine_whole(self, belief, actions, noise):
        reward = -np.square(from_command(actions) - self.target).sum(axis=2)
        scores = Imagined(reward, np.ones_like(reward), np.zeros_like(reward), vector=self.imagined_vector)
        return scores, np.zeros((len(actions), HORIZON, 5), np.float32)

    def advance(self, belief, actions):
        self.advanced.append(actions.copy())
        return belief + len(actions)

    def decode(self, beliefs):
        return np.zeros((len(beliefs), 3, 8, 8), np.uint8)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def engine(clock) -> FakeEngine:
    return FakeEngine(clock)


@pytest.fixture
def manifest() -> BundleManifest:
    """What fits the fake engine: 8×8 pictures straight from the camera, speed beside them, 12.5 Hz."""
    return BundleManifest(
        model_id="fake",
        image=ImageSpec(8, 8, (CameraSpec("rgb_front", 8, 8),)),
        vector=(VectorSpec("speed", "m/s", 0.0, 1.0),),
        control_period_s=0.08,
        latent=LatentSpec("gaussian", 3, 2),
        horizon=HORIZON,
        discount=1.0,
        reward_name="test",
        surprise_threshold=1.0,
    )


@pytest.fixture
def pilot(engine, clock, manifest) -> Pilot:
    engine.proposal[:] = (0.0, 0.5, 0.0)
    return make_pilot(engine, clock, manifest)
