"""The report's charts over time: recorded and planned commands, pictures, rewards, surprise, and the mode."""

from collections.abc import Callable, Sequence

import numpy as np
import plotly.graph_objects as go
from wm_evaluation.report.charts import Panel, Series, panels, plain
from wm_evaluation.report.palette import colour
from wm_planner.pilot.modes import Mode

from wm_tools.evaluate_bag.comparison import Comparison, Evaluation
from wm_tools.evaluate_bag.frames import Frames

PANEL_HEIGHT = 120  # [px]
BUNDLE_COLOURS = ("blue", "violet", "amber", "pink", "olive", "red")
MODES = (Mode.DRIVING, Mode.DEGRADED, Mode.BRAKING)
Values = Callable[[Frames], np.ndarray]


def along_the_drive(comparison: Comparison) -> go.Figure:
    """Everything known about each frame, in plots over the same time axis, one below another.

    A click in the legend hides or shows a bundle in all of them.
    """
    first = comparison.first
    frames = first.frames
    times = frames.times_s(first.manifest.control_period_s)
    drawn = _Lines(comparison.evaluations, times)
    commands = [
        Panel(name, [drawn.one("recorded", frames.recorded[:, i]), *drawn.each("planned", _command(i))], (low, 1.05))
        for i, (name, low) in enumerate((("steer", -1.05), ("throttle", -0.05), ("brake", -0.05)))
    ]
    parts = [
        *commands,
        Panel("reward", [*drawn.recorded_reward(), *drawn.each("expected reward", lambda f: f.one_step.reward)]),
        Panel("surprise", [*drawn.each("surprise", lambda f: f.decided.judged_surprise), *drawn.thresholds()]),
        Panel(
            "PSNR [dB]",
            [
                *drawn.each("expected picture", lambda f: f.one_step.prior.psnr_db),
                *drawn.each("reconstructed picture", lambda f: f.one_step.posterior.psnr_db, dash=True),
            ],
        ),
        Panel(
            "doubt",
            [
                *drawn.each("aleatoric", lambda f: f.one_step.aleatoric),
                *drawn.each("epistemic", lambda f: f.one_step.epistemic, dash=True),
            ],
        ),
        Panel("mode", drawn.each("mode", _mode), (-0.2, 2.2)),
    ]
    parts = [part for part in parts if part.series]
    figure = panels(parts, "seconds of driving", panel_height=PANEL_HEIGHT)
    drawn.tell_by_bundle(figure)
    _name_modes(figure, len(parts))
    _mark_moments(figure, first, times)
    return figure


def _command(column: int) -> Values:
    return lambda frames: frames.decided.planned[:, column]


def _mode(frames: Frames) -> np.ndarray:
    places = {int(mode): place for place, mode in enumerate(MODES)}
    return np.array([places.get(int(mode), np.nan) for mode in frames.decided.mode], np.float64)


class _Lines:
    """Lines of one drive, broken where an episode ends."""

    def __init__(self, evaluations: Sequence[Evaluation], times: np.ndarray):
        self._evaluations, self._times = evaluations, times
        self._ends = np.flatnonzero(np.diff(evaluations[0].frames.place.episode)) + 1
        self._owners: dict[str, str] = {}

    def one(self, name: str, values: np.ndarray) -> Series:
        """What was recorded."""
        self._owners[name] = "recorded"
        return Series(name, *self._points(values), colour="ink")

    def recorded_reward(self) -> list[Series]:
        """Nothing if the recording does not have it."""
        reward = self._evaluations[0].frames.reward
        return [self.one("recorded reward", reward)] if np.isfinite(reward).any() else []

    def each(self, name: str, values: Values, dash: bool = False) -> list[Series]:
        """A line for each bundle with any known value."""
        found = []
        for number, evaluation in enumerate(self._evaluations):
            known = values(evaluation.frames)
            if np.isfinite(known).any():
                shade = BUNDLE_COLOURS[number % len(BUNDLE_COLOURS)]
                label = self._label(name, evaluation)
                found.append(Series(label, *self._points(known), dash=dash, colour=shade))
        return found

    def thresholds(self) -> list[Series]:
        """The bundles' limits of surprise."""
        return [
            Series(
                self._label("threshold", evaluation),
                self._times[[0, -1]],
                [evaluation.manifest.surprise_threshold] * 2,
                dash=True,
                colour=BUNDLE_COLOURS[number % len(BUNDLE_COLOURS)],
            )
            for number, evaluation in enumerate(self._evaluations)
        ]

    def tell_by_bundle(self, figure: go.Figure) -> None:
        """One legend entry for the recording and for each bundle, instead of one for each line."""
        told = set()
        for trace in figure.data:
            owner = self._owners[trace.name]
            trace.update(legendgroup=owner, showlegend=owner not in told)
            told.add(owner)

    def _label(self, name: str, evaluation: Evaluation) -> str:
        label = name if len(self._evaluations) == 1 else f"{name}: {evaluation.name}"
        self._owners[plain(label)] = evaluation.name
        return label

    def _points(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return tuple(np.insert(numbers.astype(np.float64), self._ends, np.nan) for numbers in (self._times, values))


def _name_modes(figure: go.Figure, row: int) -> None:
    names = {"tickvals": list(range(len(MODES))), "ticktext": [mode.name.lower() for mode in MODES], "title": None}
    figure.update_layout({f"yaxis{row}": names})


def _mark_moments(figure: go.Figure, first: Evaluation, times: np.ndarray) -> None:
    line = {"color": colour("red"), "width": 1, "dash": "dot"}
    for number, moment in enumerate(first.moments, 1):
        at = float(times[moment.frame])
        figure.add_shape(type="line", x0=at, x1=at, y0=0.0, y1=1.0, xref="x", yref="paper", line=line)
        figure.add_annotation(
            x=at,
            y=1.0,
            xref="x",
            yref="paper",
            yanchor="bottom",
            text=str(number),
            showarrow=False,
            font={"color": colour("red")},
        )
