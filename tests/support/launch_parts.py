"""What a launch file starts: processes with arguments and parameters, under ros2_lite or the real launch system.

The programs of the launch file are replaced by reporters, so nothing of ROS runs.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAMS = {
    "wm_planner": ("planner", "command_watchdog"),
    "wm_tools": ("carla_watch", "goal_relay", "live_view", "record", "replay_monitor", "play_bag"),
    "wm_sim": ("bridge",),
    "wm_training": ("collect",),
    "carla_ros_bridge": ("bridge",),
    "carla_spawn_objects": ("carla_spawn_objects",),
}
LITE = [str(ROOT / "tools/ros2_lite/ros2"), "launch"]
# As `ros2 launch FILE NAME:=VALUE …` does it, without the ros2 command.
REAL = [
    sys.executable,
    "-c",
    """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

words = [tuple(word.split(":=", 1)) for word in sys.argv[2:]]
service = LaunchService(noninteractive=True)
source = PythonLaunchDescriptionSource(sys.argv[1])
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(source, launch_arguments=words)]))
sys.exit(service.run())
""",
]
# Says what it was started with and goes on until it is interrupted, as the nodes do.
REPORTER = """#!{python}
import json, os, pathlib, signal, sys, yaml
words, parameters, name = sys.argv[1:], {{}}, None
own = words[: words.index("--ros-args")] if "--ros-args" in words else words
for option, word in zip(words, words[1:]):
    if option == "--params-file":
        for section in yaml.safe_load(pathlib.Path(word).read_text()).values():
            parameters.update(section["ros__parameters"])
    if option == "-r" and word.startswith("__node:="):
        name = word.removeprefix("__node:=")
spawn = parameters.pop("objects_definition_file", None)
profile = next((value for key, value in os.environ.items() if key.endswith("_DEFAULT_PROFILES_FILE")), None)
report = dict(program="{program}", name=name, arguments=own, parameters=parameters,
              profile=profile and os.path.basename(profile),
              spawn=json.loads(pathlib.Path(spawn).read_text()) if spawn else None)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])
file = pathlib.Path(os.environ["REPORTS"], str(os.getpid()))
file.with_suffix(".new").write_text(json.dumps(report))
file.with_suffix(".new").rename(file)
signal.sigwait([signal.SIGINT, signal.SIGTERM])
"""

# Of what is installed by pip, the Python of a real `ros2 launch`, which is ROS's own, has these: rclpy's needs.
ROS_PYTHON = """
import importlib.machinery, os, pathlib, sys

shares = [pathlib.Path(prefix, "share") for prefix in os.environ["AMENT_PREFIX_PATH"].split(os.pathsep)]


class RosPython(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        spec = super().find_spec(name, path, target)
        by_pip = path is None and spec is not None and "site-packages" in (spec.origin or "")
        of_ros = name in ("numpy", "yaml", "typing_extensions") or any((share / name).is_dir() for share in shares)
        return None if by_pip and not of_ros else spec


sys.meta_path[sys.meta_path.index(importlib.machinery.PathFinder)] = RosPython
"""


def make_prefix(folder: Path, without: tuple[str, ...] = ()) -> Path:
    """An ament prefix whose packages have this checkout's launch, config and model files, and reporters as programs."""
    index = folder / "share/ament_index/resource_index/packages"
    index.mkdir(parents=True)
    for package, programs in PROGRAMS.items():
        if package in without:
            continue
        (index / package).touch()
        (folder / "share" / package).mkdir()
        (folder / "lib" / package).mkdir(parents=True)
        for program in programs:
            path = folder / "lib" / package / program
            path.write_text(REPORTER.format(python=sys.executable, program=f"{package}/{program}"))
            path.chmod(0o755)
    for name in ("launch", "config", "models"):
        (folder / "share/wm_planner" / name).symlink_to(ROOT / name)
    return folder


def started(system: list[str], prefix: Path, folder: Path, file: str, arguments: list[str], count: int) -> list[dict]:
    """The reports of what ``file`` starts, sorted by program; waits for ``count`` of them, then ends the launch."""
    process = begin(system, prefix, folder, file, arguments)
    deadline = time.monotonic() + 60.0
    while len(list(folder.glob("[0-9]*[0-9]"))) < count and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[0]
    reports = [json.loads(path.read_text()) for path in folder.glob("[0-9]*[0-9]")]
    assert len(reports) == count, output
    return sorted(reports, key=lambda report: (report["program"], report["arguments"]))


def begin(system: list[str], prefix: Path, folder: Path, file: str, arguments: list[str]) -> subprocess.Popen:
    """Starts a launch file of this checkout; ``folder`` takes the reports. ros2_lite has no more Python packages than a
    real ROS 2's own Python would have."""
    folder.mkdir()
    paths = [os.environ.get("PYTHONPATH", "")]
    if system is LITE:
        (folder / "python").mkdir()
        (folder / "python/sitecustomize.py").write_text(ROS_PYTHON)
        paths.insert(0, str(folder / "python"))
    # An interrupt must find the handlers of the launch, not those of a shell that runs in the background.
    return subprocess.Popen(
        [*system, str(ROOT / "launch" / file), *arguments],
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env={
            **os.environ,
            "AMENT_PREFIX_PATH": f"{prefix}{os.pathsep}{os.environ.get('AMENT_PREFIX_PATH', '')}",
            "PYTHONPATH": os.pathsep.join(paths),
            "REPORTS": str(folder),
            "ROS_LOG_DIR": str(folder / "log"),
            "PYTHONUNBUFFERED": "1",
        },
    )
