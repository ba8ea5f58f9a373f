"""Where ROS cannot write its log, as in a container with a read-only home, a command says so in one line."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module",
    [
        "wm_training.commands.collect",
        "wm_tools.drive",
        "wm_tools.benchmark",
        "wm_tools.benchmark.disturber_node",
        "wm_tools.record",
        "wm_tools.carla_watch.node",
        "wm_tools.goal_relay.node",
        "wm_planner.node.planner_node",
        "wm_planner.command_watchdog.node",
        "wm_sim.bridge",
    ],
)
def test_a_log_folder_that_cannot_be_made_is_told_in_one_line(tmp_path, module):
    (tmp_path / "file").touch()
    environment = {**os.environ, "ROS_LOG_DIR": str(tmp_path / "file/log"), "PYTHONPATH": os.pathsep.join(sys.path)}
    options = {
        "wm_training.commands.collect": ["--output-dir", "episodes"],
        "wm_tools.record": ["--output", "x.mcap"],
        "wm_tools.drive": ["--controllers", "random"],
        "wm_tools.benchmark": ["--controllers", "random"],
    }.get(module, [])
    done = subprocess.run(
        [sys.executable, "-m", module, *options],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (1, 2, 3) and "Failed to create log directory" in done.stderr
    assert "arguments" not in done.stderr and "Traceback" not in done.stderr and done.stderr.count("log directory") == 1
    assert "set ROS_LOG_DIR" in done.stderr and ", at /" not in done.stderr
