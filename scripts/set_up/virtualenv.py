"""The virtual environment .venv, created for the ROS in use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from set_up.stamps import SetUpError, Stamps, hash_of, run_logged

PROBE_DEADLINE_S = 60.0


def ensure(root: Path, ros: str, layers: tuple[str, ...], stamps: Stamps) -> Path:
    """Creates .venv if it is missing, broken, moved, of another Python or ROS, or holds other ROS wheels than those of
    ``layers``; returns its folder."""
    venv = root / ".venv"
    pins = "".join((root / f"requirements/{name}.txt").read_text() for name in layers)
    key = hash_of(str(venv), str(Path(sys.executable).resolve()), sys.version, ros, pins)
    python = venv / "bin/python"
    if stamps.is_done("venv", key) and python.exists():
        return venv
    command = [sys.executable, "-m", "venv", "--clear", str(venv)]
    if ros != "wheels":
        command.insert(-1, "--system-site-packages")  # rclpy and the messages stay visible
    title = f"virtual environment for Python {sys.version.split()[0]}, ROS: {ros} ({layers[-1]}.txt)"
    with stamps.doing("venv", key, title):
        if other_wheels(venv, pins) or not _is_usable(venv, ros):
            for stamp in stamps.folder.glob("packages*.done"):  # of what the old one held, perhaps with this very key
                stamp.unlink()
            run_logged(command, stamps.folder / "venv.log", deadline_s=120.0)
            if not _is_usable(venv, ros):
                raise SetUpError(f"{venv} was created but does not work; see {stamps.folder / 'venv.log'}")
    return venv


def other_wheels(venv: Path, pins: str) -> set[str]:
    """The installed ROS wheels that are not pinned: another distribution's, whose headers and libraries would mix with
    the wanted ones."""
    records = venv.glob("lib/python3.*/site-packages/ros_*.dist-info")
    installed = {record.name.removesuffix(".dist-info").replace("_", "-") for record in records}
    return installed - {line.replace("==", "-") for line in pins.splitlines()}


def _is_usable(venv: Path, ros: str) -> bool:
    """Whether the folder is a working virtual environment of this Python and this kind, at its original path."""
    settings = venv / "pyvenv.cfg"
    pip = venv / "bin/pip"
    if not settings.is_file() or not pip.is_file():
        return False
    sees_system = "include-system-site-packages = true" in settings.read_text()
    made_here = str(venv) in pip.read_text(errors="replace").partition("\n")[0]
    if sees_system != (ros != "wheels") or not made_here:
        return False
    probe = "import sys, pip; print(sys.version)"
    try:
        found = subprocess.run(
            [str(venv / "bin/python"), "-c", probe], capture_output=True, text=True, timeout=PROBE_DEADLINE_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return found.returncode == 0 and found.stdout.strip() == sys.version.strip()
