"""What an evaluation found, in memory: the figures, the numbers of every frame, and the pictures worth watching.

result.json, result.jsonl, report.html (``report.build_page(comparison)``) and worst_moments.mp4
(``worst_moments.write_video(path, comparison.evaluations)``) are made of it. Shapes: T frames, K steps ahead, C picture
channels (three a camera), M windows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from wm_bundle import BundleManifest
from wm_evaluation.scorecard.measurements import Measurements
from wm_evaluation.scorecard.settings import ScoreSettings

from wm_tools.common.thresholds import Verdict
from wm_tools.evaluate_bag.options import EvaluateOptions

COMMANDS = ("steer", "throttle", "brake")
LATENCIES = ("observe", "plan", "total")


@dataclass(frozen=True)
class Figure:
    """One figure and its 95 % interval; NaN where it cannot be told."""

    value: float
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True)
class Frames:
    """The numbers of every frame (T,), in the order of the recording; NaN where there is none."""

    drive: np.ndarray
    """int: which recording of the source, from 0."""
    episode: np.ndarray
    """int: which uninterrupted stretch of rows, from 0."""
    row: np.ndarray
    """int: which row of its episode, from 0."""
    segment: np.ndarray
    """int: which segment of the bootstrap, from 0."""
    stamp_ns: np.ndarray
    """int64 [ns] of the picture."""
    mode: np.ndarray
    """int: ``wm_planner.pilot.modes.Mode``."""
    reason: tuple[str, ...]
    """Why the mode is not DRIVING, empty where it is."""
    recorded: np.ndarray
    """(T, 3): the action that acted from this frame to the next."""
    planned: np.ndarray
    """(T, 3): what the planner commanded, NaN where it braked."""
    reward: np.ndarray
    """What the recorded action led to, NaN for a recording without the reward that the bundle predicts."""
    predicted_reward: np.ndarray
    """What the model expected of the recorded action."""
    value: np.ndarray
    """What the model expects after that, discounted."""
    surprise: np.ndarray
    """[nats] of the observation; NaN where none was made."""
    expected: np.ndarray
    """bool: whether the belief had anything to be surprised by; not so in the first observation of a belief."""
    prior_psnr_db: np.ndarray
    """[dB] of the picture as it was expected one step before."""
    posterior_psnr_db: np.ndarray
    """[dB] of the picture as the belief that has seen it reconstructs it."""
    prior_ssim: np.ndarray
    posterior_ssim: np.ndarray
    prior_error: np.ndarray
    """Mean squared error of the pictures in [0, 1]; averages of PSNR are taken of it."""
    posterior_error: np.ndarray
    epistemic: np.ndarray
    """Reward units: what the ensemble disagrees by about the next reward; NaN for a bundle without one."""
    aleatoric: np.ndarray
    """Reward units: standard deviation of the next reward over the sampled futures."""
    latency_ms: np.ndarray
    """(T, 3): observe, plan, total, measured on this machine; the one thing here that differs from run to run."""

    def __len__(self) -> int:
        return len(self.stamp_ns)

    @property
    def searched_latency_ms(self) -> np.ndarray:
        """``latency_ms`` of the frames with a search: one that brakes at once is fast, and says nothing."""
        return self.latency_ms[np.isfinite(self.latency_ms[:, LATENCIES.index("plan")])]


@dataclass(frozen=True)
class Moment:
    """A moment worth watching, and K steps imagined open loop around it.

    ``frame`` is its place in Frames. The clip begins at frame ``first`` = ``frame - offset``: ``pictures`` are those
    of the frames first … first + k, ``imagined`` what the belief at ``first`` expected of the frames first + 1 …
    first + k along the recorded actions; k at most K, less near the end of an episode.
    """

    kind: str
    """surprise, action or prediction: what it is among the worst by."""
    value: float
    """How bad it is: nats, largest distance of planned from recorded steer or pedals, mean squared error."""
    frame: int
    first: int
    pictures: np.ndarray
    """uint8 (k + 1, C, H, W)."""
    imagined: np.ndarray
    """uint8 (k, C, H, W)."""

    @property
    def offset(self) -> int:
        """Frames from the clip's beginning to the moment."""
        return self.frame - self.first


@dataclass(frozen=True)
class Evaluation:
    """One bundle on the recording.

    ``figures`` by dotted name, as thresholds name them (see ``figures.py``). ``measurements`` are the open loop's
    windows, None where no stretch was long enough; ``card`` is what ``wm_evaluation.scorecard`` makes of them.
    ``moments`` are in the order of time; those of a baseline are at the frames of the first bundle's.
    """

    name: str
    """The bundle's model_id, with a number behind it where two have the same."""
    path: str
    """Name of the bundle's folder."""
    manifest: BundleManifest
    settings: ScoreSettings
    frames: Frames
    measurements: Measurements | None
    windows: np.ndarray
    """int (M,): the frames at which the measured windows begin."""
    card: dict | None
    figures: Mapping[str, Figure]
    moments: Sequence[Moment]
    notes: Sequence[str] = ()
    """What somebody who reads the figures should know."""


@dataclass(frozen=True)
class Comparison:
    """All of a run: the bundle first, then the baselines, on the same frames.

    ``verdicts`` are of the first bundle. ``differences[i]`` are the figures of evaluations[0] minus those of
    evaluations[i + 1], intervals paired over the segments. ``bag`` and ``machine`` are facts for people;
    ``frames_per_s`` and ``times_real_time`` are of the whole run.
    """

    options: EvaluateOptions
    bag: Mapping[str, object]
    machine: Mapping[str, object]
    evaluations: Sequence[Evaluation]
    differences: Sequence[Mapping[str, Figure]] = ()
    difference_cards: Sequence[Mapping] = ()
    """The open loop's differences as ``wm_evaluation.scorecard.summary.compare`` gives them."""
    verdicts: Sequence[Verdict] = ()
    segments: int = 0
    frames_per_s: float = float("nan")
    times_real_time: float = float("nan")
