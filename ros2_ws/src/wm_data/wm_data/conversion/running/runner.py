"""Converts many drives into one folder: workers, resuming, the manifest and the report.

Every finished drive leaves a record in DEST/.conversion; the manifest and the report are built from these records, so
they do not depend on the order of work, the number of workers, or how often the conversion was stopped.
"""

import dataclasses
import json
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from wm_bundle.files import write_text
from wm_bundle.vector_inputs import SPEED, YAW_RATE

from wm_data.conversion.assembling.assembly import CONVERTER_VERSION
from wm_data.conversion.convert_options import ConvertOptions
from wm_data.conversion.drive import DriveRef
from wm_data.conversion.naming import safe_name, same_name
from wm_data.conversion.running.report_text import readable
from wm_data.conversion.running.unit import convert_unit
from wm_data.conversion.sources import source_module
from wm_data.errors import ConversionError
from wm_data.rewards import NAME

FORMAT_VERSION = 1
RECORDS = ".conversion"
# Options that change how the work is done, but not the result; and those of signals, which are told as vector_inputs.
_NO_MATTER = ("source", "dest", "workers", "executor", "shard", "resume", "report", "signals", "signals_file")
# What older conversions do not tell.
_UNTOLD = {"vector_inputs": [SPEED.name, YAW_RATE.name], "yaw_rate_factor": 1.0, "signal_gaps": []}
_UNTOLD |= {"route": "none", "route_noise": 0.5, "reward": NAME}


class Conversion:
    """One run of `convert`. Use: ``todo = begin()``, ``run(todo, ...)``, ``finish()``."""

    def __init__(self, options: ConvertOptions):
        self.options = options
        self.dest = Path(options.dest).expanduser()
        self._records = self.dest / RECORDS
        self.refs: list[DriveRef] = []

    def begin(self) -> list[DriveRef]:
        """Find the drives of this shard, check the destination, and return those still to be converted. Raises
        ConversionError, OSError."""
        options = self.options
        found = source_module(options.kind).find_drives(options)
        twice = [name for name, count in Counter(same_name(ref.name) for ref in found).items() if count > 1]
        if twice:
            raise ConversionError(f"several drives of {options.source} would be called {twice[0]}: convert them apart")
        index, count = options.shard_of()
        self.refs = found[index::count]
        self._check_destination()
        self._records.mkdir(parents=True, exist_ok=True)
        for partial in self.dest.glob(".*.npz.part-*"):
            if count == 1:  # other shards may be writing
                partial.unlink(missing_ok=True)
        write_text(self._records / "arguments.json", _json(self._begun_with()))
        return [ref for ref in self.refs if not self._is_done(ref)]

    def run(self, todo: list[DriveRef], on_record: Callable[[dict], None], on_progress=None) -> None:
        """Convert; ``on_record`` gets every drive's record, ``on_progress`` (name, pictures, total). Raises
        ConversionError where workers fail, OSError where the destination cannot be written."""
        for record in self._work(todo, on_progress):
            write_text(self._record_file(record["name"]), _json(record))
            on_record(record)

    def finish(self) -> dict:
        records = sorted((_read_json(file) for file in self._records.glob("*.drive.json")), key=lambda r: r["name"])
        manifest = {
            "format_version": FORMAT_VERSION,
            "converter_version": CONVERTER_VERSION,
            "arguments": self._arguments(),
            "drives": [{key: r[key] for key in ("name", "sources", "files", "error")} for r in records],
        }
        rows = sum(file["rows"] for record in records for file in record["files"])
        report = {
            "format_version": FORMAT_VERSION,
            "arguments": self._arguments(),
            "totals": {
                "drives": len(records),
                "failed": sum(record["error"] is not None for record in records),
                "episodes": sum(len(record["files"]) for record in records),
                "rows": rows,
                "hours": round(sum(record["report"]["actions"]["hours"] for record in records), 6),
            },
            "drives": [
                {
                    "name": record["name"],
                    "error": record["error"],
                    "episodes": len(record["files"]),
                    "rows": sum(file["rows"] for file in record["files"]),
                    **record["report"],
                }
                for record in records
            ],
        }
        write_text(self.dest / "manifest.json", _json(manifest))
        write_text(self.report_file, _json(report))
        write_text(self.report_file.with_suffix(".txt"), readable(report))
        return report

    @property
    def report_file(self) -> Path:
        """Path of the report; the readable one is next to it, as .txt."""
        return Path(self.options.report).expanduser() if self.options.report else self.dest / "report.json"

    def _work(self, todo: list[DriveRef], on_progress) -> Iterator[dict]:
        options = dataclasses.replace(self.options, dest=str(self.dest))
        if options.executor == "ray":
            from wm_data.conversion.running.on_ray import convert_on_ray

            yield from convert_on_ray(todo, options)
        elif options.workers == 1 or len(todo) < 2:
            for ref in todo:
                watch = None if on_progress is None else lambda done, of, name=ref.name: on_progress(name, done, of)
                yield convert_unit(ref, options, watch)
        else:
            yield from _in_processes(todo, options)

    def _check_destination(self) -> None:
        if self.dest.exists() and not self.dest.is_dir():
            raise ConversionError(f"{self.dest} is a file, expected a folder or a new name")
        source, dest = Path(self.options.source).expanduser().resolve(), self.dest.resolve()
        if dest == source or source in dest.parents:
            raise ConversionError(f"{self.dest} lies in the source, which is never written to: choose another folder")
        arguments = self._records / "arguments.json"
        if not arguments.is_file():
            if any(self.dest.glob("*.npz")):
                raise ConversionError(f"{self.dest} holds episodes that are not from `convert`: choose another folder")
            return
        sharded = self.options.shard_of()[1] > 1
        if not self.options.resume and not (sharded and not any(map(self._is_done, self.refs))):
            raise ConversionError(
                f"{self.dest} holds a conversion already: --resume continues it; else choose another folder"
            )
        before = {**_UNTOLD, **_read_json(arguments)}
        now = self._begun_with()
        differing = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
        if differing:
            told = ", ".join(f"{key} was {before.get(key)!r} and is {now.get(key)!r}" for key in differing)
            raise ConversionError(f"{self.dest} was begun with other arguments ({told}): use those, or another folder")

    def _is_done(self, ref: DriveRef) -> bool:
        """Whether a drive was converted, and its files have the recorded sizes."""
        file = self._record_file(ref.name)
        record = _read_json(file) if file.is_file() else {"error": "none"}
        return record["error"] is None and all(
            (self.dest / f["file"]).is_file() and (self.dest / f["file"]).stat().st_size == f["bytes"]
            for f in record["files"]
        )

    def _record_file(self, name: str) -> Path:
        # The name of a drive refused for its name must not become a path either.
        return self._records / f"{safe_name(name)}.drive.json"

    def _begun_with(self) -> dict:
        """The options that must be equal to resume a conversion."""
        taken = self.options.inputs().values()
        names = [f"{one.name} [{one.unit}] {one.definition}" if one.definition else one.name for one in taken]
        return {**self._arguments(), "converter_version": CONVERTER_VERSION, "vector_inputs": names}

    def _arguments(self) -> dict:
        values = dataclasses.asdict(self.options)
        return {key: value for key, value in _plain(values).items() if key not in _NO_MATTER}


def _in_processes(todo: list[DriveRef], options: ConvertOptions) -> Iterator[dict]:
    # Spawned, not forked: a fork copies threads' locks, and OpenCV has threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(options.workers, len(todo)), context, initializer=_one_thread) as pool:
        futures = [pool.submit(convert_unit, ref, options) for ref in todo]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool:
            raise ConversionError(
                "a worker process died, perhaps for lack of memory: continue with --resume and fewer --workers"
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _one_thread() -> None:
    import cv2

    cv2.setNumThreads(1)  # the workers already use all cores


def _plain(value):
    return json.loads(json.dumps(value))


def _json(value) -> str:
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


def _read_json(file: Path) -> dict:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConversionError(f"{file} cannot be read ({error}): delete it and convert again with --resume") from None
