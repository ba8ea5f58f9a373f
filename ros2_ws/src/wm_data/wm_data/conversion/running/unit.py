"""Converts one drive: a worker's job, in this or another process or on another machine."""

import hashlib
import os
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from wm_bundle import ImageError
from wm_bundle.files import sha256_of
from wm_bundle.times import NS_PER_S
from wm_bundle.turn_check import TurnCheck

from wm_data.conversion.assembling.assembly import episodes_of_drive
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.drive import DriveRef, Picture
from wm_data.conversion.naming import is_safe_name
from wm_data.conversion.report import DriveReport
from wm_data.conversion.sources import source_module
from wm_data.episodes import Episode, EpisodeError, write_episode
from wm_data.errors import ConversionError
from wm_data.notes import printable
from wm_data.turns import add_turns

_STEER_EDGES = np.linspace(-1.0, 1.0, 41)
_PEDAL_EDGES = np.linspace(0.0, 1.0, 21)
_EVERY = 50  # pictures between two progress reports


Progress = Callable[[int, int | None], None]
"""Called with the number of pictures read, and the total if known."""


def episodes_of(
    ref: DriveRef, options: ConvertOptions, report: DriveReport | None = None, progress: Progress | None = None
) -> Iterator[Episode]:
    """The episodes of one drive. ``report`` is filled. Raises ConversionError, ImageError."""
    source = source_module(options.kind)
    if ref.locator.get("whole_episode"):
        yield from source.episodes(ref, options)
        return
    with source.open_drive(ref, options) as drive:
        if report is not None:
            report.take_over(drive.report)
        if progress is not None:
            drive.pictures = _counted(drive.pictures, drive.expected_pictures, progress)
        yield from episodes_of_drive(drive, options)


def convert_unit(ref: DriveRef, options: ConvertOptions, progress: Progress | None = None) -> dict:
    """Write one drive's episodes to ``options.dest``; returns its record, plain values only. Any fault of the drive is
    in the record's "error", and then none of its files remain. OSError only for the destination."""
    dest = Path(options.dest)
    report = DriveReport(ref.name)
    record = {"name": ref.name, "files": [], "error": None, "sources": [_source_of(path) for path in ref.paths]}
    histograms, turns = _Histograms(), TurnCheck()
    episodes = episodes_of(ref, options, report, progress)
    try:
        if not is_safe_name(ref.name):
            raise ConversionError(f"the drive's name is {ref.name!r}: such a file could leave the destination")
        while (episode := _next(episodes)) is not None:
            path = write_episode(dest / f"{ref.name}_{len(record['files']):03d}.npz", episode)
            told = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
            record["files"].append({"file": path.name, "rows": len(episode), **told})
            histograms.add(episode)
            add_turns(turns, episode)
            if turns.fault:
                report.note(turns.fault_told)
        if not record["files"]:
            reasons = ", ".join(f"{reason} ({count})" for reason, count in report.skipped.most_common(3))
            raise ConversionError(f"no episode came out: {reasons or 'the recording has no pictures'}")
    except (ConversionError, EpisodeError) as error:
        record["error"] = printable(str(error))
        for entry in record["files"]:
            (dest / entry["file"]).unlink(missing_ok=True)
        record["files"] = []
    return {**record, "report": {**report.summary(), "actions": histograms.summary()}}


def _next(episodes: Iterator[Episode]) -> Episode | None:
    """The next episode. Any exception of a reader becomes an error of its drive: OSError is reserved for the
    destination."""
    try:
        return next(episodes, None)
    except ConversionError:
        raise
    except (EpisodeError, ImageError, OSError) as error:
        raise ConversionError(str(error)) from error
    except Exception as error:  # a damaged file must never end the conversion of the others
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise ConversionError(
            f"unexpected {type(error).__name__} in {Path(place.filename).name}:{place.lineno}: {error}; the file may "
            f"be damaged in a way the reader does not know"
        ) from error


def _counted(pictures: Iterator[Picture], expected: int | None, progress: Progress) -> Iterator[Picture]:
    for count, picture in enumerate(pictures):
        if count % _EVERY == 0:
            progress(count, expected)
        yield picture


def _source_of(path: str) -> dict:
    """A source's name and size, and a hash that distinguishes equal names without revealing the folder."""
    whole = Path(path).resolve()
    return {
        "name": printable(whole.name),
        "path_sha256": hashlib.sha256(os.fsencode(whole)).hexdigest(),
        "bytes": whole.stat().st_size if whole.is_file() else None,
    }


class _Histograms:
    """Histograms of actions and rewards."""

    def __init__(self):
        self._steer = np.zeros(len(_STEER_EDGES) - 1, np.int64)
        self._throttle, self._brake = np.zeros((2, len(_PEDAL_EDGES) - 1), np.int64)
        self._rows = 0
        self._reward = 0.0
        self._seconds = 0.0

    def add(self, episode: Episode) -> None:
        self._steer += np.histogram(episode.actions[:, 0], _STEER_EDGES)[0]
        self._throttle += np.histogram(episode.actions[:, 1], _PEDAL_EDGES)[0]
        self._brake += np.histogram(episode.actions[:, 2], _PEDAL_EDGES)[0]
        self._rows += len(episode)
        self._reward += float(np.sum(episode.rewards, dtype=np.float64))
        if episode.stamps_ns is not None:
            self._seconds += float(episode.stamps_ns[-1] - episode.stamps_ns[0]) / NS_PER_S

    def summary(self) -> dict:
        return {
            "rows": self._rows,
            "hours": round(self._seconds / 3600.0, 6),
            "mean_reward": round(self._reward / self._rows, 6) if self._rows else None,
            "steer": self._steer.tolist(),
            "throttle": self._throttle.tolist(),
            "brake": self._brake.tolist(),
        }
