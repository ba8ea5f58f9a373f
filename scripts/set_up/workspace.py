"""The colcon build of ros2_ws."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from set_up.stamps import SetUpError, Stamps, hash_of, running

COLCON_DEADLINE_S = 1800.0
# Files whose content affects the build; Python modules are linked, not copied, so they are not included.
BUILD_FILES = ("package.xml", "CMakeLists.txt", "setup.py", "setup.cfg")
SOURCE_SUFFIXES = (".msg", ".srv", ".action", ".cpp", ".hpp")
OUR_MAINTAINER = "team@wm-drive.dev"
PYTHON_MESSAGES = Path(__file__).parent / "python_messages"


@contextlib.contextmanager
def building(root: Path, ros: str, venv: Path, stamps: Stamps, only: str = ""):
    """Builds the workspace, or the package ``only`` with what it needs, if anything that affects the build has changed
    since the last time. The body runs at the same time; if it fails, that is raised after the build."""
    ros2_ws = root / "ros2_ws"
    variables = build_environment(ros2_ws, ros, venv)
    real_carla_msgs = find_real_carla_msgs(variables["AMENT_PREFIX_PATH"])
    environment_key = hash_of((stamps.folder / "venv.done").read_text(), str(real_carla_msgs))
    generators = [file.read_bytes() for file in PYTHON_MESSAGES.iterdir()]
    key = hash_of(environment_key, only, *generators, *source_parts(root))
    if stamps.is_done("workspace", key) and (ros2_ws / "install/local_setup.sh").is_file():
        yield
        return
    if stamps.was_interrupted("workspace") or not stamps.is_done("build-folder", environment_key):
        # A killed compiler leaves half-written files that look finished; another Python leaves wrong paths.
        for name in ("build", "install"):
            shutil.rmtree(ros2_ws / name, ignore_errors=True)
    command = [
        str(venv / "bin/python"),
        "-m",
        "colcon",
        "build",
        "--symlink-install",
        "--base-paths",
        "src",
        "--cmake-args",
        "-DBUILD_TESTING=OFF",
        f"-DPython3_EXECUTABLE={venv / 'bin/python'}",
    ]
    if real_carla_msgs:
        print(f"[set-up] carla_msgs is installed in {real_carla_msgs}: ours is not built", flush=True)
        command[7:7] = ["--packages-skip", "carla_msgs"]
    if only:
        command[7:7] = ["--packages-up-to", only]
    if ros == "wheels":
        command.append(f"-Drosidl_default_generators_DIR={PYTHON_MESSAGES}")
    failure = None
    with stamps.doing("workspace", key, "colcon build (about a minute; log: .setup/colcon.log)"):
        stamps.set_done("build-folder", environment_key)
        with running(command, stamps.folder / "colcon.log", COLCON_DEADLINE_S, cwd=ros2_ws, env=variables):
            try:
                yield
            except SetUpError as error:
                failure = error
    if failure:
        raise failure


def build_environment(ros2_ws: Path, ros: str, venv: Path) -> dict[str, str]:
    """This process's variables with .venv first and without this workspace's own build results."""
    variables = dict(os.environ, VIRTUAL_ENV=str(venv), PATH=f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}")
    # Without it colcon lets make start nothing more while the machine is loaded, if only by this very build.
    variables["MAKEFLAGS"] = f"-j{len(os.sched_getaffinity(0))}"
    for name in ("AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "COLCON_PREFIX_PATH", "PYTHONPATH", "LD_LIBRARY_PATH"):
        entries = variables.get(name, "").split(os.pathsep)
        kept = [entry for entry in entries if entry and not Path(entry).is_relative_to(ros2_ws / "install")]
        if ros == "wheels" and name in ("AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH"):
            kept = [str(venv), *kept]
        variables[name] = os.pathsep.join(kept)
    return variables


def find_real_carla_msgs(ament_prefix_path: str) -> Path | None:
    """The prefix with a carla_msgs other than this project's, or None."""
    for prefix in filter(None, ament_prefix_path.split(os.pathsep)):
        manifest = Path(prefix, "share/carla_msgs/package.xml")
        if manifest.is_file() and OUR_MAINTAINER not in manifest.read_text(errors="replace"):
            return Path(prefix)
    return None


def source_parts(root: Path) -> list[str | bytes]:
    """The build's inputs: contents of build files, interfaces and C++, names of the installed data files."""
    parts: list[str | bytes] = []
    source = root / "ros2_ws/src"
    for file in sorted(path for path in source.glob("*/**/*") if path.is_file()):
        if file.name in BUILD_FILES or file.suffix in SOURCE_SUFFIXES:
            parts += [str(file.relative_to(source)), file.read_bytes()]
        elif file.suffix == ".py" and (source / file.relative_to(source).parts[0] / "CMakeLists.txt").is_file():
            parts.append(str(file.relative_to(source)))  # such a package links its modules one by one
    for folder in ("config", "launch", "models"):
        parts += sorted(str(path.relative_to(root)) for path in (root / folder).rglob("*"))
    return parts
