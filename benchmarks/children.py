"""Measurements in separate processes, so that they do not share memory, threads and caches.

A child is a module run as ``python -m MODULE JSON``; the last line of its output is its result as JSON.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.errors import BenchmarkError

ROOT = Path(__file__).resolve().parent.parent
_DEADLINE_S = 1800.0


def run_child(module: str, settings: dict, threads: int) -> dict:
    """The result of a child with ``settings``. If it fails, raises BenchmarkError with the last line of its output."""
    # The user's environment may set OMP_NUM_THREADS; measure with the requested number.
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    command = [sys.executable, "-m", module, json.dumps(settings)]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=_DEADLINE_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise BenchmarkError(f"{module} was not done after {_DEADLINE_S:.0f} s") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()
        raise BenchmarkError(f"{module} failed with code {done.returncode}: {said[-1]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def child_main(measure: Callable[[dict], dict]) -> int:
    """The main function of a child module."""
    try:
        result = measure(json.loads(sys.argv[1]))
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(result))
    return 0
