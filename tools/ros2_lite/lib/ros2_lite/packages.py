"""Finds packages, their executables and their launch files through the ament index."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from ament_index_python.packages import get_packages_with_prefixes

from ros2_lite.errors import CommandError


def prefix_of(package: str) -> Path:
    """The folder where the package is installed; raises CommandError with the nearest names if it is not."""
    prefixes = get_packages_with_prefixes() if os.environ.get("AMENT_PREFIX_PATH") else {}
    if not prefixes:
        raise CommandError("no ROS packages are in use in this shell: run 'source env.sh' first")
    if package not in prefixes:
        raise CommandError(f"package {package!r} not found{nearest(package, prefixes)}")
    return Path(prefixes[package])


def executable_in(package: str, executable: str) -> Path:
    """The path of the package's executable; raises CommandError with the nearest names if there is none."""
    folder = prefix_of(package) / "lib" / package
    path = folder / executable
    if not (path.is_file() and os.access(path, os.X_OK)):
        files = [file for file in folder.iterdir() if os.access(file, os.X_OK)] if folder.is_dir() else []
        raise CommandError(
            f"package {package!r} has no executable {executable!r}{nearest(executable, [file.name for file in files])}"
        )
    return path


def launch_file_in(package: str, name: str) -> Path:
    """The path of the launch file below the package's share folder; raises CommandError if there is none."""
    share = prefix_of(package) / "share" / package
    # os.walk and not rglob: with symlink installs the folders may be links.
    files = [Path(root, file) for root, _, found in os.walk(share, followlinks=True) for file in found]
    matches = [file for file in files if file.name == name]
    if len(matches) > 1:
        raise CommandError(f"package {package!r} has several files {name!r}: {', '.join(map(str, matches))}")
    if not matches:
        launch_files = [file.name for file in files if file.name.endswith(".launch.py")]
        raise CommandError(f"package {package!r} has no launch file {name!r}{nearest(name, launch_files)}")
    return matches[0]


def nearest(name: str, known) -> str:
    """A hint for a misspelt name: the nearest known ones, or all if there are few, or nothing."""
    known = sorted(known)
    hints = difflib.get_close_matches(name, known, n=3) or (known if len(known) <= 8 else [])
    return f"; did you mean {' or '.join(hints)}?" if hints else ""
