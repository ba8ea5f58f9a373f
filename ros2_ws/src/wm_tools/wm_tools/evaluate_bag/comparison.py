"""The results of an evaluation, in memory: the bundles' figures and frames, and how the first differs from the others.

result.json, result.jsonl, report.html (``report.build_page(comparison)``) and worst_moments.mp4
(``worst_moments.write_video(path, comparison.evaluations)``) are made from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from wm_bundle import BundleManifest
from wm_evaluation.scorecard.measurements import Measurements, part
from wm_evaluation.scorecard.settings import ScoreSettings
from wm_evaluation.scorecard.summary import compare

from wm_tools.common.thresholds import Verdict
from wm_tools.evaluate_bag.evaluate_bag_options import EvaluateOptions
from wm_tools.evaluate_bag.figures import Figure, figures_of_card, mean_figures
from wm_tools.evaluate_bag.frames import Frames, both_known
from wm_tools.evaluate_bag.moments import Moment


@dataclass(frozen=True)
class Evaluation:
    """One bundle on the recording.

    ``figures`` by dotted name, as thresholds name them (see ``figures.py``). ``measurements`` are the open-loop
    windows, None if no stretch was long enough; ``card`` is what ``wm_evaluation.scorecard`` makes of them. ``moments``
    are in time order; those of a baseline are at the frames of the first bundle's.
    """

    name: str
    """The bundle's model_id, with a number appended if two are the same."""
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
    """Remarks for readers of the figures."""

    def moment_at(self, frame: int) -> Moment | None:
        """The moment at this frame."""
        return next((moment for moment in self.moments if moment.frame == frame), None)


@dataclass(frozen=True)
class Difference:
    """A bundle's figures minus those of a baseline, over the frames and windows that both have; intervals are paired
    over the segments. ``card`` has the open-loop ones as ``wm_evaluation.scorecard.summary.compare`` gives them."""

    ours: Evaluation
    baseline: Evaluation
    figures: Mapping[str, Figure]
    card: Mapping


@dataclass(frozen=True)
class Comparison:
    """All results of a run: the bundle first, then the baselines, on the same frames.

    ``verdicts`` are of the first bundle, ``differences`` between it and each of the others. ``bag`` and ``machine``
    describe the run to readers; ``frames_per_s`` and ``times_real_time`` are of the complete run.
    """

    options: EvaluateOptions
    bag: Mapping[str, object]
    machine: Mapping[str, object]
    evaluations: Sequence[Evaluation]
    differences: Sequence[Difference] = ()
    verdicts: Sequence[Verdict] = ()
    frames_per_s: float = float("nan")
    times_real_time: float = float("nan")

    @property
    def first(self) -> Evaluation:
        """The bundle that is judged."""
        return self.evaluations[0]

    @property
    def segments(self) -> int:
        """Number of segments that the intervals resample."""
        return int(self.first.frames.place.segment[-1]) + 1


def difference_of(ours: Evaluation, baseline: Evaluation) -> Difference:
    """The difference between two bundles on the same frames."""
    found = mean_figures(
        both_known(ours.frames, baseline.frames), both_known(baseline.frames, ours.frames), settings=ours.settings
    )
    both, here, there = np.intersect1d(ours.windows, baseline.windows, return_indices=True)
    card = {}
    if len(both):
        card = compare(part(ours.measurements, here), part(baseline.measurements, there), ours.settings)
    return Difference(ours, baseline, found | dict(figures_of_card(card, ours.settings)), card)
