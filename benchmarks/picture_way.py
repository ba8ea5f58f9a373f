"""`python -m benchmarks.picture_way`: what a picture costs between a simulator and the planner, in two processes.

In lock-step, as with CARLA's bridge: a picture is sent, and the next one once its answer came. Variants take turns:
best effort; reliable; that and the sender's large shared memory, as the launch files set it; that and freed memory
kept, as the planner does.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from wm_bundle.files import write_json
from wm_evaluation.command_line import DONE, parse, run

from benchmarks.children import ROOT, run_child
from benchmarks.errors import BenchmarkError

_ENDS = "benchmarks.picture_ends"
VARIANTS = {"best effort": "best_effort", "reliable": "reliable", "large memory": "reliable", "kept memory": "reliable"}
_DEADLINE_S = 60.0


@dataclass(frozen=True)
class Options:
    """Measure what a picture costs on its way."""

    sizes: tuple[str, ...] = ("96x96", "480x270", "800x600", "1280x720", "1920x1080")
    """Widths and heights [px]; pictures are bgra8, as CARLA's."""
    pictures: int = 100
    """Pictures of each variant in each round."""
    rounds: int = 3
    """How often the variants take turns."""
    output: Path = ROOT / "out" / "bench"
    """Folder for picture_way.json."""

    def __post_init__(self):
        wrong = [size for size in self.sizes if len([part for part in size.split("x") if part.isdigit()]) != 2]
        if wrong or not self.sizes or self.pictures < 1 or self.rounds < 1:
            raise ValueError(
                f"sizes {self.sizes}, pictures {self.pictures}, rounds {self.rounds}: expected WIDTHxHEIGHT, and at "
                "least 1"
            )


def measure(options: Options, say: Callable[[str], None]) -> dict:
    """By size: bytes, milliseconds of the steps in one process, and each variant's figures. Raises BenchmarkError."""
    result = {}
    for size in options.sizes:
        width, height = map(int, size.split("x"))
        settings = {"width": width, "height": height, "pictures": options.pictures}
        steps = run_child(_ENDS, {**settings, "role": "convert"}, 1)
        drives = {name: [] for name in VARIANTS}
        for _ in range(options.rounds):
            for name in VARIANTS:
                drives[name].append(_send(settings, name))
        result[size] = {
            "bytes": 4 * width * height,
            **{f"{name} [ms]": round(1e3 * seconds, 3) for name, seconds in steps.items()},
            **{name: _figures(drives[name]) for name in VARIANTS},
        }
        say(f"{size}: {json.dumps(result[size])}")
    return result


def _send(settings: dict, variant: str) -> tuple[dict, dict]:
    """What the camera and the viewer measured."""
    from wm_bundle.processes.ros_distribution import dds_profiles_variable, local_environment
    from wm_planner.launching.transport import PROFILE
    from wm_tools.drive.domain import own_domain

    with own_domain() as domain_id:
        variables = {**local_environment(domain_id), "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
        large = {dds_profiles_variable(): str(ROOT / PROFILE) if variant.endswith("memory") else ""}

        def start(role: str, **more) -> subprocess.Popen:
            words = json.dumps(
                {**settings, "role": role, "reliability": VARIANTS[variant], "keeps_memory": variant == "kept memory"}
            )
            command = [sys.executable, "-m", _ENDS, words]
            return subprocess.Popen(
                command, cwd=ROOT, env={**variables, **more}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )

        ends = [start("view"), start("send", **large)]
        try:
            told = [end.communicate(timeout=_DEADLINE_S + settings["pictures"])[0] for end in reversed(ends)]
        except subprocess.TimeoutExpired:
            raise BenchmarkError(f"{variant}: not done after {_DEADLINE_S + settings['pictures']:g} s") from None
        finally:
            for end in ends:
                end.kill()
        if any(end.returncode for end in ends):
            raise BenchmarkError(f"{variant}: the camera or the viewer failed; its error is above")
    camera, viewer = (json.loads(text.strip().splitlines()[-1]) for text in told)
    return camera, viewer


def _figures(drives: list[tuple[dict, dict]]) -> dict:
    """Pictures lost, and p50 and p99 of those that came [ms]."""
    rows = {"publish": [], "transport": [], "take": [], "view": [], "to callback": [], "round trip": []}
    lost = 0
    for camera, viewer in drives:
        seen = viewer["seen"]
        lost += len(camera["sent"]) - len(seen)
        for number, (begun_ns, publish_ns) in camera["sent"].items():
            if number in seen:
                at_ns, transport_ns, take_ns, view_ns = seen[number]
                for name, value in zip(
                    rows, (publish_ns, transport_ns, take_ns, view_ns, at_ns - begun_ns), strict=False
                ):
                    rows[name].append(value)
            if number in camera["answered"]:
                rows["round trip"].append(camera["answered"][number] - begun_ns)
    return {"lost": lost, "of": sum(len(camera["sent"]) for camera, _ in drives)} | {
        f"{name} [ms]": [round(float(value) / 1e6, 2) for value in np.percentile(values, (50, 99))]
        for name, values in rows.items()
        if values
    }


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    from wm_tools.common.errors import DriveError

    options = parse(Options, "picture_way", arguments)
    return run("picture_way", lambda: _main(options), (BenchmarkError, DriveError, OSError))


def _main(options: Options) -> int:
    result = measure(options, lambda line: print(f"picture_way: {line}", file=sys.stderr, flush=True))
    write_json(options.output / "picture_way.json", result)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
