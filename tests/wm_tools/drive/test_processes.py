"""Property: children end on every way out, and an early end is told with their last words."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from wm_tools.common.errors import DriveError
from wm_tools.drive.processes import ProcessGroup


def lives(pid: int) -> bool:
    """Whether the process runs; a zombie that nobody has reaped does not."""
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition, timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s"
        time.sleep(0.02)


def start(group: ProcessGroup, tmp_path, code: str, name: str = "child"):
    return group.start(name, [sys.executable, "-c", textwrap.dedent(code)], os.environ, tmp_path / f"{name}.log")


def test_the_whole_group_ends_even_when_an_exception_leaves_the_block(tmp_path):
    grandparent = """
        import subprocess, sys, time
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        print(child.pid, "is the grandchild", flush=True)
        time.sleep(60)
    """
    with pytest.raises(KeyError), ProcessGroup() as group:
        process = start(group, tmp_path, grandparent)
        wait_until(lambda: process.tail().endswith("is the grandchild"))
        grandchild = int(process.tail().split()[0])
        assert lives(grandchild)
        raise KeyError
    assert process.exit_code is not None
    wait_until(lambda: not lives(grandchild))


def test_a_child_that_ignores_requests_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "wm_tools.drive.processes._STOP_SIGNALS", ((signal.SIGINT, 0.2), (signal.SIGTERM, 0.2), (signal.SIGKILL, 5.0))
    )
    stubborn = """
        import signal, time
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        print("ready", flush=True)
        time.sleep(60)
    """
    with ProcessGroup() as group:
        process = start(group, tmp_path, stubborn)
        wait_until(lambda: "ready" in process.tail())
    assert process.exit_code == -signal.SIGKILL


def test_an_early_end_is_told_with_the_last_words(tmp_path):
    with ProcessGroup() as group:
        process = start(group, tmp_path, "print('first\\nthe reason'); raise SystemExit(3)", "planner")
        wait_until(lambda: process.exit_code is not None)
        with pytest.raises(DriveError, match=r"(?s)the planner ended unexpectedly \(exit code 3\).*\| the reason"):
            group.check()


def test_an_executable_that_is_not_there_is_told(tmp_path):
    with ProcessGroup() as group, pytest.raises(DriveError, match="cannot start the planner"):
        group.start("planner", [str(tmp_path / "none")], os.environ, tmp_path / "log")


def test_a_killed_drive_takes_its_children_along(tmp_path):
    parent = """
        import os, sys, time
        from pathlib import Path
        from wm_tools.drive.processes import ProcessGroup
        with ProcessGroup() as group:
            code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
            group.start("child", [sys.executable, "-c", code], os.environ, Path(sys.argv[1]))
            time.sleep(60)
    """
    log = tmp_path / "child.log"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(parent), str(log)], env=environment)
    try:
        wait_until(lambda: log.exists() and log.read_text().strip())
        child = int(log.read_text())
        assert lives(child)
    finally:
        process.kill()
        process.wait()
    wait_until(lambda: not lives(child))
