"""The replay in the report: one episode's camera frames under a slider, its futures, commands, speed and surprise."""

import math
from collections.abc import Sequence

import numpy as np
from wm_evaluation.report import Chart, Section, widget
from wm_evaluation.report.charts import Panel, Series, panels

from wm_tools.drive.imagined_moments import Moment, moments_of, strip_steps, strips
from wm_tools.drive.pictures import jpeg_uri, tile
from wm_tools.drive.records import Episode

_COLUMNS = 20  # frames per row of the sheet with an episode's frames


def replay_section(controller: str, episodes: Sequence[Episode], period_s: float) -> Section | None:
    """The replay of the episodes with recorded frames; None without any. ``period_s`` [s] is the control period."""
    shown = [episode for episode in episodes if episode.frames and episode.motions]
    if not shown:
        return None
    first = next(iter(shown[0].frames.values())).camera
    data = {
        "width": first.shape[1],
        "height": first.shape[0],
        "columns": _COLUMNS,
        "period_s": period_s,
        "episodes": [_episode_data(episode, period_s) for episode in shown],
    }
    sample = next((sample for episode in shown for sample in episode.imagined), None)
    ahead = [] if sample is None else ahead_labels(len(sample.future), sample.period_s)
    values = {"data": data, "ahead": ahead, "episodes": shown}
    stage = widget("wm_tools.drive", "replay.html.j2", values, style="drive.css", script="replay.js")
    charts = [_chart(place, episode, period_s) for place, episode in enumerate(shown)]
    return Section(
        f"Replay of the {controller}",
        [stage, *charts],
        "Every camera frame of the drive with the command that answered it, beside the future that the model "
        "last imagined and, below that, the real one. Click in a chart to jump there.",
    )


def _episode_data(episode: Episode, period_s: float) -> dict:
    """What the script needs of an episode: for each frame its time, speed, score so far, and the command that followed
    it. If a message is missing, the previous values stay."""
    begin_ns = next(iter(episode.frames))

    def place(stamp_ns: int) -> int:
        return round((stamp_ns - begin_ns) / 1e9 / period_s)

    motions = {place(motion.stamp_ns): motion for motion in episode.motions}
    rewards = {place(step.stamp_ns): step.reward for step in episode.steps}
    command, speed, score, rows = (0.0, 0.0, 0.0), 0.0, 0.0, []  # the car is at rest in the first frame
    for number in map(place, episode.frames):
        score += rewards.get(number, 0.0)
        speed = motions[number].speed if number in motions else speed
        following = motions.get(number + 1)
        if following is not None:
            command = (following.steer, following.throttle, following.brake)
        rows.append((*command, speed, score))
    steer, throttle, brake, speeds, scores = np.round(np.array(rows, float), 3).T.tolist()
    return {
        "seed": episode.seed,
        "sheet": jpeg_uri(tile([frame.camera for frame in episode.frames.values()], _COLUMNS)),
        "time": [round((stamp_ns - begin_ns) / 1e9, 4) for stamp_ns in episode.frames],
        "end": _seconds(episode)[-1],
        "steer": steer,
        "throttle": throttle,
        "brake": brake,
        "speed": speeds,
        "score": scores,
        "futures": [_future_data(moment) for moment in moments_of(episode)],
    }


def _future_data(moment: Moment) -> dict:
    imagined, real = (jpeg_uri(strip) for strip in strips(moment))
    return {"time": round(moment.time_s, 4), "imagined": imagined, "real": real}


def _seconds(episode: Episode) -> list[float]:
    """Times [s] of the motions since the first frame."""
    begin_ns = next(iter(episode.frames))
    return [(motion.stamp_ns - begin_ns) / 1e9 for motion in episode.motions]


def _chart(place: int, episode: Episode, period_s: float) -> Chart:
    """Command, speed and surprise over time; the script shows one episode's at a time."""
    ends = _seconds(episode)
    starts = [end - period_s for end in ends]  # a motion has the command of the interval before its stamp
    commands = [
        Series("steer", starts, [motion.steer for motion in episode.motions]),
        Series("throttle − brake", starts, [motion.throttle - motion.brake for motion in episode.motions]),
    ]
    speed = Series("speed", [0.0, *ends], [0.0, *(motion.speed for motion in episode.motions)])
    parts = [Panel("command", commands, (-1.05, 1.05)), Panel("speed [m/s]", [speed])]
    begin_ns = next(iter(episode.frames))
    said = [sample for sample in episode.planner if math.isfinite(sample.surprise)]
    if said:
        times = [(sample.stamp_ns - begin_ns) / 1e9 for sample in said]
        parts.append(Panel("surprise", [Series("surprise [nats]", times, [sample.surprise for sample in said])]))
    figure = panels(parts, "time since the start [s]", x_range=(0.0, ends[-1]))
    caption = f"Track {episode.seed}: commands (steering right is positive), speed and surprise"
    return Chart(figure, caption, "surprise", name=f"replay-{place}")


def ahead_labels(horizon: int, period_s: float) -> list[str]:
    """How far ahead each frame of a strip is."""
    return [f"{(h + 1) * period_s:.2f} s" for h in strip_steps(horizon)]
