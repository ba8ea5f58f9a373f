"""The work of `visualize`: score a model on a split, draw one window, and write both into a folder."""

import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from wm_bundle.files import write_text
from wm_evaluation.command_line import say
from wm_evaluation.report import write_page
from wm_evaluation.scorecard.measurements import Measurements
from wm_evaluation.scorecard.summary import summarise
from wm_evaluation.scorecard.tables import Cards
from wm_evaluation.scorecard.terminal import terminal_tables

from wm_training import processes
from wm_training.configuration.values import nearest
from wm_training.data.dataset import SequenceDataset
from wm_training.errors import TrainingError
from wm_training.imagination import pictures
from wm_training.imagination.recorded import mean_reward, open_split
from wm_training.imagination.scorecard import Window, measure, plan_windows, read_windows, typical_window, vector_inputs
from wm_training.imagination.scorecard_page import build_page
from wm_training.imagination.visualize_options import WindowSettings
from wm_training.model.objective import WorldModelObjective
from wm_training.model.open_loop import open_loop
from wm_training.model.world_model import WorldModel
from wm_training.training import distributed
from wm_training.training.checkpoints import read_world_model

if TYPE_CHECKING:
    from wm_training.imagination.visualize_options import VisualizeOptions

PROGRAM = "visualize"
UNKNOWN_RATE_HZ = 10.0  # assumed for episodes without a rate
TABLE_WIDTH = 110  # [characters] of the tables without a terminal's width


def report(options: "VisualizeOptions") -> None:
    """Write picture, video, scorecard and page, and print the tables.

    Raises TrainingError and EpisodeError for unusable inputs, OSError.
    """
    checkpoint = Path(options.checkpoint).expanduser()
    output = Path(options.output).expanduser() if options.output else checkpoint.parent / PROGRAM
    if output.exists() and not output.is_dir():
        raise TrainingError(f"output {output} is a file, expected a folder")
    torch.set_num_threads(options.threads or processes.processor_threads())
    model, payload = read_world_model(checkpoint, distributed.choose_device(options.device))
    path = options.data_path or model.config.data_path
    data = open_split(path, model, options.split)
    samples = options.samples or model.config.num_imagination_samples
    rate_hz = _rate_hz(data)
    windows = plan_windows(data.episodes, options)
    short = len(data.files) - len({window.episode for window in windows})
    if short:
        say(PROGRAM, f"{short} of {len(data.files)} episodes are shorter than {options.rows} rows and skipped")
    episode = asked_episode(options, data)
    asked = None if options.start is None else asked_window(data, episode or 0, options.start, options)
    measurements = _measure(model, data, windows, options, samples)
    shown = asked or typical_window(windows, measurements, episode)

    first_row = data.first_rows[shown.episode] + shown.start
    settings = {field.name: getattr(options, field.name) for field in fields(WindowSettings)}
    card = summarise(measurements, options, mean_reward(open_split(path, model, "train"))) | {
        "settings": settings | {"samples": samples},
        "model": {
            "checkpoint": str(options.checkpoint),
            "step": payload["step"],
            "parameters": sum(p.numel() for p in WorldModelObjective(model).parameters() if p.requires_grad),
        },
        "data": {"path": str(path), "split": options.split, "rate_hz": rate_hz},
        "window": {
            "episode": data.files[shown.episode].name,
            "start": first_row,
            "rows": shown.rows,
            "typical": asked is None,
        },
    }
    name = f"{checkpoint.parent.name}/{checkpoint.name}, update {payload['step']}"
    title = f"{name} · {data.files[shown.episode].name} · rows {first_row} to {first_row + shown.rows - 1}"
    batch = read_windows(data.episodes, [shown], options.rows)
    trajectory = pictures.Trajectory(
        result=open_loop(model, batch, options.context, samples, options.seed, pictures.SAMPLES),
        title=title,
        seen_rewards=batch.reward[0, : options.context - 1].numpy(),
        rate_hz=rate_hz,
        vector_inputs=vector_inputs(data.episodes[0]),
    )
    _write(output, card, trajectory)
    Console(width=None if sys.stdout.isatty() else TABLE_WIDTH).print(terminal_tables(Cards({"model": card})))
    say(PROGRAM, f"wrote scorecard.html, scorecard.json, imagined_trajectory.png and .mp4 to {output}")


def asked_episode(options: "VisualizeOptions", data: SequenceDataset) -> int | None:
    """Number of the requested episode, None for any. Raises TrainingError for one that is missing or too short."""
    number = options.index
    if options.episode is not None:
        names = [file.name for file in data.files]
        name = options.episode if options.episode.endswith(".npz") else f"{options.episode}.npz"
        if name not in names:
            raise TrainingError(f"no episode {name} in the {data.split} split, {nearest(name, names)}")
        of_file = [index for index, found in enumerate(names) if found == name]  # its drives
        number = next((index for index in of_file if len(data.episodes[index]) >= options.rows), of_file[0])
    if number is None:
        return None
    if not 0 <= number < len(data.files):
        raise TrainingError(f"index is {number}, expected 0 to {len(data.files) - 1}, the episodes of {data.split}")
    if len(data.episodes[number]) < options.rows:
        raise TrainingError(
            f"episode {data.files[number].name} has {len(data.episodes[number])} rows, expected {options.rows} "
            f"for context {options.context} and horizon {options.horizon}: lower --horizon"
        )
    return number


def asked_window(data: SequenceDataset, episode: int, start: int, settings: WindowSettings) -> Window:
    """The window from row ``start`` of the file. Raises TrainingError where its drive ends earlier."""
    file = data.files[episode]
    for number, (begin, drive) in enumerate(zip(data.first_rows, data.episodes, strict=True)):
        if data.files[number] == file and begin <= start <= begin + len(drive) - settings.rows:
            return Window(number, start - begin, settings.rows)
    first, rows = data.first_rows[episode], len(data.episodes[episode])
    raise TrainingError(
        f"start is {start}, expected {first} to {first + rows - settings.rows}: episode {file.name} has {rows} rows, "
        f"context and horizon take {settings.rows}"
    )


def _rate_hz(data: SequenceDataset) -> float:
    rate = data.meta.get("rate_hz")
    if isinstance(rate, int | float) and rate > 0:
        return float(rate)
    say(PROGRAM, f"the rate_hz of the episodes is {rate}, so {UNKNOWN_RATE_HZ:g} is taken")
    return UNKNOWN_RATE_HZ


def _measure(
    model: WorldModel, data: SequenceDataset, windows: list[Window], settings: WindowSettings, samples: int
) -> Measurements:
    """All windows, with a progress line on a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("imagining"), BarColumn(), MofNCompleteColumn(), TextColumn("windows"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("imagining", total=len(windows))
        return measure(
            data.episodes,
            windows,
            lambda batch, seed: open_loop(model, batch, settings.context, samples, seed, decoded_samples=0),
            settings,
            lambda count: progress.advance(task, count),
        )


def _write(output: Path, card: dict, trajectory: pictures.Trajectory) -> None:
    picture, video = output / "imagined_trajectory.png", output / "imagined_trajectory.mp4"
    pictures.write_png(picture, pictures.trajectory_figure(trajectory))
    pictures.save_video(video, trajectory)
    write_text(output / "scorecard.json", json.dumps(card, indent=1, allow_nan=False) + "\n")
    write_page(output / "scorecard.html", build_page(card, trajectory, video.read_bytes()))
