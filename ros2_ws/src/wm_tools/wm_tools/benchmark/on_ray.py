"""Trials as tasks of a Ray cluster. They bring the files that they need; a machine needs only the same workspace.

Ray itself drives the trials of a machine that was lost on another one.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from platform import node

from wm_data.ray_cluster import ClusterError, results_on_ray

from wm_tools.benchmark.plan import Trial
from wm_tools.benchmark.trial_driver import TrialDriver
from wm_tools.common.errors import DriveError

_FILES_OF_PLANNER = ("proposal_policy", "signals_file")  # parameters that name a file
_PACKAGES = ("wm_bundle", "wm_planner", "wm_sim", "wm_tools")
_LIBRARIES = ("gymnasium", "numpy", "onnxruntime")


def drive_on_ray(
    driver: TrialDriver, trials: Sequence[Trial], show: Callable[[Trial, str], None]
) -> Iterator[tuple[Trial, dict]]:
    """Yield each trial with its line of episodes.jsonl, in the order of completion; ``show`` gets a trial and its
    state. Raises DriveError without a cluster, or if one of its machines has another workspace; what
    ``TrialDriver.drive`` raises."""
    luggage = _Luggage.packed(driver)
    results = results_on_ray(
        _drive,
        trials,
        luggage,
        driver.options.workers,
        begun=lambda trial: show(trial, "on the cluster"),
        lost=lambda trial, reason: (trial, driver.lost(trial, reason), {}),
    )
    try:
        for trial, episode, logs in results:
            folder = driver.logs_of(trial)
            for name, content in logs.items():
                folder.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
            yield trial, episode
    except ClusterError as error:
        raise DriveError(str(error)) from None


@dataclass(frozen=True)
class _Luggage:
    """A driver whose paths are those of ``files``, which are unpacked into a folder, and the ``workspace`` it needs."""

    driver: TrialDriver
    files: dict[Path, bytes]
    workspace: str

    @classmethod
    def packed(cls, driver: TrialDriver) -> "_Luggage":
        files, places = {}, {}

        def pack(path: Path) -> Path:
            path = path.expanduser().resolve()
            place = places.setdefault(path, Path(str(len(places)), path.name))
            for file in path.iterdir() if path.is_dir() else [path]:
                if file.is_file():
                    files[place / file.relative_to(path)] = file.read_bytes()
            return place

        packed = _moved(driver, pack)
        output = replace(packed.options, output=driver.options.output.resolve())
        return cls(replace(packed, options=output), files, workspace())

    def unpacked(self, folder: Path) -> TrialDriver:
        for place, content in self.files.items():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_bytes(content)
        moved = _moved(self.driver, folder.joinpath)
        return replace(moved, options=replace(moved.options, output=folder))


def _moved(driver: TrialDriver, move: Callable[[Path], Path]) -> TrialDriver:
    """The same with the path of every file or folder that it reads replaced by what ``move`` makes of it."""
    options = driver.options

    def moved(value: Path | None) -> Path | None:
        return value and move(value)

    return replace(
        driver,
        bundles={name: replace(bundle, path=move(bundle.path)) for name, bundle in driver.bundles.items()},
        options=replace(
            options,
            controllers=tuple(replace(entry, policy=moved(entry.policy)) for entry in options.controllers),
            parameters=tuple(
                (name, str(move(Path(value))) if name in _FILES_OF_PLANNER and value else value)
                for name, value in options.parameters
            ),
            objects_definition_file=moved(options.objects_definition_file),
        ),
    )


def workspace() -> str:
    """What the code on this machine is: a hash of our packages' sources, and the versions of libraries."""
    sources = hashlib.sha256()
    for name in _PACKAGES:
        root = Path(find_spec(name).origin).parent
        for file in sorted(root.rglob("*.py")):
            sources.update(f"{name}/{file.relative_to(root)}\n".encode() + file.read_bytes())
    return ", ".join((sources.hexdigest()[:12], *(f"{name} {version(name)}" for name in _LIBRARIES)))


def _drive(trial: Trial, luggage: _Luggage) -> tuple[Trial, dict, dict[str, bytes]]:
    """A task: the trial, its line, and if it failed the logs of its processes by name."""
    if (found := workspace()) != luggage.workspace:
        raise DriveError(
            f"{node()} of the Ray cluster has another workspace: expected {luggage.workspace}, found {found}; "
            "bring it to the same commit, set it up, and start Ray there again"
        )
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        driver = luggage.unpacked(Path(folder).resolve())
        entry = next(entry for entry in driver.options.controllers if entry.name == trial.entry.name)
        here = replace(trial, entry=entry)
        episode = driver.drive(here, lambda state: None, lambda line: None)
        if episode["failure"] is None:
            return trial, episode, {}
        there = str(luggage.driver.logs_of(trial))
        episode["failure"] = episode["failure"].replace(str(driver.logs_of(here)), there)
        return trial, episode, {file.name: file.read_bytes() for file in driver.logs_of(here).iterdir()}
