"""Packages that only the system's package manager can provide."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
import sysconfig
from pathlib import Path

from set_up.stamps import SetUpError

NEWEST_FOR_ALL = (3, 13)  # the newest Python for which all pinned packages have wheels


def missing_apt_packages(ros: str, purpose: str) -> list[str]:
    """Names of the Debian or Ubuntu packages that have to be installed first."""
    python = f"python3.{sys.version_info.minor}"
    missing = []
    if importlib.util.find_spec("ensurepip") is None:
        missing.append(f"{python}-venv")
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        missing.append(f"{python}-dev")
    programs = ["g++", "make"]
    if platform.machine() != "x86_64" and purpose != "car":
        programs.append("swig")  # Box2D has no wheel there and is compiled
    missing += [name for name in programs if shutil.which(name) is None]
    if ros != "wheels":
        if shutil.which("cmake") is None:
            missing.append("cmake")
        missing += [
            f"ros-{ros}-{package.replace('_', '-')}"
            for package in ("nav_msgs", "rosidl_default_generators", "sensor_msgs")
            if not is_installed(package, os.environ.get("AMENT_PREFIX_PATH", ""))
        ]
    return missing


def is_installed(package: str, ament_prefix_path: str) -> bool:
    """Whether a ROS package is in any of the prefixes."""
    prefixes = (Path(prefix) for prefix in ament_prefix_path.split(os.pathsep) if prefix)
    return any((prefix / "share/ament_index/resource_index/packages" / package).is_file() for prefix in prefixes)


def check(ros: str, purpose: str) -> None:
    """Raises SetUpError with the command to run if something is missing."""
    if sys.version_info[:2] > NEWEST_FOR_ALL and purpose != "car":
        raise SetUpError(
            f"Python 3.{sys.version_info[1]} has no wheels of Box2D and others yet, which the simulator and training "
            "need; with it only a car can be set up: scripts/setup.sh car"
        )
    missing = missing_apt_packages(ros, purpose)
    if missing:
        raise SetUpError(f"missing system packages; run: sudo apt-get install -y {' '.join(missing)}")
