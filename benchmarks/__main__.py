"""`python -m benchmarks`, or `make bench`: measures everything and writes bench.json."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wm_evaluation.command_line import DONE, parse, run

from benchmarks.children import ROOT
from benchmarks.errors import BenchmarkError

Name = Literal["train", "imagine", "control", "sampling", "convert"]
SHARES = {"train": 0.35, "imagine": 0.25, "control": 0.2, "sampling": 0.02, "convert": 0.18}  # of the time


@dataclass(frozen=True)
class Options:
    """Measure training, imagination, control, sampling and conversion."""

    output: Path = ROOT / "out" / "bench"
    """Folder for bench.json."""
    only: tuple[Name, ...] = ()
    """Benchmarks to run; empty: all. The others are null in bench.json."""
    bundle: Path = ROOT / "models" / "carracing"
    """Bundle for the imagination and control benchmarks."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of the training; auto uses bfloat16 if this machine multiplies faster in it."""
    threads: int = 0
    """Threads of the training, 0 for the number of cores."""
    minutes: float = 4.0
    """Time for all of them; a slower machine repeats less, and bench.json says so. What is done once may exceed it."""
    rounds: int = 3
    """Processes in which the training is measured, alternating with the peer's."""
    peer_dreamerv3_torch: Path | None = None
    """A clone of NM512/dreamerv3-torch to measure alternately with our training and imagination."""
    quick: bool = False
    """Tiny sizes and few repetitions: only checks that everything runs; the figures are meaningless."""

    def __post_init__(self):
        if self.rounds < 1 or self.threads < 0:
            raise ValueError(f"rounds is {self.rounds} and threads is {self.threads}, expected at least 1 and 0")
        if not self.minutes > 0.0:
            raise ValueError(f"minutes is {self.minutes}, expected more than 0")


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = parse(Options, "bench", arguments)
    from wm_bundle import BundleError
    from wm_data.errors import ConversionError
    from wm_planner.errors import PlannerError

    errors = (BenchmarkError, BundleError, PlannerError, ConversionError, OSError)
    return run("bench", lambda: _measure(options), errors)


def _measure(options: Options) -> int:
    from wm_bundle.files import write_json
    from wm_tools.common.machine import usable_cores

    from benchmarks import control, convert, imagination, machine, peers, sampling, training
    from benchmarks.timing import Budget

    whole = Budget(60.0 * options.minutes)
    peer = options.peer_dreamerv3_torch
    if peer is not None:
        peer = peer.expanduser().resolve()
        peers.check_clone(peer)
    threads = options.threads or usable_cores()
    precision = machine.best_precision() if options.precision == "auto" else options.precision
    rounds = 1 if options.quick else options.rounds
    measures = {
        "train": lambda budget: training.measure(precision, threads, rounds, options.quick, peer, _say, budget),
        "imagine": lambda budget: imagination.measure(options.bundle, options.quick, peer, _say, budget),
        "control": lambda budget: control.measure(options.bundle, options.quick, _say, budget),
        "sampling": lambda budget: sampling.measure(options.quick),
        "convert": lambda budget: convert.measure(options.quick, _say, budget),
    }
    result = {"machine": machine.describe(), "quick": options.quick, "minutes": options.minutes}
    result |= {"seconds": {}, "shortened": []}
    open_shares = {name: share for name, share in SHARES.items() if not options.only or name in options.only}
    for name, measure in measures.items():
        result[name] = None
        if name not in open_shares:
            result[f"{name}_reason"] = "not requested"
            continue
        _say(f"{name} …")
        started = time.perf_counter()
        budget = Budget(whole.left_s * open_shares[name] / sum(open_shares.values()))
        result[name] = measure(budget)
        result["seconds"][name] = round(time.perf_counter() - started, 1)
        del open_shares[name]
        if budget.shortened:
            result["shortened"].append(name)
            _say(f"{name} was repeated less than on a faster machine; more time for it: --minutes")
    write_json(options.output / "bench.json", result)
    _print(result)
    _say(f"written to {options.output / 'bench.json'}")
    return DONE


def _say(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)


def _print(result: dict) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(width=max(110, Console().width))
    table = Table(title="quick: the figures are meaningless" if result["quick"] else None)
    table.add_column("benchmark")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name in ("train", "imagine", "control", "sampling", "convert"):
        figures = {figure: value for figure, value in (result[name] or {}).items() if figure != "table"}
        for figure, value in _flat(figures):
            table.add_row(name, figure, f"{value:,}" if isinstance(value, int | float) else str(value))
    console.print(table)
    searches = (result["control"] or {}).get("table", {})
    if searches:
        first = next(iter(searches.values()))
        table = Table(title="control: latency in ms, and its parts")
        table.add_column("N x H x iterations", no_wrap=True)
        for column in (*first["latency_ms"], *first["shares"]):
            table.add_column(column, justify="right", no_wrap=True)
        for search, found in searches.items():
            latency = (f"{value:.1f}" for value in found["latency_ms"].values())
            table.add_row(search, *latency, *(f"{share:.0%}" for share in found["shares"].values()))
        console.print(table)


def _flat(values: dict, prefix: str = "") -> list[tuple[str, object]]:
    rows = []
    for name, value in values.items():
        rows += _flat(value, f"{prefix}{name} ") if isinstance(value, dict) else [(prefix + name, value)]
    return rows


if __name__ == "__main__":
    sys.exit(main())
