"""A Chromium for the tests that open reports in a browser: from the system, where it can be installed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from set_up.stamps import SetUpError, Stamps, run_logged

NAMES = ("chromium", "chromium-browser", "google-chrome")
APT_DEADLINE_S = 900.0


def found() -> str | None:
    """Path of an installed Chromium."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


def ensure(stamps: Stamps) -> None:
    """Installs Chromium where this user may; elsewhere says how, and that those tests will be skipped."""
    if found():
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print("[set-up] no Chromium here: the tests that open reports in a browser will be skipped; "
              "to run them: sudo apt-get install -y chromium", flush=True)
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        with stamps.doing("browser", "", "Chromium, for the tests of reports (log: .setup/apt.log)"):
            _apt(stamps.folder / "apt.log", "update", environment)
            _apt(stamps.folder / "apt.log", "install", environment)
    except SetUpError as error:
        print(f"[set-up]   Chromium could not be installed, the tests that need it will be skipped: {error}",
              flush=True)


def _apt(log: Path, what: str, environment: dict[str, str]) -> None:
    words = ["update"] if what == "update" else ["install", "-y", "--no-install-recommends", "chromium"]
    run_logged(["apt-get", "-qq", *words], log, APT_DEADLINE_S, env=environment)
