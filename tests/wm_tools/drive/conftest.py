"""Synthetic drives: episodes whose every figure is known."""

import numpy as np
import pytest
from wm_bundle import BUNDLE_FILES, BundleManifest, CameraSpec, FileSpec, ImageSpec, LatentSpec, VectorSpec
from wm_tools.drive.records import Episode, Frame, ImaginedSample, MotionSample, PlannerSample, StepSample
from wm_tools.drive.summary import DriveResult

PERIOD_S = 0.08
PERIOD_NS = 80_000_000
START_NS = 1_000_000_000
HORIZON = 4


def frame_number(number: int) -> Frame:
    """A frame whose pixels all say its number."""
    return Frame(np.full((12, 10, 3), number, np.uint8), np.full((8, 8, 3), number, np.uint8))


def make_episode(seed: int, rewards: list[float], imagined_at: tuple[int, ...] = ()) -> Episode:
    """One step for each reward; frame k shows the number k; futures imagined at frame k show k + 1, k + 2, …"""
    stamps = [START_NS + k * PERIOD_NS for k in range(len(rewards) + 1)]
    last = len(rewards) - 1
    return Episode(
        seed,
        START_NS,
        steps=[StepSample(stamps[k + 1], reward, 0, 20.0, truncated=k == last) for k, reward in enumerate(rewards)],
        motions=[MotionSample(t, 3.0 * k, round(0.1 * k, 3), 0.5, 0.0) for k, t in enumerate(stamps[1:], 1)],
        planner=[PlannerSample(t, 9.0, False, "", 48, HORIZON, 2, 0.1, asked=128) for t in stamps[:-1]],
        imagined=[imagined(k, stamps[k]) for k in imagined_at],
        frames={t: frame_number(k) for k, t in enumerate(stamps[:-1])},
    )


def imagined(number: int, stamp_ns: int) -> ImaginedSample:
    """A future that goes on counting from ``number``."""
    future = np.stack([frame_number(number + h + 1).model for h in range(HORIZON)])
    steering = np.full((2, HORIZON), 0.01 * number, np.float32)
    return ImaginedSample(stamp_ns, PERIOD_S, future, np.array([1.0, 2.0], np.float32), steering, best=1)


@pytest.fixture
def episode():
    """An episode of 10 steps with futures imagined at frames 2 and 8; the second is not driven to its end."""
    return make_episode(7, [1.0] * 10, imagined_at=(2, 8))


@pytest.fixture
def manifest() -> BundleManifest:
    return BundleManifest(
        model_id="<tiny> & test",
        image=ImageSpec(8, 8, (CameraSpec("rgb_front", 12, 10),)),
        vector=(VectorSpec("speed", "m/s", 0.0, 1.0),),
        control_period_s=PERIOD_S,
        latent=LatentSpec("gaussian", 16, 4),
        horizon=HORIZON,
        discount=0.99,
        reward_name="step_result",
        surprise_threshold=3.0,
        files={name: FileSpec("0" * 64, 1000) for name in BUNDLE_FILES},
        validation={"reward_error": 0.25},
        provenance={"data": {"episodes": 7}},
    )


@pytest.fixture
def result(manifest) -> DriveResult:
    """Planner: scores 10 and 20 over ten steps each; random: -5 and -7."""
    episodes = {
        "planner": [make_episode(7, [1.0] * 10, imagined_at=(0, 5)), make_episode(9, [2.0] * 10)],
        "random": [make_episode(7, [-0.5] * 10), make_episode(9, [-0.7] * 10)],
    }
    machine = {"cpu": "abacus", "cores": 2, "system": "none", "python": "3"}
    return DriveResult(manifest.model_id, "a simulator", PERIOD_S, episodes, machine)
