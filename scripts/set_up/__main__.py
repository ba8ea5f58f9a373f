"""`python -m set_up ROOT PURPOSE`: runs the missing steps in order; a step is repeated when its inputs change."""

from __future__ import annotations

import argparse  # set-up runs before anything is installed: standard library only
import contextlib
import fcntl
import os
import sys
import time
from pathlib import Path

from set_up import optional, packages, system, virtualenv, workspace
from set_up.stamps import SetUpError, Stamps

LOCK_DEADLINE_S = 900.0


@contextlib.contextmanager
def only_one(lock_file: Path):
    """Holds the lock of this checkout's set-up; waits at most LOCK_DEADLINE_S for another set-up to end."""
    deadline = time.monotonic() + LOCK_DEADLINE_S
    with open(lock_file, "w") as lock:
        told = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise SetUpError(
                        f"another set-up of this checkout has been running for {LOCK_DEADLINE_S:.0f} s; stop it first"
                    ) from None
                if not told:
                    print("[set-up] waiting for another set-up of this checkout to end", flush=True)
                    told = True
                time.sleep(0.5)
        yield


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/setup.sh", description="Runs all missing set-up steps.")
    parser.add_argument("root", type=Path, help="root folder of the checkout")
    parser.add_argument("purpose", choices=sorted(packages.PURPOSES), help="purpose of the set-up")
    arguments = parser.parse_args()
    root, ros = arguments.root, os.environ["WM_ROS"]
    base = packages.base_layers(ros, os.environ.get("WM_WHEELS", ""))

    state_folder = root / ".setup"
    state_folder.mkdir(exist_ok=True)
    try:
        with only_one(state_folder / "lock"):
            stamps = Stamps(state_folder)
            system.check(ros, arguments.purpose)
            venv = virtualenv.ensure(root, ros, base, stamps)
            packages.ensure(root, (*base, *packages.BUILD), venv, stamps)
            with workspace.building(root, ros, venv, stamps, only="wm_planner" if arguments.purpose == "car" else ""):
                packages.ensure(root, base + packages.PURPOSES[arguments.purpose], venv, stamps)
            if arguments.purpose == "test":
                for program in optional.FOR_TESTS:
                    optional.ensure(program, stamps)
    except SetUpError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("[set-up] interrupted; the same command continues where it stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
