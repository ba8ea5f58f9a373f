"""CARLA's real ROS bridge on a stand-in for CARLA's client: starts programs as a user does, gives orders to the
stand-in, and reads its log, the ground truth.

Nothing of the bridge or of CARLA is part of this project: two variables name them, see `prepare`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import graph
from wm_bundle.processes.ros_distribution import discovery

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BRIDGE, CLIENT = "WM_CARLA_BRIDGE", "WM_CARLA_CLIENT"
EGO = "ego_vehicle"
START_S = 120.0  # for everything to drive, on a busy machine
_PATHS = ("AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "PATH")
_OURS = "ros2_ws/install/carla_msgs"  # must not be found beside the bridge's package of the same name
BRAKE = [0.0, 0.0, 1.0]


def reason_to_skip() -> str:
    """Why these tests cannot run here; empty if they can."""
    missing = [name for name in (BRIDGE, CLIENT) if not os.environ.get(name)]
    if missing:
        return (
            f"{' and '.join(missing)} not set: {BRIDGE} names a built workspace of CARLA's ROS bridge, {CLIENT} a "
            f"folder made by `pip install --target FOLDER carla==0.9.16 transforms3d` (docs/carla.md)"
        )
    return ""


@cache
def prepare() -> dict[str, str]:
    """The variables of a shell in which the bridge's workspace and this project are sourced; `carla` is the stand-in.
    Raises AssertionError for variables that name something else."""
    workspace, client = Path(os.environ[BRIDGE]).resolve(), Path(os.environ[CLIENT]).resolve()
    setup = workspace / "install/local_setup.bash"
    assert setup.is_file(), f"{BRIDGE}={workspace}: expected a colcon workspace with {setup.name}, found none"
    assert list(client.glob("carla/libcarla*.so")), f"{CLIENT}={client}: expected carla/libcarla*.so, found none"
    variables = {**os.environ, "ROS_VERSION": "2", "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1"}
    variables.setdefault("ROS_DISTRO", "jazzy")
    for name in _PATHS:
        entries = variables.get(name, "").split(os.pathsep)
        variables[name] = os.pathsep.join(entry for entry in entries if entry and _OURS not in entry)
    shell = subprocess.run(
        ["bash", "-c", '. "$1" && env -0', "bash", str(setup)],
        env=variables,
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    variables = dict(entry.split("=", 1) for entry in shell.stdout.decode().split("\0") if "=" in entry)
    # The stand-in first, and what a ROS 2 from wheels lacks last.
    python_path = [HERE / "stand_in", variables["PYTHONPATH"], client, HERE / "missing_in_wheels"]
    variables["PYTHONPATH"] = os.pathsep.join(map(str, python_path))
    variables[CLIENT] = str(client)
    tried = subprocess.run(
        [sys.executable, "-c", "import carla_ros_bridge.bridge, carla_msgs.srv"],
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert tried.returncode == 0, f"the bridge in {workspace} cannot be imported:\n{tried.stderr[-2000:]}"
    return variables


@dataclass(frozen=True)
class Row:
    """One tick of the car: ``acting`` [steer, throttle, brake] in it, and the commands that were applied since the
    previous tick: by whom, control, wall time [s]."""

    frame: int
    elapsed_s: float
    wall_s: float
    speed_mps: float
    acting: list[float]
    commands: list[tuple[str, list[float], float]]


class Program(graph.GraphProcess):
    """A program in the rig's environment. With ``folder`` it has a server of its own, whose log is there."""

    def __init__(self, words: list[str], domain_id: int, folder: Path | None = None, **variables: str):
        self.log = folder / "carla.jsonl" if folder else None
        own = {"CARLA_STAND_IN_LOG": str(self.log)} if folder else {}
        env = {**graph.environment(domain_id), **prepare(), **discovery(domain_id), **own, **variables}
        super().__init__(
            [shutil.which(words[0], path=env["PATH"]) or words[0], *words[1:]], domain_id=domain_id, env=env
        )

    def entries(self) -> list[dict]:
        """The log so far."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines if line.endswith("}")]

    def order(self, do: str, **values) -> dict:
        """Give the server an order (`stand_in/carla/orders.py`), returns its answer."""
        port = next(entry["port"] for entry in self.entries() if entry["event"] == "orders")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
            channel.settimeout(10.0)
            channel.sendto(json.dumps({"do": do, **values}).encode(), ("127.0.0.1", port))
            answer = json.loads(channel.recv(65536))
        assert "error" not in answer, answer
        return answer

    def car(self) -> dict:
        """The ego vehicle, as the server has it: speed, place, yaw, control, autopilot."""
        cars = self.order("state")["cars"].values()
        return next(car for car in cars if car["role_name"] == EGO)

    def rows(self) -> list[Row]:
        """Every tick of the first car that was spawned."""
        entries = self.entries()
        car = next(e["id"] for e in entries if e["event"] == "spawn" and e["kind"].startswith("vehicle"))
        rows, since = [], []
        for entry in entries:
            if entry["event"] == "apply" and entry["id"] == car:
                since.append((entry["by"], entry["control"], entry["wall"]))
            elif entry["event"] == "tick" and str(car) in entry["cars"]:
                speed, acting = entry["cars"][str(car)]
                rows.append(Row(entry["frame"], entry["elapsed"], entry["wall"], speed, acting, since))
                since = []
        return rows

    def rows_since(self, wall_s: float) -> list[Row]:
        return [row for row in self.rows() if row.wall_s > wall_s]

    def wait_for_rows(self, count: int, since_s: float, timeout_s: float = 60.0) -> list[Row]:
        """The ticks since then, as soon as there are so many of them."""
        deadline_s = time.monotonic() + timeout_s
        while len(rows := self.rows_since(since_s)) < count:
            assert self.process.poll() is None, self.output()[-3000:]
            assert time.monotonic() < deadline_s, (
                f"{len(rows)} of {count} ticks in {timeout_s} s:\n{self.output()[-3000:]}"
            )
            time.sleep(0.2)
        return rows

    def children(self) -> dict[str, int]:
        """Process ids of this launch's programs by the name of their executable."""
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                session = int((path / "stat").read_text().rsplit(")", 1)[1].split()[3])
                words = (path / "cmdline").read_text().split("\0")
            except OSError:  # it has ended
                continue
            if session == self.process.pid and len(words) > 1:
                found[Path(words[1]).name] = int(path.name)
        return found

    def kill(self) -> None:
        """Also the bridge, which has a process group of its own."""
        super().kill()
        for process in self.children().values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def interrupt(self, timeout_s: float = 40.0) -> int:
        """End it as Ctrl-C does, returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.wait(timeout_s)


def counts(rows: list[Row]) -> Counter:
    """How many ticks had how many commands."""
    return Counter(len(row.commands) for row in rows)


def launch(file: str, *words: str, domain_id: int, folder: Path | None, package: str = "wm_planner", **variables: str):
    """`ros2 launch PACKAGE FILE WORDS…`, by the real launch system where there is one."""
    return Program(["ros2", "launch", package, file, *words], domain_id, folder, **variables)


def drive(bundle: Path, *words: str, folder: Path, **variables: str) -> Program:
    """The documented command that drives in CARLA."""
    arguments = ["simulator:=carla", f"bundle:={bundle}", *words]
    return launch("carla_sim.launch.py", *arguments, domain_id=graph.fresh_domain_id(), folder=folder, **variables)
