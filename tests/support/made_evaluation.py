"""Evaluations made up, without a bundle or a recording."""

from pathlib import Path

import numpy as np
from wm_bundle import BundleManifest, CameraSpec, ImageSpec, LatentSpec, VectorSpec
from wm_evaluation.scorecard.measurements import Measurements
from wm_evaluation.scorecard.settings import ScoreSettings
from wm_evaluation.scorecard.summary import summarise
from wm_planner.pilot.modes import Mode
from wm_tools.common.thresholds import Threshold
from wm_tools.common.thresholds import judge as judge_thresholds
from wm_tools.evaluate_bag.comparison import Comparison, Evaluation, difference_of
from wm_tools.evaluate_bag.evaluate_bag_options import EvaluateOptions
from wm_tools.evaluate_bag.figures import figures_of
from wm_tools.evaluate_bag.frames import Frames, Place
from wm_tools.evaluate_bag.moments import Moment
from wm_tools.evaluate_bag.offline_pilot import Decided
from wm_tools.evaluate_bag.one_step import OneStep, PictureScores

NAN = float("nan")
SETTINGS = ScoreSettings(horizon=6, resamples=40)
ROWS = 40  # of each of two episodes
SURPRISE_THRESHOLD = 0.9


def made_frames(seed: int, reward: bool, braked: slice = slice(0, 0)) -> Frames:
    random = np.random.default_rng(seed)
    count = 2 * ROWS
    episode = np.repeat([0, 1], ROWS)
    recorded = np.clip(random.normal(0.0, 0.4, (count, 3)), [-1, 0, 0], 1)
    planned = np.clip(recorded + 0.1, [-1, 0, 0], 1)
    planned[braked] = NAN
    mode = np.full(count, int(Mode.DRIVING))
    mode[braked] = int(Mode.BRAKING)
    stamps = np.arange(count) * 80_000_000 + episode * 3_600_000_000_000  # an hour between the two
    surprise = random.random(count)
    first = np.arange(count) == 0
    errors = [PictureScores(*random.random((2, count))) for _ in ("prior", "posterior")]
    return Frames(
        place=Place(np.zeros(count, int), episode, np.tile(np.arange(ROWS), 2), np.arange(count) // 8, stamps),
        recorded=recorded,
        reward=random.random(count) if reward else np.full(count, NAN),
        decided=Decided(
            mode=mode,
            reason=np.where(mode == Mode.BRAKING, "surprise too large", "").astype(object),
            planned=planned,
            surprise=surprise,
            judged_surprise=np.where(first, NAN, surprise),
            above_threshold=np.where(first, NAN, surprise > SURPRISE_THRESHOLD),
            latency_ms=random.gamma(4, 5, (count, 3)),
        ),
        one_step=OneStep(*random.random((2, count)), np.full(count, NAN), random.random(count), *errors),
    )


def made_measurements(seed: int, reward: bool) -> Measurements:
    random = np.random.default_rng(seed)
    shape, kinds = (16, SETTINGS.horizon), ("imagined", "posterior", "copy_last", "shuffled")
    real = random.normal(0, 1, shape) if reward else np.full(shape, NAN)
    samples = (16, 4, SETTINGS.horizon)
    return Measurements(
        segment=np.arange(16) // 2,
        squared_errors={kind: random.random(shape) * 0.1 for kind in kinds},
        similarities={kind: random.random((16, 3)) for kind in kinds},
        rewards=random.normal(0, 1, shape),
        shuffled_rewards=random.normal(0, 1, shape),
        sampled_rewards=random.normal(0, 1, samples),
        continues=np.full(shape, 0.9),
        shuffled_continues=np.full(shape, 0.9),
        sampled_continues=np.full(samples, 0.9),
        real_rewards=real,
        real_continues=np.ones(shape) if reward else np.full(shape, NAN),
        last_reward=np.zeros(16),
        disagreement=None,
    )


def made_moment(frame: int, first: int, kind: str, level: int, cameras: int, steps: int = 6) -> Moment:
    """Real pictures are of brightness 10 + step, imagined ones of ``level``."""
    pictures = np.stack([np.full((3 * cameras, 16, 24), 10 + step, np.uint8) for step in range(steps + 1)])
    return Moment(kind, 12.5, frame, first, pictures, np.full((steps, 3 * cameras, 16, 24), level, np.uint8))


def made_evaluation(name: str, seed=0, reward=True, cameras=1, level=200, open_loop=True) -> Evaluation:
    manifest = BundleManifest(
        model_id=name,
        image=ImageSpec(16, 24, tuple(CameraSpec(f"camera_{i}", 16, 24) for i in range(cameras))),
        vector=(VectorSpec("speed", "m/s", 0.0, 1.0),),
        control_period_s=0.08,
        latent=LatentSpec("gaussian", 4, 2),
        horizon=6,
        discount=0.99,
        reward_name="step_result",
        surprise_threshold=SURPRISE_THRESHOLD,
    )
    frames = made_frames(seed, reward, slice(20, 23))
    measurements = made_measurements(seed, reward) if open_loop else None
    card = summarise(measurements, SETTINGS, NAN) if open_loop else None
    moments = [made_moment(12, 9, "surprise", level, cameras), made_moment(70, 70, "prediction", level, cameras, 4)]
    return Evaluation(
        name=name,
        path="folder",
        manifest=manifest,
        settings=SETTINGS,
        frames=frames,
        measurements=measurements,
        windows=np.arange(16) * 5,
        card=card,
        figures=figures_of(frames, card, SETTINGS),
        moments=moments,
        notes=() if open_loop else ("no stretch was long enough",),
    )


def made_comparison(evaluations, thresholds=()) -> Comparison:
    first = evaluations[0]
    parsed = [Threshold.parse(text) for text in thresholds]
    return Comparison(
        options=EvaluateOptions(bag=Path("bag"), bundle=Path("one"), output=Path("out"), steps=6),
        bag={"name": "bag", "frames": 2 * ROWS, "seconds": 6.4},
        machine={"cpu": "some"},
        evaluations=evaluations,
        differences=[difference_of(first, other) for other in evaluations[1:]],
        verdicts=judge_thresholds(parsed, {name: figure.value for name, figure in first.figures.items()}),
        frames_per_s=100.0,
        times_real_time=8.0,
    )
