"""System programs that some tests need, installed if possible; without them those tests are skipped."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass

from set_up.stamps import SetUpError, Stamps, run_logged

APT_DEADLINE_S = 900.0


@dataclass(frozen=True)
class Program:
    """A Debian ``package``, its ``commands`` (any one is enough), and a description of the tests that need it.

    ``machines``: the processor types that need it; empty: all.
    """

    package: str
    commands: tuple[str, ...]
    tests: str
    machines: tuple[str, ...] = ()

    def found(self) -> str | None:
        """Path of an installed one."""
        return next((path for path in map(shutil.which, self.commands) if path), None)


CHROMIUM = Program(
    "chromium", ("chromium", "chromium-browser", "google-chrome"), "the tests that open reports in a browser"
)
QEMU = Program("qemu-user", ("qemu-x86_64", "qemu-x86_64-static"), "the test of another processor type", ("x86_64",))
FOR_TESTS = (CHROMIUM, QEMU)


def ensure(program: Program, stamps: Stamps) -> None:
    """Installs a program if this user may; else prints how, and that those tests will be skipped."""
    if program.found() or (program.machines and platform.machine() not in program.machines):
        return
    package, tests = program.package, program.tests
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(
            f"[set-up] no {program.commands[0]} here: {tests} will be skipped; "
            f"to run: sudo apt-get install -y {package}",
            flush=True,
        )
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        with stamps.doing(package, "", f"{package}, for {tests} (log: .setup/apt.log)"):
            for words in (["update"], ["install", "-y", "--no-install-recommends", package]):
                run_logged(["apt-get", "-qq", *words], stamps.folder / "apt.log", APT_DEADLINE_S, env=environment)
    except SetUpError as error:
        print(f"[set-up]   {package} could not be installed, {tests} will be skipped: {error}", flush=True)
