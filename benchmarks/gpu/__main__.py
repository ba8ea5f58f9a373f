"""`python -m benchmarks.gpu`: one command for a machine with a GPU; docs/gpu.md describes it."""

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wm_evaluation.command_line import DONE, ERROR, parse, run

from benchmarks.children import ROOT
from benchmarks.errors import BenchmarkError


@dataclass(frozen=True)
class Options:
    """Measure training, planning and parity on a GPU, and run the tests that need one. Writes gpu.json and gpu.md.

    A part that fails does not end the others; then the exit code is 1."""

    output: Path = ROOT / "out" / "gpu"
    """Folder for gpu.json and gpu.md."""
    device: Literal["cuda", "cpu"] = "cuda"
    """cpu only shows that everything runs, with --quick."""
    minutes: float = 8.0
    """Longest time in all; every part has its share."""
    only: tuple[str, ...] = ()
    """Beginnings of the names of the parts to run, such as update or plan; empty: all."""
    peer_dreamerv3_torch: Path | None = None
    """A clone of NM512/dreamerv3-torch to measure in the same run."""
    quick: bool = False
    """Tiny sizes and few repetitions: the figures are meaningless."""

    def __post_init__(self):
        if not self.minutes > 0:
            raise ValueError(f"minutes is {self.minutes}, expected more than 0")


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = parse(Options, "gpu", arguments)
    return run("gpu", lambda: _measure(options), (BenchmarkError, OSError))


def _measure(options: Options) -> int:
    started = time.monotonic()
    import torch
    from wm_bundle.files import write_json, write_text
    from wm_tools.common.machine import usable_cores

    from benchmarks import machine, peers
    from benchmarks.gpu.parts import Setting, parts, run_parts
    from benchmarks.gpu.tables import markdown

    peer = options.peer_dreamerv3_torch
    if peer is not None:
        peer = peer.expanduser().resolve()
        peers.check_clone(peer)
    if options.device == "cuda" and not torch.cuda.is_available():
        raise BenchmarkError(f"torch {torch.__version__} finds no GPU; --device cpu --quick only shows that it runs")
    result = {
        "machine": machine.describe() | {"cuda": torch.version.cuda},
        "when": time.strftime("%Y-%m-%d", time.gmtime()),
        "quick": options.quick,
        "parts": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(options.device, options.quick, usable_cores(), peer, Path(folder))
        chosen = [part for part in parts(setting) if part.name.startswith(options.only or "")]
        if not chosen:
            raise BenchmarkError(
                f"--only: no part begins so; they are: {'; '.join(part.name for part in parts(setting))}"
            )
        left_s = 60.0 * options.minutes - (time.monotonic() - started)
        for name, found in run_parts(chosen, left_s, _say):
            result["parts"][name] = found
            write_json(options.output / "gpu.json", result)  # kept also if the machine is taken away
            write_text(options.output / "gpu.md", markdown(result))
    failed = [name for name, found in result["parts"].items() if found["status"] == "failed"]
    _say(f"written to {options.output}; {len(failed)} of {len(result['parts'])} parts failed")
    return ERROR if failed else DONE


def _say(line: str) -> None:
    print(f"gpu: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
