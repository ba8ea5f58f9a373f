"""Runs one bundle over a recording: what the planner decides, what the model predicts, and what is kept of both.

Shapes: T frames, K steps ahead, C picture channels.
"""

from collections.abc import Sequence

import numpy as np
from wm_bundle.times import NS_PER_S
from wm_data.episodes import Episode
from wm_evaluation.scorecard.measurements import Measurements, join
from wm_evaluation.scorecard.settings import ScoreSettings
from wm_evaluation.scorecard.summary import summarise

from wm_tools.common.console import ProgressBar
from wm_tools.evaluate_bag.comparison import Evaluation
from wm_tools.evaluate_bag.evaluate_bag_options import EvaluateOptions
from wm_tools.evaluate_bag.figures import figures_of
from wm_tools.evaluate_bag.frames import Frames, Place, joined
from wm_tools.evaluate_bag.imagination import imagine, pictures_of
from wm_tools.evaluate_bag.moments import LEAD_S, Moment, MomentKeeper, Scores, clip_starts
from wm_tools.evaluate_bag.offline_pilot import Beliefs, OfflinePilot
from wm_tools.evaluate_bag.one_step import predict_next
from wm_tools.evaluate_bag.open_loop import OpenLoop
from wm_tools.evaluate_bag.recording import Recording, Stretch


class BundleRun:
    """Processes a recording; ``evaluation`` holds the results."""

    def __init__(
        self,
        options: EvaluateOptions,
        pilot: OfflinePilot,
        settings: ScoreSettings,
        wanted: Sequence[Moment] | None = None,
    ):
        """``wanted``: moments of another bundle whose frames to show; None: find the worst of this one."""
        self._options = options
        self._pilot = pilot
        self._settings = settings
        self._engine = pilot.parts.engine
        self._open_loop = OpenLoop(self._engine, settings, options.samples, options.stride)
        self._wanted = wanted
        self._shown: list[Moment] = []
        self._keeper = MomentKeeper(options.moments if wanted is None else 0)
        self._parts: list[Frames] = []
        self._measured: list[Measurements] = []
        self._windows: list[np.ndarray] = []
        self._count = self._segments = 0

    def take_all(self, recording: Recording, progress: ProgressBar) -> None:
        """Process the recording, up to the limit of frames. Raises BagError, EngineError."""
        left, known = self._options.frames, 0

        def opened(number: int, pictures: int | None) -> None:
            nonlocal known
            known += pictures or 0
            expected = known * recording.drives / (number + 1)  # estimate the rest from those so far
            note = f"recording {number + 1} of {recording.drives}" if recording.drives > 1 else ""
            progress.expect(None if pictures is None else min(expected, left or expected), note)

        for stretch in recording.stretches(opened):
            stretch = stretch.first_rows(left - self._count) if left else stretch
            self._take(stretch, progress)
            if self._count == left:
                break

    def evaluation(self, name: str, folder: str, notes: Sequence[str]) -> Evaluation:
        """The results of all frames; ``notes`` are the recording's."""
        frames, manifest = joined(self._parts), self._engine.manifest
        measurements = card = None
        if self._measured:
            measurements = join(self._measured)
            known = np.isfinite(frames.reward)
            card = summarise(
                measurements, self._settings, float(frames.reward[known].mean()) if known.any() else np.nan
            )
        else:
            why = "no stretch of rows or no belief was long enough to imagine from: no open-loop figures"
            notes = [*notes, why]
        return Evaluation(
            name=name,
            path=folder,
            manifest=manifest,
            settings=self._settings,
            frames=frames,
            measurements=measurements,
            windows=np.concatenate(self._windows) if self._windows else np.zeros(0, int),
            card=card,
            moments=self._keeper.chosen() if self._wanted is None else self._shown,
            notes=list(notes),
            figures=figures_of(frames, card, self._settings),
        )

    def _take(self, stretch: Stretch, progress: ProgressBar) -> None:
        episode, seed = stretch.episode, (self._options.seed, len(self._parts))
        decided, beliefs = self._pilot.decide(stretch, progress.advance)
        one_step = predict_next(self._engine, episode, beliefs, self._options.samples, seed)
        rows = len(episode)
        place = Place(
            drive=np.full(rows, stretch.drive),
            episode=np.full(rows, len(self._parts)),
            row=np.arange(rows),
            segment=self._segments + segments_of(episode.stamps_ns, self._options.segment_s),
            stamp_ns=np.array(episode.stamps_ns),
        )
        rewards = np.array(episode.rewards, np.float64)
        frames = Frames(place, np.array(episode.actions, np.float64), rewards, decided, one_step)
        measured = self._open_loop.measure(stretch, beliefs, one_step, place.segment, seed)
        self._take_moments(stretch, beliefs, frames, measured)
        if measured is not None:
            self._measured.append(measured)
            self._windows.append(self._count + self._open_loop.starts(beliefs))
        self._parts.append(frames)
        self._count += rows
        self._segments = int(place.segment[-1]) + 1

    def _take_moments(self, stretch: Stretch, beliefs: Beliefs, frames: Frames, measured: Measurements | None) -> None:
        episode, usable = stretch.episode, beliefs.age > 0

        def clip(kind: str, value: float, row: int, first: int) -> Moment:
            return self._clip(episode, beliefs, kind, value, row, first)

        if self._wanted is not None:
            for moment in self._wanted:
                row, first = moment.frame - self._count, moment.first - self._count
                if 0 <= row < len(episode):
                    self._shown.append(clip(moment.kind, moment.value, row, first))
            return
        lead = max(1, round(LEAD_S / self._engine.manifest.control_period_s))
        around = clip_starts(usable, lead)
        rows = np.arange(len(episode))
        window_errors = np.full(len(episode), np.nan)
        if measured is not None:
            # Windows that end early would look too good: the error grows with the steps.
            window_errors[self._open_loop.starts(beliefs)] = measured.squared_errors["imagined"].mean(1)
        values = {
            "surprise": frames.decided.judged_surprise,
            "action": np.abs(frames.decided.planned - frames.recorded).max(1),
            "prediction": window_errors,
        }
        starts = {"surprise": around, "action": around, "prediction": np.where(usable, rows, -1)}
        self._keeper.offer(Scores(stretch.drive, episode.stamps_ns, values, starts), clip)

    def _clip(self, episode: Episode, beliefs: Beliefs, kind: str, value: float, row: int, first: int) -> Moment:
        """A moment with the pictures from row ``first`` on, and what was imagined from there."""
        count = min(self._settings.horizon, len(episode) - first - 1)
        imagined = episode.observations[:0]
        if count and beliefs.age[first] > 0:
            actions = np.array(episode.actions[None, first : first + count], np.float32)
            noise = np.zeros((1, count, self._engine.manifest.latent.stochastic), np.float32)
            futures = imagine(self._engine, beliefs.kept[first], actions, noise)
            imagined = pictures_of(self._engine, futures.beliefs[0])
        pictures = np.array(episode.observations[first : first + count + 1])
        return Moment(kind, value, self._count + row, self._count + first, pictures, np.array(imagined))


def segments_of(stamps_ns: np.ndarray, segment_s: float) -> np.ndarray:
    """Which segment of its stretch each row (T,) is in, from 0; a remainder shorter than half a segment joins the
    previous one."""
    since_s = (stamps_ns - stamps_ns[0]) / NS_PER_S
    count = max(1, round(float(since_s[-1]) / segment_s))
    return np.minimum((since_s / segment_s).astype(int), count - 1)
