"""`python -m benchmarks.command_way`: where the time goes from a picture's stamp to its command's arrival.

Drives the built-in simulator in real time as `drive` does, with the recorder, and measures every step in all processes.
Pictures of several sizes, and engines that are made slower, take turns.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory

import numpy as np
from wm_bundle import Bundle, BundleError, load_bundle
from wm_bundle.files import write_json
from wm_evaluation.command_line import DONE, parse, run
from wm_evaluation.metrics.errors import percentiles

from benchmarks.children import ROOT
from benchmarks.errors import BenchmarkError

_TRACK = 4000
_WARM_UP = 12  # frames, not counted
# Every step, as the ends of its marks or the sums of its parts in ``command_ends``; together they are the whole.
STEPS: dict[str, Callable[[Mapping[str, int]], int]] = {
    "other topics": lambda at: at["draw"] - at["stamp"],
    "draw": lambda at: at["drawn"] - at["draw"],
    "publish picture": lambda at: at["written"] - at["drawn"],
    "middleware": lambda at: at["received"] - at["written"],
    "executor": lambda at: at["callback"] - at["received"],
    "wait for status": lambda at: at["decide"] - at["callback"],
    "preprocess": lambda at: at["preprocess"],
    "observe": lambda at: at["observe"],
    "actor": lambda at: at["actor"],
    "imagine": lambda at: at.get("imagine", 0),
    "solve": lambda at: at["plan"] - at["actor"] - at.get("imagine", 0),
    "pilot": lambda at: at["decided"] - at["decide"] - at["preprocess"] - at["observe"] - at["plan"],
    "publish": lambda at: at["published"] - at["decided"],
    "arrival": lambda at: at["arrived"] - at["published"],
    "whole": lambda at: at["arrived"] - at["stamp"],
    "waited for a core": lambda at: at["waited"],  # the planner, between callback and publish
    "garbage collection": lambda at: at["collected"],
}


@dataclass(frozen=True)
class Options:
    """Measure every step from a picture's stamp to its command's arrival."""

    bundle: Path = ROOT / "models" / "carracing"
    """Folder of the model bundle, of one camera."""
    sizes: tuple[str, ...] = ("96x96", "800x600")
    """Widths and heights [px] of the camera; pictures are bgra8, as CARLA's."""
    slower: tuple[float, ...] = (1.0,)
    """How many times as long imagination takes, to see what a slower processor does."""
    rounds: int = 2
    """How often the variants take turns."""
    steps: int = 300
    """Control steps of each drive."""
    output: Path = ROOT / "out" / "bench"
    """Folder for command_way.json, command_way_frames.json with every frame's marks, and the logs."""

    def __post_init__(self):
        wrong = [size for size in self.sizes if len([part for part in size.split("x") if part.isdigit()]) != 2]
        if wrong or not self.sizes or self.rounds < 1 or self.steps <= _WARM_UP or min(self.slower, default=0.0) < 1.0:
            raise ValueError(
                f"sizes {self.sizes}, slower {self.slower}, rounds {self.rounds}, steps {self.steps}: expected "
                f"WIDTHxHEIGHT, numbers from 1, at least 1, and more than {_WARM_UP}"
            )


def measure(options: Options, say: Callable[[str], None]) -> dict[str, list[dict[str, int]]]:
    """The marks of the frames of each variant. Raises BenchmarkError, BundleError and DriveError."""
    variants = {f"{size}, {slower:g}": (size, slower) for size in options.sizes for slower in options.slower}
    frames = {name: [] for name in variants}
    with TemporaryDirectory() as folder:
        bundles = {size: _bundle_for(options.bundle, size, Path(folder)) for size in options.sizes}
        for turn in range(options.rounds):
            for name, (size, slower) in variants.items():
                frames[name] += _drive(options, bundles[size], slower, _TRACK + turn, Path(folder))
                say(f"round {turn + 1}, {name}: {figures(frames[name])['whole']}")
    return frames


def _bundle_for(source: Path, size: str, folder: Path) -> Bundle:
    """A copy of the bundle for a camera of this size."""
    copied = folder / size
    copytree(source, copied)
    text = json.loads((copied / "bundle.json").read_text())
    (camera,) = text["image"]["cameras"]
    camera["source_width"], camera["source_height"] = map(int, size.split("x"))
    write_json(copied / "bundle.json", text)
    return load_bundle(copied)


def _drive(options: Options, bundle: Bundle, slower: float, seed: int, folder: Path) -> list[dict[str, int]]:
    """The marks of every frame of a drive."""
    from wm_bundle.processes.ros_distribution import local_environment
    from wm_tools.drive.controllers import controller_of
    from wm_tools.drive.domain import own_domain, ros_context
    from wm_tools.drive.drive_options import DriveOptions
    from wm_tools.drive.embedded import simulator_parameters
    from wm_tools.drive.pictures import FrameReader
    from wm_tools.drive.processes import ProcessGroup
    from wm_tools.drive.recorder_node import RecorderNode
    from wm_tools.drive.records import EpisodeCollector
    from wm_tools.drive.runner import parameters_of
    from wm_tools.drive.session import Session

    # Late frames on a slow processor are part of the measurement and must not end the drive.
    driven = DriveOptions(seeds=(seed,), output=options.output.resolve(), parameters=(("deadline_frames", 0),))
    manifest = bundle.manifest
    collector, camera = EpisodeCollector(manifest.control_period_s, options.steps), manifest.image.cameras[0].name
    files = {role: folder / f"{role}.json" for role in ("simulator", "planner")}

    def traced(role: str) -> list[str]:
        return [sys.executable, "-m", "benchmarks.command_ends", role, str(files[role]), str(slower)]

    def ignore(_) -> None:
        pass

    with own_domain() as domain_id, ros_context(domain_id) as context:
        environment = {**local_environment(domain_id), "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
        node = RecorderNode(context, driven.role_name, camera, collector, FrameReader(manifest.image))
        logs, pace_s = driven.output / "logs", manifest.control_period_s
        with (
            ProcessGroup() as processes,
            Session("way", context, node, collector, processes, environment, logs, pace_s, ignore, ignore) as session,
        ):
            parameters = simulator_parameters(manifest, driven, seed, real_time_factor=1.0, autopilot=False)
            session.start("simulator", traced("simulator"), parameters)
            session.wait(node.sees_simulator, "the simulator's topics")
            node.listen_to_planner()
            session.start("planner", traced("planner"), parameters_of(driven, bundle, controller_of("planner")))
            session.wait(node.hears_planner, "the planner's first status", driven.start_timeout)
            node.listen_to_camera()
            session.reset(seed)
            session.wait_for_first_tick()
            session.finish_episode()
            session.drain()
    sent, answered = (json.loads(files[role].read_text()) for role in ("simulator", "planner"))
    both = [{**sent[stamp], **marks} for stamp, marks in answered.items() if stamp in sent]
    return [marks for marks in both[_WARM_UP:] if "arrived" in marks and "plan" in marks]


def figures(frames: list[dict[str, int]]) -> dict[str, dict[str, float]]:
    """p50, p95, p99 and the largest of every step, and its mean over the slowest frames in a hundred [ms]."""
    if not frames:
        raise BenchmarkError("no picture was answered")
    rows = {name: np.array([step(marks) for marks in frames]) / 1e6 for name, step in STEPS.items()}
    slowest = np.argsort(rows["whole"])[-max(1, len(frames) // 100) :]
    return {
        name: {key: round(value, 2) for key, value in percentiles(row).items()}
        | {"in the slowest": round(float(row[slowest].mean()), 2)}
        for name, row in rows.items()
    }


def _table(name: str, frames: list[dict[str, int]], period_s: float) -> str:
    late = sum(STEPS["whole"](marks) > 1e9 * period_s for marks in frames)
    lines = [f"{name} times as slow: {len(frames)} frames, {late} late; [ms]"]
    for step, values in figures(frames).items():
        lines.append(f"  {step:20}" + "".join(f"{key} {value:6.2f}  " for key, value in values.items()))
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    from wm_tools.common.errors import DriveError

    options = parse(Options, "command_way", arguments)
    return run("command_way", lambda: _main(options), (BenchmarkError, BundleError, DriveError, OSError))


def _main(options: Options) -> int:
    period_s = load_bundle(options.bundle).manifest.control_period_s
    frames = measure(options, lambda line: print(f"command_way: {line}", file=sys.stderr, flush=True))
    write_json(options.output / "command_way.json", {name: figures(of) for name, of in frames.items()})
    write_json(options.output / "command_way_frames.json", frames)
    for name, of in frames.items():
        print(_table(name, of, period_s))
    return DONE


if __name__ == "__main__":
    sys.exit(main())
