"""Ctrl-C while an executable still loads its modules: it ends, and writes no traceback."""

import contextlib
import importlib.util
import signal
import subprocess
import time
from pathlib import Path

import pytest
import wm_planner.entry
import wm_tools.entry
from ament_index_python.packages import get_package_prefix

DEADLINE_S = 60.0
SHOTS = [
    *(("wm_planner", "planner", delay_ms) for delay_ms in range(0, 300, 50)),
    ("wm_planner", "command_watchdog", 0),
    ("wm_planner", "drive", 50),
    ("wm_tools", "drive", 50),
    ("wm_sim", "bridge", 0),
    ("wm_sim", "bridge", 150),
    ("wm_training", "collect", 0),
    ("wm_training", "collect", 150),
]


@contextlib.contextmanager
def starting(package: str, executable: str, folder: Path):
    """A process of its own, killed at the end."""
    program = Path(get_package_prefix(package), "lib", package, executable)
    process = subprocess.Popen(
        [program], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for_entry(process: subprocess.Popen) -> None:
    """Until Python, which catches SIGINT when it begins, has come to the package's own first line, which lets go."""
    caught, deadline_s = [], time.monotonic() + DEADLINE_S
    while caught[-2:] != [True, False]:
        assert time.monotonic() < deadline_s, "the executable never lets go of SIGINT"
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert "SigCgt" in status, f"ended with {process.wait()} before it came to its entry"
        mask = int(status.partition("SigCgt:")[2].split()[0], 16)
        caught.append(bool(mask & 1 << signal.SIGINT - 1))
        time.sleep(0.002)


@pytest.mark.parametrize("package, executable, delay_ms", SHOTS)
def test_an_early_interrupt_ends_it_without_a_traceback(tmp_path, package, executable, delay_ms):
    with starting(package, executable, tmp_path) as process:
        wait_for_entry(process)
        time.sleep(delay_ms / 1000.0)
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=DEADLINE_S)[0]
    # By the signal, or, when it had its handlers, in its own order.
    assert process.returncode in (-signal.SIGINT, 0, 128 + signal.SIGINT), output
    assert "Traceback" not in output and "Error" not in output
    if process.returncode < 0:
        assert output == ""


@pytest.mark.parametrize("package, entry", [("wm_planner", wm_planner.entry), ("wm_tools", wm_tools.entry)])
def test_every_executable_has_its_module(package, entry):
    names = {path.name for path in (Path(get_package_prefix(package)) / "lib" / package).iterdir()}
    earlier = names - set(entry.MODULES)  # wm_planner's names of commands that are wm_tools' now
    assert set(entry.MODULES) <= names and earlier <= set(wm_tools.entry.MODULES)
    assert bool(earlier) == (package == "wm_planner")
    for module in entry.MODULES.values():
        assert "\ndef main(" in Path(importlib.util.find_spec(module).origin).read_text(), module


def test_a_car_without_the_tools_says_where_they_are(capsys, monkeypatch):
    def import_module(name):
        raise ModuleNotFoundError(name=name.partition(".")[0])

    monkeypatch.setattr(importlib, "import_module", import_module)
    assert wm_planner.entry.tool() == 1
    assert "this command needs the package wm_tools" in capsys.readouterr().err
