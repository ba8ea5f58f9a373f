"""Measurements in separate processes, so that they do not share memory, threads and caches.

A child is a module run as ``python -m MODULE JSON``; the last line of its output is its result as JSON.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.errors import BenchmarkError

ROOT = Path(__file__).resolve().parent.parent
_DEADLINE_S = 1800.0


def run_child(module: str, settings: dict, threads: int, deadline_s: float = _DEADLINE_S) -> dict:
    """The result of a child with ``settings``. If it fails, raises BenchmarkError with the last line of its output."""
    # The user's environment may set OMP_NUM_THREADS; measure with the requested number.
    variables = {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = run_command([sys.executable, "-m", module, json.dumps(settings)], module, deadline_s, **variables)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()
        raise BenchmarkError(f"{module} failed with code {done.returncode}: {said[-1]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def run_command(command: list[str], name: str, deadline_s: float, **variables: str) -> subprocess.CompletedProcess:
    """Run a command, called ``name`` in messages, in the checkout with further environment ``variables``.

    Raises BenchmarkError if it is not done after ``deadline_s``; it is killed then, with all that it started."""
    environment, pipe = {**os.environ, **variables}, subprocess.PIPE
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        try:
            said = process.communicate(timeout=deadline_s)
        except subprocess.TimeoutExpired:
            raise BenchmarkError(f"{name} was not done after {deadline_s:.0f} s") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(command, process.returncode, *said)


def child_main(measure: Callable[[dict], dict]) -> int:
    """The main function of a child module."""
    try:
        result = measure(json.loads(sys.argv[1]))
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(result))
    return 0
