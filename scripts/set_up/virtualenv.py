"""The virtual environment .venv, created for the ROS in use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from set_up.stamps import SetUpError, Stamps, hash_of, run_logged

PROBE_DEADLINE_S = 60.0


def ensure(root: Path, ros: str, stamps: Stamps) -> Path:
    """Creates .venv if it is missing, broken, moved, or of another Python or ROS; returns its folder."""
    venv = root / ".venv"
    key = hash_of(str(venv), str(Path(sys.executable).resolve()), sys.version, ros)
    python = venv / "bin/python"
    if stamps.is_done("venv", key) and python.exists():
        return venv
    command = [sys.executable, "-m", "venv", "--clear", str(venv)]
    if ros != "wheels":
        command.insert(-1, "--system-site-packages")  # rclpy and the messages stay visible
    with stamps.doing("venv", key, f"virtual environment for Python {sys.version.split()[0]}, ROS: {ros}"):
        if not _is_usable(venv, ros):
            run_logged(command, stamps.folder / "venv.log", deadline_s=120.0)
            if not _is_usable(venv, ros):
                raise SetUpError(f"{venv} was created but does not work; see {stamps.folder / 'venv.log'}")
    return venv


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
