"""The imagined trajectory as a picture and as a video. t = 0 is the last picture that the model sees."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor
from wm_bundle.files import replacing
from wm_evaluation.video import write_video

from wm_training.model.open_loop import IMAGINED, SEEN, OpenLoop, camera_sheet

INK, SOFT, MODEL, PALE, RULE = "#1b2330", "#5b6675", "#2463d6", "#a9c4f2", "#dfe3e9"
BORDER = {False: [part / 255 for part in SEEN], True: [part / 255 for part in IMAGINED]}  # by "is it imagined?"
EVERY = 4  # steps between two columns of the picture
SAMPLES = 2  # sampled futures shown
DOTS_PER_INCH = 100
HOLD_S = 1.5  # how long the video's last frame stays [s]


class Trajectory(NamedTuple):
    """One window to draw."""

    result: OpenLoop
    """Of a batch of one window, with up to SAMPLES decoded futures."""
    title: str
    """Model, episode and start."""
    seen_rewards: np.ndarray
    """(context - 1,): the rewards that came with the context's pictures after the first."""
    rate_hz: float
    """Rows per second."""
    vector_inputs: Sequence[tuple[str, str]] = ()
    """Names and units of the vector inputs."""

    @property
    def times(self) -> range:
        """t of every row of the window."""
        return range(1 - self.result.context, 1 + self.result.rewards.shape[1])

    @property
    def steps(self) -> np.ndarray:
        """t of every imagined step."""
        return np.arange(1, self.times[-1] + 1)

    def real_rewards(self) -> tuple[np.ndarray, np.ndarray]:
        """t and reward of everything that was recorded in the window."""
        rewards = np.concatenate([self.seen_rewards, self.result.real_rewards[0].numpy()])
        return np.arange(self.times[0] + 1, self.times[-1] + 1), rewards

    def rows(self) -> dict[str, Tensor]:
        """Pictures (T, C, H, W) by their displayed name; futures begin as the reconstructed context."""
        result = self.result
        seen = result.posterior[0, : result.context]
        futures = {"imagined (mean)": result.imagined[0]}
        futures |= {f"imagined (sample {i + 1})": p for i, p in enumerate(result.sampled[0, :SAMPLES])}
        return {
            "real": result.truth[0],
            "reconstructed": result.posterior[0],
            **{name: torch.cat([seen, pictures]) for name, pictures in futures.items()},
        }


def trajectory_figure(trajectory: Trajectory) -> Figure:
    """Real, reconstructed and imagined pictures at t = 0, 4, 8 …, and the rewards below."""
    rows = trajectory.rows()
    context, horizon = trajectory.result.context, trajectory.times[-1]
    shown = range(0, horizon + 1, EVERY)
    sheets = {name: [sheet(pictures[context - 1 + t]) for t in shown] for name, pictures in rows.items()}
    height, width, _ = sheets["real"][0].shape
    cell = 1.45
    size = (max(9.0, cell * width / height * len(shown) + 1.3), cell * len(rows) + 3.6)
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")
    above, below = figure.subfigures(2, 1, height_ratios=(cell * len(rows) + 0.6, 3.0))
    above.suptitle(trajectory.title, fontsize=11, color=INK)
    axes = above.subplots(len(rows), len(shown), squeeze=False)
    for line, (name, pictures) in zip(axes, sheets.items(), strict=True):
        for place, t, picture in zip(line, shown, pictures, strict=True):
            _show(place, picture, imagined=t > 0 and name.startswith("imagined"))
        line[0].set_ylabel(name.replace(" (", "\n("), fontsize=9, color=INK, rotation=0, ha="right", va="center")
    for place, t in zip(axes[0], shown, strict=True):
        place.set_title(f"t={t}" if t == 0 else f"t={t}  ({t / trajectory.rate_hz:.2f} s)", fontsize=9, color=SOFT)
    reward, total = below.subplots(1, 2)
    _draw_rewards(reward, trajectory)
    _draw_returns(total, trajectory)
    return figure


def write_png(path: Path, figure: Figure) -> None:
    """Write a figure atomically. Raises OSError."""
    with replacing(path) as partial:
        FigureCanvasAgg(figure).print_png(str(partial), metadata={"Software": None})


def video_frames(trajectory: Trajectory) -> Iterator[np.ndarray]:
    """Frames uint8 (H', W', 3), H' and W' even: every row of the window, its rewards growing below the pictures."""
    rows = trajectory.rows()
    result = trajectory.result
    cameras = result.truth.shape[2] // 3
    panel = 2.6 if cameras == 1 else 1.5  # [inch]; several cameras make wide panels, so these stand below each other
    lines, columns = (1, len(rows)) if cameras == 1 else (len(rows), 1)
    width, height = panel * columns * cameras, (panel + 0.3) * lines
    size = [2 * round(inches * DOTS_PER_INCH / 2) / DOTS_PER_INCH for inches in (max(8.0, width), height + 3.0)]
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")
    canvas = FigureCanvasAgg(figure)
    above, below = figure.subfigures(2, 1, height_ratios=(height + 0.5, 2.5))
    heading = above.suptitle(" \n ", fontsize=11, color=INK)
    panels = above.subplots(lines, columns, squeeze=False).ravel()
    images = {}
    for place, (name, pictures) in zip(panels, rows.items(), strict=True):
        images[name] = _show(place, camera_sheet(pictures[0], cameras), imagined=False)
        place.set_title(name, fontsize=10, color=SOFT)
    draw_rewards_to = _growing(below.subplots(), trajectory)
    figure.draw_without_rendering()  # fixes the layout, so that nothing moves between frames
    figure.set_layout_engine("none")
    for index, t in enumerate(trajectory.times):
        for place, (name, pictures) in zip(panels, rows.items(), strict=True):
            images[name].set_data(camera_sheet(pictures[index], cameras))
            _frame(place, imagined=t > 0 and name.startswith("imagined"))
        ahead = f"imagined {t} steps, {t / trajectory.rate_hz:.2f} s ahead" if t > 0 else "the model sees the pictures"
        heading.set_text(f"{trajectory.title}\nt = {t}: {ahead}")
        draw_rewards_to(t)
        canvas.draw()
        yield np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[..., :3])


def save_video(path: Path, trajectory: Trajectory) -> None:
    """Write ``video_frames`` at the data's rate, atomically. Raises OSError."""
    write_video(path, video_frames(trajectory), trajectory.rate_hz, HOLD_S)


def sheet(picture: Tensor) -> np.ndarray:
    """All cameras of a picture in about as many columns as rows."""
    return camera_sheet(picture, math.ceil(math.sqrt(picture.shape[0] // 3)))


def _show(axes: Axes, picture: np.ndarray, imagined: bool):
    axes.set_xticks([])
    axes.set_yticks([])
    _frame(axes, imagined)
    return axes.imshow(picture, interpolation="nearest")


def _frame(axes: Axes, imagined: bool) -> None:
    for spine in axes.spines.values():
        spine.set(edgecolor=BORDER[imagined], linewidth=2.5)


def _plane(axes: Axes, label: str, trajectory: Trajectory) -> None:
    axes.set_xlabel("t [steps]", fontsize=9, color=SOFT)
    axes.set_ylabel(label, fontsize=9, color=SOFT)
    axes.set_xlim(trajectory.times[0], trajectory.times[-1])
    axes.axvline(0.0, color=BORDER[True], linewidth=1.2)
    axes.tick_params(labelsize=8, colors=SOFT)
    axes.grid(color=RULE)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_edgecolor(RULE)


def _draw_rewards(axes: Axes, trajectory: Trajectory) -> None:
    result, steps = trajectory.result, trajectory.steps
    _plane(axes, "reward", trajectory)
    samples = result.sampled_rewards[0].numpy()
    axes.fill_between(
        steps, samples.min(0), samples.max(0), color=PALE, alpha=0.6, linewidth=0, label=f"its {len(samples)} samples"
    )
    axes.plot(*trajectory.real_rewards(), color=INK, linewidth=1.4, label="real")
    axes.plot(steps, result.rewards[0], color=MODEL, linewidth=1.4, label="imagined (mean)")
    if result.disagreement is not None:
        # A separate line: the heads' uncertainty differs from the randomness that the samples show.
        axes.plot(steps, result.disagreement[0], color="#b46a00", linestyle="--", label="heads disagree by")
    axes.legend(fontsize=8, frameon=False, labelcolor=SOFT)


def _draw_returns(axes: Axes, trajectory: Trajectory) -> None:
    result, steps = trajectory.result, trajectory.steps
    _plane(axes, "sum of rewards since t = 0", trajectory)
    samples = result.sampled_rewards[0].cumsum(-1).numpy()
    axes.fill_between(steps, samples.min(0), samples.max(0), color=PALE, alpha=0.6, linewidth=0)
    axes.plot(steps, result.real_rewards[0].cumsum(-1), color=INK, linewidth=1.4)
    axes.plot(steps, result.rewards[0].cumsum(-1), color=MODEL, linewidth=1.4)


def _growing(axes: Axes, trajectory: Trajectory):
    """A chart of rewards and the function to draw it up to t."""
    result, steps = trajectory.result, trajectory.steps
    times, real_rewards = trajectory.real_rewards()
    samples = result.sampled_rewards[0].numpy()
    imagined = result.rewards[0].numpy()
    _plane(axes, "reward", trajectory)
    values = np.concatenate([real_rewards, samples.ravel(), imagined])
    margin = 0.06 * (np.ptp(values) or 1.0)
    axes.set_ylim(values.min() - margin, values.max() + margin)
    faint = [axes.plot([], [], color=PALE, linewidth=0.9)[0] for _ in samples]
    faint[0].set_label(f"{len(samples)} samples")
    (real,) = axes.plot([], [], color=INK, linewidth=1.6, label="real")
    (mean,) = axes.plot([], [], color=MODEL, linewidth=1.6, label="imagined (mean)")
    axes.legend(fontsize=9, frameon=False, labelcolor=SOFT, loc="upper left")
    numbers = axes.text(0.995, 1.02, "", transform=axes.transAxes, ha="right", fontsize=10, color=INK)

    def draw_to(t: int) -> None:
        count = max(0, t)
        for line, rewards in zip(faint, samples, strict=True):
            line.set_data(steps[:count], rewards[:count])
        mean.set_data(steps[:count], imagined[:count])
        known = times <= t
        real.set_data(times[known], real_rewards[known])
        said = f"real reward {real_rewards[known][-1]:.2f}" if known.any() else ""
        numbers.set_text(said + (f", imagined {imagined[count - 1]:.2f}" if count else ""))

    return draw_to
