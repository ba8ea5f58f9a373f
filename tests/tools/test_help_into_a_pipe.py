"""`ros2 run PACKAGE NODE --help | head`: a reader that has gone is no error."""

import os
import subprocess

import pytest

ROS2 = ["ros2", "run"]
NODES = [("wm_sim", "bridge"), ("wm_planner", "planner"), ("wm_planner", "command_watchdog")]


@pytest.mark.parametrize("package, node", NODES)
def test_help_ends_silently_when_nobody_reads_it(package, node):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [*ROS2, package, node, "--help"], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
