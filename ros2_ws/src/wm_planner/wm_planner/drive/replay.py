"""The replay in the report: one episode's camera frames under a slider, its futures, steering and speed."""

import json
import math
from collections.abc import Sequence
from html import escape

import numpy as np

from wm_planner.drive.charts import Series, line_chart
from wm_planner.drive.imagination import Moment, moments_of, strip_steps, strips
from wm_planner.drive.pictures import jpeg_uri, tile
from wm_planner.drive.records import Episode

_COLUMNS = 20  # frames in a row of the sheet that holds an episode's frames


def replay_section(controller: str, episodes: Sequence[Episode], period_s: float) -> tuple[str, str]:
    """The section's HTML and the JSON its script reads; ("", "null") when no frame was recorded."""
    shown = [episode for episode in episodes if episode.frames and episode.motions]
    if not shown:
        return "", "null"
    first = next(iter(shown[0].frames.values())).camera
    data = {
        "width": first.shape[1],
        "height": first.shape[0],
        "columns": _COLUMNS,
        "period_s": period_s,
        "episodes": [_episode_data(episode, period_s) for episode in shown],
    }
    # "</" would end the script element that holds the data.
    return _html(controller, shown, data, period_s), json.dumps(data, allow_nan=False).replace("</", "<\\/")


def _episode_data(episode: Episode, period_s: float) -> dict:
    """What the script needs of an episode: for each frame its time, the speed and the score reached by then, and the
    command that followed it. Where a message is missing the values before it stand."""
    begin_ns = next(iter(episode.frames))

    def place(stamp_ns: int) -> int:
        return round((stamp_ns - begin_ns) / 1e9 / period_s)

    motions = {place(motion.stamp_ns): motion for motion in episode.motions}
    rewards = {place(step.stamp_ns): step.reward for step in episode.steps}
    command, speed, score, rows = (0.0, 0.0, 0.0), 0.0, 0.0, []  # the car stands at the first frame
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


def _charts(place: int, episode: Episode, period_s: float) -> str:
    """Command, speed and surprise over time, for the script to show one episode's at a time."""
    ends = _seconds(episode)
    starts = [end - period_s for end in ends]  # a motion holds the command of the interval before its stamp
    pedals = [motion.throttle - motion.brake for motion in episode.motions]
    axis, span = "time since the start [s]", (0.0, ends[-1])
    commands = [
        Series("throttle − brake", "actor", starts, pedals),
        Series("steering", "planner", starts, [motion.steer for motion in episode.motions]),
    ]
    charts = [line_chart(commands, axis, "command", span, (-1.05, 1.05))]
    speed = Series("speed", "expert", [0.0, *ends], [0.0, *(motion.speed for motion in episode.motions)])
    charts.append(line_chart([speed], axis, "speed [m/s]", span, height=170.0))
    begin_ns = next(iter(episode.frames))
    said = [sample for sample in episode.planner if math.isfinite(sample.surprise)]
    if said:
        times = [(sample.stamp_ns - begin_ns) / 1e9 for sample in said]
        surprise = Series("surprise", "random", times, [sample.surprise for sample in said])
        charts.append(line_chart([surprise], axis, "surprise [nats]", span, height=150.0))
    return f'<div data-episode="{place}">{"".join(charts)}</div>'


def _html(controller: str, episodes: Sequence[Episode], data: dict, period_s: float) -> str:
    tabs = "".join(
        f'<button type="button">track {episode.seed} · {episode.score:.0f}</button>' for episode in episodes
    )
    sample = next((sample for episode in episodes for sample in episode.imagined), None)
    ahead = "" if sample is None else ahead_labels(len(sample.future), sample.period_s)
    charts = "".join(_charts(place, episode, period_s) for place, episode in enumerate(episodes))
    return f"""
<section id="replay" class="no-script">
  <h2>Replay of the {escape(controller)}</h2>
  <p>Every camera frame of the drive with the command that answered it. Beside it the future that the model
  imagined last, above the one that then came. Click into a chart to go there.</p>
  <div class="tabs">{tabs}</div>
  <div class="stage">
    <div>
      <canvas data-part="camera" width="{data["width"]}" height="{data["height"]}"></canvas>
    </div>
    <div>
      <div class="futures" data-part="futures">
        <span></span><h3 data-part="when"></h3>
        <span>imagined</span><img data-part="imagined" alt="imagined future">
        <span>real</span><img data-part="real" alt="what came">
        <span></span><div class="ahead">{ahead}</div>
      </div>
      <div class="gauges">
        {"".join(_gauge(name) for name in ("steer", "throttle", "brake"))}
      </div>
    </div>
  </div>
  <div class="transport">
    <button type="button" data-part="play">Play</button>
    <input type="range" min="0" value="0" step="1" data-part="slider" aria-label="frame">
    <output data-part="clock"></output>
  </div>
  <div class="legend"><span><i class="b-planner"></i>steering, right positive</span>
  <span><i class="b-actor"></i>throttle − brake</span><span><i class="b-expert"></i>speed</span>
  <span><i class="b-random"></i>surprise: how far a frame was from what the model expected</span></div>
  {charts}
</section>"""


def _gauge(name: str) -> str:
    return (
        f'<span>{name}</span><div class="gauge"><i class="{name}" data-part="{name}-bar"></i></div>'
        f'<output data-part="{name}"></output>'
    )


def ahead_labels(horizon: int, period_s: float) -> str:
    """How far ahead each frame of a strip lies, one <span> each."""
    return "".join(f"<span>{(h + 1) * period_s:.2f} s</span>" for h in strip_steps(horizon))
