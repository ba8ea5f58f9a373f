"""`report.html`: a drive in one self-contained page."""

import json
from html import escape
from importlib import resources
from string import Template

from wm_bundle import BundleManifest

from wm_planner.drive.charts import ScoreRow, Series, histogram, line_chart, score_chart
from wm_planner.drive.imagination import Moment, moments_of, pick_moments, prediction_errors, strips
from wm_planner.drive.pictures import jpeg_uri
from wm_planner.drive.records import Episode
from wm_planner.drive.replay import ahead_labels, replay_section
from wm_planner.drive.statistics import drive_figures, latencies_ms
from wm_planner.drive.summary import DriveResult
from wm_planner.drive.wording import spell_interval, spell_ms, timing_cells

LONG_LIST = 12  # entries; longer ones are folded away
MOMENTS = 8  # imagined futures shown in the gallery


def build_report(result: DriveResult, summary: dict, manifest: BundleManifest) -> str:
    """The whole page. ``summary`` is what ``build_summary`` made of ``result``."""
    timed = result.timed_controller
    replay, replay_data = replay_section(timed or "", result.episodes.get(timed, []), result.period_s)
    values = {
        "bundle_id": escape(result.bundle_id),
        "headline": _headline(result, summary),
        "lead": _lead(result),
        "tiles": _tiles(result, summary),
        "scores_text": _scores_text(result),
        "score_chart": score_chart(
            [_score_row(name, part) for name, part in summary["controllers"].items()], "score of an episode"
        ),
        "table": _table(result, summary),
        "replay": replay,
        "replay_data": replay_data,
        "imagination": _imagination(result),
        "latency": _latency(result),
        "facts": _facts(result, manifest),
        "footer": escape(
            f"{result.machine['cpu']}, {result.machine['cores']} cores, {result.machine['system']}, "
            f"Python {result.machine['python']}"
        ),
        "style": _asset("page.css"),
        "script": _asset("page.js"),
    }
    return Template(_asset("page.html")).substitute(values)


def _asset(name: str) -> str:
    return (resources.files("wm_planner.drive") / "assets" / name).read_text(encoding="utf-8")


def _headline(result: DriveResult, summary: dict) -> str:
    timed = result.timed_controller
    if timed is None:
        return "Reference drive without a model"
    tracks = len(result.episodes[timed])
    return (
        f"The {escape(timed)} scored {summary['controllers'][timed]['mean_score']:.0f} on average over "
        f"{tracks} track{'s' if tracks > 1 else ''}"
    )


def _lead(result: DriveResult) -> str:
    return (
        f"Driven through ROS 2 topics in {escape(result.simulator)}, one command every "
        f"{1000 * result.period_s:.0f} ms."
    )


def _tiles(result: DriveResult, summary: dict) -> str:
    tiles = [
        (f"{part['mean_score']:.0f}", f"mean score, {name}") for name, part in summary["controllers"].items()
    ]
    timed = result.timed_controller
    if timed is not None:
        steps = sum(len(episode.steps) for episode in result.episodes[timed])
        tiles.append((spell_ms(summary["control"]["latency_ms"]["p99"]), "p99 from image stamp to command"))
        tiles.append((str(summary["control"]["deadline_misses"]), f"missed deadlines in {steps} steps"))
    return "".join(
        f'<div class="tile"><b>{value}</b><span>{escape(text)}</span></div>' for value, text in tiles
    )


def _scores_text(result: DriveResult) -> str:
    text = "The bar is the mean, each dot one track."
    if max(len(episodes) for episodes in result.episodes.values()) > 1:
        text += (
            " The line is the 95 % interval of the mean (Student's t over tracks, cut at the edge of the "
            "chart): few tracks make it wide."
        )
    return text


def _score_row(name: str, part: dict) -> ScoreRow:
    low, high = part["ci95"]
    return ScoreRow(
        name, name, [episode["score"] for episode in part["episodes"]], part["mean_score"], low, high
    )


def _table(result: DriveResult, summary: dict) -> str:
    seeds = [episode.seed for episode in next(iter(result.episodes.values()))]
    tracks = [f"track {seed}" for seed in seeds]
    heads = ["controller", "mean", "95 % interval", *tracks, "off track", "latency p50 [ms]", "p99 [ms]", "missed"]
    rows = [heads]
    for name, episodes in result.episodes.items():
        part, drive = summary["controllers"][name], drive_figures(episodes, result.period_s)
        scores = [f"{episode.score:.1f}" for episode in episodes]
        rows.append([
            escape(name), f"{part['mean_score']:.1f}", spell_interval(part["ci95"]), *scores,
            f"{100 * drive.off_track_fraction:.1f} %", *timing_cells(name, drive),
        ])
    cells = ["".join(f"<{tag}>{cell}</{tag}>" for cell in row) for row, tag in zip(
        rows, ["th"] + ["td"] * len(result.episodes), strict=True)]
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"


def _imagination(result: DriveResult) -> str:
    episodes = result.episodes.get(result.timed_controller, [])
    moments = [moment for episode in episodes for moment in moments_of(episode)]
    picked = pick_moments(moments, MOMENTS)
    errors = prediction_errors(moments)
    if not picked or errors is None:
        return ""
    period_s = picked[0].imagined.period_s
    ahead = [(h + 1) * period_s for h in range(len(errors[0]))]
    chart = line_chart(
        [
            Series("picture stays as it is", "random", ahead, errors[1]),
            Series("imagined", "planner", ahead, errors[0]),
        ],
        "time ahead [s]",
        "pixel error (of 255)",
        height=210.0,
    )
    count = sum(moment.complete for moment in moments)
    return f"""
<section>
  <h2>Imagined and real futures</h2>
  <p>On the left the camera's frame. The upper strip is the best future that the model then imagined, seen
  with its own decoder; the lower strip is what the camera really saw, as the model sees it. The car replans
  at every frame, so it does not follow one plan to its end.</p>
  <div class="moments">{"".join(_moment(moment) for moment in picked)}</div>
</section>
<section>
  <h2>How far ahead the imagination holds</h2>
  <p>Mean absolute pixel error over {count} imagined futures, against the guess that nothing changes.</p>
  <div class="legend"><span><i class="b-planner"></i>imagined</span>
  <span><i class="b-random"></i>picture stays as it is</span></div>
  {chart}
</section>"""


def _moment(moment: Moment) -> str:
    imagined, real = (jpeg_uri(strip) for strip in strips(moment))
    labels = ahead_labels(len(moment.real), moment.imagined.period_s)
    best = float(moment.imagined.returns[moment.imagined.best])
    return (
        f'<div class="moment"><h3>track {moment.seed}, {moment.time_s:.2f} s'
        f" · imagined return {best:.1f}</h3>"
        f'<img src="{jpeg_uri(moment.now.camera)}" alt="camera frame">'
        f'<div class="futures"><span>imagined</span><img src="{imagined}" alt="imagined future">'
        f'<span>real</span><img src="{real}" alt="what came"><span></span><div class="ahead">{labels}</div>'
        f"</div></div>"
    )


def _latency(result: DriveResult) -> str:
    timed = result.timed_controller
    episodes = result.episodes.get(timed, [])
    values = latencies_ms([step for episode in episodes for step in episode.steps])
    if not values.size:
        return ""
    drive = drive_figures(episodes, result.period_s)
    spelled = ", ".join(f"{name} {spell_ms(value)}" for name, value in drive.latency_ms.items())
    period_ms = 1000 * result.period_s
    chart = histogram(
        values, timed, "image stamp to command [ms]", period_ms, f"control period {period_ms:.0f} ms"
    )
    return f"""
<section>
  <h2>Latency of the control loop</h2>
  <p>Wall time from the moment a step's image was due to the arrival of its command at the simulator, over
  {values.size} commands of the {escape(timed)}: {spelled}. Missed deadlines: {drive.deadline_misses} of
  {drive.steps} steps. {_planning(episodes)}</p>
  {chart}
</section>"""


def _planning(episodes: list[Episode]) -> str:
    """What the planner said of its own work, in words."""
    said = [sample for episode in episodes for sample in episode.planner]
    if not said:
        return ""
    planned = next((sample for sample in said if not sample.braking), said[0])
    mean_iterations = sum(sample.iterations for sample in said) / len(said)
    latencies = sorted(sample.latency_ms for sample in said)
    text = (
        f"The planner itself took {latencies[len(latencies) // 2]:.1f} ms from image to command (median), "
        f"with {mean_iterations:.1f} iterations of {planned.candidates} candidates over "
        f"{planned.horizon} steps."
    )
    reasons = sorted({sample.reason for sample in said if sample.braking})
    if reasons:
        braked = sum(sample.braking for sample in said)
        text += f" It braked for safety at {braked} frames: {'; '.join(reasons)}."
    return escape(text)


def _facts(result: DriveResult, manifest: BundleManifest) -> str:
    image, latent = manifest.image, manifest.latent
    cameras = ", ".join(
        f"{camera.name} {camera.source_width}×{camera.source_height}" for camera in image.cameras
    )
    vector = ", ".join(f"{entry.name} [{entry.unit}]" for entry in manifest.vector) or "none"
    size = sum(file.bytes for file in manifest.files.values())
    shape = {
        "cameras": cameras,
        "model's picture": f"{image.width}×{image.height}",
        "vector": vector,
        "control period": f"{1000 * manifest.control_period_s:.0f} ms",
        "horizon": f"{manifest.horizon} steps",
        "belief": f"{latent.deterministic} + {latent.stochastic} {latent.kind}",
        "reward": manifest.reward_name,
        "surprise threshold": f"{manifest.surprise_threshold:.2f} nats",
        "size": f"{size / 1e6:.1f} MB",
    }
    lists = {"Interface": shape, "Validation": manifest.validation, **_flat("Provenance", manifest.provenance)}
    short = "".join(_list(title, values) for title, values in lists.items() if 0 < len(values) <= LONG_LIST)
    long = "".join(
        f"<details><summary>{escape(title)}</summary>{_list('', values)}</details>"
        for title, values in lists.items()
        if len(values) > LONG_LIST
    )
    return f'<div class="facts">{short}</div>{long}'


def _flat(title: str, values: dict) -> dict[str, dict]:
    """One list of the plain entries, and one for every entry that is a list of its own."""
    lists = {title: {key: value for key, value in values.items() if not isinstance(value, dict)}}
    for key, value in values.items():
        if isinstance(value, dict):
            lists.update(_flat(f"{title}: {key}", value))
    return lists


def _list(title: str, values: dict) -> str:
    rows = "".join(
        f"<dt>{escape(str(key))}</dt><dd>{escape(_plain(value))}</dd>" for key, value in values.items()
    )
    heading = f"<h3>{escape(title)}</h3>" if title else ""
    return f"<dl>{heading}{rows}</dl>"


def _plain(value) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)
