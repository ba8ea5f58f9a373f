"""The pinned Python packages, in layers, and a fix for the ROS wheels."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from set_up.stamps import Stamps, hash_of, run_logged

# Layers after the ROS one, in the order of installation. The workspace can be built with the first.
BUILD = ("build",)
CAR = (*BUILD, "car")
DRIVE = (*CAR, "drive", "evaluate")
TRAIN = (*DRIVE, "train", "data")
PURPOSES = {"car": CAR, "drive": DRIVE, "train": TRAIN, "test": (*TRAIN, "ray", "test")}
PIP_DEADLINE_S = 3600.0

# The wheels' CMake files name these two folders of the machine they were built on.
BUILD_MACHINE_INCLUDE = re.compile(r"/opt/python/cp\d+-cp\d+/include/python3\.\d+")
BUILD_MACHINE_NUMPY = re.compile(r"/opt/python/cp\d+-cp\d+/lib/python3\.\d+/site-packages/numpy/_core/include")


def base_layers(ros: str, distribution: str) -> tuple[str, ...]:
    """The layers below a purpose's: for an installed ROS, or for a distribution's wheels."""
    return ("ros-wheels", f"ros-wheels-{distribution}") if ros == "wheels" else ("ros-installed",)


def ensure(root: Path, layers: tuple[str, ...], venv: Path, stamps: Stamps) -> None:
    """Installs the layers unless they are installed and unchanged."""
    files = {name: root / "requirements" / f"{name}.txt" for name in layers}
    venv_key = (stamps.folder / "venv.done").read_text()
    keys = {name: hash_of(venv_key, file.read_bytes()) for name, file in files.items()}
    missing = [name for name in files if not stamps.is_done(f"packages-{name}", keys[name])]
    if not missing:
        return
    if stamps.was_interrupted("packages"):
        remove_half_installed(venv)
    with stamps.doing("packages", "", f"Python packages: {', '.join(missing)} (some minutes; log: .setup/pip.log)"):
        command = [str(venv / "bin/python"), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
        if "train" not in layers:  # the others name all that they need; torch's builds need different packages
            command.append("--no-deps")
        for file in files.values():
            command += ["-r", str(file)]
        # Python writes byte code when a module is first used, and then only of what is used.
        variables = {"PIP_COMPILE": "0", **os.environ}
        run_logged(command, stamps.folder / "pip.log", PIP_DEADLINE_S, env=variables)
        if "ros-wheels" in layers:
            repair_cmake_files(venv)
    for name in missing:
        stamps.set_done(f"packages-{name}", keys[name])


def remove_half_installed(venv: Path) -> None:
    """After an interruption: removes the records of packages that lack files, so that pip reinstalls them."""
    for site_packages in venv.glob("lib/python3.*/site-packages"):
        for moved_away in site_packages.glob("~*"):  # pip's name for what it is about to remove
            shutil.rmtree(moved_away) if moved_away.is_dir() else moved_away.unlink()
        for record_folder in site_packages.glob("*.dist-info"):
            if not _is_whole(record_folder):
                print(f"[set-up]   {record_folder.name} is only partly installed: installing it again", flush=True)
                shutil.rmtree(record_folder)


def _is_whole(record_folder: Path) -> bool:
    """Whether all files of a package are there, by its RECORD; byte code does not count."""
    record = record_folder / "RECORD"
    if not record.is_file():
        return False
    lines = record.read_text(errors="replace").splitlines()
    files = [line.rsplit(",", 2)[0].strip('"') for line in lines if line]
    return all((record_folder.parent / file).exists() for file in files if not file.endswith(".pyc"))


def repair_cmake_files(venv: Path) -> None:
    """Puts this machine's Python and numpy include folders into the wheels' CMake files; repeatable."""
    probe = "import numpy, sysconfig; print(sysconfig.get_path('include')); print(numpy.get_include())"
    found = subprocess.run(
        [str(venv / "bin/python"), "-c", probe], check=True, capture_output=True, text=True, timeout=60.0
    ).stdout.splitlines()
    python_include, numpy_include = found
    for file in venv.glob("share/**/*.cmake"):
        text = file.read_text()
        repaired = BUILD_MACHINE_NUMPY.sub(lambda _: numpy_include, text)
        repaired = BUILD_MACHINE_INCLUDE.sub(lambda _: python_include, repaired)
        if repaired != text:
            temporary = file.with_suffix(".cmake.new")
            temporary.write_text(repaired)
            os.replace(temporary, file)
