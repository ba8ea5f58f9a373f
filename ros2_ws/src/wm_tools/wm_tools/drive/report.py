"""`report.html`: a drive in one self-contained page."""

from wm_bundle import BundleManifest
from wm_evaluation.report import Block, Chart, Facts, Head, Page, Section, Table, Tile, widget
from wm_evaluation.report.charts import ScoreRow, Series, histogram, lines, scores
from wm_evaluation.wording import counted, spell_interval, spell_number

from wm_tools.drive.bundle_scores import open_loop_table
from wm_tools.drive.driving_tables import driving_section
from wm_tools.drive.imagined_moments import Moment, moments_of, pick_moments, prediction_errors, strips
from wm_tools.drive.pictures import jpeg_uri
from wm_tools.drive.records import Episode, PlannerSample
from wm_tools.drive.replay import ahead_labels, replay_section
from wm_tools.drive.statistics import drive_figures, imagined_steps, latencies_ms
from wm_tools.drive.summary import DriveResult, driving_of, timing_cells

MOMENTS = 8  # imagined futures shown in the gallery
COMPLETE = 0.99  # of the steps asked for; single busy moments are no news


def build_report(result: DriveResult, summary: dict, manifest: BundleManifest) -> Page:
    """The page. ``summary`` is ``build_summary(result)``."""
    timed = result.timed_controller
    episodes = result.episodes.get(timed, [])
    sections = [
        Section("Scores", [_score_chart(summary), _table(result, summary)], _scores_text(result)),
        _driving(summary),
        replay_section(timed or "", episodes, result.period_s),
        *_imagination(episodes),
        _latency(result),
        result.known.section(),
        _model(result, manifest),
    ]
    machine = result.machine
    return Page(
        title=f"Drive report · {result.bundle_id}",
        headline=_headline(result, summary),
        lead=f"Driven through ROS 2 topics in {result.simulator}, one command every {1000 * result.period_s:.0f} ms.",
        tiles=_tiles(result, summary),
        sections=[section for section in sections if section is not None],
        footer=f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}",
    )


def _headline(result: DriveResult, summary: dict) -> str:
    timed = result.timed_controller
    if timed is None:
        return "Reference drive without a model"
    tracks = len(result.episodes[timed])
    return (
        f"The {timed} scored {summary['controllers'][timed]['mean_score']:.0f} on average over "
        f"{counted(tracks, 'track')}"
    )


def _tiles(result: DriveResult, summary: dict) -> list[Tile]:
    tiles = [
        Tile(f"{part['mean_score']:.0f}", f"mean score, {name}", "score")
        for name, part in summary["controllers"].items()
    ]
    tiles += [
        Tile(f"{mean:.1f}", f"driving score, {name}", "driving_score")
        for name, means in driving_of(summary).items()
        if (mean := means["driving_score"]["mean"]) is not None
    ]
    timed = result.timed_controller
    if timed is not None:
        steps = sum(len(episode.steps) for episode in result.episodes[timed])
        p99 = summary["control"]["latency_ms"]["p99"]
        tiles.append(Tile(spell_number(p99, unit=" ms"), "p99 from image stamp to command", "command_latency"))
        missed = summary["control"]["deadline_misses"]
        tiles.append(Tile(str(missed), f"missed deadlines in {counted(steps, 'step')}", "deadline_misses"))
    return tiles


def _scores_text(result: DriveResult) -> str:
    text = "The bar is the mean, each dot one track."
    if max(len(episodes) for episodes in result.episodes.values()) > 1:
        text += (
            " The line is the 95 % interval of the mean (Student's t over tracks, cut at the edge of the "
            "chart): few tracks make it wide."
        )
    return text


def _score_chart(summary: dict) -> Chart:
    rows = [
        ScoreRow(name, [episode["score"] for episode in part["episodes"]], part["mean_score"], *part["ci95"])
        for name, part in summary["controllers"].items()
    ]
    return Chart(scores(rows, "score of an episode"), metric="score")


def _table(result: DriveResult, summary: dict) -> Table:
    tracks = [f"track {episode.seed}" for episode in next(iter(result.episodes.values()))]
    heads = [
        "controller",
        Head("mean", "score"),
        Head("95 % interval", "score_interval"),
        *tracks,
        Head("off track", "off_track"),
        Head("latency p50 [ms]", "command_latency"),
        "p99 [ms]",
        Head("missed", "deadline_misses"),
    ]
    rows = []
    for name, episodes in result.episodes.items():
        part, drive = summary["controllers"][name], drive_figures(episodes, result.period_s)
        rows.append(
            [
                name,
                f"{part['mean_score']:.1f}",
                spell_interval(*part["ci95"]),
                *(f"{episode.score:.1f}" for episode in episodes),
                f"{100 * drive.off_track_fraction:.1f} %",
                *timing_cells(name, drive),
            ]
        )
    return Table(heads, rows)


def _driving(summary: dict) -> Section | None:
    driven = {
        name: [episode["driving"]["driving_score"] for episode in part["episodes"]]
        for name, part in summary["controllers"].items()
    }
    return driving_section(driving_of(summary), driven)


def _imagination(episodes: list[Episode]) -> list[Section]:
    moments = [moment for episode in episodes for moment in moments_of(episode)]
    picked = pick_moments(moments, MOMENTS)
    errors = prediction_errors(moments)
    if not picked or errors is None:
        return []
    period_s = picked[0].imagined.period_s
    ahead = [(h + 1) * period_s for h in range(len(errors[0]))]
    curves = [
        Series("imagined", ahead, errors[0]),
        Series("picture stays as it is", ahead, errors[1], dash=True, colour="grey"),
    ]
    chart = lines(curves, "time ahead [s]", "pixel error (of 255)", y_range=(0.0, 1.1 * max(map(max, errors)) or 1.0))
    gallery = widget(
        "wm_tools.drive", "moments.html.j2", {"moments": [_moment(moment) for moment in picked]}, style="drive.css"
    )
    count = sum(moment.complete for moment in moments)
    return [
        Section(
            "Imagined and real futures",
            [gallery],
            "On the left the camera's frame. The upper strip is the best future that the model imagined there, seen "
            "with its own decoder; the lower strip is what the camera then saw, at the model's size. The car "
            "replans at every frame, so it does not follow one plan to its end.",
        ),
        Section(
            "Imagination error over time",
            [Chart(chart, metric="pixel_error")],
            f"Mean absolute pixel error over {counted(count, 'imagined future')}, against guessing no change.",
        ),
    ]


def _moment(moment: Moment) -> dict:
    imagined, real = (jpeg_uri(strip) for strip in strips(moment))
    return {
        "seed": moment.seed,
        "time_s": moment.time_s,
        "best_return": float(moment.imagined.returns[moment.imagined.best]),
        "camera": jpeg_uri(moment.now.camera),
        "imagined": imagined,
        "real": real,
        "ahead": ahead_labels(len(moment.real), moment.imagined.period_s),
    }


def _latency(result: DriveResult) -> Section | None:
    timed = result.timed_controller
    episodes = result.episodes.get(timed, [])
    values = latencies_ms([step for episode in episodes for step in episode.steps])
    if not values.size:
        return None
    drive = drive_figures(episodes, result.period_s)
    spelled = ", ".join(f"{name} {spell_number(value, unit=' ms')}" for name, value in drive.latency_ms.items())
    period_ms = 1000 * result.period_s
    chart = histogram(
        values, "image stamp to command [ms]", period_ms, f"control period {period_ms:.0f} ms", y_label="steps"
    )
    lead = (
        f"Wall time from the moment a step's image was due to the arrival of its command at the simulator, over "
        f"{values.size} commands of the {timed}: {spelled}. Missed deadlines: {drive.deadline_misses} of "
        f"{drive.steps} steps. {_planning(episodes)}"
    )
    return Section("Latency of the control loop", [Chart(chart, metric="command_latency")], lead)


def _planning(episodes: list[Episode]) -> str:
    said = [sample for episode in episodes for sample in episode.planner]
    if not said:
        return ""
    planned = next((sample for sample in said if not sample.braking), said[0])
    mean_iterations = sum(sample.iterations for sample in said) / len(said)
    latencies = sorted(sample.latency_ms for sample in said)
    text = (
        f"The planner itself took {latencies[len(latencies) // 2]:.1f} ms from image to command (median), "
        f"with {mean_iterations:.1f} iterations of {planned.candidates} candidates over "
        f"{planned.horizon} steps.{_search_told(said)}"
    )
    reasons = sorted({sample.reason for sample in said if sample.braking})
    if reasons:
        braked = sum(sample.braking for sample in said)
        text += f" It braked for safety at {counted(braked, 'frame')}: {'; '.join(reasons)}."
    return text


def _search_told(said: list[PlannerSample]) -> str:
    """What this machine had no time for, empty for nothing."""
    imagined, asked = imagined_steps(said) or (1.0, 1.0)
    if imagined >= COMPLETE * asked:
        return ""
    return (
        f" That is {imagined:.0f} of the {asked:.0f} imagined steps asked for: this machine has no time for more. "
        f"docs/planning.md says what a score loses by it."
    )


def _model(result: DriveResult, manifest: BundleManifest) -> Section:
    image, latent = manifest.image, manifest.latent
    cameras = ", ".join(f"{camera.name} {camera.source_width}×{camera.source_height}" for camera in image.cameras)
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
    facts: list[Block] = [
        Facts({"Interface": shape, "Validation": manifest.validation, "Provenance": manifest.provenance})
    ]
    if manifest.open_loop is not None:
        facts.append(open_loop_table(manifest.open_loop))
    return Section("The model", facts, f"From bundle.json of the bundle {result.bundle_id}.")
