"""``scores.json`` in a bundle's folder: how the bundle drove in benchmarks. Driving itself does not need it."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from wm_bundle.bundle import Bundle, BundleError
from wm_bundle.files import write_text
from wm_bundle.manifest import BUNDLE_FILES, Estimate
from wm_bundle.strict_json import read, require

SCORES_FILE = "scores.json"
SCORES_FORMAT_VERSION = 1
_REMEDY = "measure it again with `ros2 run wm_tools benchmark --write-scores`, or remove the file"


@dataclass(frozen=True)
class ControllerScore:
    """A controller's mean score over its episodes, including ``failed`` ones with their scores so far.

    ``model`` names the bundle or policy that drove, None where none did.
    """

    controller: str
    model: str | None
    episodes: int
    failed: int
    score: Estimate


@dataclass(frozen=True)
class ScoreDifference:
    """The score of ``first`` minus that of ``second`` on the same tracks, with the interval of paired differences."""

    first: str
    second: str
    tracks: int
    difference: Estimate


@dataclass(frozen=True)
class BenchmarkScores:
    """One benchmark in one ``mode`` (lock-step or real-time).

    ``date`` is that of its end (UTC, ISO 8601), ``seeds`` its tracks, ``parameters`` the planner's settings,
    ``max_steps`` the cut-off of every episode, None for the simulator's own end."""

    mode: str
    date: str
    map: str
    seeds: tuple[int, ...]
    max_steps: int | None
    parameters: dict[str, Any]
    machine: dict[str, Any]
    controllers: tuple[ControllerScore, ...]
    differences: tuple[ScoreDifference, ...]

    def of(self, controller: str) -> ControllerScore | None:
        """The score of the controller of that name."""
        return next((entry for entry in self.controllers if entry.controller == controller), None)


@dataclass(frozen=True)
class BundleScores:
    """All of ``scores.json``: the model that drove, by its id and the SHA-256 of its files, and a benchmark for each
    mode and map."""

    model_id: str
    files: dict[str, str]
    benchmarks: tuple[BenchmarkScores, ...]
    format_version: int = SCORES_FORMAT_VERSION

    def __post_init__(self):
        version = self.format_version
        require(version == SCORES_FORMAT_VERSION, "format_version", str(SCORES_FORMAT_VERSION), version)
        driven = [f"{benchmark.mode} on {benchmark.map}" for benchmark in self.benchmarks]
        require(len(set(driven)) == len(driven), "benchmarks", "every mode and map once", ", ".join(driven))

    def in_world(self, name: str) -> "BundleScores":
        """The benchmarks on the map of that name: scores of different worlds cannot be compared."""
        chosen = tuple(benchmark for benchmark in self.benchmarks if benchmark.map == name)
        return dataclasses.replace(self, benchmarks=chosen)

    def mode(self, name: str) -> BenchmarkScores | None:
        """The benchmark in that mode, the first one if there are several worlds."""
        return next((benchmark for benchmark in self.benchmarks if benchmark.mode == name), None)


def read_scores(bundle: Bundle) -> BundleScores | None:
    """The scores of a bundle, None where it has none.

    Raises BundleError for a file that is damaged, of another format version, or about a model with other files.
    """
    file = bundle.path / SCORES_FILE
    try:
        scores = read(BundleScores, json.loads(file.read_text(encoding="utf-8")), SCORES_FILE)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise BundleError(f"{file} cannot be used: {error}; {_REMEDY}") from None
    if (scores.model_id, scores.files) != _identity(bundle):
        changed = [name for name, digest in _identity(bundle)[1].items() if scores.files.get(name) != digest]
        raise BundleError(
            f"{file} is of another model: expected {bundle.manifest.model_id}, found {scores.model_id} with other "
            f"{', '.join(changed) or 'files'}; {_REMEDY}"
        )
    return scores


def add_scores(bundle: Bundle, benchmark: BenchmarkScores) -> BundleScores:
    """Write ``benchmark`` into the bundle's scores, replacing an earlier one of the same mode and map.

    Scores of another model, and an unreadable file, are replaced: they say nothing about this bundle. Raises
    OSError.
    """
    try:
        earlier = read_scores(bundle)
    except BundleError:
        earlier = None
    others = [
        entry
        for entry in (earlier.benchmarks if earlier else ())
        if (entry.mode, entry.map) != (benchmark.mode, benchmark.map)
    ]
    complete = tuple(sorted((*others, benchmark), key=lambda entry: (entry.map, entry.mode)))
    return write_scores(bundle, complete)


def write_scores(bundle: Bundle, benchmarks: tuple[BenchmarkScores, ...]) -> BundleScores:
    """Write ``benchmarks`` as the bundle's scores, replacing all others. Raises OSError."""
    scores = BundleScores(*_identity(bundle), benchmarks)
    text = json.dumps(dataclasses.asdict(scores), indent=1, sort_keys=True, allow_nan=False)
    write_text(bundle.path / SCORES_FILE, text + "\n")
    return scores


def _identity(bundle: Bundle) -> tuple[str, dict[str, str]]:
    return bundle.manifest.model_id, {name: bundle.manifest.files[name].sha256 for name in sorted(BUNDLE_FILES)}
